//! Volumes go out as they came in.
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use lvhost_libvirt::*;

use crate::{daemon, daemon::sparse_file, spec};

/// Uploads a sparse file and downloads it again; both have its holes.
pub(crate) async fn there_and_back(libvirt: &Libvirt, pool: &str) {
    let (file, length) = sparse_file();
    let volume = spec(pool, "raw", length);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt.open_upload(&volume.id, Some(length)).await.unwrap();
    upload.file(Arc::clone(&file), 0, length).await.unwrap();
    upload.finish().await.unwrap();

    let copy = Arc::new(tempfile::tempfile().unwrap());
    let progress = Progress::default();
    let sink = Counted {
        file: SparseFile::new(Arc::clone(&copy)),
        data: Arc::default(),
    };
    let data = Arc::clone(&sink.data);
    libvirt
        .download_volume(&volume.id, Box::new(sink), progress.clone())
        .await
        .unwrap();
    assert_eq!(progress.bytes(), length);
    assert_same(&file, &copy, length);
    // Two MiB are data; packets and blocks of file systems round that up.
    let data = data.load(Ordering::Relaxed);
    assert!(
        (2 << 20..4 << 20).contains(&data),
        "{data} bytes came as data"
    );
    let blocks = copy.metadata().unwrap().blocks() * 512;
    assert!(blocks < 8 << 20, "{blocks} bytes are allocated");
    libvirt.delete_volume(&volume.id).await.unwrap();
}

fn assert_same(one: &File, other: &File, length: u64) {
    assert_eq!(other.metadata().unwrap().len(), length);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for offset in (0..length).step_by(left.len()) {
        one.read_exact_at(&mut left, offset).unwrap();
        other.read_exact_at(&mut right, offset).unwrap();
        assert!(left == right, "they differ behind {offset}");
    }
}

struct Counted {
    file: SparseFile,
    data: Arc<AtomicU64>,
}

impl VolumeSink for Counted {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.data.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.data(bytes)
    }

    fn hole(&mut self, length: u64) -> io::Result<()> {
        self.file.hole(length)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.finish()
    }
}

#[tokio::test]
async fn holes_stay_holes_there_and_back() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    there_and_back(&libvirt, &pool).await;
}

#[tokio::test]
async fn a_volume_in_a_format_comes_as_its_file() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let volume = spec(&pool, "qcow2", 1 << 30);
    libvirt.create_volume(&volume).await.unwrap();
    let copy = Arc::new(tempfile::tempfile().unwrap());
    let sink = Box::new(SparseFile::new(Arc::clone(&copy)));
    libvirt
        .download_volume(&volume.id, sink, Progress::default())
        .await
        .unwrap();
    let mut magic = [0; 4];
    copy.read_exact_at(&mut magic, 0).unwrap();
    assert_eq!(&magic, b"QFI\xfb");
    assert!(copy.metadata().unwrap().len() < 1 << 20);
    libvirt.delete_volume(&volume.id).await.unwrap();
}

struct Full;

impl VolumeSink for Full {
    fn data(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn hole(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_download_and_frees_the_volume() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let volume = spec(&pool, "raw", 8 << 20);
    libvirt.create_volume(&volume).await.unwrap();
    let mut upload = libvirt.open_upload(&volume.id, None).await.unwrap();
    upload.data(Bytes::from(vec![7; 8 << 20])).await.unwrap();
    upload.finish().await.unwrap();
    let failed = libvirt
        .download_volume(&volume.id, Box::new(Full), Progress::default())
        .await
        .unwrap_err();
    assert!(matches!(failed, Error::WriteTarget { .. }), "{failed:?}");
    libvirt.delete_volume(&volume.id).await.unwrap();
    let gone = libvirt
        .download_volume(&volume.id, Box::new(Full), Progress::default())
        .await
        .unwrap_err();
    assert!(matches!(gone, Error::NoSuchVolume { .. }), "{gone:?}");
}
