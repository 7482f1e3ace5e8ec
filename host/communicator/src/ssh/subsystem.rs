//! The guest's SFTP subsystem: how it is started, and how its end is noticed.
//!
//! ```text
//!  Sftp, Listing ──requests──► the library's tasks ──► HeldStream ──► the guest's SFTP server
//!        ▲                                                  │
//!        └─────────────────── End ◄──── dropped ────────────┘
//! ```
//! The library reads and writes in tasks of its own, and they end when the guest's server does or
//! says something that is no SFTP. A request that is made at that moment would wait for its answer
//! for as long as an answer may take. So the stream tells when the library lets go of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelStream};
use russh_sftp::client::Config;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::timeout;

use super::session::{Server, Session, describe};
use crate::error::{Error, Result};

/// The largest answer that is taken from the guest, in bytes; OpenSSH sends at most this much.
const ANSWER_MAXIMUM: u32 = 256 * 1024;
/// Requests to read that are under way at a time: with [`ANSWER_MAXIMUM`] at most 2 MiB.
const READS: usize = 8;
/// Writes of 32 KiB that are under way at a time: half a MiB.
const WRITES: usize = 16;
/// When a connection is lost that soon.
pub(super) const STARTING: &str = "while SFTP was starting";
/// Why a request was given up, where no more is known.
pub(super) const GIVEN_UP: &str =
    "the guest's SFTP server ended, or said something that is no SFTP";
/// The same where it is known that the guest's side was closed.
const ENDED: &str = "the guest's SFTP server ended";
/// The same where that side is open.
const NO_SFTP: &str = "the guest's SFTP server said something that is no SFTP";
/// Time for the library's tasks to end, after the first sign of it.
const ENDING: Duration = Duration::from_secs(2);

/// A subsystem that has been started.
pub(super) struct Subsystem {
    /// What an SFTP client goes on.
    pub(super) stream: HeldStream,
    pub(super) configuration: Config,
    pub(super) end: End,
}

/// The stream to the guest's SFTP server.
pub(super) struct HeldStream {
    channel: ChannelStream<Msg>,
    /// Whether the guest has closed its side. Dropped with the stream.
    held: watch::Sender<bool>,
}

/// Tells when the library has let go of its stream.
pub(super) struct End(watch::Receiver<bool>);

impl Subsystem {
    /// Asks for it on a fresh channel.
    pub(super) async fn start(session: &Session, mut channel: Channel<Msg>) -> Result<Self> {
        let asked = channel.request_subsystem(true, "sftp").await;
        asked.map_err(|error| session.lost(STARTING, Some(describe(&error, Server::Guest))))?;
        loop {
            let answer = timeout(session.answer_timeout, channel.wait()).await;
            match answer.map_err(|_| session.silent("start", "SFTP"))? {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) => return Err(session.no_sftp(None)),
                Some(ChannelMsg::Close) if !session.is_closed() => {
                    return Err(Error::Unanswered {
                        address: session.address.clone(),
                    });
                }
                Some(ChannelMsg::Close) => return Err(session.no_sftp(None)),
                None => return Err(session.lost(STARTING, None)),
                Some(_) => {}
            }
        }
        let configuration = Config {
            max_packet_len: ANSWER_MAXIMUM,
            max_concurrent_reads: READS,
            max_concurrent_writes: WRITES,
            request_timeout_secs: session.answer_timeout.as_secs().max(1),
            ..Config::default()
        };
        let (held, ended) = watch::channel(false);
        Ok(Self {
            stream: HeldStream {
                channel: channel.into_stream(),
                held,
            },
            configuration,
            end: End(ended),
        })
    }
}

impl End {
    /// Runs `work`, which ends as soon as the library has.
    pub(super) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let finished = tokio::select! {
            biased;
            finished = work => finished,
            reason = self.reason() => return Err(Error::Remote {
                action: "go on with",
                path: "the transfer".to_owned(),
                reason: reason.to_owned(),
            }),
        };
        match finished {
            Err(Error::Remote {
                action,
                path,
                reason,
            }) if reason == GIVEN_UP => {
                let known = timeout(ENDING, self.reason()).await;
                Err(Error::Remote {
                    action,
                    path,
                    reason: known.map_or(reason, str::to_owned),
                })
            }
            finished => finished,
        }
    }

    /// Waits until the stream is dropped, and says why.
    async fn reason(&self) -> &'static str {
        let mut held = self.0.clone();
        while held.changed().await.is_ok() {}
        let is_closed = *held.borrow();
        if is_closed { ENDED } else { NO_SFTP }
    }
}

impl AsyncRead for HeldStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.channel).poll_read(context, buffer);
        if read.is_ready() && buffer.filled().len() == before && buffer.remaining() > 0 {
            self.held.send_replace(true);
        }
        read
    }
}

impl AsyncWrite for HeldStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.channel).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.channel).poll_shutdown(context)
    }
}
