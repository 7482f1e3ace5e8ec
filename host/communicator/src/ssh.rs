//! SSH through russh: waiting for the guest, running commands, moving files.
//!
//! ```text
//!                 connect_until
//!                       │
//!                       ▼      guest reboots, network fails
//!   any call ◄── connected ──────────────► lost
//!                       ▲                    │ next call
//!                       └──── reconnect ◄────┘
//! ```
//!
//! A call that is under way when the connection is lost fails, or for a command ends with
//! [`ExitStatus::Missing`]; only what had not yet begun in the guest is done over.

mod algorithms;
mod answers;
mod attempt;
mod authenticate;
mod callbacks;
mod certificate;
mod chatter;
mod connect;
mod credential;
mod directory;
mod execute;
mod forward;
mod gateway;
mod held_key;
mod home;
mod introduced;
mod known_hosts;
mod listing;
mod loan;
mod login_steps;
mod open_channels;
mod pattern;
mod proxy;
mod questions;
mod remote_file;
mod route;
mod scp;
mod session;
mod settings;
mod sftp;
mod sftp_trouble;
mod stream;
mod subsystem;
mod transfer;
mod tree;
mod tunnel;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::exclude::Exclude;
pub use algorithms::{Algorithms, UnknownAlgorithm};
pub use attempt::{Attempt, ConnectError, Failure, HostKey, Outcome, Stage};
use credential::Credential;
use execute::{Execution, Input};
use forward::LocalTunnels;
use gateway::Gateway;
use held_key::HeldKey;
use home::in_home;
use open_channels::OpenChannel;
pub use questions::{Prompt, Questions, Round};
pub use route::{Bastion, Proxy, ProxyCredentials, Route};
use session::Session;
pub(crate) use session::readable;
pub use settings::{
    ANSWER_TIMEOUT, ATTEMPT_TIMEOUT, Authentication, FileTransfer, KEEP_ALIVE, KnownHosts,
    RECONNECT_TIMEOUT, Remarks, Settings,
};
pub use sftp_trouble::SftpTrouble;
use transfer::Way;
pub use tunnel::{Tunnel, TunnelError};

use crate::communicator::{
    Command, Communicator, ExitStatus, Output, PathInGuest, Progress, Streams,
};
use crate::error::{Error, Result};
use crate::taker::Taker;

/// An SSH connection to a guest that comes back by itself when it was lost.
pub struct Ssh {
    settings: Settings,
    credentials: Vec<Credential>,
    gateway: Arc<Gateway>,
    held_key: Arc<HeldKey>,
    local_tunnels: LocalTunnels,
    /// Whether the guest was found to have no SFTP, so that files go by scp.
    lacks_sftp: AtomicBool,
    /// The connection, if there is one. Held locked while a new one is made, so that calls made at
    /// the same time wait for the same connection.
    connected: Mutex<Option<Connected>>,
}

/// A connection and what goes through it by itself.
struct Connected {
    session: Arc<Session>,
    /// Ends what came in through local tunnels when this is dropped.
    _tunnels: JoinSet<()>,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Ssh({}@{})",
            self.settings.username,
            self.settings.address()
        )
    }
}

/// Waits until the guest lets us in, or `deadline`.
///
/// Every kind of failure is tried again, a refused login as well: the guest's first boot may
/// install the key only after its server is up. What ends the wait early is a mistake that time
/// cannot mend, such as a key file that does not exist, or [`Settings::handshake_attempts`] used
/// up. `observer` is told of every attempt. The wait is cancelled by dropping the future.
pub async fn connect_until(
    settings: Settings,
    deadline: Instant,
    observer: &mut (dyn FnMut(&Attempt) + Send),
) -> Result<Ssh> {
    if settings.authentication.is_empty() {
        return Err(ConnectError::NoAuthentication {
            address: settings.address(),
        }
        .into());
    }
    let mut credentials = Vec::with_capacity(settings.authentication.len());
    for authentication in &settings.authentication {
        credentials.push(Credential::prepare(authentication).await?);
    }
    let gateway = Arc::new(Gateway::prepare(&settings).await?);
    let local_tunnels = LocalTunnels::listen(&settings.local_tunnels).await?;
    let ssh = Ssh {
        settings,
        credentials,
        gateway,
        held_key: Arc::default(),
        local_tunnels,
        lacks_sftp: AtomicBool::new(false),
        connected: Mutex::new(None),
    };
    ssh.connect(&mut *ssh.connected.lock().await, deadline, observer)
        .await?;
    Ok(ssh)
}

impl Ssh {
    /// The connection, or a new one in place of one that was lost.
    async fn session(&self, deadline: Instant) -> Result<Arc<Session>> {
        let mut current = self.connected.lock().await;
        if let Some(connected) = current.as_ref()
            && !connected.session.is_closed()
        {
            return Ok(Arc::clone(&connected.session));
        }
        let mut observer = |attempt: &Attempt| tracing::debug!(?attempt, "connecting anew");
        self.connect(&mut current, deadline, &mut observer).await
    }

    /// Makes a connection and puts it in the place of the one before.
    async fn connect(
        &self,
        place: &mut Option<Connected>,
        deadline: Instant,
        observer: &mut (dyn FnMut(&Attempt) + Send),
    ) -> Result<Arc<Session>> {
        *place = None;
        let server = (&self.gateway, &self.held_key);
        let session = connect::connect(
            &self.settings,
            &self.credentials,
            server,
            deadline,
            observer,
        )
        .await?;
        let session = Arc::new(session);
        *place = Some(Connected {
            session: Arc::clone(&session),
            _tunnels: self.local_tunnels.serve(&session),
        });
        Ok(session)
    }

