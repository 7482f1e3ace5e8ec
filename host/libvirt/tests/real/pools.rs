//! Pools that are not mere directories: a file system that libvirt mounts, and a volume group. Both
//! live in a file of this host, through a loop device, which takes root and a hypervisor that is
//! this host's.
use std::{path::Path, process::Command};

use bytes::Bytes;
use lvhost_libvirt::{Error, Hypervisor, Libvirt, VolumeSpec};
use lvhost_test_daemon::{Disk, Elsewhere};
use uuid::Uuid;

use crate::{daemon, skipped, spec, transfers::there_and_back};

/// Bytes of the disk the pools are on.
const SIZE: u64 = 160 << 20;

/// Makes a disk for a pool at the hypervisor, or says why that cannot be.
async fn disk(libvirt: &Libvirt, programs: &[&str]) -> Result<Disk, String> {
    let facts = libvirt.facts().await.unwrap();
    if !facts.is_local {
        return Err("the hypervisor is not this host's".into());
    }
    let name = format!("lvhost-test-{}", Uuid::new_v4().simple());
    Disk::new(facts.uri.expose(), &name, SIZE, programs)
}

#[tokio::test]
async fn a_mounted_file_system_is_used() {
    let Some((libvirt, _)) = daemon().await else {
        return;
    };
    let disk = match disk(&libvirt, &["mkfs.ext4"]).await {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    disk.file_system_pool().unwrap();
    let facts = libvirt.pool(disk.pool()).await.unwrap();
    assert_eq!((facts.kind.as_str(), facts.has_formats()), ("fs", true));
    there_and_back(&libvirt, disk.pool()).await;
    let volume = spec(disk.pool(), "qcow2", 2 * SIZE);
    libvirt.create_volume(&volume).await.unwrap();
    assert_eq!(
        libvirt.list_volumes(disk.pool()).await.unwrap(),
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
    let disk = match disk(&libvirt, &["vgcreate"]).await {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    let made = Command::new("vgcreate")
        .args(["--yes", disk.pool(), disk.device()])
        .status();
    assert!(made.unwrap().success());
    let arguments = [
        "pool-create-as",
        disk.pool(),
        "logical",
        "--source-name",
        disk.pool(),
        "--target",
        &format!("/dev/{}", disk.pool()),
    ];
    if let Err(why) = disk.virsh(&arguments) {
        // Distributions package the driver apart.
        return skipped(&why);
    }
    let facts = libvirt.pool(disk.pool()).await.unwrap();
    assert_eq!(
        (facts.kind.as_str(), facts.has_formats()),
        ("logical", false)
    );
    there_and_back(&libvirt, disk.pool()).await;
    let image = spec(disk.pool(), "qcow2", 1 << 20);
    let refused = libvirt.create_volume(&image).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidValue { .. }), "{refused:?}");
    let base = spec(disk.pool(), "raw", 8 << 20);
    libvirt.create_volume(&base).await.unwrap();
    let clone = spec(disk.pool(), "raw", 16 << 20);
    let facts = libvirt.clone_volume(&clone, &base.id, "raw").await.unwrap();
    assert_eq!(facts.capacity, 16 << 20);
    for id in [base.id, clone.id] {
        libvirt.delete_volume(&id).await.unwrap();
    }
}
