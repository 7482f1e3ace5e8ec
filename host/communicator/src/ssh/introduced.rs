//! A connection on which our side has already said its first line.
//!
//! RFC 4253 section 4.2 lets each side send its identification string without waiting for the
//! other's. Ours goes out as soon as the connection stands, for two reasons: some servers wait for
//! it, and some networks do: Debian 12's passt completes the TCP handshake with the guest only once
//! the client has sent something, so that a server which speaks first is never heard.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// What lvhost calls itself to SSH servers.
pub(super) const IDENTIFICATION: &str = concat!("SSH-2.0-lvhost_", env!("CARGO_PKG_VERSION"));
/// What follows it on the wire.
const LINE_END: &str = "\r\n";

/// A stream that has carried [`IDENTIFICATION`] and does not carry it again when russh, which
/// always begins with it, writes it.
pub(super) struct Introduced {
    stream: TcpStream,
    /// Bytes of russh's first line that are still to be left out.
    said: usize,
}

impl Introduced {
    /// Sends our first line.
    pub(super) async fn new(mut stream: TcpStream) -> io::Result<Self> {
        let line = [IDENTIFICATION, LINE_END].concat();
        stream.write_all(line.as_bytes()).await?;
        Ok(Self {
            stream,
            said: line.len(),
        })
    }

    /// Waits until the server has spoken; false if it closed the connection instead. What it said
    /// stays unread.
    pub(super) async fn heard(&self) -> io::Result<bool> {
        Ok(self.stream.peek(&mut [0]).await? > 0)
    }
}

impl AsyncRead for Introduced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
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
