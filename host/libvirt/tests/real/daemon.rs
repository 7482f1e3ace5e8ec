//! What the test driver has not: uploads, resizes, overlays and QEMU's opinion of the domain XML.
use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    sync::Arc,
};

use bytes::Bytes;
use lvhost_libvirt::*;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{PATIENCE, daemon, spec};

/// A file of 64 MiB that holds 2 MiB: at its beginning and in its middle.
pub(crate) fn sparse_file() -> (Arc<File>, u64) {
    let mut file = tempfile::tempfile().unwrap();
    let length = 64 << 20;
    file.write_all(&[0xa5; 1 << 20]).unwrap();
    file.seek(SeekFrom::Start(length / 2)).unwrap();
    file.write_all(&[0x5a; 1 << 20]).unwrap();
    file.set_len(length).unwrap();
    (Arc::new(file), length)
}

#[tokio::test]
async fn holes_stay_holes_and_every_byte_arrives() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let (file, length) = sparse_file();
    let extra = 3 << 20;
    let spec = spec(&pool, "raw", length + extra);
    libvirt.create_volume(&spec).await.unwrap();
    let mut upload = libvirt
        .open_upload(&spec.id, Some(length + extra))
        .await
        .unwrap();
    let progress = upload.transferred();
    upload.file(file, 0, length).await.unwrap();
    assert_eq!(progress.bytes(), length);
    upload
        .data(Bytes::from(vec![7; (1 << 20) + 1]))
        .await
        .unwrap();
    upload.hole((2 << 20) - 2).await.unwrap();
    upload.data(Bytes::from_static(b"!")).await.unwrap();
    upload.finish().await.unwrap();

    let facts = libvirt.volume(&spec.id).await.unwrap().unwrap();
    assert_eq!(facts.capacity, length + extra);
    assert!(facts.allocation < 8 << 20, "{facts:?}");
    // The test runs where the daemon does if it can read the file; through a remote URI the size
    // must do.
    if let Ok(bytes) = std::fs::read(&facts.path) {
        assert_eq!(bytes.len() as u64, length + extra);
        assert!(bytes[..1 << 20].iter().all(|byte| *byte == 0xa5));
        assert!(bytes[1 << 20..32 << 20].iter().all(|byte| *byte == 0));
        assert!(bytes[32 << 20..33 << 20].iter().all(|byte| *byte == 0x5a));
        assert!(bytes[64 << 20..65 << 20].iter().all(|byte| *byte == 7));
        assert_eq!((bytes[65 << 20], bytes[(65 << 20) + 1]), (7, 0));
        assert_eq!(bytes.last(), Some(&b'!'));
    }
    libvirt.delete_volume(&spec.id).await.unwrap();
}

#[tokio::test]
async fn uploads_that_do_not_fit_their_length_fail_and_leave_the_volume_deletable() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let spec = spec(&pool, "raw", 1 << 20);
    libvirt.create_volume(&spec).await.unwrap();

    let mut short = libvirt.open_upload(&spec.id, Some(100)).await.unwrap();
    short.data(Bytes::from_static(b"few")).await.unwrap();
    let error = short.finish().await.unwrap_err();
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");

    let mut long = libvirt.open_upload(&spec.id, Some(2)).await.unwrap();
    // The thread finds out behind our back; the call after that says so.
    let error = match long.data(Bytes::from_static(b"many")).await {
        Ok(()) => long.finish().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");

    let mut unreadable = libvirt.open_upload(&spec.id, Some(10)).await.unwrap();
    let empty = Arc::new(tempfile::tempfile().unwrap());
    let error = unreadable.file(empty, 0, 10).await.unwrap_err();
    assert!(matches!(error, Error::ReadSource { .. }), "{error:?}");
    let error = unreadable.data(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, Error::Upload { .. }), "{error:?}");

    drop(libvirt.open_upload(&spec.id, Some(10)).await.unwrap());
    libvirt.delete_volume(&spec.id).await.unwrap();
}

