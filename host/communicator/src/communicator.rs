//! The trait through which a build reaches its guest, and the small types it speaks in.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};

/// A connection to a guest: commands and file transfer.
///
/// Every method may be called after the connection was lost (a provisioner that reboots the guest):
/// the implementation then connects anew before it does its work. A call never repeats work by
/// itself that may already have had an effect in the guest.
///
/// Every method is cancelled by dropping its future.
#[async_trait]
pub trait Communicator: Send + Sync {
    /// Runs one command through the guest's login shell and hands over its output as it comes.
    ///
    /// A command that fails is not an error here: its [`ExitStatus`] says so. A guest that goes
    /// away after the command has started gives [`ExitStatus::Missing`].
    async fn run(&self, command: &Command, output: &mut dyn Output) -> Result<ExitStatus>;

    /// Runs one command as [`run`](Communicator::run) does, with streams for its input and output
    /// in place of [`Command::stdin`] and an [`Output`]: for bytes that are not all here yet, and
    /// for takers that may take their time.
    ///
    /// An output that takes nothing holds up the command, and whatever else goes over the same
    /// connection.
    ///
    /// A stream that fails does not end the command: for an input it is as if it had ended, and
    /// what an output does not take is thrown away. The streams are not shut down.
    ///
    /// # Errors
    /// As [`run`](Communicator::run). A communicator that cannot stream says so by
    /// [`Error::NotSupported`](crate::Error::NotSupported), as this method does by itself.
    async fn run_streaming(&self, command: &Command, streams: Streams<'_>) -> Result<ExitStatus> {
        let _ = (command, streams);
        Err(Error::NotSupported {
            what: "commands with streams for their input and output",
        })
    }

    /// Writes the bytes of `source` to the file `destination`, which is created or replaced.
    ///
    /// `length` is the number of bytes that `source` has, where that is known: for the progress
    /// bar, and since the scp protocol announces it, so that a source with another number of bytes
    /// may be an error. `mode` are the permission bits (such as `0o755`) to give the file, else the
    /// guest's default. The folder that is to hold the file must exist.
    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()>;

    /// Copies the folder `source` into the guest's folder `destination`.
    ///
    /// With a trailing slash on `source` its contents land in `destination`; without one the folder
    /// itself does, under its own name. Missing folders in the guest are created, permission bits
    /// kept, and symbolic links followed: the guest gets what they point at.
    ///
    /// `exclude` holds glob patterns. One without a slash is held against the name of every file
    /// and folder, one with a slash against the path below `source`. An excluded folder is not
    /// entered.
    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()>;

    /// Writes the bytes of the guest's file `source` to `destination` and returns how many they
    /// were.
    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64>;

    /// Copies the guest's folder `source` into the local folder `destination`: the rules of
    /// [`upload_directory`](Communicator::upload_directory), the other way round.
    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()>;

    /// What in the guest a pattern (`*`, `?` and `[…]`) stands for; nothing is an empty list.
    ///
    /// # Errors
    /// A communicator that has no patterns says so by [`Error::NotSupported`](crate::Error::NotSupported),
    /// as this method does by itself.
    async fn find(&self, pattern: &str) -> Result<Vec<PathInGuest>> {
        let _ = pattern;
        Err(Error::NotSupported {
            what: "patterns of files in the guest; name each file, or the folder",
        })
    }

    /// Says goodbye and closes the connection. A connection that is already gone is not an error.
    async fn disconnect(&self) -> Result<()>;
}

/// A file or folder in the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathInGuest {
    /// Its path, as the pattern begins.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// One command for the guest.
///
/// There is no field for environment variables: an SSH server refuses those it is not configured to
/// accept, so they belong into the text, as Packer's `execute_command` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// What the guest's login shell is to run.
    pub text: String,
    /// The bytes of the command's standard input; without them it reads end of file at once.
    pub stdin: Option<Bytes>,
    /// Run it on a pseudo-terminal, as a `sudo` with `requiretty` wants. The guest then mixes
    /// standard error into standard output.
    pub pty: bool,
}

impl Command {
    /// A command without input and without a terminal.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            stdin: None,
            pty: false,
        }
    }
}

/// The streams of a command that [`run_streaming`](Communicator::run_streaming) runs.
#[derive(Default)]
pub struct Streams<'a> {
    /// Its standard input; without one it reads end of file at once.
    pub stdin: Option<&'a mut (dyn AsyncRead + Send + Unpin)>,
    /// What takes its standard output; without it that is thrown away.
    pub stdout: Option<&'a mut (dyn AsyncWrite + Send + Unpin)>,
    /// What takes its standard error; without it that is thrown away.
    pub stderr: Option<&'a mut (dyn AsyncWrite + Send + Unpin)>,
    /// Called once, when the guest has said that the command runs.
    pub started: Option<&'a mut (dyn FnMut() + Send)>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned this code; zero is success.
    Code(u32),
    /// It was ended by a signal, named without its `SIG`, such as `KILL`.
    Signal(String),
    /// The connection ended before a status came: a guest that reboots, shuts down or crashes.
    Missing,
}

impl ExitStatus {
    /// Whether the command returned zero.
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(name) => write!(formatter, "signal {name}"),
            Self::Missing => {
                formatter.write_str("no exit status: the connection ended before the command did")
            }
        }
    }
}

/// Takes a command's output, in the order in which it arrives and in pieces of any size.
pub trait Output: Send {
    /// Bytes from the command's standard output.
    fn stdout(&mut self, bytes: &[u8]);
    /// Bytes from the command's standard error.
    fn stderr(&mut self, bytes: &[u8]);
}

/// Told how a transfer moves on: one `started` and one `finished` around any number of `advanced`,
/// file after file.
pub trait Progress: Send + Sync {
    /// The transfer of one file begins. `total` is its size in bytes where that is known.
    fn started(&self, name: &str, total: Option<u64>);
    /// So many more bytes have gone over.
    fn advanced(&self, bytes: u64);
    /// The file is complete.
    fn finished(&self);
}
