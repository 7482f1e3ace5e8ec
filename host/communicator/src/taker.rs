//! Where a command's output goes, whatever it came by.

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::communicator::Output;

/// Which of a command's two streams bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What takes a command's output.
pub(crate) enum Taker<'a> {
    /// Something that takes it at once.
    Output(&'a mut dyn Output),
    /// Streams that may take their time. What a stream does not take, or no longer takes, is thrown
    /// away: the command goes on.
    Streams {
        stdout: Option<&'a mut (dyn AsyncWrite + Send + Unpin)>,
        stderr: Option<&'a mut (dyn AsyncWrite + Send + Unpin)>,
    },
}

impl Taker<'_> {
    /// Hands over some of it.
    pub(crate) async fn take(&mut self, origin: Origin, bytes: &[u8]) {
        match (self, origin) {
            (Self::Output(output), Origin::Output) => output.stdout(bytes),
            (Self::Output(output), Origin::Error) => output.stderr(bytes),
            (Self::Streams { stdout, .. }, Origin::Output) => pass_on(stdout, bytes).await,
            (Self::Streams { stderr, .. }, Origin::Error) => pass_on(stderr, bytes).await,
        }
    }
}

async fn pass_on(stream: &mut Option<&mut (dyn AsyncWrite + Send + Unpin)>, bytes: &[u8]) {
    if let Some(writer) = stream {
        let written = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "the rest of a command's output is thrown away");
            *stream = None;
        }
    }
}
