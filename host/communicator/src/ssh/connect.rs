//! Getting to a guest that may not be up yet: one attempt after the other until one succeeds.

use std::fmt;
use std::time::Duration;

/// How far an attempt came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        /// The last failure of each stage that was met, the most recent last.
        failures: Vec<Failure>,
    },
}

/// The failures of a wait in one line.
struct Causes<'a>(&'a [Failure]);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().rev().enumerate() {
            let lead = if index == 0 { "last" } else { ", before that" };
            write!(formatter, "{lead}: {}", failure.reason)?;
        }
        Ok(())
    }
}
