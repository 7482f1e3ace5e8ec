//! SSH through russh: waiting for the guest, running commands, moving files.

mod connect;
mod settings;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

pub use connect::{Attempt, ConnectError, Failure, HostKey, Outcome, Stage};
pub use settings::{
    ATTEMPT_TIMEOUT, Authentication, KEEP_ALIVE, KEEP_ALIVE_UNANSWERED, RECONNECT_TIMEOUT,
    RETRY_FIRST, RETRY_LONGEST, Settings, TCP_TIMEOUT,
};

use crate::communicator::{Command, Communicator, ExitStatus, Output, Progress};
use crate::error::Result;

/// An SSH connection to a guest that comes back by itself when it was lost.
#[derive(Debug)]
pub struct Ssh {
    #[expect(dead_code, reason = "being written")]
    settings: Arc<Settings>,
}

/// Waits until the guest lets us in, or `deadline`.
///
/// Every kind of failure is tried again, a refused login as well: the guest's first boot may install
/// the key only after its server is up. What ends the wait early is a mistake that time cannot mend,
/// such as a key file that does not exist, or [`Settings::handshake_attempts`] used up. `observer` is
/// told of every attempt. The wait is cancelled by dropping the future.
pub async fn connect_until(
    settings: Settings,
    deadline: Instant,
    observer: &mut (dyn FnMut(&Attempt) + Send),
) -> Result<Ssh> {
    todo!()
}

#[async_trait]
impl Communicator for Ssh {
    async fn run(&self, command: &Command, output: &mut dyn Output) -> Result<ExitStatus> {
        todo!()
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        todo!()
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        todo!()
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        todo!()
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        todo!()
    }

    async fn disconnect(&self) -> Result<()> {
        todo!()
    }
}
