//! What goes through a guest's connection besides our own commands: tunnels in both directions, and
//! the agent.
//!
//! ```text
//!   local tunnel    program on this host ─► our port ─► channel ─► guest ─► where it leads
//!   remote tunnel   program in the guest ─► its port ─► channel ─► this host ─► where it leads
//!   agent           program in the guest ─► its socket ─► channel ─► the agent's socket here
//! ```
//!
//! All channels share one connection, and russh reads nothing from it while one channel's bytes are
//! not taken. So whatever is at this host's end of a tunnel loses it if it takes nothing for
//! [`STALL_MAXIMUM`]: a build does not hang for a program that does.
//!
//! The guest is not trusted: it gets no connection but to the ends of the tunnels it was told of
//! and to the agent while that is [lent](super::loan), and no more than [`FORWARDED_MAXIMUM`] at a
//! time.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use russh::client::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::attempt::{ConnectError, Failure, Stage};
use super::loan::Loan;
use super::session::{Server, Session, describe};
use super::settings::{Settings, TCP_TIMEOUT, after};
use super::stream::Carried;
use super::tunnel::Tunnel;

/// Connections that go through one tunnel, or from one guest, at a time: each has a socket here and
/// buffers of a few hundred KiB. A browser opens some ten.
pub(super) const FORWARDED_MAXIMUM: usize = 64;
/// How long a program at this host's end may leave bytes untaken.
const STALL_MAXIMUM: Duration = Duration::from_secs(30);
/// The address the guest is asked to listen on: `localhost` means all of its loopback addresses.
const GUEST_LOOPBACK: &str = "localhost";
/// How long the guest may take to listen on a port.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(15);

/// What the guest may open channels for, and the connections it opened: they end with this.
#[derive(Default)]
pub(super) struct Forwards {
    agent: Option<(PathBuf, Loan)>,
    tunnels: Vec<Tunnel>,
    running: JoinSet<()>,
}

impl Forwards {
    /// What `settings` allow, and the agent only while `loan` says so.
    pub(super) fn new(settings: &Settings, loan: &Loan) -> Self {
        let agent = settings.agent_forwarding.clone();
        Self {
            agent: agent.map(|socket| (socket, loan.clone())),
            tunnels: settings.remote_tunnels.clone(),
            running: JoinSet::new(),
        }
    }

