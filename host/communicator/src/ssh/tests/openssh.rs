//! Interoperation with OpenSSH: its server, agent and key files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use russh::keys::agent::client::AgentClient;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// A real `sshd`, one process for each connection, that lets in the user of the test.
struct Server {
    address: SocketAddr,
    folder: TempDir,
    _task: JoinSet<()>,
}

/// Where a program of OpenSSH is; says so when it is nowhere.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = usual
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: no {name} on this machine; install openssh-server and openssh-client");
    }
    found
}

impl Server {
    /// Starts one whose `sftp` subsystem is this; nothing on a machine without `sshd`.
    async fn start(subsystem: Option<&str>) -> Option<Self> {
        let sshd = program("sshd")?;
        if user() == "root" {
            // What the package's service makes before it starts the server.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let host = keys::generate(Algorithm::Ed25519, "").unwrap();
        write_key(&path("host_key"), &host);
        std::fs::write(path("authorized_keys"), "").unwrap();
        let subsystem = subsystem
            .map(|line| format!("Subsystem sftp {line}"))
            .unwrap_or_default();
        let configuration = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication yes\nPubkeyAuthentication yes\n{subsystem}\n",
            path("host_key").display(),
            path("authorized_keys").display(),
        );
        std::fs::write(path("sshd_config"), configuration).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (configuration, log) = (path("sshd_config"), path("log"));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut servers = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let stream = stream.into_std().unwrap();
                stream.set_nonblocking(false).unwrap();
                let socket = || Stdio::from(OwnedFd::from(stream.try_clone().unwrap()));
                let log = std::fs::File::options()
                    .append(true)
                    .create(true)
                    .open(&log)
                    .unwrap();
                let mut command = tokio::process::Command::new(&sshd);
                command
                    .args(["-i", "-e", "-f"])
                    .arg(&configuration)
                    .kill_on_drop(true);
                command.stdin(socket()).stdout(socket()).stderr(log);
                servers.push(command.spawn().unwrap());
            }
        });
        Some(Self {
            address,
            folder,
            _task: task,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lets in whoever has this key.
    fn authorize(&self, public: &str) {
        std::fs::write(self.path("authorized_keys"), format!("{public}\n")).unwrap();
    }

    fn settings(&self, authentication: Authentication) -> Settings {
        let mut settings = settings(self.address, vec![authentication]);
        settings.username = user();
        settings.handshake_attempts = Some(1);
        settings
    }

    async fn connect(&self, authentication: Authentication) -> Ssh {
        connect(self.settings(authentication))
            .await
            .unwrap_or_else(|error| {
                let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
                panic!("{}\n{log}", full(&error))
            })
    }

    /// Connects with a new key.
    async fn connected(&self) -> Ssh {
        let pair = keys::generate(Algorithm::Ed25519, "").unwrap();
        self.authorize(&pair.public_openssh);
        self.connect(Authentication::Key(pair.private_openssh))
            .await
    }
}

fn user() -> String {
    let output = Process::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write_key(path: &Path, pair: &keys::KeyPair) {
    use secrecy::ExposeSecret;
    std::fs::write(path, pair.private_openssh.expose_secret()).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn run(ssh: &Ssh, command: Command) -> (ExitStatus, String, String) {
    let mut output = Collected::default();
    let status = ssh.run(&command, &mut output).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status, text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn commands_run() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let ssh = server.connected().await;
    let code = ExitStatus::Code;
    let signal = |name: &str| ExitStatus::Signal(name.to_owned());
    for (text, expected) in [
        ("true", (code(0), "", "")),
        (
            "echo out; echo err >&2; exit 3",
            (code(3), "out\n", "err\n"),
        ),
        ("kill -TERM $$", (signal("TERM"), "", "")),
        (
            "cat; tty >/dev/null || echo no terminal",
            (code(0), "no terminal\n", ""),
        ),
        ("no-such-command 2>/dev/null", (code(127), "", "")),
    ] {
        let (status, stdout, stderr) = run(&ssh, Command::new(text)).await;
        assert_eq!((status, &*stdout, &*stderr), expected, "{text}");
    }
    let terminal = Command {
        pty: true,
        ..Command::new("tty")
    };
    let (status, stdout, _) = run(&ssh, terminal).await;
    assert!(status.success() && stdout.starts_with("/dev/"), "{stdout}");
    let input = Command {
        stdin: Some("a\nb\n".into()),
        ..Command::new("wc -l")
    };
    assert_eq!(run(&ssh, input).await.1.trim(), "2");
    ssh.disconnect().await.unwrap();
}

#[tokio::test]
async fn much_output_arrives_complete() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let ssh = server.connected().await;
    let (status, stdout, _) = run(
        &ssh,
        Command::new("head -c 20000000 /dev/zero | tr '\\0' x"),
    )
    .await;
    assert!(status.success());
    assert_eq!(stdout.len(), 20_000_000);
}

#[tokio::test]
async fn a_connection_that_breaks_comes_back() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    let ssh = server.connected().await;
    let (status, ..) = run(&ssh, Command::new("kill -KILL $PPID; cat")).await;
    assert_eq!(status, ExitStatus::Missing);
    let (status, stdout, _) = run(&ssh, Command::new("echo back")).await;
    assert_eq!((status, &*stdout), (ExitStatus::Code(0), "back\n"));
    run(&ssh, Command::new("kill -KILL $PPID; cat")).await;
    let (target, noted) = (server.path("after"), Noted::default());
    ssh.upload(&mut &b"x"[..], None, target.to_str().unwrap(), None, &noted)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"x");
}