    /// Opens a channel. A connection that turns out to be lost is replaced: nothing has happened in
    /// the guest yet.
    async fn channel(&self, deadline: Instant) -> Result<(Arc<Session>, OpenChannel)> {
        let mut lost = None;
        loop {
            let session = match (self.session(deadline).await, lost) {
                (Ok(session), _) => session,
                // There was no time to try: what there is to say is why the last one has ended.
                (Err(Error::Connect(ConnectError::GaveUp { attempts: 0, .. })), Some(lost)) => {
                    return Err(lost);
                }
                (Err(error), _) => return Err(error),
            };
            let bound = self.settings.attempt_timeout;
            match session.open_channel(bound, deadline).await {
                Ok(channel) => return Ok((session, channel)),
                Err(error @ Error::ConnectionLost { .. }) if Instant::now() < deadline => {
                    self.forget(&session).await;
                    lost = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a command on a channel of its own.
    async fn execute(&self, execution: Execution<'_>) -> Result<ExitStatus> {
        let (session, channel) = self.channel(self.reconnect_deadline()).await?;
        execute::execute(&session, channel, execution).await
    }

    /// Gives up a connection that does not work, and keeps a pace at it.
    async fn forget(&self, session: &Arc<Session>) {
        let mut current = self.connected.lock().await;
        if current
            .as_ref()
            .is_some_and(|one| Arc::ptr_eq(&one.session, session))
        {
            *current = None;
        }
        tokio::time::sleep(settings::PAUSE_FIRST).await;
    }

    fn reconnect_deadline(&self) -> Instant {
        settings::after(self.settings.reconnect_timeout)
    }
}

#[async_trait]
impl Communicator for Ssh {
    async fn run(&self, command: &Command, output: &mut dyn Output) -> Result<ExitStatus> {
        let mut unanswered = 0;
        loop {
            let execution = Execution {
                command,
                pty: self.settings.pty,
                agent: self.settings.agent_forwarding.is_some(),
                input: Input::Bytes(command.stdin.clone()),
                taker: Taker::Output(output),
                started: None,
            };
            match self.execute(execution).await {
                Err(Error::Unanswered { .. }) if unanswered < settings::UNANSWERED_MAXIMUM => {
                    unanswered += 1;
                    tokio::time::sleep(settings::PAUSE_FIRST).await;
                }
                ended => return ended,
            }
        }
    }

    async fn run_streaming(
        &self,
        command: &Command,
        mut streams: Streams<'_>,
    ) -> Result<ExitStatus> {
        let mut unanswered = 0;
        loop {
            let execution = Execution {
                command,
                pty: self.settings.pty,
                agent: self.settings.agent_forwarding.is_some(),
                input: match &mut streams.stdin {
                    Some(reader) => Input::Reader(*reader),
                    None => Input::Bytes(None),
                },
                taker: Taker::Streams {
                    stdout: streams.stdout.as_mut().map(|stream| &mut **stream as _),
                    stderr: streams.stderr.as_mut().map(|stream| &mut **stream as _),
                },
                started: streams.started.as_mut().map(|started| &mut **started as _),
            };
            match self.execute(execution).await {
                Err(Error::Unanswered { .. }) if unanswered < settings::UNANSWERED_MAXIMUM => {
                    unanswered += 1;
                    tokio::time::sleep(settings::PAUSE_FIRST).await;
                }
                ended => return ended,
            }
        }
    }

    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        match self.way().await? {
            Way::Sftp(sftp) => {
                let uploaded = match in_home(destination) {
                    Ok(path) => sftp.upload(source, length, &path, mode, progress).await,
                    Err(error) => Err(error),
                };
                sftp.finish(uploaded).await
            }
            Way::Scp => {
                let uploaded = self
                    .upload_by_scp(source, length, destination, mode, progress)
                    .await;
                self.by_scp(uploaded)
            }
        }
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        let exclude = Exclude::new(exclude)?;
        match self.way().await? {
            Way::Sftp(sftp) => {
                let uploaded = match in_home(destination) {
                    Ok(path) => directory::upload(&sftp, source, &path, &exclude, progress).await,
                    Err(error) => Err(error),
                };
                sftp.finish(uploaded).await
            }
            Way::Scp => {
                let uploaded = self
                    .upload_folder_by_scp(source, destination, &exclude, progress)
                    .await;
                self.by_scp(uploaded)
            }
        }
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        match self.way().await? {
            Way::Sftp(sftp) => {
                let downloaded = match in_home(source) {
                    Ok(path) => sftp.download(&path, destination, progress).await,
                    Err(error) => Err(error),
                };
                sftp.finish(downloaded).await
            }
            Way::Scp => {
                let downloaded = self.download_by_scp(source, destination, progress).await;
                self.by_scp(downloaded)
            }
        }
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        let exclude = Exclude::new(exclude)?;
        match self.way().await? {
            Way::Sftp(sftp) => {
                let downloaded = match in_home(source) {
                    Ok(path) => {
                        directory::download(&sftp, &path, destination, &exclude, progress).await
                    }
                    Err(error) => Err(error),
                };
                sftp.finish(downloaded).await
            }
            Way::Scp => {
                let downloaded = self
                    .download_folder_by_scp(source, destination, &exclude, progress)
                    .await;
                self.by_scp(downloaded)
            }
        }
    }

    async fn find(&self, pattern: &str) -> Result<Vec<PathInGuest>> {
        pattern::find(self, pattern).await
    }

    async fn disconnect(&self) -> Result<()> {
        if let Some(connected) = self.connected.lock().await.take() {
            connected.session.close().await;
        }
        self.gateway.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
