//! Getting to a guest that may not be up yet.
//!
//! ```text
//!        log in to the bastion, if there is one ◄── it went away
//!            │                                           │
//!            │    ┌── every pause ──┐                    │
//!            ▼    ▼                 │                    │
//!   ┌─► probe, probe, probe … ──────┘  each: a connection by the route, our first line,
//!   │        │                         then wait for the server's
//!   │        │ the first one to hear something
//!   │        ▼
//!   │   handshake ─► login ─► tunnels ─► connected
//!   │        │         │         │
//!   └─ pause ┴─────────┴─────────┘ failed
//! ```
//!
//! Probes overlap because silence is ambiguous. With a user-mode network the port is open from the
//! beginning and a connection made too early hangs for many seconds after the guest is up; a guest
//! under emulation takes many seconds to say its first word. So short-lived probes go out at a
//! steady pace while one patient probe keeps waiting.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_io_timeout::TimeoutStream;

use super::Settings;
use super::attempt::{Attempt, ConnectError, Failure, HostKey, Outcome, Stage};
use super::authenticate::log_in;
use super::callbacks::Observed;
use super::chatter::Counted;
use super::credential::{Credential, login_bound};
use super::forward::{self, Forwards};
use super::gateway::{Blocked, Gateway};
use super::held_key::HeldKey;
use super::introduced::Introduced;
use super::loan::Loan;
use super::open_channels::OpenChannels;
use super::session::{Server, Session, configuration, describe};
use super::settings::{
    IMPATIENCE, PAUSE_FIRST, PAUSE_LONGEST, PAUSES_AFTER_REFUSAL, PROBES_MAXIMUM, after,
};

/// How often a guest may refuse a tunnel. After a lost connection the guest may hold the port for a
/// moment still; otherwise it will refuse again.
const TUNNEL_ATTEMPTS: usize = 5;

/// Told of every attempt.
pub(super) type Observer<'a> = &'a mut (dyn FnMut(&Attempt) + Send);

/// Tries until the guest lets us in or `deadline`.
pub(super) async fn connect(
    settings: &Settings,
    credentials: &[Credential],
    (gateway, held): (&Arc<Gateway>, &Arc<HeldKey>),
    deadline: Instant,
    observer: Observer<'_>,
) -> Result<Session, ConnectError> {
    let mut wait = Wait {
        settings,
        credentials,
        gateway,
        began: Instant::now(),
        deadline,
        attempts: 0,
        failures: Vec::new(),
        observer,
    };
    let mut configuration = configuration(settings);
    configuration.preferred = held.preferring(configuration.preferred);
    let configuration = Arc::new(configuration);
    let allowed = login_bound(settings, credentials);
    let mut refusals = 0;
    let mut refused_tunnels = 0;
    loop {
        let (number, stream) = wait.reach().await?;
        let bound = deadline.min(after(allowed));
        let greeting = greet(
            settings,
            credentials,
            held,
            Arc::clone(&configuration),
            stream,
        );
        let failure = match timeout_at(bound, greeting).await {
            Ok(Ok((session, host_key, method))) => {
                wait.tell(number, Outcome::Connected { host_key, method });
                return Ok(session);
            }
            Ok(Err(Unwelcome::Failed(failure))) => failure,
            Ok(Err(Unwelcome::Changed { before, now })) => {
                return Err(ConnectError::HostKeyChanged {
                    address: settings.address(),
                    before: Box::new(before),
                    now: Box::new(now),
                });
            }
            Err(_) => Failure {
                stage: Stage::Handshake,
                reason: format!(
                    "the guest took longer than {} s over the SSH handshake and login",
                    allowed.as_secs()
                ),
            },
        };
        let mut pause = PAUSE_LONGEST;
        match failure.stage {
            Stage::Authenticate => {
                let last = PAUSES_AFTER_REFUSAL.len() - 1;
                pause = PAUSES_AFTER_REFUSAL[last.min(refusals)];
                refusals += 1;
            }
            Stage::Tunnel => refused_tunnels += 1,
            _ => {}
        }
        wait.failed(number, failure, pause);
        let used_up = settings
            .handshake_attempts
            .is_some_and(|most| refusals >= most as usize);
        if used_up || refused_tunnels >= TUNNEL_ATTEMPTS {
            return Err(wait.give_up());
        }
        sleep_until(deadline.min(Instant::now() + pause)).await;
    }
}

