//! The way to the guest, made ready for use: what lies between this host and the guest's SSH port.
//!
//! ```text
//!   direct    ───────────────────────────────► TCP ──────────► the guest's port
//!   proxy     ─► TCP ─► "connect me to …" ───► its own TCP ──► the guest's port
//!   bastion   ─► TCP ─► SSH, login ─► channel ► its own TCP ─► the guest's port
//!                └── once, shared ──┘ └── one each time ──┘
//! ```
//!
//! A bastion is logged in to once and its connection kept: a guest that is waited for is tried
//! several times a second, and a production host answers so many logins by locking us out. For the
//! same reason a login that it refuses is not tried again.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client;
use russh::keys::PublicKey;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::attempt::{ConnectError, Failure, HostKey, Stage};
use super::authenticate::log_in;
use super::callbacks::Observed;
use super::chatter::Counted;
use super::credential::{Credential, login_bound};
use super::forward::Forwards;
use super::held_key::HeldKey;
use super::known_hosts::KnownKeys;
use super::loan::Loan;
use super::open_channels::OpenChannels;
use super::proxy::{self, Declined};
use super::route::{Bastion, Proxy, Route};
use super::session::{Server, Session, bastion_configuration, describe};
use super::settings::{Settings, TCP_TIMEOUT, after, join_address};
use super::stream::{Carried, Stream};
use crate::error::Result;

/// The way to one guest.
pub(super) enum Gateway {
    Direct,
    Socks5(Proxy),
    HttpConnect(Proxy),
    Bastion(Box<Jump>),
}

/// Why the guest's port was not reached.
#[derive(Debug)]
pub(super) enum Blocked {
    /// It may be reached later.
    Failed(Failure),
    /// What is in between refused it, and will again.
    Refused(String),
}

impl Blocked {
    pub(super) fn failed(stage: Stage, reason: String) -> Self {
        Self::Failed(Failure { stage, reason })
    }
}

impl Gateway {
    /// Reads and decrypts what the route names.
    pub(super) async fn prepare(settings: &Settings) -> Result<Self> {
        Ok(match &settings.route {
            Route::Direct => Self::Direct,
            Route::Socks5(proxy) => Self::Socks5(proxy.clone()),
            Route::HttpConnect(proxy) => Self::HttpConnect(proxy.clone()),
            Route::Bastion(bastion) => {
                Self::Bastion(Box::new(Jump::prepare(bastion, settings).await?))
            }
        })
    }

    /// What is in between, for the user.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Direct => "the network".to_owned(),
            Self::Socks5(proxy) => format!("the SOCKS5 proxy {}", proxy.address()),
            Self::HttpConnect(proxy) => format!("the HTTP proxy {}", proxy.address()),
            Self::Bastion(jump) => jump.bastion.to_string(),
        }
    }

    /// Whether there is something to be done before connections to the guest can be opened.
    pub(super) async fn is_down(&self) -> bool {
        match self {
            Self::Bastion(jump) => jump.current().await.is_none(),
            _ => false,
        }
    }

    /// Does that. Cancelled by dropping.
    pub(super) async fn raise(&self) -> Result<(), Blocked> {
        match self {
            Self::Bastion(jump) => jump.connect().await,
            _ => Ok(()),
        }
    }

    /// Opens a connection to `host` and `port`, which takes no longer than `bound` beyond the way
    /// to what is in between.
    pub(super) async fn open(
        &self,
        host: &str,
        port: u16,
        bound: Duration,
    ) -> Result<Stream, Blocked> {
        let reach = |reason| Blocked::failed(Stage::Reach, reason);
        let proxy = match self {
            Self::Direct => {
                let stream = tcp(host, port, bound).await.map_err(reach)?;
                return Ok(Box::new(stream));
            }
            Self::Bastion(jump) => return jump.open(host, port, bound).await,
            Self::Socks5(proxy) | Self::HttpConnect(proxy) => proxy,
        };
        let failed = |reason| Blocked::failed(Stage::Gateway, format!("{}: {reason}", self.name()));
        let stream = tcp(&proxy.host, proxy.port, TCP_TIMEOUT)
            .await
            .map_err(failed)?;
        let asking = async {
            match self {
                Self::Socks5(_) => proxy::socks5(stream, proxy, host, port).await,
                _ => proxy::http_connect(stream, proxy, host, port).await,
            }
        };
        match timeout(bound, asking).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(Declined::Refused(reason))) => Err(Blocked::Refused(reason)),
            Ok(Err(Declined::Unreachable(reason))) => Err(reach(format!(
                "{} cannot connect to the guest: {reason}",
                self.name()
            ))),
            Ok(Err(Declined::Broken(reason))) => Err(failed(reason)),
            Err(_) => Err(failed(format!("no answer within {} s", bound.as_secs()))),
        }
    }

    /// Says goodbye.
    pub(super) async fn close(&self) {
        if let Self::Bastion(jump) = self
            && let Some(session) = jump.session.lock().await.take()
        {
            session.close().await;
        }
    }
}