#[tokio::test]
async fn overlays_clones_and_resizes() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let base = spec(&pool, "qcow2", 4 << 20);
    let base_facts = libvirt.create_volume(&base).await.unwrap();
    let backing = Backing {
        path: base_facts.path,
        format: Some("qcow2".into()),
    };
    let overlay = VolumeSpec {
        backing: Some(backing.clone()),
        ..spec(&pool, "qcow2", 8 << 20)
    };
    let facts = libvirt.create_volume(&overlay).await.unwrap();
    assert_eq!(
        (facts.guessed_backing, facts.capacity),
        (Some(backing), 8 << 20)
    );

    // Bug 9 of the Go plugin: a clone kept its source's capacity.
    let clone = spec(&pool, "qcow2", 16 << 20);
    let facts = libvirt
        .clone_volume(&clone, &base.id, "qcow2")
        .await
        .unwrap();
    assert_eq!((facts.capacity, facts.guessed_backing), (16 << 20, None));
    let raw = spec(&pool, "raw", 1);
    let facts = libvirt.clone_volume(&raw, &base.id, "qcow2").await.unwrap();
    assert_eq!(
        (facts.capacity, facts.guessed_format.as_deref()),
        (4 << 20, Some("raw"))
    );
    // Bug 29: nothing has to grow, nothing is called.
    libvirt
        .resize_volume(&raw.id, "raw", 4 << 20)
        .await
        .unwrap();
    libvirt
        .resize_volume(&raw.id, "raw", 32 << 20)
        .await
        .unwrap();
    assert_eq!(
        libvirt.volume(&raw.id).await.unwrap().unwrap().capacity,
        32 << 20
    );
    let error = libvirt.create_volume(&base).await.unwrap_err();
    assert!(matches!(error, Error::VolumeExists { .. }), "{error:?}");
    for id in [overlay.id, clone.id, raw.id, base.id] {
        libvirt.delete_volume(&id).await.unwrap();
    }
}

/// Everything at once: each device of the XML is taken by QEMU, and events tell of the domain's
/// life.
#[tokio::test]
async fn qemu_runs_a_domain_with_one_of_everything() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let mut disks = Vec::new();
    let mut volumes = Vec::new();
    for (device, bus) in [
        (DiskDevice::Disk, None),
        (DiskDevice::Disk, Some(DiskBus::Scsi)),
        (DiskDevice::Disk, Some(DiskBus::Sata)),
        (DiskDevice::Disk, Some(DiskBus::Usb)),
        (DiskDevice::Cdrom, None),
        (DiskDevice::Floppy, None),
    ] {
        let volume = spec(&pool, "raw", 1_474_560);
        libvirt.create_volume(&volume).await.unwrap();
        disks.push(Disk {
            bus,
            serial: (device == DiskDevice::Disk).then(|| format!("serial{}", disks.len())),
            alias: Some(format!("disk{}", disks.len())),
            ..Disk::new(
                DiskSource::Volume(volume.id.clone()),
                device,
                DiskFormat::raw(),
            )
        });
        volumes.push(volume.id);
    }
    let spec = DomainSpec {
        domain_type: "qemu".into(),
        machine: Some("q35".into()),
        build: Some(BuildRecord::new("test")),
        memory_mib: 64,
        boot_devices: vec![
            BootDevice::Network,
            BootDevice::Floppy,
            BootDevice::Cdrom,
            BootDevice::HardDisk,
        ],
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        disks,
        ..DomainSpec::new(format!("lvhost-test-{}", Uuid::new_v4()))
    };
    let id = libvirt.define_domain(&spec).await.unwrap();
    let mut state = libvirt.watch_domain(&id).await.unwrap();
    libvirt.start_domain(&id).await.unwrap();
    timeout(
        PATIENCE,
        state.wait_for(|state| *state == DomainState::Running),
    )
    .await
    .expect("no event of the start")
    .unwrap();
    // No agent runs in an empty disk: that is "not yet", not an error.
    assert_eq!(
        libvirt
            .interface_addresses(&id, AddressSource::Agent)
            .await
            .unwrap(),
        []
    );
    let undefine = libvirt.undefine_domain(&id).await.unwrap_err();
    assert!(
        matches!(undefine, Error::DomainState { .. }),
        "{undefine:?}"
    );
    libvirt
        .shutdown_domain(&id, Some(ShutdownMode::Acpi))
        .await
        .unwrap();
    libvirt.destroy_domain(&id).await.unwrap();
    timeout(PATIENCE, state.wait_for(|state| state.is_off()))
        .await
        .expect("no event of the end")
        .unwrap();
    libvirt.undefine_domain(&id).await.unwrap();
    timeout(
        PATIENCE,
        state.wait_for(|state| *state == DomainState::Gone),
    )
    .await
    .expect("no event of the removal")
    .unwrap();
    for id in volumes {
        libvirt.delete_volume(&id).await.unwrap();
    }
}
