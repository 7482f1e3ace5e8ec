//! A connection whose peer has to take what it is sent with a least rate.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes that a peer has to take within [`PATIENCE`]. Together 4 KiB a second, which a guest under
/// emulation has many times over.
pub(super) const LEAST: u64 = 256 * 1024;

/// How long the server may have to wait before it can send [`LEAST`] bytes. Longer than a guest
/// needs to restart its network.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Fails what is written with [`io::ErrorKind::TimedOut`] when the peer is too slow. Only time in
/// which there is something to write and the peer takes none of it is counted.
pub(super) struct Paced<S> {
    stream: S,
    /// Bytes since the time was last set to zero.
    written: u64,
    /// Time that the server has waited for them, but for the present wait.
    waited: Duration,
    waiting_since: Option<Instant>,
    /// When the present wait has lasted too long.
    end: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            written: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            end: Box::pin(tokio::time::sleep(PATIENCE)),
        }
    }

    fn note(
        &mut self,
        context: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = write {
            if let Some(since) = self.waiting_since.take() {
                self.waited += since.elapsed();
            }
            if let Ok(count) = &result {
                self.written += *count as u64;
            }
            if self.written >= LEAST {
                self.written = 0;
                self.waited = Duration::ZERO;
            }
            return Poll::Ready(result);
        }
        if self.waiting_since.is_none() {
            let now = Instant::now();
            self.waiting_since = Some(now);
            let rest = PATIENCE.saturating_sub(self.waited);
            self.end.as_mut().reset(now + rest);
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes what it is sent too slowly",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(context, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Sends 4 MiB to a peer that takes `bytes` every `pause`.
    async fn send_to(bytes: usize, pause: Duration) -> (io::Result<()>, Duration) {
        let (ours, mut theirs): (_, DuplexStream) = duplex(bytes);
        let taking = async {
            let mut buffer = vec![0; bytes];
            while theirs.read_exact(&mut buffer).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        };
        let (began, all) = (Instant::now(), vec![0; 4 << 20]);
        let mut paced = Paced::new(ours);
        let sent = tokio::select! {
            sent = paced.write_all(&all) => sent,
            () = taking => unreachable!("the writer is there"),
        };
        (sent, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_may_be_slow_and_pause() {
        for (bytes, pause) in [
            (1 << 10, Duration::from_millis(200)),
            (64 << 10, Duration::from_secs(14)),
            (1 << 20, Duration::from_secs(59)),
        ] {
            let (sent, took) = send_to(bytes, pause).await;
            sent.unwrap();
            assert!(took > PATIENCE, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_too_slow_is_left() {
        for (bytes, pause) in [
            (1, Duration::from_secs(10)),
            (1 << 10, Duration::from_millis(300)),
            (128 << 10, Duration::from_secs(61)),
        ] {
            let (sent, took) = send_to(bytes, pause).await;
            assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(took <= PATIENCE * 2, "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_is_sent_does_not_count() {
        let (ours, mut theirs) = duplex(1024);
        let mut paced = Paced::new(ours);
        for _ in 0..10 {
            let mut buffer = [0; 1024];
            paced.write_all(&[0; 1024]).await.unwrap();
            tokio::time::sleep(PATIENCE * 2).await;
            theirs.read_exact(&mut buffer).await.unwrap();
        }
    }
}
