//! The options of a source and of the blocks in it.

use lvhost_config::{Graphics, LibvirtSource, NetworkInterface, PortForward, Volume};

use super::{ARTIFACT, NO_COMMUNICATOR, Row, check, source, source_with};

#[test]
fn options_of_the_source() {
    let rows: &[Row<LibvirtSource>] = rows![
        libvirt_uri: r#""qemu:///session""# => r#""qemu:///session""#;
        domain_name: r#""builder""# => r#"Some("builder")"#, "None";
        memory: "846" => "846", "512";
        memory: r#""2048""# => "2048", "512";
        vcpu: "2" => "2", "1";
        vcpu: r#""4""# => "4", "1";
        cpu_mode: r#""host-passthrough""# => r#"Some("host-passthrough")"#, "None";
        communicator_interface: r#""lan""# => r#""lan""#, r#""communicator""#;
        communicator_interface: r#""ua-lan""# => r#""lan""#, r#""communicator""#;
        artifact_volume_alias: r#""ua-artifact""# => r#""artifact""#, r#""artifact""#;
        boot_devices: r#"["network", "hd", "cdrom", "fd"]"# => "[Network, Hd, Cdrom, Fd]", "[]";
        boot_devices: r#""cdrom""# => "[Cdrom]", "[]";
        boot_command: r#"["<esc><wait>", "auto url=http://{{ .HTTPIP }}:{{ .HTTPPort }}/p<enter>"]"#
            => r#"["<esc><wait>", "auto url=http://{{ .HTTPIP }}:{{ .HTTPPort }}/p<enter>"]"#, "[]";
        boot_wait: r#""5s""# => "5s", "10s";
        boot_wait: r#""-1s""# => "0ns", "10s";
        boot_keygroup_interval: r#""250ms""# => "250ms", "0ns";
        boot_key_interval: r#""10ms""# => "10ms", "100ms";
        key_hold_time: r#""80ms""# => "80ms", "50ms";
        key_hold_time: r#""1ms""# => "5ms", "50ms";
        http_directory: r#""http""# => r#"Some("http")"#, "None";
        http_content: r#"{ "/a.cfg" = "text", "/n" = 1 }"#
            => r#"{"/a.cfg": "text", "/n": "1"}"#, "{}";
        http_port_min: r#""8500""# => "8500", "8000";
        http_port_max: "8100" => "8100", "9000";
        http_bind_address: r#""192.0.2.1""# => r#"Some("192.0.2.1")"#, "None";
        http_bind_address: r#""::""# => r#"Some("::")"#, "None";
        http_interface: r#""eth0""# => r#"Some("eth0")"#, "None";
        http_network_protocol: r#""tcp""# => "Tcp", "Tcp";
        http_network_protocol: r#""tcp4""# => "Tcp4", "Tcp";
        http_network_protocol: r#""tcp6""# => "Tcp6", "Tcp";
        network_address_source: r#""agent""# => "Agent", "Agent";
        network_address_source: r#""lease""# => "Lease", "Agent";
        network_address_source: r#""arp""# => "Arp", "Agent";
        communicator_link_local_interface: r#""eth0""# => r#"Some("eth0")"#, "None";
        shutdown_command: r#""sudo poweroff""# => r#"Some("sudo poweroff")"#, "None";
        shutdown_mode: r#""auto""# => "None", "None";
        shutdown_mode: r#""acpi""# => "Some(Acpi)", "None";
        shutdown_mode: r#""guest""# => "Some(Guest)", "None";
        shutdown_mode: r#""initctl""# => "Some(Initctl)", "None";
        shutdown_mode: r#""signal""# => "Some(Signal)", "None";
        shutdown_mode: r#""paravirt""# => "Some(Paravirt)", "None";
        shutdown_timeout: r#""1h5m2s""# => "3902s", "300s";
        shutdown_timeout: r#""0s""# => "300s", "300s";
        domain_type: r#""qemu""# => r#""qemu""#, r#""kvm""#;
        arch: r#""aarch64""# => r#""aarch64""#, r#""x86_64""#;
        chipset: r#""q35""# => r#"Some("q35")"#, "None";
        firmware: r#""bios""# => "Some(Bios)", "None";
        firmware: r#""efi""# => "Some(Efi)", "None";
        loader_path: r#""/usr/share/OVMF.fd""# => r#"Some("/usr/share/OVMF.fd")"#, "None";
        loader_type: r#""rom""# => "Some(Rom)", "None";
        loader_type: r#""pflash""# => "Some(Pflash)", "None";
        secure_boot: "true" => "true", "false";
        secure_boot: r#""true""# => "true", "false";
        secure_boot: "1" => "true", "false";
        secure_boot: "0" => "false", "false";
        nvram_path: r#""/vars.fd""# => r#"Some("/vars.fd")"#, "None";
        nvram_template: r#""/template.fd""# => r#"Some("/template.fd")"#, "None";
        tpm: "true" => "V2_0", "None";
        tpm: r#""2.0""# => "V2_0", "None";
        tpm: "2.0" => "V2_0", "None";
        tpm: r#""1.2""# => "V1_2", "None";
        tpm: "false" => "None", "None";
        video: r#""virtio""# => "Some(Virtio)", "None";
        video: r#""qxl""# => "Some(Qxl)", "None";
        video: r#""vga""# => "Some(Vga)", "None";
        video: r#""cirrus""# => "Some(Cirrus)", "None";
        video: r#""bochs""# => "Some(Bochs)", "None";
        video: r#""ramfb""# => "Some(Ramfb)", "None";
        video: r#""none""# => "Some(None)", "None";
        console_log: r#""guest.log""# => r#"File("guest.log")"#, "Default";
        console_log: r#""off""# => "Off", "Default";
        console_log: "false" => "Off", "Default";
        console_log: "true" => "Default", "Default";
        domain_xml_overlay: r#"["<domain/>"]"# => r#"["<domain/>"]"#, "[]";
        output_directory: r#""output""# => r#"Some("output")"#, "None";
        output_compact: "true" => "true", "false";
    ];
    check(rows, &[("libvirt_uri", r#""qemu:///system""#)], |lines| {
        let firmware = if lines.contains("loader_type") || lines.contains("nvram") {
            "loader_path = \"/firmware.fd\"\n"
        } else {
            ""
        };
        source(&format!("{NO_COMMUNICATOR}{ARTIFACT}{firmware}{lines}"))
    });
}

#[test]
fn options_of_a_network_interface() {
    let rows: &[Row<NetworkInterface>] = rows![
        r#type: r#""managed""# => "Managed";
        r#type: r#""network""# => "Network";
        r#type: r#""bridge""# => "Bridge";
        r#type: r#""user""# => "User";
        r#type: r#""direct""# => "Direct";
        network: r#""lab""# => r#"Some("lab")"#, "None";
        bridge: r#""br0""# => r#"Some("br0")"#;
        device: r#""eth0""# => r#"Some("eth0")"#;
        mode: r#""bridge""# => "Some(Bridge)", "None";
        mode: r#""vepa""# => "Some(Vepa)", "None";
        mode: r#""private""# => "Some(Private)", "None";
        mode: r#""passthrough""# => "Some(Passthrough)", "None";
        mac: r#""52:54:00:AB:cd:ef""# => r#"Some("52:54:00:AB:cd:ef")"#, "None";
        alias: r#""ua-lan""# => r#"Some("lan")"#, "None";
        model: r#""e1000""# => r#""e1000""#, r#""virtio""#;
    ];
    let required = [
        ("type", r#""managed""#),
        ("bridge", r#""br1""#),
        ("device", r#""eth1""#),
    ];
    check(rows, &required, |lines| {
        let mut source = source_with(&format!("network_interface {{\n{lines}}}\n"));
        source.network_interface.remove(0)
    });
}

#[test]
fn options_of_a_forwarded_port() {
    let rows: &[Row<PortForward>] = rows![
        protocol: r#""tcp""# => "Tcp", "Tcp";
        protocol: r#""udp""# => "Udp", "Tcp";
        address: r#""::1""# => r#""::1""#, r#""127.0.0.1""#;
        host_port: "2222" => "Some(2222)", "None";
        guest_port: r#""22""# => "22";
    ];
    check(rows, &[("guest_port", "80")], |lines| {
        let mut source = source_with(&format!(
            "network_interface {{\ntype = \"user\"\nport_forward {{\n{lines}}}\n}}\n"
        ));
        source.network_interface.remove(0).port_forward.remove(0)
    });
}

#[test]
fn options_of_a_volume() {
    let rows: &[Row<Volume>] = rows![
        pool: r#""base-images""# => r#""base-images""#, r#""default""#;
        name: r#""ubuntu:22.04""# => r#"Some("ubuntu:22.04")"#;
        size: r#""1.5G""# => "Some(Size(1610612736))", "None";
        size: "0" => "Some(Size(0))", "None";
        capacity: r#""10""# => "Some(Size(10))", "None";
        capacity: "10737418240" => "Some(Size(10737418240))", "None";
        capacity: r#""37GB""# => "Some(Size(37000000000))", "None";
        capacity: r#""204800M""# => "Some(Size(214748364800))", "None";
        readonly: r#""true""# => "Some(true)", "None";
        readonly: "false" => "Some(false)", "None";
        target_dev: r#""sda""# => r#"Some("sda")"#, "None";
        bus: r#""sata""# => r#"Some("sata")"#, "None";
        alias: r#""ua-drivers""# => r#"Some("drivers")"#, "None";
        format: r#""qcow2""# => r#"Some("qcow2")"#, "None";
        source_format: r#""raw""# => r#"Some("raw")"#, "None";
        backing_volumes: r#"["base", "images/lts", "/srv/lts"]"#
            => r#"["base", "images/lts", "/srv/lts"]"#, "[]";
        device: r#""disk""# => "Some(Disk)", "None";
        device: r#""cdrom""# => "Some(Cdrom)", "None";
        device: r#""floppy""# => "Some(Floppy)", "None";
        device: r#""lun""# => "Some(Lun)", "None";
        attach_as: r#""volume""# => "Some(Volume)", "None";
        attach_as: r#""file""# => "Some(File)", "None";
    ];
    check(rows, &[("name", r#""data""#)], |lines| {
        source_with(&format!("volume {{\n{lines}}}\n"))
            .volume
            .remove(1)
    });
}

#[test]
fn options_of_graphics() {
    let rows: &[Row<Graphics>] = rows![
        r#type: r#""vnc""# => "Vnc";
        r#type: r#""spice""# => "Spice";
        r#type: r#""sdl""# => "Sdl";
        port: r#""5901""# => "Some(5901)", "None";
        port: "0" => "Some(0)", "None";
        port: "-1" => "None", "None";
        password: r#""12345678""# => "Some(SecretBox<str>([REDACTED]))", "None";
        listen: r#""0.0.0.0""# => r#"Some("0.0.0.0")"#, "None";
        display: r#"":0""# => r#"Some(":0")"#;
    ];
    let required = [("type", r#""vnc""#), ("display", r#"":1""#)];
    check(rows, &required, |lines| {
        source_with(&format!("graphics {{\n{lines}}}\n"))
            .graphics
            .remove(0)
    });
}
