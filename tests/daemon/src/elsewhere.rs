//! A daemon of the test's own, which it may kill: a private `libvirtd` below a directory, reached
//! over TCP, TLS, SSH and its unix socket.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// Who the daemon runs as where the tests run as root: root's libvirtd is always the system's.
const USER: &str = "nobody";

/// More than a daemon takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether something has begun to listen.
const LOOK: Duration = Duration::from_millis(50);

/// The daemon, and what belongs to it. Dropping it ends all of that.
#[derive(Debug)]
pub struct Elsewhere {
    folder: TempDir,
    daemon: Child,
    sshd: Option<Child>,
    tcp: u16,
    tls: u16,
    ssh: u16,
}

impl Elsewhere {
    /// Starts it, with a pool `default`; or says why it cannot.
    pub fn start() -> Result<Self, String> {
        for program in ["libvirtd", "virsh"] {
            program_path(program)?;
        }
        // Sockets below it have long names, of which the system takes 108 bytes.
        let folder = tempfile::Builder::new()
            .prefix("lv")
            .tempdir_in("/tmp")
            .unwrap();
        let root = folder.path();
        for part in [
            "config/libvirt",
            "cache",
            "data",
            "state",
            "run",
            "tmp",
            "pool",
            "pki",
        ] {
            fs::create_dir_all(root.join(part)).unwrap();
        }
        let (tcp, tls, ssh) = (free_port(), free_port(), free_port());
        certificates(&root.join("pki"));
        // Without a log daemon of its own there is one process less to end.
        fs::write(
            root.join("config/libvirt/qemu.conf"),
            "stdio_handler = \"file\"\n",
        )
        .unwrap();
        let at = root.display();
        fs::write(
            root.join("libvirtd.conf"),
            format!(
                "listen_tcp = 1\nlisten_tls = 1\nlisten_addr = \"127.0.0.1\"\n\
                 tcp_port = \"{tcp}\"\ntls_port = \"{tls}\"\n\
                 auth_tcp = \"none\"\nauth_tls = \"none\"\nauth_unix_rw = \"none\"\n\
                 key_file = \"{at}/pki/serverkey.pem\"\ncert_file = \"{at}/pki/servercert.pem\"\n\
                 ca_file = \"{at}/pki/cacert.pem\"\nlog_outputs = \"3:file:{at}/log\"\n"
            ),
        )
        .unwrap();
        let daemon = spawn_daemon(root);
        let elsewhere = Self {
            folder,
            daemon,
            sshd: None,
            tcp,
            tls,
            ssh,
        };
        elsewhere.wait()?;
        let pool = elsewhere.pool();
        let pool = pool.to_str().unwrap();
        elsewhere.virsh(&["pool-create-as", "default", "dir", "--target", pool]);
        Ok(elsewhere)
    }