    /// Something connected to the guest's `port`.
    pub(super) async fn tunnel_opened(
        &mut self,
        channel: Channel<Msg>,
        port: u32,
        reply: ChannelOpenHandle,
    ) {
        let known = self
            .tunnels
            .iter()
            .find(|tunnel| u32::from(tunnel.listen_port) == port);
        let Some(tunnel) = known.cloned() else {
            // Not replied to: the guest is told no.
            tracing::warn!(port, "the guest opened a tunnel that it was not asked for");
            return;
        };
        if self.is_full() {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        self.running.spawn(async move {
            match connect(&tunnel).await {
                Ok(stream) => {
                    reply.accept().await;
                    join(channel.into_stream(), stream).await;
                }
                Err(error) => {
                    tracing::warn!(%tunnel, error, "a tunnel leads nowhere");
                    reply.reject(ChannelOpenFailure::ConnectFailed).await;
                }
            }
        });
    }

    /// Something in the guest wants to speak to the agent.
    pub(super) async fn agent_opened(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let lent = self
            .agent
            .as_ref()
            .and_then(|(socket, loan)| Some((socket.clone(), loan.returned()?)));
        let Some((socket, returned)) = lent else {
            // Not replied to: the guest is told no.
            tracing::warn!("the guest asked for an SSH agent that is not lent to it");
            return;
        };
        if self.is_full() {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        }
        self.running.spawn(async move {
            match UnixStream::connect(&socket).await {
                Ok(stream) => {
                    reply.accept().await;
                    tokio::select! {
                        () = join(channel.into_stream(), stream) => {}
                        () = returned => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(socket = %socket.display(), %error, "the SSH agent is gone");
                    reply.reject(ChannelOpenFailure::ConnectFailed).await;
                }
            }
        });
    }

    fn is_full(&mut self) -> bool {
        while self.running.try_join_next().is_some() {}
        self.running.len() >= FORWARDED_MAXIMUM
    }
}

async fn connect(tunnel: &Tunnel) -> Result<TcpStream, String> {
    let connecting = crate::tcp::connect(&tunnel.host, tunnel.port, TCP_TIMEOUT);
    connecting.await.map_err(|error| error.to_string())
}

/// Carries bytes both ways until both sides have ended. `here` is this host's side.
async fn join(mut there: impl AsyncRead + AsyncWrite + Unpin, here: impl AsyncRead + AsyncWrite) {
    let mut here = TimeoutStream::new(here);
    here.set_write_timeout(Some(STALL_MAXIMUM));
    tokio::pin!(here);
    if let Err(error) = copy_bidirectional(&mut there, &mut here).await {
        tracing::warn!(%error, "a connection through a tunnel broke");
    }
}

/// Asks the guest to listen on the ports of the remote tunnels.
pub(super) async fn open_remote(session: &Session, tunnels: &[Tunnel]) -> Result<(), Failure> {
    for tunnel in tunnels {
        let refused = |reason: &str| Failure {
            stage: Stage::Tunnel,
            reason: format!("the guest does not open the tunnel {tunnel}: {reason}"),
        };
        let port = u32::from(tunnel.listen_port);
        let asking = session.handle.tcpip_forward(GUEST_LOOPBACK, port);
        match timeout(LISTEN_TIMEOUT, asking).await {
            Ok(Ok(_)) => {}
            Ok(Err(russh::Error::RequestDenied)) => {
                return Err(refused(
                    "is its port in use, or below 1024 and the user not root, or forwarding \
                     forbidden in sshd_config (AllowTcpForwarding, PermitListen)?",
                ));
            }
            Ok(Err(error)) => return Err(refused(&describe(&error, Server::Guest))),
            Err(_) => return Err(refused("no answer")),
        }
    }
    Ok(())
}

/// The ports of this host that local tunnels begin at. They stay ours while the guest reboots.
pub(super) struct LocalTunnels(Vec<(Tunnel, Arc<TcpListener>)>);

impl LocalTunnels {
    /// Takes the ports.
    pub(super) async fn listen(tunnels: &[Tunnel]) -> Result<Self, ConnectError> {
        let mut listeners = Vec::with_capacity(tunnels.len());
        for tunnel in tunnels {
            let address = (IpAddr::V4(Ipv4Addr::LOCALHOST), tunnel.listen_port);
            let listener =
                TcpListener::bind(address)
                    .await
                    .map_err(|source| ConnectError::Listen {
                        port: tunnel.listen_port,
                        target: tunnel.target(),
                        source,
                    })?;
            listeners.push((tunnel.clone(), Arc::new(listener)));
        }
        Ok(Self(listeners))
    }

    /// Leads what connects to the ports through `session`, for as long as the result lives.
    pub(super) fn serve(&self, session: &Arc<Session>) -> JoinSet<()> {
        let mut serving = JoinSet::new();
        for (tunnel, listener) in &self.0 {
            serving.spawn(serve(
                tunnel.clone(),
                Arc::clone(listener),
                Arc::downgrade(session),
            ));
        }
        serving
    }
}

async fn serve(tunnel: Tunnel, listener: Arc<TcpListener>, session: Weak<Session>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = running.join_next() => {}
            accepted = listener.accept(), if running.len() < FORWARDED_MAXIMUM => {
                let stream = match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of sockets, most likely: there may be some again when one has ended.
                        tracing::warn!(%tunnel, %error, "a connection to a tunnel was lost");
                        tokio::time::sleep(super::settings::PAUSE_FIRST).await;
                        continue;
                    }
                };
                let Some(session) = session.upgrade() else { return };
                running.spawn(carry(tunnel.clone(), session, stream));
            }
        }
    }
}

async fn carry(tunnel: Tunnel, session: Arc<Session>, stream: TcpStream) {
    let tunnel_port = tunnel.port;
    let origin = stream.peer_addr().ok();
    let (address, port) = origin.map_or_else(
        || (Ipv4Addr::LOCALHOST.to_string(), 0),
        |origin| (origin.ip().to_string(), origin.port()),
    );
    let ask = || {
        let (session, host, address) = (Arc::clone(&session), tunnel.host.clone(), address.clone());
        async move {
            let opening = session.handle.channel_open_direct_tcpip(
                host,
                u32::from(tunnel_port),
                address,
                u32::from(port),
            );
            opening.await
        }
    };
    // Whoever connected waits meanwhile.
    let passes = |reason: &_| matches!(reason, ChannelOpenFailure::ResourceShortage);
    let channels = session.channels.clone();
    match channels.open(after(STALL_MAXIMUM), passes, ask).await {
        Ok(channel) => join(Carried::new(channel, session), stream).await,
        Err(error) => {
            let reason = describe(&error, Server::Guest);
            tracing::warn!(%tunnel, reason, "the guest does not lead a tunnel on");
        }
    }
}
