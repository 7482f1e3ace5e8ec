//! What is told of each attempt to reach a guest, and why no connection came about.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How far an attempt came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The bastion or proxy in between could not be reached, or did not let us through.
    Gateway,
    /// No TCP connection: name resolution, route, a closed port, silence.
    Reach,
    /// TCP connected, but no SSH session came of it.
    Handshake,
    /// The guest speaks SSH and did not let us in.
    Authenticate,
    /// The guest let us in and refused a tunnel.
    Tunnel,
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

impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.algorithm, self.fingerprint)
    }
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
    /// The bastion or proxy in between refused something that it will refuse again.
    #[error("cannot get to {address} through {gateway}: {reason}")]
    Gateway {
        /// Host and port of the guest.
        address: String,
        /// What is in between, such as "the bastion admin@example.com:22".
        gateway: String,
        /// Why, in words for the user.
        reason: String,
    },
    /// The bastion's host key was to be known, and is not.
    #[error(
        "no host key of the bastion {address} is known, looked for in {}: connect to it by ssh \
         once and look at the key it shows",
        listed(known_hosts)
    )]
    UnknownHost {
        /// Host and port of the bastion.
        address: String,
        /// The files that were looked into.
        known_hosts: Vec<PathBuf>,
    },
    /// What is known of the bastion's host key can't be read.
    #[error(
        "what is known of the host key of the bastion {address} can't be read: take its lines out \
         (ssh-keygen -R), connect to it by ssh once, and look at the key it shows"
    )]
    KnownHosts {
        /// Host and port of the bastion.
        address: String,
        /// Which file, and why.
        #[source]
        source: io::Error,
    },
    /// The guest shows another host key than the one it let us in with.
    #[error(
        "the host key of the guest {address} has changed: it let us in with {before} and shows \
         {now}; somebody else may answer in its place, so nothing was sent. A guest that makes \
         itself new host keys while it is built needs ssh_allow_host_key_change = true"
    )]
    HostKeyChanged {
        /// Host and port.
        address: String,
        /// The key that it let us in with.
        before: Box<HostKey>,
        /// The one that it shows.
        now: Box<HostKey>,
    },
    /// A port of this host cannot be listened on for a tunnel.
    #[error("cannot listen on local port {port} for the tunnel to {target}: is it in use?")]
    Listen {
        /// The port.
        port: u16,
        /// Where the tunnel leads, host and port.
        target: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The deadline passed, or the attempts were used up.
    #[error(
        "no SSH connection to {username}@{address} after {attempts} attempts in {} s ({}); tried \
         {}",
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

/// File names in one line.
fn listed(files: &[PathBuf]) -> String {
    let names: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
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
