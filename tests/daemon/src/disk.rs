//! A block device of the tests' own, behind which is a file of this host.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A disk in a file, through a loop device, which takes root and a hypervisor that is this host's; and
/// the pool that is made of it. Both are gone when it is dropped.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
    device: String,
    pool: String,
    uri: String,
}

impl Disk {
    /// Makes a disk of so many bytes for a pool of that name at the hypervisor behind `uri`, or says
    /// why that cannot be. `programs` are those the caller is going to need.
    pub fn new(uri: &str, pool: &str, bytes: u64, programs: &[&str]) -> Result<Self, String> {
        for program in programs.iter().chain(&["losetup", "virsh"]) {
            let found = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if found.is_err() {
                return Err(format!("{program} is not installed"));
            }
        }
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        // The hypervisor's own user has to get at what is mounted below.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        let path = folder.path().join("disk");
        File::create(&path).unwrap().set_len(bytes).unwrap();
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&path)
            .output()
            .unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("no loop device: {}", why.trim()));
        }
        Ok(Self {
            folder,
            device: String::from_utf8(output.stdout).unwrap().trim().to_owned(),
            pool: pool.to_owned(),
            uri: uri.to_owned(),
        })
    }

    /// The device, such as `/dev/loop0`.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The name of the pool to make of it.
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// Where a file system on it is mounted.
    pub fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Makes a file system on it, and a pool that libvirt mounts that for.
    pub fn file_system_pool(&self) -> Result<(), String> {
        run("mkfs.ext4", &["-q", &self.device])?;
        std::fs::create_dir(self.mount_point()).unwrap();
        let target = self.mount_point();
        let source = [
            "fs",
            "--source-dev",
            &self.device,
            "--source-format",
            "ext4",
        ];
        let target = ["--target", target.to_str().unwrap()];
        self.virsh(&[&["pool-create-as", &self.pool], &source[..], &target[..]].concat())
    }

    /// Runs `virsh`, or says why it failed.
    pub fn virsh(&self, arguments: &[&str]) -> Result<(), String> {
        run("virsh", &[&["-q", "-c", &self.uri], arguments].concat())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Those that were not made need not be removed.
        let _ = self.virsh(&["pool-destroy", &self.pool]);
        let _ = run("vgremove", &["--force", &self.pool]);
        let _ = run("losetup", &["--detach", &self.device]);
    }
}

/// Runs a program, or says why it failed.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {arguments:?}: {}", why.trim()))
}
