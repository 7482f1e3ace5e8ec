//! One authenticated connection, and how its end is noticed.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use russh::client;
use russh::{AlgorithmKind, ChannelOpenFailure, Disconnect, Preferred};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::Settings;
use super::callbacks::Callbacks;
use super::introduced::IDENTIFICATION;
use super::loan::Loan;
use super::open_channels::{OpenChannel, OpenChannels};
use super::settings::KEEP_ALIVE_UNANSWERED;
use crate::error::{Error, Result};

/// Bytes the guest may send on a channel before it waits for us: OpenSSH's own, and with it at most
/// this much of a command's output or a file is on its way at any time.
const WINDOW: u32 = 2 * 1024 * 1024;
/// Bytes in one packet: what every server must take, and what OpenSSH uses.
const PACKET: u32 = 32 * 1024;
/// Messages of one channel that may wait in memory: with [`PACKET`] no more than a [`WINDOW`].
const CHANNEL_MESSAGES: usize = (WINDOW / PACKET) as usize;
/// The same for a channel through a bastion, see [`bastion_configuration`]: together with
/// [`BASTION_MESSAGES`] no more than 16 MiB wait, whatever the guest sends.
const BASTION_PACKET: u32 = 16 * 1024;
/// Messages of a channel through a bastion that may wait in memory.
const BASTION_MESSAGES: usize = 1024;
/// Time for the goodbye; the guest may be gone already.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of the guest's own words (a reason for disconnecting) that are repeated.
const REASON_LENGTH: usize = 300;

/// Which server is on the other side, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Guest,
    Bastion,
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Guest => "the guest",
            Self::Bastion => "the bastion",
        })
    }
}

/// russh's configuration for a guest.
pub(super) fn configuration(settings: &Settings) -> client::Config {
    client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(IDENTIFICATION)),
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: CHANNEL_MESSAGES,
        keepalive_interval: keep_alive(settings),
        preferred: settings.algorithms.preferred(),
        keepalive_max: KEEP_ALIVE_UNANSWERED,
        nodelay: true,
        ..client::Config::default()
    }
}

/// The time between keep-alive messages: short enough that their answers come before the connection
/// counts as standing still.
fn keep_alive(settings: &Settings) -> Option<Duration> {
    let bound = settings.read_write_timeout.map(|timeout| timeout / 3);
    settings
        .keep_alive
        .map(|interval| bound.map_or(interval, |bound| interval.min(bound)))
}

/// The same for a bastion. A channel there carries the guest's whole connection, which russh does
/// not read while it waits to write; and a channel that is not read holds up its connection, and so
/// the very message that lets the other write. So all that the guest may send meanwhile has to fit,
/// a [`WINDOW`] for each of its channels.
pub(super) fn bastion_configuration(settings: &Settings) -> client::Config {
    client::Config {
        maximum_packet_size: BASTION_PACKET,
        channel_buffer_size: BASTION_MESSAGES,
        preferred: Preferred::DEFAULT,
        ..configuration(settings)
    }
}

/// An authenticated connection.
pub(super) struct Session {
    pub(super) handle: client::Handle<Callbacks>,
    pub(super) address: String,
    pub(super) ended: watch::Receiver<Option<String>>,
    pub(super) channels: OpenChannels,
    /// The agent's loan to commands.
    pub(super) loan: Loan,
    /// Time for one answer.
    pub(super) answer_timeout: Duration,
}

