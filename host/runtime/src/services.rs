//! What the engine does for components: [`Services`] and [`Sink`]. Grants are enforced behind these
//! traits, at each call; this crate enforces sizes, rates and times in front of them.

use std::io::Read;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::budget::Account;
use crate::limits;
use crate::types::{
    Blob, Codec, FileEntry, Image, Level, Method, VolumeFacts, VolumeId, WebAnswer, WebRequest,
};

/// Why a service failed: the mirror of the contract's `error`. The text is for the user and already
/// names the thing the call was about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ServiceError {
    /// The component asked for something that makes no sense (a programming error).
    #[error("{0}")]
    Invalid(String),
    /// Not granted.
    #[error("{0}")]
    Denied(String),
    /// The thing asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// A download or connection failed.
    #[error("{0}")]
    Network(String),
    /// Bytes are not what they should be.
    #[error("{0}")]
    Corrupt(String),
    /// The user cancelled the build.
    #[error("the build was cancelled")]
    Cancelled,
    /// Everything else: disk or pool full, hypervisor errors.
    #[error("{0}")]
    Other(String),
}

/// What the host does for a component where the runtime can't see it: it is the component's. The call ends
/// when there is no more of that.
#[derive(Debug, Clone)]
pub struct Work(Account);

impl Work {
    pub(crate) fn of(account: &Account) -> Self {
        Self(account.clone())
    }

    /// Bytes were received or read, and checked.
    pub fn checked(&self, bytes: u64) {
        self.0.charge(limits::checksum_time(bytes));
        self.0.charge_bytes(bytes);
    }

    /// A processor was busy for so long.
    pub fn computed(&self, processor_time: Duration) {
        self.0.charge(processor_time);
    }
}

/// What becomes of a download that is an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packed {
    /// The one file in it is taken in its place.
    Unpacked,
    /// It stays what it is.
    Kept,
}

/// A digest in the making.
pub trait Digesting: Send {
    /// More bytes.
    fn update(&mut self, bytes: &[u8]);

    /// All bytes were there: the digest in hexadecimal digits.
    fn finish(self: Box<Self>) -> String;
}

/// The services of one volume's preparation. The engine makes one for each call of
/// [`Source::prepare`](crate::Source::prepare) and knows by it what is granted.
///
/// Each future may be dropped half-way (cancellation, a time limit) and must leave nothing running
/// then. The runtime bounds how long look-ups and single writes may take; downloads and splices bound
/// themselves.
#[async_trait]
pub trait Services: Send + Sync + 'static {
    /// Tries the URLs in order until one works; returns when the whole body is there and its checksum
    /// is right. What that takes is told to `work` as it goes, whatever comes of it.
    async fn download(
        &self,
        request: WebRequest,
        checksum: Option<String>,
        packed: Packed,
        work: Work,
    ) -> Result<Blob, ServiceError>;

    /// Asks a server, and returns its whole answer, of 4 MiB at most. Nothing is kept of it.
    async fn ask(
        &self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<WebAnswer, ServiceError>;

    /// Whether a granted secret is there. Its value is nobody's but whom it is sent to.
    async fn secret(&self, name: &str) -> Result<(), ServiceError>;

    /// A file in an archive: the one of that name, or the only one. `packing` is as in the name of such a file:
    /// `zip`, `tar`, `tar.xz`, …
    async fn unpack(
        &self,
        archive: &Blob,
        packing: &str,
        member: Option<&str>,
        work: Work,
    ) -> Result<Blob, ServiceError>;

    /// All that comes out of a reader, as a blob: it is needed more than once, and to make it takes time. `None`
    /// where there is no room for it. Called on a thread that may block, and reads on it. A reader's errors are handed
    /// to [`read_error`].
    fn put_aside(
        &self,
        name: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Option<Blob>, ServiceError>;

    /// Begins a digest by `algorithm`: `sha256`, `sha512`, `sha1` or `md5`.
    fn digest(&self, algorithm: &str) -> Result<Box<dyn Digesting>, ServiceError>;

    /// Everything a granted pattern matches, in a fixed order.
    async fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, ServiceError>;

    /// Opens what [`list_files`](Self::list_files) showed.
    async fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, ServiceError>;

    /// Facts of a granted volume.
    async fn volume_facts(&self, id: &VolumeId) -> Result<VolumeFacts, ServiceError>;

    /// Facts of a granted path on the hypervisor, if a pool there knows it as a volume.
    async fn volume_facts_of_path(&self, path: &str) -> Result<Option<VolumeFacts>, ServiceError>;

    /// Creates the volume and opens it. The runtime calls this at most once.
    async fn create_target(&self, image: &Image) -> Result<Box<dyn Sink>, ServiceError>;

    /// The same bytes, decompressed. Called and read on threads that may block.
    fn decoder(
        &self,
        codec: Codec,
        inner: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send>, ServiceError>;

    /// A line for the log: one line, without control characters, bounded in length and number.
    fn log(&self, level: Level, message: &str);

    /// Progress of work the host can't see: 0 to 1 and what is being done. Bounded in rate.
    fn progress(&self, fraction: f64, what: &str);

    /// Whether the user has cancelled the build.
    fn is_cancelled(&self) -> bool;
}

/// The one volume a component fills: a write-only sequence of bytes and holes.
///
/// The runtime never passes more than [`Image::length`] bytes in all. A sink that is dropped without
/// [`finish`](Self::finish) is an upload given up: what it made has to go.
#[async_trait]
pub trait Sink: Send {
    /// At most 1 MiB. Waits until the hypervisor has taken it.
    async fn write(&mut self, data: Bytes) -> Result<(), ServiceError>;

    /// A hole of `length` bytes.
    async fn zeros(&mut self, length: u64) -> Result<(), ServiceError>;

    /// Splices a part of a blob that is known to lie within its size; holes in it stay holes.
    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError>;

    /// Splices all that is left in a reader, read on a thread that may block; runs of zeros become
    /// holes. Returns the bytes. The reader's errors are those of [`read_error`]'s making or of a
    /// decoder: hand them to [`read_error`].
    async fn drain(&mut self, source: Box<dyn Read + Send>) -> Result<u64, ServiceError>;

    /// The component is done and all bytes are there: completes the upload.
    async fn finish(self: Box<Self>) -> Result<(), ServiceError>;
}

/// What a failed read of a reader given to [`Sink::drain`] means: the [`ServiceError`] inside, or a
/// corrupt stream.
#[must_use]
pub fn read_error(error: std::io::Error) -> ServiceError {
    match error.downcast::<ServiceError>() {
        Ok(inner) => inner,
        Err(error) => match error.kind() {
            std::io::ErrorKind::InvalidData
            | std::io::ErrorKind::InvalidInput
            | std::io::ErrorKind::UnexpectedEof => ServiceError::Corrupt(error.to_string()),
            _ => ServiceError::Other(error.to_string()),
        },
    }
}
