//! The way into the guest, as provisioners use it.

mod command;
mod service;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

pub(crate) use service::GuestService;

use crate::failure::Failure;

/// What core's provisioners do in the guest. Every method may be called while others run, and is
/// cancelled by dropping its future: that happens when the hook ends, and has to end what was started.
#[async_trait]
pub trait Communicator: Send + Sync + 'static {
    /// Runs `command`, as text for the guest's shell, until it ends, with `streams` for its input and
    /// output. `started` is to be told when it runs: Packer waits for that. A command that ends without
    /// having told has run all the same.
    ///
    /// The text may hold secrets.
    ///
    /// # Errors
    /// Why it could not be started. After it was told that it runs, an error means that the connection to
    /// the guest was lost, as [`ExitStatus::Disconnected`] does.
    async fn run(
        &self,
        command: &str,
        streams: CommandStreams,
        started: Started,
    ) -> Result<ExitStatus, Failure>;

    /// Writes all of `source` to the guest's file `destination`.
    ///
    /// # Errors
    /// Why the file is not there; what is left of it is up to the guest.
    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        destination: &str,
        file: Option<&FileInfo>,
    ) -> Result<(), Failure>;

    /// Copies the folder `source` of this machine into the guest's folder `destination`: its contents if
    /// `source` ends in a slash, else the folder itself.
    ///
    /// # Errors
    /// Why not all of it is there.
    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
    ) -> Result<(), Failure>;

    /// Writes the guest's file `source` to `destination`.
    ///
    /// # Errors
    /// Why it is not complete.
    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), Failure>;

    /// Copies the guest's folder `source` into the folder `destination` of this machine, by the rule of
    /// [`upload_directory`](Self::upload_directory).
    ///
    /// # Errors
    /// Why not all of it is there.
    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
    ) -> Result<(), Failure>;
}

/// The streams of a command. What Packer has no use for reads as empty and swallows what is written.
///
/// Dropping one closes it, and [`Communicator::run`] has to have dropped or shut down all of them when
/// it returns: Packer waits for the end of the output before it looks at how the command ended.
pub struct CommandStreams {
    /// Read by the command. Need not be read to its end.
    pub stdin: Box<dyn AsyncRead + Send + Unpin>,
    /// What the command prints.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the command prints as errors.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned this code.
    Code(u32),
    /// It was ended by the signal of this number.
    Signal(u8),
    /// The connection to the guest ended before the command did. Provisioners take it for a reboot where
    /// the template says that one is expected.
    Disconnected,
}

impl ExitStatus {
    /// The number by which Packer knows a lost connection.
    const DISCONNECTED: i64 = 2_300_218;

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Code(code) => code.into(),
            // As a shell has it.
            Self::Signal(number) => 128 + i64::from(number),
            Self::Disconnected => Self::DISCONNECTED,
        }
    }
}

/// What Packer knows of a file it uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name on this machine, without folders.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its permission bits, such as `0o644`.
    pub permissions: u32,
}

/// Tells Packer that a command runs.
pub struct Started {
    told: Arc<AtomicBool>,
    tell: oneshot::Sender<()>,
}

impl Started {
    /// The command runs.
    pub fn now(self) {
        self.told.store(true, Ordering::Release);
        // Whoever waits may have gone.
        let _ = self.tell.send(());
    }
}