impl Session {
    /// Whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Waits until the connection has ended and says why.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let reason = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| "the connection was closed".to_owned())
    }

    /// Opens a channel, for whose confirmation or refusal the server has `bound`. A server that has no
    /// room for it is asked again up to `deadline`.
    pub(super) async fn open_channel(
        self: &Arc<Self>,
        bound: Duration,
        deadline: Instant,
    ) -> Result<OpenChannel> {
        let ask = || {
            let session = Arc::clone(self);
            async move {
                let asked = timeout(bound, session.handle.channel_open_session()).await;
                asked.unwrap_or(Err(russh::Error::ConnectionTimeout))
            }
        };
        let passes = |reason: &_| !matches!(reason, ChannelOpenFailure::UnknownChannelType);
        let opening = self.channels.open(deadline, passes, ask);
        let opened = tokio::select! {
            opened = opening => opened,
            reason = self.ended() => return Err(self.lost("before it could be used", Some(reason))),
        };
        match opened {
            Ok(channel) => Ok(channel),
            Err(russh::Error::ChannelOpenFailure(_)) => Err(Error::Refused {
                address: self.address.clone(),
                what: "a new session".to_owned(),
                hint: match self.channels.any() {
                    true => {
                        "it allows no more of them at a time (MaxSessions in its sshd_config), and \
                         those that are open did not end in time"
                    }
                    false => "it allows none (MaxSessions in its sshd_config)",
                },
            }),
            Err(russh::Error::ConnectionTimeout) => Err(self.lost(
                "before it could be used",
                Some(format!("no answer within {} s", bound.as_secs())),
            )),
            Err(error) => {
                let reason = self.why(describe(&error, Server::Guest)).await;
                Err(self.lost("before it could be used", Some(reason)))
            }
        }
    }

    /// Runs `work`, which fails as soon as the connection does.
    pub(super) async fn during<T>(
        &self,
        what: impl Fn() -> String,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let finished = tokio::select! {
            biased;
            finished = work => finished,
            reason = self.ended() => return Err(self.lost(what(), Some(reason))),
        };
        match finished {
            // What the work ran into is then only the echo of the lost connection.
            Err(Error::Remote { reason: echo, .. }) if self.is_closed() => {
                Err(self.lost(what(), Some(self.why(echo).await)))
            }
            finished => finished,
        }
    }

    /// Why something failed with `echo`: if that only tells that the connection is gone, what ended it.
    async fn why(&self, echo: String) -> String {
        if !self.is_closed() {
            return echo;
        }
        // The end is told a moment after channels and requests have noticed it.
        timeout(GOODBYE_TIMEOUT, self.ended()).await.unwrap_or(echo)
    }

    /// The error for a connection that went away.
    pub(super) fn lost(&self, during: impl Into<String>, reason: Option<String>) -> Error {
        Error::ConnectionLost {
            address: self.address.clone(),
            during: during.into(),
            source: reason.map(Into::into),
        }
    }

    /// The error for a guest that does not answer, although its connection lives.
    pub(super) fn silent(&self, action: &'static str, what: &str) -> Error {
        Error::Remote {
            action,
            path: what.to_owned(),
            reason: self.no_answer(),
        }
    }

    /// The same in words.
    pub(super) fn no_answer(&self) -> String {
        format!("no answer within {} s", self.answer_timeout.as_secs())
    }

    /// Says goodbye and waits for the connection to end.
    pub(super) async fn close(&self) {
        if self
            .handle
            .disconnect(Disconnect::ByApplication, "", "")
            .await
            .is_ok()
        {
            let _ = timeout(GOODBYE_TIMEOUT, self.ended()).await;
        }
    }
}

/// A transport error in words a user can do something with.
pub(super) fn describe(error: &russh::Error, server: Server) -> String {
    match error {
        russh::Error::HUP | russh::Error::Disconnect => {
            format!("{server} closed the connection")
        }
        russh::Error::UnknownKey => format!(
            "{server} shows a host key that is not the known one: has it been set up anew, or does \
             somebody else answer in its place?"
        ),
        russh::Error::KeepaliveTimeout => format!("{server} stopped answering"),
        russh::Error::NoCommonAlgo { kind, ours, theirs } => format!(
            "{server} and we have no {} in common: it offers {}, we take {}",
            match kind {
                AlgorithmKind::Kex => "key exchange algorithm",
                AlgorithmKind::Key => "kind of host key",
                AlgorithmKind::Cipher => "cipher",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "message authentication code",
            },
            readable(&theirs.join(", ")),
            ours.join(", ")
        ),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("{server} closed the connection")
        }
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            "nothing moved on the connection for longer than its read and write timeout".to_owned()
        }
        russh::Error::IO(error) => error.to_string(),
        russh::Error::Version => "what answers there is not an SSH server".to_owned(),
        other => readable(&other.to_string()),
    }
}

/// Text from the guest, made fit for a terminal and bounded.
pub(crate) fn readable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(REASON_LENGTH)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_keep_alive_messages_come_before_the_timeout() {
        let seconds = |count: Option<u64>| count.map(Duration::from_secs);
        for (interval, timeout, expected) in [
            (Some(5), None, Some(5)),
            (Some(5), Some(300), Some(5)),
            (Some(5), Some(6), Some(2)),
            (None, Some(6), None),
            (None, None, None),
        ] {
            let mut settings = Settings::new("guest", 22, "me");
            settings.keep_alive = seconds(interval);
            settings.read_write_timeout = seconds(timeout);
            for found in [configuration(&settings), bastion_configuration(&settings)] {
                assert_eq!(found.keepalive_interval, seconds(expected));
            }
        }
    }
}
