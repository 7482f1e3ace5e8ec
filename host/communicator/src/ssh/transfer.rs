//! The transfers of files and folders by either method, each on channels of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::execute::{Execution, Input};
use super::scp::{self, Wire};
use super::sftp::Sftp;
use super::sftp_trouble::{SftpServerWords, SftpTrouble};
use super::{FileTransfer, Ssh, directory, settings};
use crate::communicator::{Command, ExitStatus, Progress};
use crate::error::{Error, Result};
use crate::exclude::Exclude;
use crate::taker::Taker;

/// Time for a command that does nothing.
const ASKING: Duration = Duration::from_secs(5);

/// How one transfer goes.
pub(super) enum Way {
    Sftp(Box<Sftp>),
    Scp,
}

impl Ssh {
    /// The way of the next transfer. A guest that is found to have no SFTP gets its files by scp from
    /// then on, unless the user asked for SFTP by name.
    pub(super) async fn way(&self) -> Result<Way> {
        let may_change = match self.settings.file_transfer {
            FileTransfer::Scp => return Ok(Way::Scp),
            FileTransfer::Sftp => false,
            FileTransfer::SftpOrScp => true,
        };
        if self.lacks_sftp.load(Ordering::Acquire) {
            return Ok(Way::Scp);
        }
        match self.sftp().await {
            Ok(sftp) => Ok(Way::Sftp(Box::new(sftp))),
            Err(Error::NoSftp {
                address, trouble, ..
            }) if may_change && trouble.is_absence() => {
                let was_known = self.lacks_sftp.swap(true, Ordering::AcqRel);
                if let Some(remarks) = self.settings.remarks.as_ref().filter(|_| !was_known) {
                    remarks.remark(&format!(
                        "files go by scp, as there is no SFTP at {address}: {trouble}"
                    ));
                }
                Ok(Way::Scp)
            }
            Err(Error::NoSftp {
                address,
                trouble,
                source,
            }) if trouble.is_wordless() => Err(Error::NoSftp {
                address,
                trouble: self.reason_of(trouble).await,
                source,
            }),
            Err(error) => Err(error),
        }
    }

    /// What is behind an SFTP server that ended without a word. OpenSSH's server drops what that says
    /// on standard error, but not what a command says.
    async fn reason_of(&self, trouble: SftpTrouble) -> SftpTrouble {
        let (mut heard, command) = (SftpServerWords::default(), Command::new("true"));
        let execution = Execution {
            command: &command,
            pty: false,
            agent: false,
            input: Input::Bytes(None),
            taker: Taker::Output(&mut heard),
            started: None,
        };
        match timeout(ASKING, self.execute(execution)).await {
            Ok(Ok(ExitStatus::Code(0))) | Err(_) => trouble,
            Ok(_) => heard.reason().unwrap_or(trouble),
        }
    }

    /// What came of a transfer by scp, with the right words if that was the second choice.
    pub(super) fn by_scp<T>(&self, ended: Result<T>) -> Result<T> {
        match ended {
            Err(Error::NoScp { address, source }) if self.lacks_sftp.load(Ordering::Acquire) => {
                Err(Error::NoFileTransfer { address, source })
            }
            ended => ended,
        }
    }

    /// Starts SFTP. A connection that turns out to be lost is replaced: nothing has happened in the
    /// guest yet.
    async fn sftp(&self) -> Result<Sftp> {
        let deadline = self.reconnect_deadline();
        let mut unanswered = 0;
        loop {
            let (session, channel) = self.channel(deadline).await?;
            match Sftp::start(Arc::clone(&session), channel).await {
                Err(Error::ConnectionLost { .. }) if Instant::now() < deadline => {
                    self.forget(&session).await;
                }
                Err(Error::Unanswered { .. }) if unanswered < settings::UNANSWERED_MAXIMUM => {
                    unanswered += 1;
                    tokio::time::sleep(settings::PAUSE_FIRST).await;
                }
                Err(Error::Unanswered { .. }) => {
                    return Err(session.no_sftp(&SftpServerWords::silence(), None));
                }
                started => return started,
            }
        }
    }

    /// Starts `command`, which runs the guest's scp, likewise.
    async fn scp(&self, command: &str) -> Result<Wire> {
        let deadline = self.reconnect_deadline();
        let mut unanswered = 0;
        loop {
            let (session, channel) = self.channel(deadline).await?;
            match Wire::start(Arc::clone(&session), channel, command).await {
                Err(Error::ConnectionLost { .. }) if Instant::now() < deadline => {
                    self.forget(&session).await;
                }
                Err(Error::Unanswered { .. }) if unanswered < settings::UNANSWERED_MAXIMUM => {
                    unanswered += 1;
                    tokio::time::sleep(settings::PAUSE_FIRST).await;
                }
                started => return started,
            }
        }
    }

    pub(super) async fn upload_by_scp(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut spooled = None;
        if length.is_none() {
            spooled = Some(scp::measure(source, destination).await?);
        }
        let mut wire = self.scp(&scp::upload_command(destination, mode)).await?;
        let session = Arc::clone(wire.session());
        let work = async {
            match (length, spooled) {
                (_, Some(spooled)) => {
                    scp::upload(&mut wire, spooled, destination, mode, progress).await
                }
                (length, None) => {
                    let sized = scp::Measured {
                        reader: source,
                        length: length.unwrap_or_default(),
                    };
                    scp::upload(&mut wire, sized, destination, mode, progress).await
                }
            }
        };
        let during = || format!("during the upload of {destination}");
        let done = session.during(during, work).await;
        wire.over(done).await
    }

    pub(super) async fn upload_folder_by_scp(
        &self,
        source: &Path,
        destination: &str,
        exclude: &Exclude,
        progress: &dyn Progress,
    ) -> Result<()> {
        directory::see_folder(source).await?;
        let command = scp::folder::upload_command(destination);
        let mut wire = self.scp(&command).await?;
        let session = Arc::clone(wire.session());
        let during = || format!("during the upload of {} to {destination}", source.display());
        let work = scp::folder::upload(&mut wire, source, destination, exclude, progress);
        let done = session.during(during, work).await;
        wire.over(done).await
    }

    pub(super) async fn download_by_scp(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        let mut wire = self.scp(&scp::download_command(source)).await?;
        let session = Arc::clone(wire.session());
        let during = || format!("during the download of {source}");
        let work = scp::download(&mut wire, source, destination, progress);
        let done = session.during(during, work).await;
        wire.over(done).await
    }

    pub(super) async fn download_folder_by_scp(
        &self,
        source: &str,
        destination: &Path,
        exclude: &Exclude,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut wire = self.scp(&scp::folder::download_command(source)).await?;
        let session = Arc::clone(wire.session());
        let during = || {
            format!(
                "during the download of {source} to {}",
                destination.display()
            )
        };
        let work = scp::folder::download(&mut wire, source, destination, exclude, progress);
        let done = session.during(during, work).await;
        wire.over(done).await
    }
}