/// Connects by TCP; the error is in words.
async fn tcp(host: &str, port: u16, bound: Duration) -> Result<TcpStream, String> {
    let connecting = crate::tcp::connect(host, port, bound.min(TCP_TIMEOUT));
    let stream = connecting.await.map_err(|error| error.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|error: io::Error| error.to_string())?;
    Ok(stream)
}

/// A bastion and the connection to it.
pub(super) struct Jump {
    bastion: Bastion,
    credentials: Vec<Credential>,
    /// Of these, what concerns all connections.
    settings: Settings,
    known: Option<KnownKeys>,
    held: Arc<HeldKey>,
    /// Time for key exchange and login.
    bound: Duration,
    session: Mutex<Option<Arc<Session>>>,
}

impl Jump {
    async fn prepare(bastion: &Bastion, settings: &Settings) -> Result<Self> {
        if bastion.authentication.is_empty() {
            return Err(ConnectError::NoAuthentication {
                address: bastion.to_string(),
            }
            .into());
        }
        let mut credentials = Vec::with_capacity(bastion.authentication.len());
        for authentication in &bastion.authentication {
            credentials.push(Credential::prepare(authentication).await?);
        }
        let known = match &settings.bastion_known_hosts {
            Some(hosts) => Some(KnownKeys::read(hosts, &bastion.host, bastion.port).await?),
            None => None,
        };
        Ok(Self {
            bastion: bastion.clone(),
            bound: login_bound(settings, &credentials),
            credentials,
            settings: settings.clone(),
            known,
            held: Arc::default(),
            session: Mutex::new(None),
        })
    }

    /// The connection, if it lives.
    async fn current(&self) -> Option<Arc<Session>> {
        let session = self.session.lock().await;
        session
            .as_ref()
            .filter(|session| !session.is_closed())
            .map(Arc::clone)
    }

    async fn connect(&self) -> Result<(), Blocked> {
        let failed =
            |reason| Blocked::failed(Stage::Gateway, format!("{}: {reason}", self.bastion));
        let stream = tcp(&self.bastion.host, self.bastion.port, TCP_TIMEOUT)
            .await
            .map_err(failed)?;
        let session = match timeout(self.bound, self.greet(stream)).await {
            Ok(Ok(session)) => session,
            Ok(Err(Blocked::Failed(failure))) if failure.stage == Stage::Authenticate => {
                return Err(Blocked::Refused(failure.reason));
            }
            Ok(Err(Blocked::Failed(failure))) => return Err(failed(failure.reason)),
            Ok(Err(refused)) => return Err(refused),
            Err(_) => {
                return Err(failed(format!(
                    "it took longer than {} s over the SSH handshake and login",
                    self.bound.as_secs()
                )));
            }
        };
        *self.session.lock().await = Some(Arc::new(session));
        Ok(())
    }

