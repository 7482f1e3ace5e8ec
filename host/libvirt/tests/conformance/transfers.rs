//! Bytes on their way into volumes and out of them.
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    sync::Arc,
};

use bytes::Bytes;
use lvhost_libvirt::*;

use crate::place::{Place, assert_fails};

/// Writes bytes to the beginning of a volume.
pub(crate) async fn fill(place: &Place, id: &VolumeId, bytes: &'static [u8]) {
    let length = bytes.len() as u64;
    let hypervisor = &place.hypervisor;
    let mut upload = hypervisor.open_upload(id, Some(length)).await.unwrap();
    upload.data(Bytes::from_static(bytes)).await.unwrap();
    upload.finish().await.unwrap();
}

/// All bytes of a volume.
pub(crate) async fn contents(place: &Place, id: &VolumeId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = download(place, id).await;
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

async fn download(place: &Place, id: &VolumeId) -> File {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let progress = Progress::default();
    let sink = Box::new(SparseFile::new(Arc::clone(&file)));
    place
        .hypervisor
        .download_volume(id, sink, progress.clone())
        .await
        .unwrap();
    assert_eq!(progress.bytes(), file.metadata().unwrap().len());
    file.try_clone().unwrap()
}

pub(crate) async fn what_is_uploaded_is_downloaded(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    assert!(
        contents(place, &spec.id)
            .await
            .iter()
            .all(|byte| *byte == 0)
    );
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"xxfile").unwrap();
    let mut upload = hypervisor.open_upload(&spec.id, Some(1000)).await.unwrap();
    let progress = upload.transferred();
    upload.data(Bytes::from_static(b"data")).await.unwrap();
    upload.hole(900).await.unwrap();
    upload.file(Arc::new(file), 2, 4).await.unwrap();
    upload.data(Bytes::from(vec![9; 92])).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(progress.bytes(), 1000);
    let bytes = contents(place, &spec.id).await;
    assert_eq!(&bytes[..5], b"data\0");
    assert_eq!(&bytes[903..909], b"\0file\x09");
    // A hole ends a raw volume where the hole ends; bytes only make it longer.
    let capacity = async || {
        let facts = hypervisor.volume(&spec.id).await.unwrap();
        facts.unwrap().capacity
    };
    assert_eq!((bytes.len(), capacity().await), (1000, 1000));
    fill(place, &spec.id, b"anew").await;
    let bytes = contents(place, &spec.id).await;
    assert_eq!(
        (&bytes[..5], &bytes[903..909]),
        (&b"anew\0"[..], &b"\0file\x09"[..])
    );
    assert_eq!((bytes.len(), capacity().await), (1000, 1000));
    let mut long = hypervisor
        .open_upload(&spec.id, Some(2 << 20))
        .await
        .unwrap();
    long.data(Bytes::from(vec![7; 2 << 20])).await.unwrap();
    long.finish().await.unwrap();
    assert_eq!(capacity().await, 2 << 20);
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn holes_stay_holes(place: &Place) {
    const LENGTH: u64 = 64 << 20;
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", LENGTH);
    hypervisor.create_volume(&spec).await.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[0xa5; 1 << 20]).unwrap();
    file.seek(SeekFrom::Start(LENGTH / 2)).unwrap();
    file.write_all(&[0x5a; 1 << 20]).unwrap();
    file.set_len(LENGTH).unwrap();
    let mut upload = hypervisor
        .open_upload(&spec.id, Some(LENGTH))
        .await
        .unwrap();
    upload.file(Arc::new(file), 0, LENGTH).await.unwrap();
    upload.finish().await.unwrap();
    let facts = hypervisor.volume(&spec.id).await.unwrap().unwrap();
    assert!(facts.allocation < 8 << 20, "{facts:?}");
    let copy = download(place, &spec.id).await;
    assert_eq!(copy.metadata().unwrap().len(), LENGTH);
    assert!(copy.metadata().unwrap().blocks() * 512 < 8 << 20);
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn uploads_of_another_length_fail(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    let mut short = hypervisor.open_upload(&spec.id, Some(100)).await.unwrap();
    short.data(Bytes::from_static(b"few")).await.unwrap();
    assert_fails!(short.finish().await, Error::Upload { .. });
    let mut long = hypervisor.open_upload(&spec.id, Some(2)).await.unwrap();
    // It may be found out behind the caller's back; the call after that says so.
    let error = match long.data(Bytes::from_static(b"many")).await {
        Ok(()) => long.finish().await,
        Err(error) => Err(error),
    };
    assert_fails!(error, Error::Upload { .. });
    let mut unreadable = hypervisor.open_upload(&spec.id, Some(10)).await.unwrap();
    let empty = Arc::new(tempfile::tempfile().unwrap());
    assert_fails!(
        unreadable.file(empty, 0, 10).await,
        Error::ReadSource { .. }
    );
    assert_fails!(
        unreadable.data(Bytes::from_static(b"x")).await,
        Error::Upload { .. }
    );
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn an_upload_that_is_dropped_leaves_a_volume_that_can_be_used(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    let mut dropped = hypervisor.open_upload(&spec.id, Some(10)).await.unwrap();
    dropped.data(Bytes::from_static(b"half")).await.unwrap();
    drop(dropped);
    fill(place, &spec.id, b"whole").await;
    assert!(contents(place, &spec.id).await.starts_with(b"whole"));
    drop(hypervisor.open_upload(&spec.id, None).await.unwrap());
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn a_volume_that_is_not_there_takes_and_gives_nothing(place: &Place) {
    let hypervisor = &place.hypervisor;
    let missing = place.volume("raw", 1).id;
    assert_fails!(
        hypervisor.open_upload(&missing, Some(1)).await,
        Error::NoSuchVolume { .. }
    );
    let sink = Box::new(SparseFile::new(Arc::new(tempfile::tempfile().unwrap())));
    assert_fails!(
        hypervisor
            .download_volume(&missing, sink, Progress::default())
            .await,
        Error::NoSuchVolume { .. }
    );
    let spec = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    fill(place, &spec.id, b"x").await;
    let unwritable = Arc::new(File::open("/dev/zero").unwrap());
    let sink = Box::new(SparseFile::new(unwritable));
    assert_fails!(
        hypervisor
            .download_volume(&spec.id, sink, Progress::default())
            .await,
        Error::WriteTarget { .. }
    );
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn a_header_decides_the_capacity(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("qcow2", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    let mut image = contents(place, &spec.id).await;
    // The fake has no layout of its own.
    image.resize(image.len().max(104), 0);
    image[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    image[24..32].copy_from_slice(&(5_u64 << 30).to_be_bytes());
    let length = image.len() as u64;
    let mut upload = hypervisor
        .open_upload(&spec.id, Some(length))
        .await
        .unwrap();
    upload.data(Bytes::from(image)).await.unwrap();
    upload.finish().await.unwrap();
    let facts = hypervisor.volume(&spec.id).await.unwrap().unwrap();
    assert_eq!(
        (facts.capacity, facts.guessed_format.as_deref()),
        (5 << 30, Some("qcow2"))
    );
    hypervisor.delete_volume(&spec.id).await.unwrap();
}