    /// Adds a pool that holds so many bytes, or says why there is none.
    pub fn small_pool(&self, bytes: u64) -> Result<SmallPool, String> {
        if !is_root() {
            return Err("a small file system can be mounted by root only".into());
        }
        let path = self.path().join("small");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("mode=777,size={bytes}"),
                "none",
            ])
            .arg(&path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return Err("no file system can be mounted here".into());
        }
        let pool = SmallPool {
            name: "small",
            path,
        };
        let target = pool.path.to_str().unwrap();
        self.virsh(&["pool-create-as", pool.name, "dir", "--target", target]);
        Ok(pool)
    }

    fn wait(&self) -> Result<(), String> {
        self.wait_for(self.tcp)?;
        self.wait_for(self.tls)
    }

    fn wait_for(&self, port: u16) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.path().join("log")).unwrap_or_default();
                return Err(format!("nothing listens on port {port}: {log}"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Where its pool `default` has its volumes.
    pub fn pool(&self) -> PathBuf {
        self.path().join("pool")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `virsh` and returns what it prints; it must succeed.
    pub fn virsh(&self, arguments: &[&str]) -> String {
        let output = Command::new("virsh")
            .args(["-q", "-c", &self.tcp()])
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "virsh {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The address of its own socket.
    pub fn unix(&self) -> String {
        let socket = self.path().join("run/libvirt/libvirt-sock");
        format!("qemu+unix:///session?socket={}", socket.display())
    }

    /// The address over TCP, without a password.
    pub fn tcp(&self) -> String {
        format!("qemu+tcp://127.0.0.1:{}/session", self.tcp)
    }

    /// The address over TLS, with certificates of the test's own.
    pub fn tls(&self) -> String {
        let pki = self.path().join("pki");
        format!(
            "qemu+tls://localhost:{}/session?pkipath={}",
            self.tls,
            pki.display()
        )
    }

    /// The address by `qemu+ssh`, for which an SSH server of the test's own is started first.
    pub fn ssh(&mut self) -> Result<String, String> {
        let sshd = program_path("sshd")?;
        for program in ["ssh", "ssh-keygen", "virt-ssh-helper"] {
            program_path(program)?;
        }
        let root = self.path();
        let at = root.display();
        for key in ["hostkey", "key"] {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(root.join(key))
                .status()
                .unwrap();
            assert!(status.success());
        }
        let user = if is_root() {
            "root".to_owned()
        } else {
            whoami()
        };
        if is_root() {
            // Compiled into the server, which parts with its privileges there.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = self.ssh;
        // To libvirt root's session is the system's daemon.
        let command = if is_root() {
            format!(
                "ForceCommand setpriv {} virt-ssh-helper qemu:///session\n",
                identity()
            )
        } else {
            String::new()
        };
        fs::write(
            root.join("sshd.conf"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/hostkey\n\
                 AuthorizedKeysFile {at}/key.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
                 PermitRootLogin yes\nPasswordAuthentication no\n\
                 SetEnv XDG_RUNTIME_DIR={at}/run HOME={at}\n{command}"
            ),
        )
        .unwrap();
        let host_key = fs::read_to_string(root.join("hostkey.pub")).unwrap();
        fs::write(
            root.join("known_hosts"),
            format!("[127.0.0.1]:{port} {host_key}"),
        )
        .unwrap();
        // libvirt has no parameter for the known hosts of the program `ssh`.
        let wrapper = root.join("ssh");
        fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec ssh -F none -o UserKnownHostsFile={at}/known_hosts \"$@\"\n"),
        )
        .unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(root.join("sshd.conf"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.sshd = Some(child);
        self.wait_for(port)?;
        let at = self.path().display();
        Ok(format!(
            "qemu+ssh://{user}@127.0.0.1:{port}/session?keyfile={at}/key&command={at}/ssh"
        ))
    }

    /// Kills the daemon, as a crash or the loss of its host would.
    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// Starts it again. Its guests have gone on.
    pub fn restart(&mut self) -> Result<(), String> {
        self.daemon = spawn_daemon(self.path());
        self.wait()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        for child in [Some(&mut self.daemon), self.sshd.as_mut()]
            .into_iter()
            .flatten()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Guests outlive their daemon, whose own file is of no more interest.
        let files = fs::read_dir(self.path().join("run/libvirt/qemu/run"));
        for entry in files.into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "pid")
                && path.file_name().is_some_and(|name| name != "driver.pid")
                && let Ok(pid) = fs::read_to_string(&path)
                && pid.trim().parse::<u32>().is_ok()
            {
                let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
            }
        }
    }
}

/// A pool on a file system of its own.
#[derive(Debug)]
pub struct SmallPool {
    /// Its name.
    pub name: &'static str,
    path: PathBuf,
}

impl Drop for SmallPool {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

/// What `setpriv` is told to become [`USER`].
fn identity() -> String {
    format!("--reuid {USER} --regid nogroup --clear-groups --no-new-privs")
}

fn spawn_daemon(root: &Path) -> Child {
    let mut command = if is_root() {
        let owned = Command::new("chown")
            .args(["-R", USER])
            .arg(root)
            .status()
            .unwrap();
        assert!(owned.success());
        let mut command = Command::new("setpriv");
        command.args(identity().split(' ')).arg("libvirtd");
        command
    } else {
        Command::new("libvirtd")
    };
    command
        .args(["--listen", "--config"])
        .arg(root.join("libvirtd.conf"))
        .arg("--pid-file")
        .arg(root.join("pid"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", root)
        .env("TMPDIR", root.join("tmp"))
        .env("XDG_RUNTIME_DIR", root.join("run"))
        .current_dir(root)
        .stderr(Stdio::null());
    for part in ["config", "cache", "data", "state"] {
        command.env(format!("XDG_{}_HOME", part.to_uppercase()), root.join(part));
    }
    command.spawn().unwrap()
}

/// A certificate authority, a server of `localhost` and a client, by the names libvirt looks for.
fn certificates(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "test");
    let key = KeyPair::generate().unwrap();
    write("cacert.pem", authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    for (name, purpose) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, name);
        leaf.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        leaf.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let signed = leaf.signed_by(&key, &issuer).unwrap();
        write(&format!("{name}cert.pem"), signed.pem());
        write(&format!("{name}key.pem"), key.serialize_pem());
    }
}

/// Where a program is. Servers are not on an ordinary user's path.
fn program_path(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed"))
}

fn is_root() -> bool {
    whoami() == "root"
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A port of this host that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