/// The state of one wait for a guest.
struct Wait<'a> {
    settings: &'a Settings,
    credentials: &'a [Credential],
    gateway: &'a Arc<Gateway>,
    began: Instant,
    deadline: Instant,
    attempts: u32,
    /// The last of each stage.
    failures: Vec<Failure>,
    observer: Observer<'a>,
}

impl Wait<'_> {
    /// Goes the way to the guest until the guest is heard.
    async fn reach(&mut self) -> Result<(u32, Introduced), ConnectError> {
        loop {
            self.raise_gateway().await?;
            match self.probes().await? {
                Reached::Heard(number, stream) => return Ok((number, stream)),
                Reached::GatewayDown => {}
            }
        }
    }

    /// Makes the way stand as far as it does not concern the guest.
    async fn raise_gateway(&mut self) -> Result<(), ConnectError> {
        let mut pause = PAUSE_FIRST;
        while self.gateway.is_down().await {
            self.attempts += 1;
            let number = self.attempts;
            match timeout_at(self.deadline, self.gateway.raise()).await {
                Ok(Ok(())) => break,
                Ok(Err(Blocked::Refused(reason))) => return Err(self.refused(reason)),
                Ok(Err(Blocked::Failed(failure))) => self.failed(number, failure, pause),
                Err(_) => return Err(self.give_up()),
            }
            sleep_until(self.deadline.min(Instant::now() + pause)).await;
            if Instant::now() >= self.deadline {
                return Err(self.give_up());
            }
            pause = PAUSE_LONGEST.min(pause * 2);
        }
        Ok(())
    }

    /// Sends out probes until one hears from the guest or the way there breaks.
    async fn probes(&mut self) -> Result<Reached, ConnectError> {
        // Dropped with this future, and with it every probe still out.
        let mut probes = JoinSet::new();
        let mut patient = None;
        let mut pause = PAUSE_FIRST;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.deadline) => return Err(self.give_up()),
                Some(ended) = probes.join_next() => {
                    // A probe neither panics nor is it aborted while the set lives.
                    let Ok((number, result)) = ended else { continue };
                    match result {
                        Ok(stream) => return Ok(Reached::Heard(number, stream)),
                        Err(Blocked::Refused(reason)) => return Err(self.refused(reason)),
                        Err(Blocked::Failed(failure)) => {
                            if patient == Some(number) {
                                patient = None;
                            }
                            let retry_in = next.saturating_duration_since(Instant::now());
                            self.failed(number, failure, retry_in);
                            if self.gateway.is_down().await {
                                return Ok(Reached::GatewayDown);
                            }
                        }
                    }
                }
                () = sleep_until(next), if probes.len() < PROBES_MAXIMUM => {
                    self.attempts += 1;
                    let number = self.attempts;
                    let mut patience = IMPATIENCE;
                    if patient.is_none() {
                        patient = Some(number);
                        patience = self.settings.attempt_timeout;
                    }
                    let gateway = Arc::clone(self.gateway);
                    let (host, port) = (self.settings.host.clone(), self.settings.port);
                    probes.spawn(async move {
                        (number, probe(&gateway, &host, port, patience).await)
                    });
                    next = Instant::now() + pause;
                    pause = PAUSE_LONGEST.min(pause * 2);
                }
            }
        }
    }

    fn failed(&mut self, number: u32, failure: Failure, retry_in: Duration) {
        self.failures
            .retain(|earlier| earlier.stage != failure.stage);
        self.failures.push(failure.clone());
        self.failures.sort_by_key(|failure| failure.stage);
        self.tell(number, Outcome::Failed { failure, retry_in });
    }

    fn tell(&mut self, number: u32, outcome: Outcome) {
        let elapsed = self.began.elapsed();
        (self.observer)(&Attempt {
            number,
            address: self.settings.address(),
            elapsed,
            outcome,
        });
    }

    fn refused(&self, reason: String) -> ConnectError {
        ConnectError::Gateway {
            address: self.settings.address(),
            gateway: self.gateway.name(),
            reason,
        }
    }

    fn give_up(&mut self) -> ConnectError {
        ConnectError::GaveUp {
            address: self.settings.address(),
            username: self.settings.username.clone(),
            attempts: self.attempts,
            waited: self.began.elapsed(),
            methods: self
                .credentials
                .iter()
                .map(|one| one.name().to_owned())
                .collect(),
            failures: std::mem::take(&mut self.failures),
        }
    }
}

