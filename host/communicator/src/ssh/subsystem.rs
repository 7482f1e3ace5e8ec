//! The guest's SFTP subsystem: how it is started, what it says beside SFTP, and how its end is noticed.
//!
//! ```text
//!  Sftp ──requests──► the library's tasks ──► HeldStream ──────────► the guest's SFTP server
//!    ▲                                         │    ▲ bytes                    │
//!    └──────────────── End ◄──── dropped ──────┘    └──── Listener ◄───────────┘
//!                       ▲     words, exit status, closed     │
//!                       └────────────────────────────────────┘
//! ```
//! The library reads and writes in tasks of its own, and they end when the guest's server does or
//! says something that is no SFTP. A request that is made at that moment would wait for its answer
//! for as long as an answer may take. So the stream tells when the library lets go of it.
//!
//! The channel itself stays with the listener, which hears what a byte stream leaves out, and stays
//! until the guest has closed the channel as well: a server that allows one session at a time does
//! not give the next one before.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use russh::ChannelMsg;
use russh_sftp::client::Config;
use russh_sftp::client::error::Error as SftpError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::open_channels::OpenChannel;
use super::session::{Server, Session, describe};
use super::sftp::words;
use super::sftp_trouble::{SftpServerWords, SftpTrouble};
use crate::error::{Error, Result};

/// The largest answer that is taken from the guest, in bytes; OpenSSH sends at most this much.
pub(super) const ANSWER_MAXIMUM: u32 = 256 * 1024;
/// When a connection is lost that soon.
pub(super) const STARTING: &str = "while SFTP was starting";
/// Why a request was given up, where no more is known.
pub(super) const GIVEN_UP: &str =
    "the guest's SFTP server ended, or said something that is no SFTP";
/// The same where it is known that the guest's side was closed.
const ENDED: &str = "the guest's SFTP server ended";
/// The same where that side is open.
const NO_SFTP: &str = "the guest's SFTP server said something that is no SFTP";
/// Time for the library's tasks to end, after the first sign of it; and for the guest's last words.
const ENDING: Duration = Duration::from_secs(2);
/// Time for the guest to close its side of the channel when all is done.
const CLOSING: Duration = Duration::from_secs(10);

/// A subsystem that has been started.
pub(super) struct Subsystem {
    /// What an SFTP client goes on.
    pub(super) stream: HeldStream,
    pub(super) configuration: Config,
    pub(super) end: End,
}

/// The stream to the guest's SFTP server.
pub(super) struct HeldStream {
    bytes: mpsc::Receiver<Bytes>,
    unread: Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    /// Whether the guest was told that nothing more comes.
    said_end: Arc<AtomicBool>,
    /// Whether the guest's end has been read. Dropped with the stream.
    held: watch::Sender<bool>,
}

/// Tells when the library has let go of its stream, and what was heard until then.
pub(super) struct End {
    answer_timeout: Duration,
    held: watch::Receiver<bool>,
    heard: watch::Receiver<SftpServerWords>,
}

impl Subsystem {
    /// Asks for it on a fresh channel.
    pub(super) async fn start(session: &Session, mut channel: OpenChannel) -> Result<Self> {
        let asked = channel.writer.request_subsystem(true, "sftp").await;
        asked.map_err(|error| session.lost(STARTING, Some(describe(&error, Server::Guest))))?;
        loop {
            let answer = timeout(session.answer_timeout, channel.messages.wait()).await;
            match answer.map_err(|_| session.silent("start", "SFTP"))? {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure) => {
                    return Err(session.no_sftp(&SftpServerWords::refusal(), None));
                }
                Some(ChannelMsg::Close) if !session.is_closed() => {
                    return Err(Error::Unanswered {
                        address: session.address.clone(),
                    });
                }
                Some(ChannelMsg::Close) | None => return Err(session.lost(STARTING, None)),
                Some(_) => {}
            }
        }
        let configuration = Config {
            max_packet_len: ANSWER_MAXIMUM,
            request_timeout_secs: session.answer_timeout.as_secs().max(1),
            ..Config::default()
        };
        let writer = Box::pin(channel.writer.make_writer());
        let (held, is_held) = watch::channel(false);
        let (tell, heard) = watch::channel(SftpServerWords::default());
        // One message besides the one that is read: what waits, waits in the channel.
        let (sender, bytes) = mpsc::channel(1);
        let said_end = Arc::new(AtomicBool::new(false));
        tokio::spawn(listen(channel, sender, tell, Arc::clone(&said_end)));
        Ok(Self {
            stream: HeldStream {
                bytes,
                unread: Bytes::new(),
                writer,
                said_end,
                held,
            },
            configuration,
            end: End {
                answer_timeout: session.answer_timeout,
                held: is_held,
                heard,
            },
        })
    }
}

