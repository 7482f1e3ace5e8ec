//! One stream, and how it ends.
//!
//! ```text
//!            ┌── we shut down ──► FIN sent ──┐
//!   open ────┤                               ├──► both: forgotten
//!            └── core's FIN ────► end read ──┘
//!      │
//!      └── dropped in any of these ──► FIN, if not sent yet ──► read on until core's FIN, at most LINGER
//! ```
//! yamux resets an open stream that is dropped, and core then loses what it has not read yet. It also
//! sends a FIN for every `close`, and a second one ends core's connection. So a stream that is dropped is
//! taken to its end in the background, and a FIN is sent once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// How long core may take to close its half of a stream that we are done with, such as the input of a
/// command that has ended. As long as core itself would wait.
const LINGER: Duration = Duration::from_secs(300);

/// A stream of bytes in both directions.
pub(crate) struct Stream {
    /// Always there until the drop.
    inner: Option<Compat<yamux::Stream>>,
    finished: bool,
    ended: bool,
    linger: mpsc::UnboundedSender<Linger>,
}

/// A stream that its owner has let go.
pub(super) struct Linger {
    stream: Compat<yamux::Stream>,
    finished: bool,
}

impl Stream {
    pub(super) fn new(stream: yamux::Stream, linger: mpsc::UnboundedSender<Linger>) -> Self {
        Self {
            inner: Some(stream.compat()),
            finished: false,
            ended: false,
            linger,
        }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut Compat<yamux::Stream>>> {
        match &mut self.inner {
            Some(inner) => Ok(Pin::new(inner)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let polled = self.inner()?.poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) && room && buffer.filled().len() == before {
            self.ended = true;
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.inner()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        self.inner()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.finished {
            return Poll::Ready(Ok(()));
        }
        let polled = self.inner()?.poll_shutdown(context);
        if polled.is_ready() {
            self.finished = true;
        }
        polled
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(stream) = self.inner.take()
            && !(self.finished && self.ended)
        {
            let finished = self.finished;
            // Without a receiver the connection is gone, and nothing is sent any more.
            let _ = self.linger.send(Linger { stream, finished });
        }
    }
}

/// Starts what takes dropped streams to their end. It ends after the last stream of the connection.
///
/// The channel needs no bound: yamux has one for the streams.
pub(super) fn lingering() -> mpsc::UnboundedSender<Linger> {
    let (sender, mut dropped) = mpsc::unbounded_channel::<Linger>();
    tokio::spawn(async move {
        let mut streams = JoinSet::new();
        loop {
            tokio::select! {
                stream = dropped.recv() => match stream {
                    Some(stream) => drop(streams.spawn(stream.end())),
                    None => break,
                },
                Some(_) = streams.join_next() => {}
            }
        }
        while streams.join_next().await.is_some() {}
    });
    sender
}

impl Linger {
    async fn end(mut self) {
        let ending = async {
            if !self.finished {
                self.stream.shutdown().await?;
            }
            tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await
        };
        match tokio::time::timeout(LINGER, ending).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a stream was lost while it was closed"),
            Err(_) => tracing::debug!("Packer did not close a stream"),
        }
    }
}
