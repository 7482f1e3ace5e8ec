//! This machine in the place of a guest: what builds do over SSH can be seen without waiting for one to boot. The domain is a real one that finds nothing to boot from.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hypervisor::{Hypervisor, variable};

/// The password that root has with [`LocalGuest::configured`].
pub(crate) const ROOTS_PASSWORD: &str = "a secret of the tests";

/// An SSH server of this machine, and a hypervisor to make domains at.
pub(crate) struct LocalGuest {
    pub(crate) hypervisor: Hypervisor,
    domain_type: String,
    port: u16,
    user: String,
    key: PathBuf,
    folder: tempfile::TempDir,
}

impl LocalGuest {
    pub(crate) fn new() -> Result<Self, String> {
        Self::configured("", None)
    }

    /// With nobody else on the hypervisor.
    pub(crate) fn alone() -> Result<Self, String> {
        Self::on(Hypervisor::alone()?, "", None)
    }

    /// One whose SSH server has these lines in its configuration. With `pam`, PAM asks it for what these
    /// rules say, and root has [`ROOTS_PASSWORD`]: that needs mounts of its own, and so root.
    pub(crate) fn configured(lines: &str, pam: Option<&str>) -> Result<Self, String> {
        Self::on(Hypervisor::new()?, lines, pam)
    }

    fn on(hypervisor: Hypervisor, lines: &str, pam: Option<&str>) -> Result<Self, String> {
        let domain_type = variable("LVHOST_TEST_DOMAIN_TYPE")?;
        let folder = tempfile::tempdir().unwrap();
        let (key, public) = key_pair(folder.path());
        std::fs::write(folder.path().join("authorized_keys"), public).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap().trim().to_owned();
        let mounts = pam.map(|rules| accounts(folder.path(), &user, rules));
        let port = serve(folder.path(), &user, lines, mounts.transpose()?)?;
        Ok(Self {
            hypervisor,
            domain_type,
            port,
            user,
            key,
            folder,
        })
    }

    /// A folder for what provisioners leave.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The name of the domain of the source `name`, which is that of its volume as well.
    pub(crate) fn domain(&self, name: &str) -> String {
        format!("{}-{name}", self.hypervisor.pool)
    }

    /// The options of the source `name`, in the syntax that HCL and, between braces, JSON have in common.
    pub(crate) fn options(&self, name: &str) -> serde_json::Value {
        serde_json::json!({
            "libvirt_uri": self.hypervisor.uri,
            "domain_type": self.domain_type,
            "domain_name": self.domain(name),
            "memory": 64,
            "shutdown_timeout": "1s",
            "communicator": {
                "ssh_host": "127.0.0.1",
                "ssh_port": self.port,
                "ssh_username": self.user,
                "ssh_private_key_file": self.key,
                "ssh_timeout": "1m",
            },
            "volume": [{
                "alias": "artifact",
                "pool": self.hypervisor.pool,
                "name": self.domain(name),
                "capacity": "1M",
            }],
        })
    }

    /// A template in HCL with these sources and these lines in its build.
    pub(crate) fn template(&self, names: &[&str], build: &str) -> String {
        let mut text = String::new();
        for name in names {
            let options = self.options(name);
            text.push_str(&format!("source \"libvirt\" \"{name}\" {{\n"));
            for (option, value) in options.as_object().unwrap() {
                text.push_str(&hcl(option, value));
            }
            text.push_str("}\n");
        }
        let sources: Vec<_> = names
            .iter()
            .map(|name| format!("\"libvirt.{name}\""))
            .collect();
        format!(
            "{text}build {{\n  sources = [{}]\n{build}\n}}\n",
            sources.join(", ")
        )
    }

    /// A provisioner that runs these commands.
    pub(crate) fn shell(&self, kind: &str, commands: &[&str]) -> String {
        format!(
            "  {kind} \"shell\" {{\n    remote_folder = {:?}\n    inline = {commands:?}\n  }}\n",
            self.home()
        )
    }

    /// Asserts that no domain and no volume of a build is left.
    pub(crate) fn assert_clean(&self, output: &str) {
        let domains = self.hypervisor.domains(&self.hypervisor.pool);
        assert!(domains.is_empty(), "{domains:?}\n{output}");
        let volumes = self.hypervisor.volumes();
        assert!(volumes.is_empty(), "{volumes:?}\n{output}");
    }
}

/// An option or a block, for values that both languages write the same way.
fn hcl(name: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(options) => {
            let inner: String = options
                .iter()
                .map(|(name, value)| hcl(name, value))
                .collect();
            format!("{name} {{\n{inner}}}\n")
        }
        serde_json::Value::Array(blocks) => blocks.iter().map(|block| hcl(name, block)).collect(),
        value => format!("{name} = {value}\n"),
    }
}

/// Commands that make the mounts of [`LocalGuest::configured`].
fn accounts(folder: &Path, user: &str, rules: &str) -> Result<String, String> {
    let tried = Command::new("unshare").args(["--mount", "true"]).status();
    if user != "root" || !tried.is_ok_and(|status| status.success()) {
        return Err("mounts of its own for an SSH server need root".to_owned());
    }
    let hashed = Command::new("openssl")
        .args(["passwd", "-6", ROOTS_PASSWORD])
        .output()
        .map_err(|error| format!("there is no openssl here: {error}"))?;
    let hash = String::from_utf8_lossy(&hashed.stdout).trim().to_owned();
    let shadow = format!("root:{hash}:20000:0:99999:7:::\nsshd:!:20000::::::\n");
    std::fs::write(folder.join("shadow"), shadow).unwrap();
    std::fs::create_dir(folder.join("pam.d")).unwrap();
    std::fs::write(folder.join("pam.d/sshd"), rules).unwrap();
    Ok(format!(
        "mount --bind {0}/shadow /etc/shadow\nmount --bind {0}/pam.d /etc/pam.d",
        folder.display()
    ))
}

/// Serves SSH in `folder` for as long as the tests run: a process of `sshd` for each connection.
fn serve(folder: &Path, user: &str, lines: &str, mounts: Option<String>) -> Result<u16, String> {
    let sshd = Path::new("/usr/sbin/sshd");
    if !sshd.exists() {
        return Err("there is no sshd here (openssh-server)".to_owned());
    }
    if user == "root" {
        // What the package's service makes before it starts the server.
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let configuration = folder.join("sshd_config");
    let text = format!(
        "{lines}\nHostKey {0}/key\nAuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PermitRootLogin yes\n{1}",
        folder.display(),
        match lines.contains("Subsystem") {
            true => "",
            false => "Subsystem sftp internal-sftp\n",
        }
    );
    std::fs::write(&configuration, text).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let socket = || Stdio::from(OwnedFd::from(stream.try_clone().unwrap()));
            let mut command = match &mounts {
                None => Command::new(sshd),
                Some(mounts) => {
                    let mut command = Command::new("unshare");
                    let script = format!("set -e\n{mounts}\nexec \"$@\"");
                    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
                    command.args([&script, "sh"]).arg(sshd);
                    command
                }
            };
            let child = command
                .args(["-i", "-f"])
                .arg(&configuration)
                .stdin(socket())
                .stdout(socket())
                .stderr(Stdio::null())
                .spawn();
            // Waited for by nobody else.
            std::thread::spawn(move || child.and_then(|mut child| child.wait()));
        }
    });
    Ok(port)
}

/// Makes a key pair: the private key, and what is to be authorized.
pub(crate) fn key_pair(folder: &Path) -> (PathBuf, String) {
    let key = folder.join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    (key, public.trim().to_owned())
}