impl Session {
    /// The error for a guest whose SFTP server does not come up, and from which this was heard.
    pub(super) fn no_sftp(&self, heard: &SftpServerWords, error: Option<&SftpError>) -> Error {
        if self.is_closed() {
            return self.lost(STARTING, error.map(words));
        }
        let trouble = heard.trouble();
        let source = error
            .filter(|_| trouble == SftpTrouble::NoSftp)
            .map(|error| words(error).into());
        Error::NoSftp {
            address: self.address.clone(),
            trouble,
            source,
        }
    }
}

/// Hears what comes on the channel until the guest has closed it, or nobody wants it any more.
async fn listen(
    mut channel: OpenChannel,
    bytes: mpsc::Sender<Bytes>,
    tell: watch::Sender<SftpServerWords>,
    said_end: Arc<AtomicBool>,
) {
    let mut bytes = Some(bytes);
    loop {
        let message = match &bytes {
            Some(sender) => tokio::select! {
                message = channel.messages.wait() => message,
                () = sender.closed() => {
                    bytes = None;
                    if !said_end.load(Ordering::Acquire) {
                        break;
                    }
                    continue;
                }
            },
            None => match timeout(CLOSING, channel.messages.wait()).await {
                Ok(message) => message,
                Err(_) => break,
            },
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                tell.send_if_modified(|heard| heard.said(&data));
                if let Some(sender) = &bytes {
                    // An error is the end that is heard of next.
                    let _ = sender.send(data).await;
                }
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                tell.send_if_modified(|heard| heard.complained(&data));
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                tell.send_modify(|heard| heard.exit = Some(exit_status));
            }
            Some(ChannelMsg::Eof) => bytes = None,
            Some(ChannelMsg::Close) | None => break,
            Some(_) => {}
        }
    }
    // First the channel, so that whoever hears of the end finds room for another one.
    drop(channel);
    tell.send_modify(|heard| heard.closed = true);
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
        let mut held = self.held.clone();
        while held.changed().await.is_ok() {}
        let is_closed = *held.borrow();
        if is_closed { ENDED } else { NO_SFTP }
    }

    /// What the guest has said, and a moment later what it said last.
    pub(super) async fn heard(&self) -> SftpServerWords {
        let mut heard = self.heard.clone();
        let _ = timeout(ENDING, heard.wait_for(|heard| heard.closed)).await;
        heard.borrow().clone()
    }

    /// Waits until the guest has closed the channel, but not for ever, and longer if all went
    /// `well`.
    pub(super) async fn closed(&self, well: bool) {
        let bound = if well { CLOSING } else { ENDING };
        let bound = bound.min(self.answer_timeout);
        let mut heard = self.heard.clone();
        if timeout(bound, heard.wait_for(|heard| heard.closed))
            .await
            .is_err()
        {
            tracing::debug!("the guest does not close the channel of its SFTP server");
        }
    }
}

impl AsyncRead for HeldStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match std::task::ready!(self.bytes.poll_recv(context)) {
                Some(bytes) => self.unread = bytes,
                None => {
                    self.held.send_replace(true);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HeldStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.said_end.store(true, Ordering::Release);
        self.writer.as_mut().poll_shutdown(context)
    }
}
