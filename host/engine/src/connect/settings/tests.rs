//! What options of a template come to as settings of a connection.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use lvhost_communicator::ssh::{Questions, Round};
use lvhost_config::{SourceSchemas, decode_source};
use lvhost_hcl::{
    Body, DataOutcome, DataSources, Diagnostics, Environment, InputFile, Inputs, load,
};

use super::*;

/// A machine with nothing on it.
struct Nowhere;

impl Environment for Nowhere {
    fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn file_exists(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn list_files(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn working_directory(&self) -> PathBuf {
        "/here".into()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        None
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn variable_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

impl DataSources for Nowhere {
    fn evaluate(&self, type_name: &str, _: &str, _: &Body) -> DataOutcome {
        DataOutcome::NotSupported(type_name.to_owned())
    }
}

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Questions for Nobody {
    async fn answer(&self, _: &Round) -> Option<Vec<SecretString>> {
        None
    }
}

/// The communicator of a source with these lines in it.
pub(in crate::connect) fn communicator(lines: &str) -> Communicator {
    let text = format!(
        "source \"libvirt\" \"x\" {{\nlibvirt_uri = \"qemu+ssh://hv/system\"\nssh_host = \"guest\"\n\
         ssh_username = \"me\"\n{lines}\n\
         volume {{\nalias = \"artifact\"\ncapacity = \"1G\"\n}}\n}}\n"
    );
    let inputs = Inputs {
        templates: vec![InputFile {
            name: "test.pkr.hcl".into(),
            text: text.clone(),
        }],
        ..Inputs::default()
    };
    let (document, _, _) = load(&inputs, Arc::new(Nowhere), &Nowhere);
    let mut report = Diagnostics::default();
    let body = &document.unwrap().sources[0].body;
    let source = decode_source(body, &SourceSchemas::default(), &mut report);
    assert!(!report.has_errors(), "{text}{report:?}");
    source.communicator.unwrap()
}

/// The settings for these lines, with an agent, a home and a user, and the hypervisor at `uri`.
fn at(uri: &str, lines: &str) -> Settings {
    let hypervisor = ConnectionUri::new(uri);
    let questions: Arc<dyn Questions> = Arc::new(Nobody);
    let known_hosts = [PathBuf::from("/home/me/.ssh/known_hosts")];
    let around = Surroundings {
        agent_socket: Some(Path::new("/run/agent")),
        working_directory: Path::new("/here"),
        home_directory: Some(Path::new("/home/me")),
        user: Some("local"),
        hypervisor: &hypervisor,
        known_hosts: &known_hosts,
        questions: Some(&questions),
    };
    settings(&communicator(lines), "guest", 22, &around).unwrap()
}

fn of(lines: &str) -> Settings {
    at("qemu:///system", lines)
}

/// The ways to log in, by a word each.
fn ways(ways: &[Authentication]) -> Vec<String> {
    let word = |way: &Authentication| match way {
        Authentication::KeyFile { path, .. } => format!("file {}", path.display()),
        Authentication::Key(_) => "key".to_owned(),
        Authentication::Password(_) => "password".to_owned(),
        Authentication::Agent { socket } => format!("agent {}", socket.display()),
        Authentication::Certificate { certificate, .. } => {
            format!("certificate {}", certificate.display())
        }
        Authentication::Interactive(_) => "questions".to_owned(),
        other => format!("{other:?}"),
    };
    ways.iter().map(word).collect()
}

#[test]
fn ways_to_log_in_are_tried_in_the_order_of_packer() {
    for (lines, expected) in [
        ("ssh_password = \"p\"", vec!["password"]),
        (
            "ssh_private_key_file = \"id\"\nssh_password = \"p\"\nssh_agent_auth = true",
            vec!["file /here/id", "agent /run/agent", "password"],
        ),
        (
            "ssh_private_key_file = \"~/.ssh/id\"\nssh_certificate_file = \"id-cert.pub\"",
            vec!["certificate /here/id-cert.pub"],
        ),
        ("ssh_private_key = \"text\"", vec!["key"]),
    ] {
        assert_eq!(ways(&of(lines).authentication), expected, "{lines}");
    }
}

#[test]
fn options_of_a_connection() {
    let plain = of("ssh_password = \"p\"");
    assert_eq!(plain.keep_alive, Some(Duration::from_secs(5)));
    assert_eq!(plain.handshake_attempts, None);
    assert!(!plain.pty && plain.read_write_timeout.is_none());
    assert_eq!(plain.file_transfer, FileTransfer::SftpOrScp);
    let named = of("ssh_password = \"p\"\nssh_file_transfer_method = \"sftp\"");
    assert_eq!(named.file_transfer, FileTransfer::Sftp);
    let all = of(
        "ssh_password = \"p\"\nssh_handshake_attempts = 3\nssh_pty = true\n\
         ssh_keep_alive_interval = \"0\"\nssh_read_write_timeout = \"9s\"\n\
         ssh_file_transfer_method = \"scp\"\n\
         ssh_ciphers = [\"aes256-gcm@openssh.com\"]\n\
         ssh_key_exchange_algorithms = [\"curve25519-sha256\"]\n\
         ssh_local_tunnels = [\"8080:localhost:80\"]\n\
         ssh_remote_tunnels = [\"3128:proxy:3129\"]",
    );
    assert_eq!(all.keep_alive, None);
    assert_eq!(all.handshake_attempts, Some(3));
    assert!(all.pty);
    assert_eq!(all.read_write_timeout, Some(Duration::from_secs(9)));
    assert_eq!(all.file_transfer, FileTransfer::Scp);
    assert_ne!(
        format!("{:?}", all.algorithms),
        format!("{:?}", plain.algorithms)
    );
    let tunnels = |tunnels: &[Tunnel]| {
        let tunnels = tunnels.iter();
        let told = tunnels.map(|it| format!("{}:{}:{}", it.listen_port, it.host, it.port));
        told.collect::<Vec<_>>()
    };
    assert_eq!(tunnels(&all.local_tunnels), ["8080:localhost:80"]);
    assert_eq!(tunnels(&all.remote_tunnels), ["3128:proxy:3129"]);
}

#[test]
fn the_agent_is_lent_to_the_guest_only_if_that_is_asked_for() {
    let socket = Some(PathBuf::from("/run/agent"));
    for (lines, lent) in [
        ("", false),
        ("ssh_agent_auth = true", false),
        ("ssh_disable_agent_forwarding = false", true),
        ("ssh_disable_agent_forwarding = true", false),
        (
            "ssh_agent_auth = true\nssh_disable_agent_forwarding = false",
            true,
        ),
    ] {
        let found = of(&format!("ssh_password = \"p\"\n{lines}")).agent_forwarding;
        assert_eq!(found, socket.clone().filter(|_| lent), "{lines}");
    }
}

#[test]
fn the_host_key_may_change_only_if_that_is_allowed() {
    for (lines, may) in [
        ("", false),
        ("ssh_allow_host_key_change = true", true),
        ("ssh_allow_host_key_change = false", false),
    ] {
        let found = of(&format!("ssh_password = \"p\"\n{lines}"));
        assert_eq!(found.host_key_may_change, may, "{lines}");
    }
}

fn bastion(settings: &Settings) -> &Bastion {
    match &settings.route {
        Route::Bastion(bastion) => bastion,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bastion_of_the_template_is_logged_in_at_and_taken_as_it_is() {
    for (lines, expected, user, port) in [
        (
            "ssh_bastion_password = \"b\"\nssh_bastion_username = \"jump\"\nssh_bastion_port = 2222",
            vec!["password"],
            "jump",
            2222,
        ),
        (
            "ssh_bastion_private_key_file = \"b\"\nssh_bastion_agent_auth = true",
            vec!["file /here/b", "agent /run/agent"],
            "local",
            22,
        ),
        (
            "ssh_bastion_private_key_file = \"b\"\nssh_bastion_certificate_file = \"c\"",
            vec!["certificate /here/c"],
            "local",
            22,
        ),
        (
            "ssh_bastion_interactive = true",
            vec!["questions"],
            "local",
            22,
        ),
    ] {
        let settings = of(&format!(
            "ssh_password = \"p\"\nssh_bastion_host = \"jump.example\"\n{lines}"
        ));
        let found = bastion(&settings);
        assert_eq!(found.host, "jump.example");
        assert_eq!(
            (found.username.as_str(), found.port),
            (user, port),
            "{lines}"
        );
        assert_eq!(ways(&found.authentication), expected, "{lines}");
        let known = settings.bastion_known_hosts.unwrap();
        assert_eq!(known.files, [PathBuf::from("/home/me/.ssh/known_hosts")]);
        assert!(!known.must_hold, "what is not known is believed");
    }
}

#[test]
fn the_host_key_of_the_hypervisors_host_must_be_known_unless_the_uri_says_otherwise() {
    let usual = Some(vec![PathBuf::from("/home/me/.ssh/known_hosts")]);
    for (uri, user, port, expected, known) in [
        (
            "qemu+ssh://root@hv:2222/system?keyfile=/k",
            "root",
            2222,
            vec!["file /k", "agent /run/agent"],
            usual.clone(),
        ),
        (
            "qemu+ssh://hv/system",
            "local",
            22,
            vec!["agent /run/agent"],
            usual,
        ),
        (
            "qemu+libssh://hv/system?known_hosts=/etc/hosts.known",
            "local",
            22,
            vec!["agent /run/agent"],
            Some(vec!["/etc/hosts.known".into()]),
        ),
        (
            "qemu+ssh://hv/system?no_verify=1",
            "local",
            22,
            vec!["agent /run/agent"],
            None,
        ),
    ] {
        let settings = at(uri, "ssh_password = \"p\"\nssh_bastion_from_uri = true");
        let found = bastion(&settings);
        assert_eq!(found.host, "hv");
        assert_eq!((found.username.as_str(), found.port), (user, port), "{uri}");
        assert_eq!(ways(&found.authentication), expected, "{uri}");
        let found_known = settings.bastion_known_hosts;
        assert!(found_known.iter().all(|it| it.must_hold));
        assert_eq!(found_known.map(|it| it.files), known, "{uri}");
    }
}

#[test]
fn proxies() {
    for (lines, expected) in [
        ("", "direct"),
        ("ssh_proxy_host = \"p\"", "socks p:1080 -"),
        (
            "ssh_proxy_host = \"http://p/\"\nssh_proxy_port = 3128\nssh_proxy_username = \"u\"\n\
             ssh_proxy_password = \"w\"",
            "http p:3128 u",
        ),
    ] {
        let told = |kind: &str, proxy: &Proxy| {
            let user = proxy
                .credentials
                .as_ref()
                .map_or("-", |it| it.username.as_str());
            format!("{kind} {}:{} {user}", proxy.host, proxy.port)
        };
        let found = match of(&format!("ssh_password = \"p\"\n{lines}")).route {
            Route::Direct => "direct".to_owned(),
            Route::Socks5(proxy) => told("socks", &proxy),
            Route::HttpConnect(proxy) => told("http", &proxy),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{lines}");
    }
}

#[test]
fn windows() {
    use secrecy::ExposeSecret;

    let lines = "communicator = \"winrm\"\nwinrm_host = \"guest\"\nwinrm_username = \"Administrator\"\n\
                 winrm_password = \"p\"\n";
    let settings = winrm(&communicator(lines), "192.0.2.1", 5985);
    assert_eq!((settings.host.as_str(), settings.port), ("192.0.2.1", 5985));
    assert_eq!(settings.username, "Administrator");
    assert_eq!(settings.password.expose_secret(), "p");
    assert!(!settings.tls && !settings.insecure && !settings.ntlm);
    let more = "winrm_use_ssl = true\nwinrm_insecure = true\nwinrm_use_ntlm = true\n\
                winrm_no_proxy = true\nwinrm_timeout = \"1h\"\n";
    let known = communicator(&format!("{lines}{more}"));
    assert_eq!(known.port(), Some(5986));
    assert_eq!(known.timeout(), Duration::from_secs(3600));
    let settings = winrm(&known, "192.0.2.1", 5986);
    assert!(settings.tls && settings.insecure && settings.ntlm);
    let known = communicator(&format!("{lines}winrm_port = 5999\n"));
    assert_eq!(known.port(), Some(5999));
}
