//! Rules of the communicator, of the ways to the guest and of the interface they end at.

use super::{LOCAL, MANAGED, SSH, WINRM, check, said};
use crate::world::decode;

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
                &["error: a key of type `rsa` has 2048 to 8192 bits"],
            ),
            (
                "ssh_password = \"p\"\ntemporary_key_pair_type = \"ecdsa\"\n\
                 temporary_key_pair_bits = 512",
                &["error: a key of type `ecdsa` has 256, 384 or 521 bits"],
            ),
            (
                "ssh_password = \"p\"\ntemporary_key_pair_name = \"two\\nlines\"",
                &["error: `temporary_key_pair_name` must be one line"],
            ),
            ("", &["error: there is no way to log in over SSH"]),
            (
                "temporary_key_pair_type = \"rsa\"\nboot_command = [\"{{ .SSHPublicKey }}\"]",
                &[],
            ),
            ("http_content = { \"/k\" = \"{{ .SSHPublicKey }}\" }", &[]),
            (
                "volume {\nname = \"v\"\nsource {\ntype = \"cloud-init\"\n\
                 user_data = \"#cloud-config\\n{{ .SSHPublicKey }}\"\n}\n}",
                &[],
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
            (
                "ssh_bastion_host = \"b\"\nssh_bastion_interactive = true",
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
            (
                "winrm_username = \"Administrator\"\nwinrm_password = \"p\"",
                &[],
            ),
            (
                "winrm_username = \"Administrator\"",
                &["warning: `winrm_password` is missing"],
            ),
            (
                "winrm_password = \"p\"\nwinrm_port = 5999",
                &["error: `winrm_username` is missing"],
            ),
            (
                "winrm_username = \"Administrator\"\nwinrm_password = \"p\"\nwinrm_port = 0",
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
        let lines =
            format!("{LOCAL}{WINRM}{user}winrm_username = \"u\"\nwinrm_password = \"p\"\n{lines}");
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
