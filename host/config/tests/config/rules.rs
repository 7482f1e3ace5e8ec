//! Rules between options, with what is said of a source that breaks them. What this version can't do at
//! all is left out: the rules hold the same.

use super::world::decode;

/// The first lines of what is said of a source with these lines in it, but for what its volume and its
/// communicator need.
fn said(lines: &str) -> Vec<String> {
    let text = format!(
        "source \"libvirt\" \"x\" {{\n{lines}\n\
         volume {{\nalias = \"artifact\"\ncapacity = \"1G\"\n}}\n}}\n"
    );
    let messages = decode("rules.pkr.hcl", &text).messages;
    messages
        .lines()
        .filter(|line| line.starts_with("error: ") || line.starts_with("warning: "))
        .filter(|line| !line.ends_with("is not supported by this version of lvhost"))
        .map(str::to_string)
        .collect()
}

const LOCAL: &str = "libvirt_uri = \"qemu:///system\"\n";
const NONE: &str = "communicator = \"none\"\n";
const SSH: &str = "ssh_host = \"h\"\nssh_username = \"u\"\nssh_password = \"p\"\n";
const WINRM: &str = "communicator = \"winrm\"\n";
const MANAGED: &str = "network_interface {\ntype = \"managed\"\nalias = \"communicator\"\n}\n";

fn check(before: &str, rows: &[(&str, &[&str])]) {
    for (lines, expected) in rows {
        assert_eq!(said(&format!("{before}{lines}")), *expected, "{lines}");
    }
}

#[test]
fn firmware() {
    check(
        &format!("{LOCAL}{NONE}"),
        &[
            ("firmware = \"efi\"\nsecure_boot = true\ntpm = true", &[]),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"q35\"",
                &[],
            ),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"pc-q35-9.2\"",
                &[],
            ),
            ("firmware = \"efi\"\nnvram_path = \"/vars.fd\"", &[]),
            ("loader_path = \"/code.fd\"\nsecure_boot = true", &[]),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"pc\"",
                &["error: there is no secure boot on the machine type `pc`"],
            ),
            (
                "firmware = \"bios\"\nsecure_boot = true",
                &["error: a BIOS has no secure boot"],
            ),
            (
                "secure_boot = true",
                &["warning: `secure_boot` has no effect without a firmware for it"],
            ),
            (
                "firmware = \"efi\"\nloader_path = \"/code.fd\"",
                &["error: `firmware` and `loader_path` exclude each other"],
            ),
            (
                "firmware = \"efi\"\nnvram_template = \"/vars.fd\"",
                &["error: `nvram_template` has no meaning without `loader_path`"],
            ),
            (
                "firmware = \"uefi\"",
                &[
                    "error: `firmware`: `uefi` is not one of \"bios\", \"efi\"; did you mean \"efi\"?",
                ],
            ),
            (
                "tpm = \"3.0\"",
                &["error: `tpm`: `3.0` is not one of \"2.0\", \"1.2\"; did you mean \"2.0\"?"],
            ),
            (
                "domain_xml_overlay = [\"<domain/>\", \" \"]",
                &["error: `domain_xml_overlay[1]` is empty"],
            ),
        ],
    );
}

#[test]
fn http_server() {
    check(
        &format!("{LOCAL}{NONE}"),
        &[
            ("http_directory = \"http\"\nhttp_port_min = 8100", &[]),
            ("http_content = { \"/a/b.cfg\" = \"text\" }", &[]),
            (
                "http_directory = \"http\"\nhttp_content = { \"/a\" = \"b\" }",
                &["error: `http_content` and `http_directory` exclude each other"],
            ),
            (
                "http_content = { \"a.cfg\" = \"text\" }",
                &["error: `a.cfg` is not the path of a URL"],
            ),
            (
                "http_bind_address = \"::1\"\nhttp_interface = \"eth0\"",
                &["error: `http_interface` and `http_bind_address` exclude each other"],
            ),
            (
                "http_bind_address = \"localhost\"",
                &["error: `localhost` is not an IP address"],
            ),
            (
                "http_port_min = 9500",
                &["error: `http_port_min` is 9500, which is more than `http_port_max` with 9000"],
            ),
            (
                "http_port_max = 0",
                &[
                    "error: `http_port_max` must be between 1 and 65535",
                    "error: `http_port_min` is 8000, which is more than `http_port_max` with 0",
                ],
            ),
            (
                "http_network_protocol = \"unix\"",
                &[
                    "error: `http_network_protocol`: `unix` is not one of \"tcp\", \"tcp4\", \"tcp6\"",
                ],
            ),
        ],
    );
}