/// What comes of sending out probes.
enum Reached {
    /// The guest has begun to speak to the probe of this number.
    Heard(u32, Introduced),
    /// What lies in between has to be raised first.
    GatewayDown,
}

/// Opens a connection, says our first line and waits, no longer than `patience` in all, for the
/// server's.
async fn probe(
    gateway: &Gateway,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<Introduced, Blocked> {
    let silent = |reason| Blocked::failed(Stage::Handshake, reason);
    let until = after(patience);
    let stream = gateway.open(host, port, patience).await?;
    let introduction = async {
        let mut stream = Introduced::new(stream).await?;
        Ok::<_, io::Error>(stream.heard().await?.then_some(stream))
    };
    match timeout_at(until, introduction).await {
        Ok(Ok(Some(stream))) => Ok(stream),
        Ok(Ok(None)) => Err(silent(
            "the connection was closed before SSH began".to_owned(),
        )),
        Ok(Err(error)) => Err(silent(format!("before SSH began: {error}"))),
        Err(_) => Err(silent(format!(
            "the port is open, but no SSH server spoke within {} s",
            patience.as_secs()
        ))),
    }
}

/// Why no session came of a server that speaks.
enum Unwelcome {
    Failed(Failure),
    /// It is not the one that let us in before.
    Changed {
        before: HostKey,
        now: HostKey,
    },
}

impl From<Failure> for Unwelcome {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Key exchange, login and remote tunnels over a connection on which a server has begun to speak.
async fn greet(
    settings: &Settings,
    credentials: &[Credential],
    held: &Arc<HeldKey>,
    configuration: Arc<client::Config>,
    stream: Introduced,
) -> Result<(Session, HostKey, String), Unwelcome> {
    let broken = |reason| Failure {
        stage: Stage::Handshake,
        reason,
    };
    let loan = Loan::new();
    let Observed {
        callbacks,
        chatter,
        host_key,
        ended,
    } = Observed::new(
        Server::Guest,
        Forwards::new(settings, &loan),
        None,
        (!settings.host_key_may_change).then(|| Arc::clone(held)),
    );
    let mut stream = TimeoutStream::new(Counted::new(stream, chatter));
    stream.set_read_timeout(settings.read_write_timeout);
    stream.set_write_timeout(settings.read_write_timeout);
    let mut handle = client::connect_stream(configuration, Box::pin(stream), callbacks)
        .await
        .map_err(|error| match (error, held.shown(), host_key.get()) {
            (russh::Error::UnknownKey, Some(before), Some(now)) => Unwelcome::Changed {
                before,
                now: HostKey::of(now),
            },
            (error, ..) => Unwelcome::Failed(broken(format!(
                "in the SSH handshake: {}",
                describe(&error, Server::Guest)
            ))),
        })?;
    let host_key = host_key
        .get()
        .ok_or_else(|| broken("the guest showed no host key".to_owned()))?;
    let address = settings.address();
    let name = format!("the guest {}@{address}", settings.username);
    let server = (Server::Guest, name.as_str());
    let method = log_in(&mut handle, server, &settings.username, credentials).await?;
    held.hold(host_key);
    let session = Session {
        handle,
        address,
        ended,
        channels: OpenChannels::new(),
        loan,
        answer_timeout: settings.answer_timeout,
    };
    forward::open_remote(&session, &settings.remote_tunnels).await?;
    Ok((session, HostKey::of(host_key), method))
}
