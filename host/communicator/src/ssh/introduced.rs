//! A connection on which our side has already said its first line.
//!
//! RFC 4253 section 4.2 lets each side send its identification string without waiting for the
//! other's. Ours goes out as soon as the connection stands, for two reasons: some servers wait for
//! it, and some networks do: Debian 12's passt completes the TCP handshake with the guest only once
//! the client has sent something, so that a server which speaks first is never heard.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::stream::Stream;

/// What lvhost calls itself to SSH servers.
pub(super) const IDENTIFICATION: &str = concat!("SSH-2.0-lvhost_", env!("CARGO_PKG_VERSION"));
/// What follows it on the wire.
const LINE_END: &str = "\r\n";
/// Bytes read at most to see that the server speaks: its first line has at most 255 (RFC 4253).
const FIRST_WORD: usize = 255;

/// A stream that has carried [`IDENTIFICATION`] and does not carry it again when russh, which
/// always begins with it, writes it.
pub(super) struct Introduced {
    stream: Stream,
    /// Bytes of russh's first line that are still to be left out.
    said: usize,
    /// What the server said to begin with, and nobody has read yet.
    heard: BytesMut,
}

impl Introduced {
    /// Sends our first line.
    pub(super) async fn new(mut stream: Stream) -> io::Result<Self> {
        let line = [IDENTIFICATION, LINE_END].concat();
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await?;
        Ok(Self {
            stream,
            said: line.len(),
            heard: BytesMut::with_capacity(FIRST_WORD),
        })
    }

    /// Waits until the server has spoken; false if it closed the connection instead. What it said
    /// is what this stream begins with.
    pub(super) async fn heard(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.heard).await? > 0)
    }
}

impl AsyncRead for Introduced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heard.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.heard.len().min(buffer.remaining());
        buffer.put_slice(self.heard.get(..count).unwrap_or_default());
        self.heard.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Introduced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.said > 0 && !bytes.is_empty() {
            let skipped = self.said.min(bytes.len());
            self.said -= skipped;
            return Poll::Ready(Ok(skipped));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
