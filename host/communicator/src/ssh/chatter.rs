//! What a server says that nobody asked for. An SSH server may send messages without a meaning, at any
//! time and without an end: to be ignored, for debugging, banners, requests of kinds that do not exist,
//! channels that are refused, and one key exchange after the other. Each costs processor time here.
//!
//! ```text
//!             bytes in, bytes out                      bytes of channels, key exchanges
//!  network ──► Counted ──► russh ──► Callbacks ──► Forwards, channels
//!                 └──────────► Chatter ◄────┘
//! ```
//! So all that comes is counted, and what is of use is taken off again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Bytes without a use that a connection may bring. What waits to be read by russh counts, too, until it
/// is read: with all windows and buffers some 10 MiB.
const BYTES_MAXIMUM: u64 = 32 * 1024 * 1024;
/// So many more for each second of the connection: answers to keep-alive messages are a hundredth of it.
const BYTES_PER_SECOND: u64 = 16 * 1024;
/// What a packet has beside its payload: lengths, padding, a code to authenticate it, 100 bytes at most.
const PACKET_WORTH: u64 = 128;
/// A byte for so many that are sent: the server confirms them, OpenSSH once for a megabyte, and others
/// for each packet of 32 KiB.
const BYTES_PER_SENT: u64 = 64;
/// Key exchanges of a connection. An honest server wants one for each GiB or each hour.
const EXCHANGES_MAXIMUM: u64 = 64;
/// One more after so many seconds.
const SECONDS_PER_EXCHANGE: u64 = 10;
/// One more after so many bytes in both directions, of which ours want one for each GiB as well.
const BYTES_PER_EXCHANGE: u64 = 64 * 1024 * 1024;

/// What has come on one connection.
#[derive(Debug)]
pub(super) struct Chatter {
    began: Instant,
    received: AtomicU64,
    sent: AtomicU64,
    used: AtomicU64,
    exchanges: AtomicU64,
}

impl Chatter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            used: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
        })
    }

    /// A packet came that carried so many bytes for a channel.
    pub(super) fn used(&self, bytes: usize) {
        self.used
            .fetch_add(PACKET_WORTH + bytes as u64, Ordering::Relaxed);
    }

    /// The keys were exchanged once more.
    pub(super) fn exchanged(&self) -> io::Result<()> {
        let exchanges = self.exchanges.fetch_add(1, Ordering::Relaxed) + 1;
        let by_time = self.began.elapsed().as_secs() / SECONDS_PER_EXCHANGE;
        let moved = self.received.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed);
        if exchanges > EXCHANGES_MAXIMUM + by_time + moved / BYTES_PER_EXCHANGE {
            return Err(too_much("asked for one key exchange after the other"));
        }
        Ok(())
    }

    fn received(&self, bytes: usize) -> io::Result<()> {
        let received = self.received.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let used = self.used.load(Ordering::Relaxed);
        let confirming = self.sent.load(Ordering::Relaxed) / BYTES_PER_SENT;
        let by_time = self.began.elapsed().as_secs() * BYTES_PER_SECOND;
        if received.saturating_sub(used) > BYTES_MAXIMUM + confirming + by_time {
            return Err(too_much("sent too many messages that are of no use"));
        }
        Ok(())
    }
}

fn too_much(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it {what}"))
}

/// The stream of a connection, with its bytes counted.
pub(super) struct Counted<S> {
    stream: S,
    chatter: Arc<Chatter>,
}

impl<S> Counted<S> {
    pub(super) fn new(stream: S, chatter: Arc<Chatter>) -> Self {
        Self { stream, chatter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            let came = buffer.filled().len() - before;
            return Poll::Ready(self.chatter.received(came));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            let count = *count as u64;
            self.chatter.sent.fetch_add(count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_of_use_has_no_end() {
        let chatter = Chatter::new();
        // A terabyte of files, in packets of 32 KiB.
        for _ in 0..(1 << 25) {
            chatter.used(32 * 1024);
            chatter.received(32 * 1024 + 60).unwrap();
        }
        // Sent: confirmed for each packet.
        let chatter = Chatter::new();
        for _ in 0..(1 << 20) {
            chatter.sent.fetch_add(32 * 1024, Ordering::Relaxed);
            chatter.received(100).unwrap();
        }
        // A byte in each packet.
        let chatter = Chatter::new();
        for _ in 0..(1 << 20) {
            chatter.used(1);
            chatter.received(100).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_live_long() {
        let chatter = Chatter::new();
        for _ in 0..(30 * 24 * 60) {
            tokio::time::advance(Duration::from_secs(60)).await;
            chatter.exchanged().unwrap();
            chatter.received(60 * 1024).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_of_no_use_has_an_end() {
        let (mut exchanges, mut bytes) = (0, 0_u64);
        let chatter = Chatter::new();
        while chatter.exchanged().is_ok() {
            exchanges += 1;
        }
        assert_eq!(exchanges, EXCHANGES_MAXIMUM);
        let chatter = Chatter::new();
        while chatter.received(1000).is_ok() {
            // Answers that are refused are sent, and give no right to more.
            chatter.sent.fetch_add(1000, Ordering::Relaxed);
            bytes += 1000;
        }
        let most = BYTES_MAXIMUM + BYTES_MAXIMUM / (BYTES_PER_SENT - 1) + 2000;
        assert!(bytes <= most, "{bytes}");
    }
}
