//! Bytes on their way into a volume and out of one.
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// Bytes on their way into a volume, from its beginning to the announced length, if one was.
///
/// Dropping it before [`finish`](Self::finish) aborts the upload: the volume stays, its contents
/// are undefined.
#[async_trait]
pub trait Upload: Send {
    /// Writes bytes. Waits while the hypervisor is slower than the caller. An error that happened
    /// behind the caller's back comes out of the next call.
    async fn data(&mut self, bytes: Bytes) -> Result<()>;

    /// Writes `length` zeros without sending them, where the connection can. The volume must be
    /// freshly made: what lay there before may show through.
    async fn hole(&mut self, length: u64) -> Result<()>;

    /// Writes `length` bytes of `file` from `offset` on, without the caller seeing them. Holes of
    /// the file, and longer runs of zeros in it, stay holes. The file's own cursor is not used.
    async fn file(&mut self, file: Arc<File>, offset: u64, length: u64) -> Result<()>;

    /// How far the upload is; can be asked from elsewhere while [`file`](Self::file) runs.
    fn transferred(&self) -> Progress;

    /// Ends the upload: returns when the hypervisor has everything.
    ///
    /// # Errors
    /// Besides those of libvirt: [`Error::Upload`](crate::Error::Upload) if fewer bytes came than
    /// were announced.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// How many bytes of a volume an [`Upload`] or a download has passed, holes included.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes that have gone.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Where a download goes: bytes and holes, in order, from the volume's beginning.
///
/// Called on a thread of its own, so it may block.
pub trait VolumeSink: Send {
    /// Takes all of `bytes`.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes `length` bytes that are zero.
    fn hole(&mut self, length: u64) -> io::Result<()>;

    /// Everything has come.
    fn finish(&mut self) -> io::Result<()>;
}

/// Writes a download into a file, and holes as holes. The file is expected to be new: nothing is
/// written where there is a hole.
#[derive(Debug)]
pub struct SparseFile {
    file: Arc<File>,
    position: u64,
}

impl SparseFile {
    /// Writes `file` from its beginning. The file's own cursor is not used.
    pub fn new(file: Arc<File>) -> Self {
        Self { file, position: 0 }
    }
}

impl VolumeSink for SparseFile {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.position)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn hole(&mut self, length: u64) -> io::Result<()> {
        self.position += length;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        // A hole at the end is nothing that was written.
        self.file.set_len(self.position)
    }
}
