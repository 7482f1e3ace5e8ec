//! The transfers of files and folders by either method, each on channels of its own.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::listing::Listing;
use super::scp::{self, Wire};
use super::sftp::Sftp;
use super::{Ssh, directory, settings};
use crate::communicator::Progress;
use crate::error::{Error, Result};
use crate::exclude::Exclude;

impl Ssh {
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
                Err(Error::Unanswered { .. }) => return Err(session.no_sftp(None)),
                started => return started,
            }
        }
    }

    /// Starts the reading of folders beside `sftp`, on the same connection.
    async fn listing(&self, sftp: &Sftp) -> Result<Listing> {
        let session = sftp.session();
        let channel = session.open_channel(self.settings.attempt_timeout).await?;
        let starting = Listing::start(session, channel);
        session
            .during(|| "while SFTP was starting".to_owned(), starting)
            .await
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
        session.during(during, work).await
    }

    pub(super) async fn upload_by_sftp(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let sftp = self.sftp().await?;
        sftp.upload(source, length, destination, mode, progress)
            .await?;
        sftp.finish().await
    }

    pub(super) async fn upload_folder_by_sftp(
        &self,
        source: &Path,
        destination: &str,
        exclude: &Exclude,
        progress: &dyn Progress,
    ) -> Result<()> {
        let sftp = self.sftp().await?;
        directory::upload(&sftp, source, destination, exclude, progress).await?;
        sftp.finish().await
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
        session.during(during, work).await
    }

    pub(super) async fn download_by_sftp(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        let sftp = self.sftp().await?;
        let bytes = sftp.download(source, destination, progress).await?;
        sftp.finish().await?;
        Ok(bytes)
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
        session.during(during, work).await
    }

    pub(super) async fn download_folder_by_sftp(
        &self,
        source: &str,
        destination: &Path,
        exclude: &Exclude,
        progress: &dyn Progress,
    ) -> Result<()> {
        let sftp = self.sftp().await?;
        let listing = self.listing(&sftp).await?;
        directory::download(&sftp, &listing, source, destination, exclude, progress).await?;
        sftp.finish().await
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
        session.during(during, work).await
    }
}
