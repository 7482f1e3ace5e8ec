//! The options of the communicator.

use lvhost_config::Communicator;
use secrecy::ExposeSecret as _;

use super::{ARTIFACT, Row, URI, check, source};

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
        ssh_disable_agent_forwarding: "false" => "false", "true";
        ssh_allow_host_key_change: "true" => "true", "false";
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
        ssh_file_transfer_method: r#""scp""# => "Some(Scp)", "None";
        ssh_file_transfer_method: r#""sftp""# => "Some(Sftp)", "None";
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
