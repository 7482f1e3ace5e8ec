//! Getting to a guest that may not be up yet.
//!
//! ```text
//!            ┌── every pause ──┐
//!            ▼                 │
//!   ┌─► probe, probe, probe … ─┘  each: TCP, our first line, then wait for the server's
//!   │        │ the first one to hear something
//!   │        ▼
//!   │   handshake ─► login ─► connected
//!   │        │         │
//!   └─ pause ┴─────────┘ failed
//! ```
//!
//! Probes overlap because silence is ambiguous. With a user-mode network the port is open from the
//! beginning and a connection made too early hangs for many seconds after the guest is up; a guest
//! under emulation takes many seconds to say its first word. So short-lived probes go out at a steady
//! pace while one patient probe keeps waiting.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Settings;
use super::authenticate::{Credential, log_in};
use super::introduced::Introduced;
use super::session::{Observed, Session, configuration, describe};
use super::settings::{
    IMPATIENCE, PAUSE_FIRST, PAUSE_LONGEST, PAUSES_AFTER_REFUSAL, PROBES_MAXIMUM, TCP_TIMEOUT,
    after,
};

/// How far an attempt came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No TCP connection: name resolution, route, a closed port, silence.
    Reach,
    /// TCP connected, but no SSH session came of it.
    Handshake,
    /// The guest speaks SSH and did not let us in.
    Authenticate,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How far it came.
    pub stage: Stage,
    /// What went wrong, in words for the user.
    pub reason: String,
}

/// The host key of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Such as `ssh-ed25519`.
    pub algorithm: String,
    /// As OpenSSH shows it: `SHA256:` and base64.
    pub fingerprint: String,
}

/// One attempt to connect, as the observer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from one.
    pub number: u32,
    /// Host and port.
    pub address: String,
    /// Time since the wait began.
    pub elapsed: Duration,
    /// How it went.
    pub outcome: Outcome,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The guest let us in.
    Connected {
        /// The host key it showed, accepted as it is.
        host_key: HostKey,
        /// What convinced it, such as "the key file id_ed25519".
        method: String,
    },
    /// It failed, and the next attempt follows.
    Failed {
        /// Why.
        failure: Failure,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing to authenticate with was given.
    #[error("no way to authenticate at {address} was given: name a key, a password or an agent")]
    NoAuthentication {
        /// Host and port.
        address: String,
    },
    /// The SSH agent cannot be reached.
    #[error("cannot reach the SSH agent at {}: is it running?", socket.display())]
    Agent {
        /// The agent's socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The deadline passed, or the attempts were used up.
    #[error(
        "no SSH connection to {username}@{address} after {attempts} attempts in {} s ({}); tried {}",
        waited.as_secs(), Causes(failures), methods.join(", ")
    )]
    GaveUp {
        /// Host and port.
        address: String,
        /// The user.
        username: String,
        /// How many attempts were made.
        attempts: u32,
        /// How long it took.
        waited: Duration,
        /// What there was to authenticate with.
        methods: Vec<String>,
        /// The last failure of each stage that was met, the furthest stage last.
        failures: Vec<Failure>,
    },
}

/// The failures of a wait in one line.
struct Causes<'a>(&'a [Failure]);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("no answer");
        }
        for (index, failure) in self.0.iter().rev().enumerate() {
            let lead = if index == 0 { "" } else { "; before that: " };
            write!(formatter, "{lead}{}", failure.reason)?;
        }
        Ok(())
    }
}

/// Told of every attempt.
pub(super) type Observer<'a> = &'a mut (dyn FnMut(&Attempt) + Send);