#[tokio::test]
async fn key_files_of_every_kind_let_in() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(keygen) = program("ssh-keygen") else {
        return;
    };
    for (number, arguments) in [
        "-t ed25519 -N ",
        "-t ed25519 -N passphrase",
        "-t rsa -b 2048 -N passphrase",
        "-t rsa -b 2048 -m PEM -N ",
        "-t rsa -b 2048 -m PEM -N passphrase",
        "-t rsa -b 2048 -m PKCS8 -N ",
        "-t ecdsa -b 256 -N ",
        "-t ecdsa -b 256 -m PEM -N ",
        "-t ecdsa -b 384 -m PKCS8 -N ",
        "-t ecdsa -b 521 -N passphrase",
    ]
    .iter()
    .enumerate()
    {
        let path = server.path(&format!("key{number}"));
        let made = Process::new(&keygen)
            .args(arguments.split(' '))
            .arg("-q")
            .arg("-f")
            .arg(&path)
            .status();
        assert!(made.unwrap().success(), "{arguments}");
        server.authorize(&std::fs::read_to_string(path.with_extension("pub")).unwrap());
        let encrypted = arguments.ends_with("passphrase");
        let key = |passphrase: Option<&str>| Authentication::KeyFile {
            path: path.clone(),
            passphrase: passphrase.map(SecretString::from),
        };
        let ssh = server.connect(key(encrypted.then_some("passphrase"))).await;
        assert!(
            run(&ssh, Command::new("true")).await.0.success(),
            "{arguments}"
        );
        if encrypted {
            for passphrase in [None, Some("wrong")] {
                let error = connect(server.settings(key(passphrase))).await.unwrap_err();
                assert!(
                    error.to_string().contains("passphrase"),
                    "{arguments}: {error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn keys_made_here_are_keys_to_openssh() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(keygen) = program("ssh-keygen") else {
        return;
    };
    for (algorithm, kind) in [
        (Algorithm::Ed25519, "(ED25519)"),
        (Algorithm::Rsa(2048), "2048 "),
        (Algorithm::EcdsaP256, "256 "),
        (Algorithm::EcdsaP384, "384 "),
        (Algorithm::EcdsaP521, "521 "),
    ] {
        let pair = keys::generate(algorithm, "install key").unwrap();
        let path = server.path("made");
        write_key(&path, &pair);
        let shown = Process::new(&keygen)
            .arg("-l")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(
            shown.contains(kind) && shown.contains("install key"),
            "{shown}"
        );
        let public = Process::new(&keygen)
            .arg("-y")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(public.stdout).unwrap().trim(),
            pair.public_openssh
        );
        server.authorize(&pair.public_openssh);
        server
            .connect(Authentication::KeyFile {
                path,
                passphrase: None,
            })
            .await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let error = connect(server.settings(password("certainly wrong")))
        .await
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("the password was refused"), "{message}");
    assert!(message.contains("the guest accepts publickey"), "{message}");
}

#[tokio::test]
async fn an_agent_lets_in() {
    let Some(server) = Server::start(None).await else {
        return;
    };
    let Some(agent) = program("ssh-agent") else {
        return;
    };
    let socket = server.path("agent");
    let mut agent = tokio::process::Command::new(agent)
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Its first line comes when it listens.
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();

    let authentication = Authentication::Agent {
        socket: socket.clone(),
    };
    let error = connect(server.settings(authentication.clone()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("holds no keys"), "{error}");

    let mut client = AgentClient::connect_uds(&socket).await.unwrap();
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa(2048)] {
        let pair = keys::generate(algorithm, "").unwrap();
        let key = keys::parse("test", &pair.private_openssh, None).unwrap();
        client.add_identity(&key, &[]).await.unwrap();
        // The last one added is the only one that is let in: the others are refused before it.
        server.authorize(&pair.public_openssh);
        server.connect(authentication.clone()).await;
    }
    agent.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_without_sftp_is_told_what_it_lacks() {
    for subsystem in [None, Some("/no/such/sftp-server")] {
        let Some(server) = Server::start(subsystem).await else {
            return;
        };
        let ssh = server.connected().await;
        let uploaded = ssh
            .upload(&mut &b"x"[..], None, "/tmp/x", None, &Noted::default())
            .await;
        let error = uploaded.unwrap_err();
        assert!(
            matches!(error, Error::NoSftp { .. }),
            "{subsystem:?}: {}",
            full(&error)
        );
    }
}

#[tokio::test]
async fn files_go_up_and_come_down() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    let ssh = server.connected().await;
    let remote = server.path("remote file");
    let path = remote.to_str().unwrap();
    let pattern: Vec<u8> = (0..10_000_000_u32)
        .map(|number| (number >> 8) as u8)
        .collect();
    for (contents, mode) in [
        (&pattern[..], Some(0o755)),
        (b"", Some(0o600)),
        (b"short", None),
    ] {
        let noted = Noted::default();
        let length = contents.len() as u64;
        ssh.upload(&mut &*contents, Some(length), path, mode, &noted)
            .await
            .unwrap();
        assert!(std::fs::read(&remote).unwrap() == contents);
        if let Some(mode) = mode {
            assert_eq!(mode_of(&remote), mode);
        }
        assert_eq!(
            noted.0.into_inner().unwrap(),
            [(path.to_owned(), Some(length), length, true)]
        );

        let noted = Noted::default();
        let mut back = Vec::new();
        assert_eq!(ssh.download(path, &mut back, &noted).await.unwrap(), length);
        assert!(back == contents);
        assert_eq!(
            noted.0.into_inner().unwrap(),
            [(path.to_owned(), Some(length), length, true)]
        );
    }
    let folder = server.folder.path().to_str().unwrap();
    for (path, expected) in [
        ("/no/such/file", "no such file or folder"),
        (folder, "it is a folder"),
    ] {
        let error = ssh
            .download(path, &mut Vec::new(), &Noted::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        let uploaded = ssh
            .upload(&mut &b""[..], None, path, None, &Noted::default())
            .await;
        assert!(uploaded.unwrap_err().to_string().contains(expected));
    }
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file below `folder`, with its mode and contents, and every folder with its mode.
fn tree(folder: &Path) -> BTreeMap<String, (u32, Option<String>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let is_folder = std::fs::symlink_metadata(&path).unwrap().is_dir();
            let contents = (!is_folder).then(|| std::fs::read_to_string(&path).unwrap());
            found.insert(name, (mode_of(&path), contents));
            if is_folder {
                folders.push(path);
            }
        }
    }
    found
}

/// A folder with what gives trouble: modes, links, a link that leads back, things to exclude.
fn sample(folder: &Path) {
    let make = |name: &str, contents: &str, mode: u32| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    make("script.sh", "#!/bin/sh\n", 0o755);
    make("secret", "s", 0o600);
    make("deep/er/file with spaces é", "deep", 0o644);
    make("deep/skipped.o", "", 0o644);
    make("build/out", "", 0o644);
    make("linked/inner", "linked", 0o644);
    std::fs::create_dir(folder.join("empty")).unwrap();
    symlink("script.sh", folder.join("link to a file")).unwrap();
    symlink("linked", folder.join("link to a folder")).unwrap();
    symlink("../..", folder.join("deep/er/loop")).unwrap();
    for (name, mode) in [
        ("deep", 0o750),
        ("deep/er", 0o555),
        ("linked", 0o755),
        ("empty", 0o700),
    ] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.join(name), mode).unwrap();
    }
}