#[test]
fn the_end_of_a_build() {
    check(
        LOCAL,
        &[
            (
                "communicator = \"none\"\nshutdown_command = \"poweroff\"",
                &["warning: `shutdown_command` has no effect without a communicator"],
            ),
            (
                "communicator = \"none\"\noutput_compact = true",
                &["warning: `output_compact` has no effect without `output_directory`"],
            ),
            (
                "communicator = \"none\"\noutput_directory = \"out\"\noutput_compact = true",
                &[],
            ),
        ],
    );
}

#[test]
fn ssh_log_in() {
    let before = format!("{LOCAL}ssh_host = \"h\"\nssh_username = \"u\"\n");
    check(
        &before,
        &[
            ("ssh_private_key = [107]", &[]),
            ("ssh_agent_auth = true", &[]),
            (
                "ssh_private_key_file = \"k\"\nssh_certificate_file = \"c\"",
                &[],
            ),
            (
                "ssh_password = \"p\"\nssh_certificate_file = \"c\"",
                &["error: `ssh_certificate_file` has no meaning without `ssh_private_key_file`"],
            ),
            (
                "ssh_password = \"p\"\nssh_keypair_name = \"k\"",
                &["warning: `ssh_keypair_name` has no effect"],
            ),
            (
                "ssh_private_key = [300]",
                &["error: `ssh_private_key`: a key is a list of bytes, from 0 to 255"],
            ),
            (
                "ssh_private_key = [255]",
                &["error: `ssh_private_key`: the bytes of a key are those of a text"],
            ),
            (
                "ssh_password = \"p\"\ntemporary_key_pair_type = \"dsa\"",
                &[
                    "error: `temporary_key_pair_type`: `dsa` is not one of \"ed25519\", \"ecdsa\", \
                   \"rsa\"; did you mean \"rsa\"?",
                ],
            ),
            (
                "ssh_password = \"p\"\ntemporary_key_pair_type = \"rsa\"\n\
                 temporary_key_pair_bits = 512",
                &["error: a key of type `rsa` has 1024 to 16384 bits"],
            ),
            (
                "ssh_password = \"p\"\ntemporary_key_pair_type = \"ecdsa\"\n\
                 temporary_key_pair_bits = 512",
                &["error: a key of type `ecdsa` has 256, 384 or 521 bits"],
            ),
        ],
    );
}

#[test]
fn ways_to_the_guest() {
    check(
        &format!("{LOCAL}{SSH}"),
        &[
            (
                "ssh_bastion_host = \"b\"\nssh_bastion_password = \"p\"",
                &[],
            ),
            (
                "ssh_bastion_host = \"b\"\nssh_bastion_agent_auth = true",
                &[],
            ),
            (
                "ssh_bastion_host = \"b\"\nssh_private_key_file = \"k\"",
                &[],
            ),
            ("ssh_proxy_host = \"b\"\nssh_proxy_port = 3128", &[]),
            (
                "ssh_bastion_host = \"b\"",
                &["error: there is no way to log in at the bastion"],
            ),
            (
                "ssh_bastion_host = \"b\"\nssh_bastion_password = \"p\"\nssh_proxy_host = \"q\"",
                &["error: `ssh_bastion_host` and `ssh_proxy_host` exclude each other"],
            ),
            (
                "ssh_bastion_host = \"b\"\nssh_bastion_password = \"p\"\n\
                 ssh_bastion_certificate_file = \"c\"",
                &[
                    "error: `ssh_bastion_certificate_file` has no meaning without \
                   `ssh_bastion_private_key_file`",
                ],
            ),
            (
                "ssh_bastion_from_uri = true",
                &["error: the hypervisor's host is not reached over SSH"],
            ),
            (
                "ssh_proxy_port = 0",
                &["error: `ssh_proxy_port` must be between 1 and 65535"],
            ),
            (
                "ssh_local_tunnels = [\"8080:localhost:80\", \"8080\"]",
                &[
                    "error: `ssh_local_tunnels[1]`: `8080` is not a tunnel; write it like \
                   `8080:localhost:80`: the port to listen on, the host to connect to and its port",
                ],
            ),
            (
                "ssh_file_transfer_method = \"ftp\"",
                &[
                    "error: `ssh_file_transfer_method`: `ftp` is not one of \"sftp\", \"scp\"; did you \
                   mean \"sftp\"?",
                ],
            ),
        ],
    );
    for uri in [
        "qemu+ssh://h/system",
        "ch+libssh2://u@h:22/session?keyfile=k",
    ] {
        let lines = format!("libvirt_uri = \"{uri}\"\n{SSH}ssh_bastion_from_uri = true");
        assert_eq!(said(&lines), [""; 0], "{uri}");
    }
}

