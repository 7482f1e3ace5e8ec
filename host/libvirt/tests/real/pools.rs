//! Pools that are not mere directories: a file system that libvirt mounts, and a volume group. Both
//! live in a file of this host, through a loop device, which takes root and a hypervisor that is
//! this host's.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;
use lvhost_libvirt::{Error, Hypervisor, Libvirt, VolumeSpec};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{daemon, elsewhere::Elsewhere, skipped, spec, transfers::there_and_back};

/// Bytes of the disk the pools are on.
const SIZE: u64 = 160 << 20;

/// A disk in a file, and the pool on it.
struct Disk {
    folder: TempDir,
    device: String,
    /// The pool's name, and the volume group's.
    name: String,
    uri: String,
}

impl Disk {
    /// Makes the disk, or says why that cannot be.
    async fn new(libvirt: &Libvirt, programs: &[&str]) -> Result<Self, String> {
        let facts = libvirt.facts().await.unwrap();
        if !facts.is_local {
            return Err("the hypervisor is not this host's".into());
        }
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
        let path = folder.path().join("disk");
        std::fs::File::create(&path).unwrap().set_len(SIZE).unwrap();
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
            name: format!("lvhost-test-{}", Uuid::new_v4().simple()),
            uri: facts.uri.expose().to_owned(),
        })
    }

    fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    fn virsh(&self, arguments: &[&str]) -> Result<(), String> {
        run("virsh", &[&["-q", "-c", &self.uri], arguments].concat())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Those that were not made need not be removed.
        let _ = self.virsh(&["pool-destroy", &self.name]);
        let _ = run("vgremove", &["--force", &self.name]);
        let _ = run("losetup", &["--detach", &self.device]);
    }
}

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

#[tokio::test]
async fn a_mounted_file_system_is_used() {
    let Some((libvirt, _)) = daemon().await else {
        return;
    };
    let disk = match Disk::new(&libvirt, &["mkfs.ext4"]).await {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    run("mkfs.ext4", &["-q", &disk.device]).unwrap();
    std::fs::create_dir(disk.mount_point()).unwrap();
    let target = disk.mount_point();
    let target = target.to_str().unwrap();
    let arguments = [
        "pool-create-as",
        &disk.name,
        "fs",
        "--source-dev",
        &disk.device,
        "--source-format",
        "ext4",
        "--target",
        target,
    ];
    disk.virsh(&arguments).unwrap();
    let facts = libvirt.pool(&disk.name).await.unwrap();
    assert_eq!((facts.kind.as_str(), facts.has_formats()), ("fs", true));
    there_and_back(&libvirt, &disk.name).await;
    let volume = spec(&disk.name, "qcow2", 2 * SIZE);
    libvirt.create_volume(&volume).await.unwrap();
    assert_eq!(
        libvirt.list_volumes(&disk.name).await.unwrap(),
        ["lost+found", &volume.id.name]
    );
    libvirt.delete_volume(&volume.id).await.unwrap();
}

fn assert_full(error: Error, wanted: u64, pool: u64) {
    let Error::NoSpace {
        needed, available, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(needed, Some(wanted));
    assert!(available.is_some_and(|free| free <= pool), "{available:?}");
}

/// A sparse volume is promised more than there is. On a daemon of the test's own: one that runs full
/// would not survive it.
#[tokio::test]
async fn a_full_pool_takes_nothing_and_says_how_much_is_free() {
    const POOL: u64 = 32 << 20;
    let elsewhere = match Elsewhere::start() {
        Ok(elsewhere) => elsewhere,
        Err(why) => return skipped(&why),
    };
    let small = match elsewhere.small_pool(POOL) {
        Ok(small) => small,
        Err(why) => return skipped(&why),
    };
    let libvirt = Libvirt::connect(&elsewhere.tcp()).await.unwrap();
    let allocated = VolumeSpec {
        allocation: None,
        ..spec(small.name, "raw", 2 * POOL)
    };
    let error = libvirt.create_volume(&allocated).await.unwrap_err();
    assert_full(error, 2 * POOL, POOL);
    assert_eq!(libvirt.volume(&allocated.id).await.unwrap(), None);
    for format in ["raw", "qcow2"] {
        let length = 4 * POOL;
        let volume = spec(small.name, format, length);
        libvirt.create_volume(&volume).await.unwrap();
        let mut upload = libvirt.open_upload(&volume.id, Some(length)).await.unwrap();
        let portion = Bytes::from(vec![7; 1 << 20]);
        let error = loop {
            if let Err(error) = upload.data(portion.clone()).await {
                break error;
            }
        };
        assert_full(error, length, POOL);
        drop(upload);
        libvirt.delete_volume(&volume.id).await.unwrap();
    }
    // Holes take no space.
    let volume = spec(small.name, "raw", 4 * POOL);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt
        .open_upload(&volume.id, Some(4 * POOL))
        .await
        .unwrap();
    upload.hole(4 * POOL - 1).await.unwrap();
    upload.data(Bytes::from_static(b"!")).await.unwrap();
    upload.finish().await.unwrap();
    libvirt.delete_volume(&volume.id).await.unwrap();
}

#[tokio::test]
async fn a_volume_group_holds_raw_volumes() {
    let Some((libvirt, _)) = daemon().await else {
        return;
    };
    if !Path::new("/dev/mapper/control").exists() {
        return skipped("the kernel has no device mapper, so no LVM");
    }
    let disk = match Disk::new(&libvirt, &["vgcreate"]).await {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    run("vgcreate", &["--yes", &disk.name, &disk.device]).unwrap();
    let arguments = [
        "pool-create-as",
        &disk.name,
        "logical",
        "--source-name",
        &disk.name,
        "--target",
        &format!("/dev/{}", disk.name),
    ];
    if let Err(why) = disk.virsh(&arguments) {
        // Distributions package the driver apart.
        return skipped(&why);
    }
    let facts = libvirt.pool(&disk.name).await.unwrap();
    assert_eq!(
        (facts.kind.as_str(), facts.has_formats()),
        ("logical", false)
    );
    there_and_back(&libvirt, &disk.name).await;
    let image = spec(&disk.name, "qcow2", 1 << 20);
    let refused = libvirt.create_volume(&image).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidValue { .. }), "{refused:?}");
    let base = spec(&disk.name, "raw", 8 << 20);
    libvirt.create_volume(&base).await.unwrap();
    let clone = spec(&disk.name, "raw", 16 << 20);
    let facts = libvirt.clone_volume(&clone, &base.id).await.unwrap();
    assert_eq!(facts.capacity, 16 << 20);
    for id in [base.id, clone.id] {
        libvirt.delete_volume(&id).await.unwrap();
    }
}