fn expected(inside: &str) -> BTreeMap<String, (u32, Option<String>)> {
    let entries = [
        ("script.sh", 0o755, Some("#!/bin/sh\n")),
        ("secret", 0o600, Some("s")),
        ("deep", 0o750, None),
        ("deep/er", 0o555, None),
        ("deep/er/file with spaces é", 0o644, Some("deep")),
        ("linked", 0o755, None),
        ("linked/inner", 0o644, Some("linked")),
        ("link to a file", 0o755, Some("#!/bin/sh\n")),
        ("link to a folder", 0o755, None),
        ("link to a folder/inner", 0o644, Some("linked")),
        ("empty", 0o700, None),
    ];
    let entry = |(name, mode, contents): (&str, u32, Option<&str>)| {
        (
            format!("{inside}{name}"),
            (mode, contents.map(str::to_owned)),
        )
    };
    entries.into_iter().map(entry).collect()
}

#[tokio::test]
async fn folders_go_up_and_come_down() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    let ssh = server.connected().await;
    let source = server.path("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).unwrap();
    sample(&source);
    let exclude = ["*.o".to_owned(), "/build".to_owned(), "build".to_owned()];
    // Without a trailing slash the folder itself goes over, under its own name.
    for (slash, inside) in [("/", ""), ("", "source/")] {
        let mut expected = expected(inside);
        if slash.is_empty() {
            expected.insert("source".to_owned(), (0o755, None));
        }
        let from = format!("{}{slash}", source.display());
        // Two folders that do not exist yet.
        let remote = server.path(&format!("up{}/into", slash.len()));
        let noted = Noted::default();
        let into = remote.to_str().unwrap();
        ssh.upload_directory(Path::new(&from), into, &exclude, &noted)
            .await
            .unwrap();
        assert_eq!(tree(&remote), expected, "up from {from}");
        let noted = noted.0.into_inner().unwrap();
        assert_eq!(
            noted.len(),
            expected.values().filter(|(_, file)| file.is_some()).count()
        );
        assert!(
            noted
                .iter()
                .all(|(_, total, sent, finished)| *total == Some(*sent) && *finished)
        );
        // A second time over what is there: it is replaced.
        ssh.upload_directory(Path::new(&from), into, &exclude, &Noted::default())
            .await
            .unwrap();
        assert_eq!(tree(&remote), expected, "up again from {from}");

        let local = server.path(&format!("down{}/into", slash.len()));
        ssh.download_directory(&from, &local, &exclude, &Noted::default())
            .await
            .unwrap();
        // The host's own rights to a folder are kept, so that it can be removed.
        expected
            .entry(format!("{inside}deep/er"))
            .and_modify(|entry| entry.0 = 0o755);
        assert_eq!(tree(&local), expected, "down from {from}");
    }
}

#[tokio::test]
async fn a_folder_that_is_none_is_an_error() {
    let Some(server) = Server::start(Some("internal-sftp")).await else {
        return;
    };
    let ssh = server.connected().await;
    let file = server.path("sshd_config");
    let missing = server.path("missing");
    let into = server.path("into");
    for (path, upwards, downwards) in [
        (&file, "not a directory", "it is not a folder"),
        (&missing, "No such file", "no such file or folder"),
    ] {
        let remote = into.to_str().unwrap();
        let up = ssh
            .upload_directory(path, remote, &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&up).contains(upwards), "{}", full(&up));
        let remote = path.to_str().unwrap();
        let down = ssh
            .download_directory(remote, &into, &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&down).contains(downwards), "{}", full(&down));
    }
    assert!(!into.exists());
}
