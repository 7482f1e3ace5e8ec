//! Each documented option: what it decodes to, and what it is when left out.

use std::collections::BTreeSet;

use lvhost_config::{
    Breakpoint, Communicator, Declared, File, Graphics, LibvirtSource, NetworkInterface,
    PortForward, Provisioner, Shell, ShellLocal, SourceValue, Volume,
};
use secrecy::ExposeSecret as _;

use super::world::{built_in_sources, decode};

/// An option of a block `T`.
struct Row<T> {
    name: &'static str,
    /// A value as a user writes it.
    written: &'static str,
    /// The decoded value as `Debug` shows it.
    show: fn(&T) -> String,
    /// What it must be.
    expected: &'static str,
    /// What it must be when left out; nothing for what can't be left out.
    absent: Option<&'static str>,
}

/// `name: written => decoded, when left out;`
macro_rules! rows {
    ($($name:ident: $written:literal => $expected:literal $(, $absent:literal)?;)*) => {
        &[$(Row {
            name: stringify!($name),
            written: $written,
            show: |block| format!("{:?}", block.$name),
            expected: $expected,
            absent: rows!(@absent $($absent)?),
        }),*]
    };
    (@absent) => { None };
    (@absent $absent:literal) => { Some($absent) };
}

/// Checks rows and that there is one for every option. `required` are options that the block can't
/// be without.
fn check<T: Declared>(rows: &[Row<T>], required: &[(&str, &str)], decode: impl Fn(&str) -> T) {
    let mut seen = BTreeSet::new();
    for row in rows {
        let name = row.name.trim_start_matches("r#");
        let others: String = required
            .iter()
            .filter(|(required, _)| *required != name)
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let line = format!("{name} = {}", row.written);
        let block = decode(&format!("{others}{line}\n"));
        assert_eq!(
            (row.show)(&block),
            row.expected,
            "{}: {line}",
            T::SCHEMA.name
        );
        if let Some(absent) = row.absent {
            for line in [
                "".to_string(),
                format!("{name} = null"),
                format!("{name} = \"\""),
            ] {
                let block = decode(&format!("{others}{line}\n"));
                assert_eq!((row.show)(&block), absent, "{}: {line}", T::SCHEMA.name);
            }
        }
        seen.insert(name);
    }
    let declared: BTreeSet<_> = T::SCHEMA.options.iter().map(|option| option.name).collect();
    assert_eq!(
        seen,
        declared,
        "{}: every option has its row",
        T::SCHEMA.name
    );
}

/// A `source "libvirt"` with these lines in it. Warnings are fine here, errors are not, but for what is
/// marked as not supported: it is decoded all the same.
fn source(lines: &str) -> LibvirtSource {
    let text = format!("source \"libvirt\" \"x\" {{\n{lines}\n}}\n");
    let mut decoded = decode("options.pkr.hcl", &text);
    let mut errors = decoded.messages.lines().filter(|line| {
        line.starts_with("error:") && !line.ends_with("is not supported by this version of lvhost")
    });
    assert_eq!(errors.next(), None, "{}{text}", decoded.messages);
    decoded.sources.remove(0)
}

const URI: &str = "libvirt_uri = \"qemu:///system\"\n";
const NO_COMMUNICATOR: &str = "communicator = \"none\"\n";
const ARTIFACT: &str = "volume {\nalias = \"artifact\"\ncapacity = \"1G\"\n}\n";

/// The same with all that a source needs beside `lines`.
fn source_with(lines: &str) -> LibvirtSource {
    source(&format!("{URI}{NO_COMMUNICATOR}{ARTIFACT}{lines}"))
}