/// Tries until the guest lets us in or `deadline`.
pub(super) async fn connect(
    settings: &Settings,
    credentials: &[Credential],
    deadline: Instant,
    observer: Observer<'_>,
) -> Result<Session, ConnectError> {
    let mut wait = Wait {
        settings,
        credentials,
        began: Instant::now(),
        deadline,
        attempts: 0,
        failures: Vec::new(),
        observer,
    };
    let configuration = Arc::new(configuration(settings));
    let mut refusals = 0;
    loop {
        let Some((number, stream)) = wait.reach().await else {
            return Err(wait.give_up());
        };
        let bound = deadline.min(after(settings.attempt_timeout));
        let greeting = greet(settings, credentials, Arc::clone(&configuration), stream);
        let failure = match timeout_at(bound, greeting).await {
            Ok(Ok((session, host_key, method))) => {
                wait.tell(number, Outcome::Connected { host_key, method });
                return Ok(session);
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure {
                stage: Stage::Handshake,
                reason: format!(
                    "the guest took longer than {} s over the SSH handshake and login",
                    settings.attempt_timeout.as_secs()
                ),
            },
        };
        let mut pause = PAUSE_LONGEST;
        if failure.stage == Stage::Authenticate {
            let last = PAUSES_AFTER_REFUSAL.len() - 1;
            pause = PAUSES_AFTER_REFUSAL[last.min(refusals)];
            refusals += 1;
        }
        wait.failed(number, failure, pause);
        let used_up = settings
            .handshake_attempts
            .is_some_and(|most| refusals >= most as usize);
        if used_up {
            return Err(wait.give_up());
        }
        sleep_until(deadline.min(Instant::now() + pause)).await;
    }
}

/// The state of one wait for a guest.
struct Wait<'a> {
    settings: &'a Settings,
    credentials: &'a [Credential],
    began: Instant,
    deadline: Instant,
    attempts: u32,
    /// The last of each stage.
    failures: Vec<Failure>,
    observer: Observer<'a>,
}

impl Wait<'_> {
    /// Sends out probes until one hears from the guest: its number and connection, or nothing by the
    /// deadline.
    async fn reach(&mut self) -> Option<(u32, Introduced)> {
        // Dropped with this future, and with it every probe still out.
        let mut probes = JoinSet::new();
        let mut patient = None;
        let mut pause = PAUSE_FIRST;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(self.deadline) => return None,
                Some(ended) = probes.join_next() => {
                    // A probe neither panics nor is it aborted while the set lives.
                    let Ok((number, result)) = ended else { continue };
                    match result {
                        Ok(stream) => return Some((number, stream)),
                        Err(failure) => {
                            if patient == Some(number) {
                                patient = None;
                            }
                            let retry_in = next.saturating_duration_since(Instant::now());
                            self.failed(number, failure, retry_in);
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
                    let (host, port) = (self.settings.host.clone(), self.settings.port);
                    probes.spawn(async move { (number, probe(host, port, patience).await) });
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

    fn give_up(self) -> ConnectError {
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
            failures: self.failures,
        }
    }
}

/// Connects by TCP, says our first line and waits, no longer than `patience` in all, for the
/// server's, which stays unread.
async fn probe(host: String, port: u16, patience: Duration) -> Result<Introduced, Failure> {
    let reach = |reason: String| Failure {
        stage: Stage::Reach,
        reason,
    };
    let silent = |reason: String| Failure {
        stage: Stage::Handshake,
        reason,
    };
    let until = after(patience);
    let connecting = timeout(
        TCP_TIMEOUT.min(patience),
        TcpStream::connect((host.as_str(), port)),
    );
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(reach(format!("cannot connect: {error}"))),
        Err(_) => return Err(reach("no answer to a TCP connection".to_owned())),
    };
    stream
        .set_nodelay(true)
        .map_err(|error| reach(error.to_string()))?;
    let introduction = async {
        let stream = Introduced::new(stream).await?;
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

/// Key exchange and login over a connection on which a server has begun to speak.
async fn greet(
    settings: &Settings,
    credentials: &[Credential],
    configuration: Arc<client::Config>,
    stream: Introduced,
) -> Result<(Session, HostKey, String), Failure> {
    let broken = |reason| Failure {
        stage: Stage::Handshake,
        reason,
    };
    let Observed {
        guest,
        host_key,
        ended,
    } = Observed::new();
    let mut handle = client::connect_stream(configuration, stream, guest)
        .await
        .map_err(|error| broken(format!("in the SSH handshake: {}", describe(&error))))?;
    let host_key = host_key
        .get()
        .cloned()
        .ok_or_else(|| broken("the guest showed no host key".to_owned()))?;
    let method = log_in(&mut handle, &settings.username, credentials).await?;
    Ok((
        Session {
            handle,
            address: settings.address(),
            ended,
        },
        host_key,
        method,
    ))
}
