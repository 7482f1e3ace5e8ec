//! What a connection needs to know, and the bounds it keeps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::algorithms::Algorithms;
use super::questions::Questions;
use super::route::Route;
use super::tunnel::Tunnel;

/// Time for one attempt: the wait for the server's first word, and again for key exchange and
/// login. Packer's own bound for a handshake is a minute; a guest under emulation needs many
/// seconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for one answer to something that was asked for: a disk that flushes its cache under emulation
/// is slow, and a connection that is lost is noticed by itself.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Time for a TCP connection alone: Packer gives it 15 seconds.
pub(super) const TCP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a probe that is not the patient one waits for the server's first word.
pub(super) const IMPATIENCE: Duration = Duration::from_secs(5);
/// Pause between the first two probes. Short: this wait is part of every build.
pub(super) const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The pauses double up to this one.
pub(super) const PAUSE_LONGEST: Duration = Duration::from_secs(1);
/// How often a request is made again whose channel was closed without an answer. Dropbear does that
/// to a channel that is opened at the very moment at which another one's process ends.
pub(super) const UNANSWERED_MAXIMUM: u32 = 5;
/// Probes out at a time. OpenSSH begins to turn away connections that have not logged in yet at
/// `MaxStartups`, ten by default.
pub(super) const PROBES_MAXIMUM: usize = 6;
/// Pauses after a refused login, the last one again and again. OpenSSH 9.8 adds five seconds of
/// penalty for each (`PerSourcePenalties`) and from fifteen on answers nothing: these stay below.
pub(super) const PAUSES_AFTER_REFUSAL: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Time between keep-alive messages: Packer's default for `ssh_keep_alive_interval`.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// After so many unanswered keep-alive messages the connection counts as lost.
pub(super) const KEEP_ALIVE_UNANSWERED: usize = 6;
/// How long a call that finds the connection lost tries for a new one: Packer's default for
/// `start_retry_timeout`, which is what it gives a guest to reboot in.
pub const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The furthest that a deadline lies ahead: a year, where a user's number of hours may
/// overflow the clock.
const FURTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The instant so long from now.
pub(super) fn after(duration: Duration) -> Instant {
    Instant::now() + duration.min(FURTHEST)
}

/// Everything needed to reach one guest by SSH.
///
/// The guest was built minutes ago and nobody can know its host key beforehand, so any host key is
/// accepted until one lets us in; that one is reported with [`Outcome::Connected`](super::Outcome),
/// and is the only one from then on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user to log in as.
    pub username: String,
    /// Ways to authenticate, tried in order.
    pub authentication: Vec<Authentication>,
    /// How many logins may be refused (Packer's `ssh_handshake_attempts`, which counts just these);
    /// `None` tries until the deadline.
    pub handshake_attempts: Option<u32>,
    /// Bound of each half of an attempt, see [`ATTEMPT_TIMEOUT`].
    pub attempt_timeout: Duration,
    /// Time for one answer, see [`ANSWER_TIMEOUT`].
    pub answer_timeout: Duration,
    /// How often a silent connection is asked whether it lives, see [`KEEP_ALIVE`]; `None` for
    /// never.
    pub keep_alive: Option<Duration>,
    /// How long a later call may try to get back to a guest that went away, see
    /// [`RECONNECT_TIMEOUT`].
    pub reconnect_timeout: Duration,
    /// Run every command on a pseudo-terminal (Packer's `ssh_pty`).
    pub pty: bool,
    /// Accept another host key than the guest's first log-in had.
    pub host_key_may_change: bool,
    /// The way there.
    pub route: Route,
    /// Where the host key of a bastion may be known from; `None` accepts any key, as Packer does. A
    /// bastion is there for years, unlike the guest: where its key can be known, somebody who
    /// answers in its place is noticed.
    pub bastion_known_hosts: Option<KnownHosts>,
    /// What the connection is encrypted with.
    pub algorithms: Algorithms,
    /// How long the connection may stand still, in either direction, before it is closed (Packer's
    /// `ssh_read_write_timeout`); `None` for any time. A guest that is silent but answers
    /// keep-alive messages does not stand still; three of them at least go out within this time.
    pub read_write_timeout: Option<Duration>,
    /// The socket of an SSH agent that commands in the guest may use. Whatever has the guest's root
    /// rights may sign with its keys while a command runs.
    pub agent_forwarding: Option<PathBuf>,
    /// Ports of this host that lead to where the guest can connect to (Packer's
    /// `ssh_local_tunnels`).
    pub local_tunnels: Vec<Tunnel>,
    /// Ports of the guest that lead to where this host can connect to (Packer's
    /// `ssh_remote_tunnels`).
    pub remote_tunnels: Vec<Tunnel>,
    /// How files are transferred.
    pub file_transfer: FileTransfer,
    /// Who is told what works otherwise than the user may expect.
    pub remarks: Option<Arc<dyn Remarks>>,
}