    async fn greet(&self, stream: TcpStream) -> Result<Session, Blocked> {
        let Observed {
            callbacks,
            chatter,
            host_key,
            ended,
        } = Observed::new(
            Server::Bastion,
            Forwards::default(),
            self.known.clone(),
            Some(Arc::clone(&self.held)),
        );
        let mut configuration = bastion_configuration(&self.settings);
        configuration.preferred = self.held.preferring(configuration.preferred);
        let known = self.known.as_ref().map(KnownKeys::algorithms);
        if let Some(algorithms) = known.filter(|algorithms| !algorithms.is_empty()) {
            configuration.preferred.key = Cow::Owned(algorithms);
        }
        let stream = Counted::new(stream, chatter);
        let mut handle = client::connect_stream(Arc::new(configuration), stream, callbacks)
            .await
            .map_err(|error| {
                let reason = describe(&error, Server::Bastion);
                match error {
                    russh::Error::UnknownKey => {
                        let changed = self.changed(host_key.get());
                        Blocked::Refused(changed.unwrap_or_else(|| self.not_known(reason)))
                    }
                    _ => {
                        Blocked::failed(Stage::Handshake, format!("in the SSH handshake: {reason}"))
                    }
                }
            })?;
        let name = self.bastion.to_string();
        let method = log_in(
            &mut handle,
            (Server::Bastion, &name),
            &self.bastion.username,
            &self.credentials,
        )
        .await
        .map_err(Blocked::Failed)?;
        let shown = host_key.get();
        tracing::info!(bastion = name, host_key = ?shown.map(HostKey::of), method, "logged in");
        if let Some(key) = shown {
            self.held.hold(key);
        }
        Ok(Session {
            handle,
            address: join_address(&self.bastion.host, self.bastion.port),
            ended,
            channels: OpenChannels::new(),
            loan: Loan::new(),
            answer_timeout: self.settings.answer_timeout,
        })
    }

    /// What to say of a key that is not the known one, or revoked.
    fn not_known(&self, mut reason: String) -> String {
        if let Some(hosts) = &self.settings.bastion_known_hosts {
            let files: Vec<_> = hosts
                .files
                .iter()
                .map(|it| it.display().to_string())
                .collect();
            reason.push_str(&format!(
                " Nothing was sent. What is known of it is in {}; if it is right that it has another key, take \
                 the old one out there (ssh-keygen -R)",
                files.join(", ")
            ));
        }
        reason
    }

    /// What to say of a key that is not the one it let us in with; nothing if it let us in with
    /// none.
    fn changed(&self, now: Option<&PublicKey>) -> Option<String> {
        let (before, now) = (self.held.shown()?, HostKey::of(now?));
        Some(format!(
            "its host key has changed: it let us in with {before} and shows {now}; somebody else \
             may answer in its place, so nothing was sent"
        ))
    }

    async fn open(&self, host: &str, port: u16, bound: Duration) -> Result<Stream, Blocked> {
        let failed =
            |reason: &str| Blocked::failed(Stage::Gateway, format!("{}: {reason}", self.bastion));
        let Some(session) = self.current().await else {
            return Err(failed("its connection was lost"));
        };
        let name = self.bastion.to_string();
        let reach = |reason: &str| {
            Blocked::failed(
                Stage::Reach,
                format!("{name} cannot connect to the guest: {reason}"),
            )
        };
        let was_open = session.channels.ever();
        let ask = || {
            let (session, host) = (Arc::clone(&session), host.to_owned());
            async move {
                let (address, from) = ("127.0.0.1", 0);
                let opening =
                    session
                        .handle
                        .channel_open_direct_tcpip(host, u32::from(port), address, from);
                opening.await
            }
        };
        // A bastion that has led on before does not forbid it: it has no room for one more.
        let passes = |reason: &_| match reason {
            ChannelOpenFailure::ResourceShortage => true,
            ChannelOpenFailure::AdministrativelyProhibited => was_open,
            _ => false,
        };
        let opening = session.channels.open(after(bound), passes, ask);
        match timeout(bound, opening).await {
            Ok(Ok(channel)) => Ok(Box::new(Carried::new(channel, Arc::clone(&session)))),
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => Err(match reason {
                ChannelOpenFailure::AdministrativelyProhibited
                | ChannelOpenFailure::UnknownChannelType
                    if !session.channels.ever() =>
                {
                    Blocked::Refused(
                        "it does not forward connections to the guest: see AllowTcpForwarding and \
                         PermitOpen in its sshd_config"
                            .to_owned(),
                    )
                }
                ChannelOpenFailure::AdministrativelyProhibited
                | ChannelOpenFailure::UnknownChannelType => reach("it opens no more channels"),
                ChannelOpenFailure::ResourceShortage => reach("it is out of resources"),
                ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::Other { .. } => {
                    reach("nothing listens there, or no way leads there, or its name is unknown")
                }
            }),
            Ok(Err(error)) => Err(failed(&describe(&error, Server::Bastion))),
            Err(_) => Err(reach(&format!("no answer within {} s", bound.as_secs()))),
        }
    }
}