#[test]
fn winrm() {
    check(
        &format!("{LOCAL}{WINRM}{MANAGED}network_address_source = \"lease\"\n"),
        &[
            ("winrm_username = \"Administrator\"", &[]),
            ("winrm_port = 5999", &["error: `winrm_username` is missing"]),
            (
                "winrm_username = \"Administrator\"\nwinrm_port = 0",
                &["error: `winrm_port` must be between 1 and 65535"],
            ),
        ],
    );
    for (port, lines) in [
        (5985, ""),
        (5986, "winrm_use_ssl = true\n"),
        (5999, "winrm_use_ssl = true\nwinrm_port = 5999\n"),
    ] {
        let user = "network_interface {\ntype = \"user\"\nalias = \"communicator\"\n}\n";
        let lines = format!("{LOCAL}{WINRM}{user}winrm_username = \"u\"\n{lines}");
        let missing = format!("error: no port leads to the guest's port {port}");
        assert_eq!(said(&lines), [missing], "{lines}");
    }
}

#[test]
fn the_communicators_interface() {
    let before = format!("{LOCAL}ssh_username = \"u\"\nssh_password = \"p\"\n");
    let first = "warning: SSH goes through the first network interface";
    let only = "warning: SSH goes through the only network interface";
    let agent = "warning: the guest's address is asked for from its QEMU guest agent";
    let other = "network_interface {\ntype = \"managed\"\n}\n";
    check(
        &before,
        &[
            (MANAGED, &[agent]),
            (&format!("{MANAGED}network_address_source = \"agent\""), &[]),
            (&format!("{MANAGED}ssh_host = \"h\""), &[]),
            (&format!("{other}network_address_source = \"arp\""), &[only]),
            (
                &format!("{other}{other}network_address_source = \"arp\""),
                &[first],
            ),
            (
                &format!("{other}{MANAGED}network_address_source = \"arp\""),
                &[],
            ),
            (
                &format!("{other}communicator_interface = \"lan\""),
                &["error: no network interface has the alias `lan`"],
            ),
            (
                "network_interface {\ntype = \"direct\"\ndevice = \"eth0\"\nalias = \"communicator\"\n}\n\
                 network_address_source = \"lease\"",
                &["error: a `direct` interface has no DHCP leases of libvirt"],
            ),
            (
                "network_interface {\ntype = \"managed\"\nalias = \"serial-console\"\n}\n\
                 network_address_source = \"lease\"",
                &[
                    "error: the alias `serial-console` is that of a console of the domain",
                    only,
                ],
            ),
        ],
    );
}

#[test]
fn kinds_of_interfaces() {
    let interface = |lines: &str| format!("{LOCAL}{NONE}network_interface {{\n{lines}\n}}");
    for (lines, expected) in [
        (
            "type = \"direct\"\ndevice = \"eth0\"\nmode = \"vepa\"",
            vec![],
        ),
        ("type = \"direct\"", vec!["error: `device` is missing"]),
        ("type = \"bridge\"", vec!["error: `bridge` is missing"]),
        (
            "type = \"managed\"\ndevice = \"eth0\"\nmode = \"bridge\"",
            vec![
                "warning: `device` has no effect in an interface of type `managed`",
                "warning: `mode` has no effect in an interface of type `managed`",
            ],
        ),
        (
            "type = \"direct\"\ndevice = \"eth0\"\nmode = \"nat\"",
            vec![
                "error: `mode`: `nat` is not one of \"bridge\", \"vepa\", \"private\", \"passthrough\"",
            ],
        ),
    ] {
        assert_eq!(said(&interface(lines)), expected, "{lines}");
    }
}