/// Is told what a user should know of a connection that works.
pub trait Remarks: fmt::Debug + Send + Sync {
    /// Takes a sentence, in which words of the guest may stand.
    fn remark(&self, sentence: &str);
}

/// Host keys that are known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    /// Files in the form of OpenSSH's `known_hosts`; those that are not there hold none.
    pub files: Vec<PathBuf>,
    /// Whether a host is refused of which they hold no key. One of which they do has to show it in any case.
    pub must_hold: bool,
}

/// How files are transferred (Packer's `ssh_file_transfer_method`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileTransfer {
    /// By SFTP, and by `scp` where the guest has no SFTP at all.
    #[default]
    SftpOrScp,
    /// By the guest's SFTP subsystem.
    Sftp,
    /// By the guest's `scp` program, for guests without SFTP. What it can do less well: a link in
    /// the guest that leads back to a folder it stands in is not noticed; and what is excluded from
    /// the download of a folder comes over the wire and is thrown away.
    Scp,
}

impl Settings {
    /// Settings for a guest, everything else as Packer has it by default and no way to
    /// authenticate.
    pub fn new(host: impl Into<String>, port: u16, username: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            username: username.into(),
            authentication: Vec::new(),
            handshake_attempts: None,
            attempt_timeout: ATTEMPT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            keep_alive: Some(KEEP_ALIVE),
            reconnect_timeout: RECONNECT_TIMEOUT,
            pty: false,
            host_key_may_change: false,
            route: Route::Direct,
            bastion_known_hosts: None,
            algorithms: Algorithms::default(),
            read_write_timeout: None,
            agent_forwarding: None,
            local_tunnels: Vec::new(),
            remote_tunnels: Vec::new(),
            file_transfer: FileTransfer::default(),
            remarks: None,
        }
    }

    /// Host and port as a user writes them.
    pub fn address(&self) -> String {
        join_address(&self.host, self.port)
    }
}

/// Host and port as a user writes them.
pub(super) fn join_address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// One way to prove who we are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Authentication {
    /// A private key in a file: OpenSSH, PKCS#1, PKCS#8 or PuTTY.
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What decrypts it.
        passphrase: Option<SecretString>,
    },
    /// A private key itself, in one of the same formats and unencrypted.
    Key(SecretString),
    /// A password, by the `password` method and, where the guest offers only that, by
    /// `keyboard-interactive`.
    Password(SecretString),
    /// Every key that the agent behind this socket holds.
    Agent {
        /// The agent's Unix socket, usually the value of `SSH_AUTH_SOCK`.
        socket: PathBuf,
    },
    /// A private key in a file together with a certificate that an authority made for it.
    Certificate {
        /// The private key's file, in the formats of [`KeyFile`](Self::KeyFile).
        key: PathBuf,
        /// What decrypts it.
        passphrase: Option<SecretString>,
        /// The certificate, usually the key's file name with `-cert.pub` at its end.
        certificate: PathBuf,
    },
    /// Whatever the server asks by `keyboard-interactive`, answered by somebody
    /// (Packer's `ssh_bastion_interactive`).
    Interactive(Arc<dyn Questions>),
}