fn provisioner(type_name: &str, lines: &str) -> Provisioner {
    let text = format!(
        "source \"null\" \"x\" {{}}\nbuild {{\nsources = [\"null.x\"]\n\
         provisioner \"{type_name}\" {{\n{lines}}}\n}}\n"
    );
    let mut decoded = decode("options.pkr.hcl", &text);
    decoded.provisioners.remove(0)
}

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
fn options_of_the_communicator() {
    let rows: &[Row<Communicator>] = rows![
        communicator: r#""ssh""# => "Ssh", "Ssh";
        communicator: r#""winrm""# => "Winrm", "Ssh";
        communicator: r#""none""# => "None", "Ssh";
        pause_before_connecting: r#""10s""# => "Some(10s)", "None";
        ssh_host: r#""192.0.2.1""# => r#"Some("192.0.2.1")"#;
        ssh_port: r#""1011""# => "1011", "22";
        ssh_username: r#""debian""# => r#"Some("debian")"#;
        ssh_password: r#""secret""# => "Some(SecretBox<str>([REDACTED]))";
        ssh_certificate_file: r#""/key-cert.pub""# => r#"Some("/key-cert.pub")"#, "None";
        ssh_private_key: "[107, 101, 121]" => "Some(KeyText(SecretBox<str>([REDACTED])))", "None";
        ssh_private_key: r#""key""# => "Some(KeyText(SecretBox<str>([REDACTED])))", "None";
        ssh_public_key: "[107]" => "Some(KeyText(SecretBox<str>([REDACTED])))", "None";
        ssh_private_key_file: r#""/key""# => r#"Some("/key")"#, "None";
        ssh_agent_auth: "true" => "true", "false";
        ssh_disable_agent_forwarding: "true" => "true", "false";
        ssh_timeout: r#""90s""# => "90s", "300s";
        ssh_timeout: r#""0s""# => "300s", "300s";
        ssh_wait_timeout: r#""1.5m""# => "Some(90s)", "None";
        ssh_wait_timeout: r#""0s""# => "None", "None";
        ssh_handshake_attempts: "5" => "Some(5)", "None";
        ssh_handshake_attempts: "0" => "None", "None";
        ssh_pty: r#""1""# => "true", "false";
        ssh_keep_alive_interval: r#""0""# => "0ns", "5s";
        ssh_keep_alive_interval: r#""-1s""# => "0ns", "5s";
        ssh_read_write_timeout: r#""1m""# => "60s", "0ns";
        ssh_file_transfer_method: r#""scp""# => "Scp", "Sftp";
        ssh_file_transfer_method: r#""sftp""# => "Sftp", "Sftp";
        ssh_ciphers: r#"["aes128-gcm@openssh.com"]"# => r#"["aes128-gcm@openssh.com"]"#, "[]";
        ssh_key_exchange_algorithms: r#"["curve25519-sha256"]"# => r#"["curve25519-sha256"]"#, "[]";
        ssh_remote_tunnels: r#"["8080:localhost:80"]"#
            => r#"[Tunnel { listen_port: 8080, host: "localhost", port: 80 }]"#, "[]";
        ssh_local_tunnels: r#""3389:[::1]:3390""#
            => r#"[Tunnel { listen_port: 3389, host: "::1", port: 3390 }]"#, "[]";
        ssh_bastion_host: r#""jump""# => r#"Some("jump")"#, "None";
        ssh_bastion_port: r#""2222""# => "2222", "22";
        ssh_bastion_username: r#""admin""# => r#"Some("admin")"#, "None";
        ssh_bastion_password: r#""secret""# => "Some(SecretBox<str>([REDACTED]))", "None";
        ssh_bastion_interactive: "true" => "true", "false";
        ssh_bastion_agent_auth: "true" => "true", "false";
        ssh_bastion_private_key_file: r#""/jump""# => r#"Some("/jump")"#, "None";
        ssh_bastion_certificate_file: r#""/jump-cert.pub""# => r#"Some("/jump-cert.pub")"#, "None";
        ssh_bastion_from_uri: "true" => "true", "false";
        ssh_proxy_host: r#""proxy""# => r#"Some("proxy")"#, "None";
        ssh_proxy_port: "3128" => "3128", "1080";
        ssh_proxy_username: r#""me""# => r#"Some("me")"#, "None";
        ssh_proxy_password: r#""secret""# => "Some(SecretBox<str>([REDACTED]))", "None";
        temporary_key_pair_type: r#""ed25519""# => "Ed25519", "Ed25519";
        temporary_key_pair_type: r#""ecdsa""# => "Ecdsa", "Ed25519";
        temporary_key_pair_type: r#""rsa""# => "Rsa", "Ed25519";
        temporary_key_pair_bits: "384" => "Some(384)", "None";
        temporary_key_pair_name: r#""build""# => r#"Some("build")"#, "None";
        ssh_keypair_name: r#""build""# => r#"Some("build")"#, "None";
        ssh_clear_authorized_keys: "true" => "true", "false";
        winrm_username: r#""Administrator""# => r#"Some("Administrator")"#, "None";
        winrm_password: r#""secret""# => "Some(SecretBox<str>([REDACTED]))", "None";
        winrm_host: r#""192.0.2.1""# => r#"Some("192.0.2.1")"#, "None";
        winrm_port: r#""5999""# => "Some(5999)", "None";
        winrm_timeout: r#""1h""# => "3600s", "1800s";
        winrm_timeout: r#""0s""# => "1800s", "1800s";
        winrm_use_ssl: "true" => "true", "false";
        winrm_insecure: "true" => "true", "false";
        winrm_use_ntlm: "true" => "true", "false";
        winrm_no_proxy: "true" => "true", "false";
    ];
    let required = [
        ("ssh_host", r#""192.0.2.9""#),
        ("ssh_username", r#""root""#),
        ("ssh_password", r#""123""#),
    ];
    let beside = |lines: &str| -> String {
        let pairs = [
            ("ssh_certificate_file", "ssh_private_key_file = \"/key\"\n"),
            (
                "ssh_bastion_certificate_file",
                "ssh_bastion_private_key_file = \"/key\"\n",
            ),
            ("ssh_bastion_host", "ssh_bastion_agent_auth = true\n"),
            (
                "temporary_key_pair_bits",
                "temporary_key_pair_type = \"ecdsa\"\n",
            ),
            (
                "communicator = \"winrm\"",
                "winrm_username = \"u\"\nwinrm_host = \"h\"\n",
            ),
        ];
        let needed = pairs.iter().filter(|(option, _)| lines.contains(option));
        needed.map(|(_, lines)| *lines).collect()
    };
    const URI: &str = "libvirt_uri = \"qemu+ssh://host/system\"\n";
    let in_a_block = |lines: &str| {
        let beside = beside(lines);
        source(&format!(
            "{URI}{ARTIFACT}communicator {{\n{beside}{lines}}}\n"
        ))
    };
    check(rows, &required, |lines| {
        in_a_block(lines).communicator.unwrap()
    });
    // As with all other builders of Packer.
    let flat = |lines: &str| source(&format!("{URI}{ARTIFACT}{}{lines}", beside(lines)));
    check(rows, &required, |lines| flat(lines).communicator.unwrap());
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

#[test]
fn options_of_the_provisioner_shell() {
    let rows: &[Row<Shell>] = rows![
        inline: r#"["echo 1", "echo 2"]"# => r#"["echo 1", "echo 2"]"#, "[]";
        inline: r#""true""# => r#"["true"]"#, "[]";
        inline_shebang: r#""/bin/bash -eux""# => r#""/bin/bash -eux""#, r#""/bin/sh -e""#;
        script: r#""a.sh""# => r#"Some("a.sh")"#, "None";
        scripts: r#"["a.sh", "b.sh"]"# => r#"["a.sh", "b.sh"]"#, "[]";
        environment_vars: r#"["A=1", "B="]"# => r#"["A=1", "B="]"#, "[]";
        env: "{ A = 1, B = true }" => r#"{"A": "1", "B": "true"}"#;
        use_env_var_file: "true" => "true", "false";
        env_var_format: r#""export %s='%s'""# => r#"Some("export %s='%s'")"#, "None";
        execute_command: r#""sudo {{ .Path }}""# => r#"Some("sudo {{ .Path }}")"#, "None";
        binary: "true" => "true", "false";
        remote_folder: r#""/root""# => r#""/root""#, r#""/tmp""#;
        remote_file: r#""x.sh""# => r#"Some("x.sh")"#, "None";
        remote_path: r#""/x.sh""# => r#"Some("/x.sh")"#, "None";
        skip_clean: "true" => "true", "false";
        expect_disconnect: "true" => "true", "false";
        start_retry_timeout: r#""10m""# => "600s", "300s";
        pause_after: r#""30s""# => "30s", "0ns";
        valid_exit_codes: r#"["0", "1", 2]"# => "[0, 1, 2]", "[]";
    ];
    check(rows, &[], |lines| match provisioner("shell", lines) {
        Provisioner::Shell(shell) => shell,
        other => panic!("{other:?}"),
    });
}

#[test]
fn options_of_the_provisioner_shell_local() {
    let rows: &[Row<ShellLocal>] = rows![
        inline: r#"["echo 1"]"# => r#"["echo 1"]"#, "[]";
        inline_shebang: r#""/bin/bash""# => r#""/bin/bash""#, r#""/bin/sh -e""#;
        command: r#""make""# => r#"Some("make")"#, "None";
        script: r#""a.sh""# => r#"Some("a.sh")"#, "None";
        scripts: r#"["a.sh"]"# => r#"["a.sh"]"#, "[]";
        environment_vars: r#"["A=1"]"# => r#"["A=1"]"#, "[]";
        env: r#"{ A = "1" }"# => r#"{"A": "1"}"#;
        execute_command: r#"["sh", "{{ .Script }}"]"# => r#"["sh", "{{ .Script }}"]"#, "[]";
        only_on: r#"["linux"]"# => r#"["linux"]"#, "[]";
        valid_exit_codes: "[0, 3]" => "[0, 3]", "[]";
    ];
    check(rows, &[], |lines| match provisioner("shell-local", lines) {
        Provisioner::ShellLocal(shell) => shell,
        other => panic!("{other:?}"),
    });
}

#[test]
fn options_of_the_provisioner_file() {
    let rows: &[Row<File>] = rows![
        source: r#""app/""# => r#"Some("app/")"#, "None";
        sources: r#"["a", "b"]"# => r#"["a", "b"]"#, "[]";
        content: r#""hello""# => r#"Some("hello")"#, "None";
        destination: r#""/etc/motd""# => r#""/etc/motd""#;
        direction: r#""upload""# => "Upload", "Upload";
        direction: r#""download""# => "Download", "Upload";
        generated: "true" => "true", "false";
    ];
    check(
        rows,
        &[("destination", r#""/tmp/x""#)],
        |lines| match provisioner("file", lines) {
            Provisioner::File(file) => file,
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn options_of_the_provisioner_breakpoint() {
    let rows: &[Row<Breakpoint>] = rows![
        note: r#""look""# => r#"Some("look")"#, "None";
        disable: "true" => "true", "false";
    ];
    check(rows, &[], |lines| match provisioner("breakpoint", lines) {
        Provisioner::Breakpoint(breakpoint) => breakpoint,
        other => panic!("{other:?}"),
    });
}

#[test]
fn options_of_volume_sources() {
    let text = |text: &str| SourceValue::Text(text.to_string());
    let list = |texts: &[&str]| {
        SourceValue::TextList(texts.iter().map(|text| (*text).to_string()).collect())
    };
    let rows = [
        (
            "external",
            "urls",
            r#"["https://a/b", "/c"]"#,
            list(&["https://a/b", "/c"]),
        ),
        (
            "external",
            "urls",
            r#""https://a/b""#,
            list(&["https://a/b"]),
        ),
        ("external", "checksum", r#""sha256:ab""#, text("sha256:ab")),
        ("cloning", "pool", r#""base""#, text("base")),
        ("clone", "volume", r#""debian""#, text("debian")),
        ("backing-store", "pool", r#""base""#, text("base")),
        ("backingstore", "volume", r#""debian""#, text("debian")),
        ("backing-store", "path", r#""/a.qcow2""#, text("/a.qcow2")),
        ("cloud-init", "meta_data", r#""{}""#, text("{}")),
        (
            "cloudinit",
            "user_data",
            r##""#cloud-config""##,
            text("#cloud-config"),
        ),
        (
            "cloud-init",
            "vendor_data",
            r##""#cloud-config""##,
            text("#cloud-config"),
        ),
        ("cloud-init", "network_config", r#""{}""#, text("{}")),
        (
            "files",
            "files",
            r#"["./drivers/*"]"#,
            list(&["./drivers/*"]),
        ),
        (
            "files",
            "contents",
            r#"{ "a.txt" = 1, "b/c" = "d" }"#,
            SourceValue::TextMap(vec![
                ("a.txt".to_string(), "1".to_string()),
                ("b/c".to_string(), "d".to_string()),
            ]),
        ),
        ("files", "label", r#""OEMDRV""#, text("OEMDRV")),
    ];
    let sources = built_in_sources();
    let mut seen = BTreeSet::new();
    for (type_name, option, written, expected) in rows {
        let required = match (type_name, option) {
            ("external", "urls") | ("cloning" | "clone", "volume") => "",
            ("external", _) => "urls = [\"/x\"]",
            ("cloning", _) => "volume = \"x\"",
            _ => "",
        };
        let source = source_with(&format!(
            "volume {{\nsource {{\ntype = \"{type_name}\"\n{required}\n{option} = {written}\n}}\n}}\n"
        ));
        let block = source.volume[1].source.as_ref().unwrap();
        let schema = sources.find(type_name).unwrap();
        assert_eq!(block.type_name, schema.type_name, "{type_name}");
        assert!(block.is_known());
        let setting = block
            .settings
            .iter()
            .find(|setting| setting.name == option)
            .unwrap();
        assert_eq!(setting.value, Some(expected), "{type_name}: {option}");
        seen.insert((schema.type_name.clone(), option.to_string()));
    }
    let declared: BTreeSet<_> = sources
        .kinds()
        .iter()
        .flat_map(|schema| {
            let options = schema.options.iter();
            options.map(|option| (schema.type_name.clone(), option.name.clone()))
        })
        .collect();
    assert_eq!(seen, declared, "every option of every source has its row");
}

/// Components name an option by its path; the user sees the place.
#[test]
fn paths_of_components_lead_to_places() {
    let text = format!(
        "source \"libvirt\" \"x\" {{\n{URI}{NO_COMMUNICATOR}volume {{\nalias = \"artifact\"\n\
         source {{\ntype = \"files\"\nfiles = [\"a\", \"b\"]\n\
         contents = {{ \"c.d\" = \"e\" }}\n}}\n}}\n}}\n"
    );
    let decoded = decode("places.pkr.hcl", &text);
    let source = decoded.sources[0].volume[0].source.as_ref().unwrap();
    for (path, place) in [
        ("files", r#"["a", "b"]"#),
        ("files[1]", r#""b""#),
        ("files[7]", r#"["a", "b"]"#),
        (r#"contents["c.d"]"#, r#""e""#),
    ] {
        assert_eq!(decoded.files.slice(source.span_of(path)), place, "{path}");
    }
    for path in ["", "label", "no such option"] {
        assert_eq!(source.span_of(path), source.origin.span(), "{path}");
    }
}

/// Neither `Debug` of a decoded source nor what is said of it holds what must not be shown.
#[test]
fn secrets_are_not_shown() {
    let source = source(&format!(
        "{URI}{ARTIFACT}ssh_host = \"h\"\nssh_username = \"u\"\nssh_password = \"hunter2\"\n\
         volume {{\nsource {{\ntype = \"cloud-init\"\nuser_data = \"hunter2\"\n}}\n}}\n"
    ));
    let shown = format!("{source:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let password = source.communicator.unwrap().ssh_password.unwrap();
    assert_eq!(password.expose_secret(), "hunter2");
}