#[test]
fn graphical_consoles() {
    let graphics = |lines: &str| format!("{LOCAL}{NONE}graphics {{\n{lines}\n}}");
    for (lines, expected) in [
        (
            "type = \"spice\"\nport = 5930\nlisten = \"0.0.0.0\"\npassword = \"a long one\"",
            vec![],
        ),
        ("type = \"vnc\"\npassword = \"12345678\"", vec![]),
        (
            "type = \"vnc\"\npassword = \"123456789\"",
            vec!["error: a VNC password has at most 8 characters"],
        ),
        (
            "type = \"sdl\"\ndisplay = \":0\"\npassword = \"p\"",
            vec!["warning: `password` has no effect in graphics of type `sdl`"],
        ),
        (
            "type = \"spice\"\ndisplay = \":0\"",
            vec!["warning: `display` has no effect in graphics of type `spice`"],
        ),
    ] {
        assert_eq!(said(&graphics(lines)), expected, "{lines}");
    }
}

#[test]
fn sizes_of_a_volume() {
    let volume = |lines: &str| {
        let text = format!(
            "source \"libvirt\" \"x\" {{\n{LOCAL}{NONE}volume {{\nalias = \"artifact\"\n{lines}\n}}\n}}\n"
        );
        let decoded = decode("sizes.pkr.hcl", &text);
        let capacity = decoded.sources[0].volume[0].capacity;
        let message = decoded
            .messages
            .lines()
            .next()
            .unwrap_or_default()
            .to_string();
        (capacity.map(|size| size.0), message)
    };
    let missing = "error: `capacity` is missing";
    for (lines, capacity, message) in [
        ("size = \"1K\"", Some(1024), ""),
        ("capacity = \"1K\"", Some(1024), ""),
        ("size = 1\ncapacity = 2", Some(2), ""),
        ("size = 0", None, missing),
        ("", None, missing),
    ] {
        assert_eq!(volume(lines), (capacity, message.to_string()), "{lines}");
    }
}

/// What follows from other options is filled in, so that whoever builds need not know.
#[test]
fn time_limits_of_ssh() {
    let minutes = |minutes: u64| std::time::Duration::from_secs(60 * minutes);
    for (lines, timeout) in [
        ("", minutes(5)),
        ("ssh_timeout = \"0s\"", minutes(5)),
        (
            "ssh_timeout = \"2m\"\nssh_handshake_attempts = 3",
            minutes(2),
        ),
        ("ssh_handshake_attempts = 3", lvhost_config::NO_LIMIT),
        ("ssh_handshake_attempts = 0", minutes(5)),
    ] {
        let text = format!("source \"libvirt\" \"x\" {{\n{LOCAL}{SSH}{lines}\n}}\n");
        let source = decode("limits.pkr.hcl", &text).sources.remove(0);
        let communicator = source.communicator.unwrap();
        assert_eq!(communicator.ssh_timeout, timeout, "{lines}");
    }
}

/// A bastion is logged in at with the guest's key where it has none of its own.
#[test]
fn keys_of_a_bastion() {
    for (lines, key, certificate) in [
        ("", Some("k"), Some("c")),
        ("ssh_bastion_private_key_file = \"b\"", Some("b"), None),
        (
            "ssh_bastion_private_key_file = \"b\"\nssh_bastion_certificate_file = \"d\"",
            Some("b"),
            Some("d"),
        ),
    ] {
        let text = format!(
            "source \"libvirt\" \"x\" {{\n{LOCAL}ssh_host = \"h\"\nssh_username = \"u\"\n\
             ssh_private_key_file = \"k\"\nssh_certificate_file = \"c\"\n\
             ssh_bastion_host = \"b\"\n{lines}\n}}\n"
        );
        let source = decode("bastion.pkr.hcl", &text).sources.remove(0);
        let communicator = source.communicator.unwrap();
        assert_eq!(
            (
                communicator.ssh_bastion_private_key_file.as_deref(),
                communicator.ssh_bastion_certificate_file.as_deref()
            ),
            (key, certificate),
            "{lines}"
        );
    }
}
