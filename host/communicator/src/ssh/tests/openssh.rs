//! Interoperation with OpenSSH: its server, agent and key files.

mod certificates;
mod dropbear;
mod few_sessions;
mod folders;
mod forwards;
mod logins;
mod no_sftp;
mod routes;
mod several_steps;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// A real `sshd`, one process for each connection, that lets in the user of the test.
struct Server {
    address: SocketAddr,
    folder: TempDir,
    _task: JoinSet<()>,
}

/// Makes the commands that mount what a server sees, and knows its folder.
type Mounts<'a> = Box<dyn FnOnce(&Path) -> String + 'a>;

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
        let subsystem = subsystem.map(|line| format!("Subsystem sftp {line}"));
        Self::configured(|_| subsystem.unwrap_or_default()).await
    }

    /// Starts one with these lines in its configuration, where they know its folder.
    async fn configured(lines: impl FnOnce(&Path) -> String) -> Option<Self> {
        Self::launch(lines, None).await
    }

    /// The same in a mount namespace of its own, in which these commands run first: it sees files that
    /// this machine does not have.
    async fn among_mounts(
        lines: impl FnOnce(&Path) -> String,
        mounts: impl FnOnce(&Path) -> String,
    ) -> Option<Self> {
        if !may_mount() {
            return None;
        }
        Self::launch(lines, Some(Box::new(mounts))).await
    }

    async fn launch(
        lines: impl FnOnce(&Path) -> String,
        mounts: Option<Mounts<'_>>,
    ) -> Option<Self> {
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
        let lines = lines(folder.path());
        let configuration = format!(
            "{lines}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication yes\nPubkeyAuthentication yes\n",
            path("host_key").display(),
            path("authorized_keys").display(),
        );
        std::fs::write(path("sshd_config"), configuration).unwrap();

        let mounts = mounts.map(|mounts| mounts(folder.path()));
        let words = [
            sshd.display().to_string(),
            "-i".to_owned(),
            "-e".to_owned(),
            "-f".to_owned(),
            path("sshd_config").display().to_string(),
        ];
        Some(Self::serve(folder, mounts, words.to_vec()).await)
    }

    /// Runs this program for each connection, behind these commands in a mount namespace of its own.
    async fn serve(folder: TempDir, mounts: Option<String>, words: Vec<String>) -> Self {
        let words = match mounts {
            None => words,
            Some(mounts) => {
                let script = format!("set -e\n{mounts}\nexec \"$@\"");
                let lead = ["unshare", "--mount", "--propagation", "private", "sh", "-c"];
                let lead = lead.iter().map(|word| (*word).to_owned());
                lead.chain([script, "sh".to_owned()]).chain(words).collect()
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = folder.path().join("log");
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
                let mut command = tokio::process::Command::new(&words[0]);
                command.args(&words[1..]).kill_on_drop(true);
                command.stdin(socket()).stdout(socket()).stderr(log);
                servers.push(command.spawn().unwrap());
            }
        });
        Self {
            address,
            folder,
            _task: task,
        }
    }

    /// What it has logged.
    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
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
            .unwrap_or_else(|error| panic!("{}\n{}", full(&error), self.log()))
    }

    /// A new key that lets in.
    fn new_key(&self) -> Authentication {
        let pair = keys::generate(Algorithm::Ed25519, "").unwrap();
        self.authorize(&pair.public_openssh);
        Authentication::Key(pair.private_openssh)
    }

    /// Connects with a new key.
    async fn connected(&self) -> Ssh {
        self.connect(self.new_key()).await
    }

    /// Connects with a new key and files going over by `file_transfer`.
    async fn connected_by(&self, file_transfer: FileTransfer) -> Ssh {
        let mut settings = self.settings(self.new_key());
        settings.file_transfer = file_transfer;
        connect(settings).await.unwrap()
    }
}

/// The password that [`accounts`] give root.
const ROOTS_PASSWORD: &str = "secret";
/// It in the form of /etc/shadow.
const ROOTS_HASH: &str = "$6$lvhosttest$EHSYW8XAEeg/jeYCCsj2HGodjuND01mCzwuKr94MEL.PznNGqth25y5QUgMe5VqAeS2luKDEjN9/8YlYP7b4.1";

/// Commands that give root [`ROOTS_PASSWORD`], last changed on this day since 1970, and PAM these rules,
/// for whoever sees the mounts.
fn accounts(folder: &Path, last_change: &str, rules: &str) -> String {
    let path = |name: &str| folder.join(name);
    let shadow = format!("root:{ROOTS_HASH}:{last_change}:0:99999:7:::\nsshd:!:20000::::::\n");
    std::fs::write(path("shadow"), shadow).unwrap();
    std::fs::set_permissions(path("shadow"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir(path("pam.d")).unwrap();
    std::fs::write(path("pam.d/sshd"), rules).unwrap();
    format!(
        "mount --bind {0}/shadow /etc/shadow\nmount --bind {0}/pam.d /etc/pam.d",
        folder.display()
    )
}

/// Whether this test may make mount namespaces; says so when it may not.
fn may_mount() -> bool {
    let tried = Process::new("unshare")
        .args(["--mount", "--propagation", "private", "true"])
        .status();
    let may = user() == "root" && tried.is_ok_and(|status| status.success());
    if !may {
        println!("SKIPPED: mounts of its own for a server: needs root");
    }
    may
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
