//! The byte stream that SSH to a guest goes over, whatever the way there.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use russh::ChannelStream;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::open_channels::{OpenStream, Place};
use super::session::Session;

/// Anything that carries bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream, whatever it is made of.
pub(super) type Stream = Box<dyn Duplex>;

/// A stream through another SSH connection, which it keeps open and which it fails with: a write
/// that waits for the channel's window would not notice the end by itself.
pub(super) struct Carried {
    stream: ChannelStream<Msg>,
    /// The channel counts as open until the stream has closed it.
    _place: Place,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    has_ended: bool,
}

impl Carried {
    pub(super) fn new(channel: OpenStream, carrier: Arc<Session>) -> Self {
        let OpenStream { stream, place } = channel;
        Self {
            stream,
            _place: place,
            ended: Box::pin(async move {
                carrier.ended().await;
            }),
            has_ended: false,
        }
    }

    /// What comes of `moved` now that the connection may be gone.
    fn unless_ended<T>(
        &mut self,
        context: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            return moved;
        }
        if !self.has_ended {
            self.has_ended = self.ended.as_mut().poll(context).is_ready();
        }
        if self.has_ended {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the SSH connection that carried this one ended",
            )));
        }
        Poll::Pending
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.unless_ended(context, moved)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_ended(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_ended(context, moved)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_ended(context, moved)
    }
}
