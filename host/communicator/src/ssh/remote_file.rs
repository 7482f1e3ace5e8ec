//! One open file of the guest's, read or written by SFTP with many requests under way at a time.
//!
//! ```text
//!   asked ─► asked ─► asked ─► …        answers are taken in this order, whatever order they come in
//!     │ the oldest answer
//!     ▼
//!   bytes, or a shorter answer than asked for: all that was asked behind it is asked anew
//! ```

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{Data, FileAttributes, OpenFlags, Status, StatusCode};

/// Bytes in one request: what every server takes.
const PIECE: u32 = 32 * 1024;
/// Requests to read that are under way at a time: with [`PIECE`] 2 MiB. There are as many only behind
/// as many full answers, since a small file needs one.
const READS: usize = 64;
/// Requests to write that are under way at a time: half a MiB.
const WRITES: usize = 16;

/// An open file.
pub(super) struct RemoteFile<'a> {
    client: &'a RawSftpSession,
    handle: String,
    /// Where the next request begins.
    offset: u64,
    reads: VecDeque<(u64, Answer<'a, Data>)>,
    /// How many reads may be under way.
    window: usize,
    writes: VecDeque<Answer<'a, Status>>,
}

/// The answer to a request that has been sent.
enum Answer<'a, T> {
    Came(Result<T, SftpError>),
    Due(Pin<Box<dyn Future<Output = Result<T, SftpError>> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// Sends the request, which the library does when it is first asked for the answer.
    async fn to(request: impl Future<Output = Result<T, SftpError>> + Send + 'a) -> Self {
        let mut request: Pin<Box<dyn Future<Output = _> + Send + 'a>> = Box::pin(request);
        let came = poll_fn(|context| {
            Poll::Ready(match request.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        })
        .await;
        came.map_or(Self::Due(request), Self::Came)
    }

    async fn wait(self) -> Result<T, SftpError> {
        match self {
            Self::Came(answer) => answer,
            Self::Due(request) => request.await,
        }
    }
}

impl<'a> RemoteFile<'a> {
    /// Opens the file `path`.
    pub(super) async fn open(
        client: &'a RawSftpSession,
        path: &str,
        flags: OpenFlags,
        attributes: FileAttributes,
    ) -> Result<Self, SftpError> {
        let handle = client.open(path, flags, attributes).await?.handle;
        Ok(Self {
            client,
            handle,
            offset: 0,
            reads: VecDeque::new(),
            window: 1,
            writes: VecDeque::new(),
        })
    }

    /// The next bytes; none at the end.
    pub(super) async fn read(&mut self) -> Result<Vec<u8>, SftpError> {
        while self.reads.len() < self.window {
            let (client, handle, offset) = (self.client, self.handle.clone(), self.offset);
            let answer = Answer::to(client.read(handle, offset, PIECE)).await;
            self.reads.push_back((offset, answer));
            self.offset = offset.saturating_add(u64::from(PIECE));
        }
        let Some((offset, answer)) = self.reads.pop_front() else {
            return Ok(Vec::new());
        };
        match answer.wait().await {
            Ok(data) => {
                let count = data.data.len() as u64;
                if count < u64::from(PIECE) {
                    self.reads.clear();
                    self.window = 1;
                    self.offset = offset.saturating_add(count);
                } else {
                    self.window = READS.min(self.window * 2);
                }
                Ok(data.data)
            }
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => {
                self.reads.clear();
                self.window = 1;
                self.offset = offset;
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes these bytes behind those before. An error may be that of earlier ones.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), SftpError> {
        for piece in bytes.chunks(PIECE as usize) {
            if self.writes.len() >= WRITES {
                self.written().await?;
            }
            let (client, handle, offset) = (self.client, self.handle.clone(), self.offset);
            let answer = Answer::to(client.write(handle, offset, piece.to_vec())).await;
            self.writes.push_back(answer);
            self.offset = offset.saturating_add(piece.len() as u64);
        }
        Ok(())
    }

    /// Waits for the oldest write.
    async fn written(&mut self) -> Result<(), SftpError> {
        match self.writes.pop_front() {
            Some(answer) => answer.wait().await.map(drop),
            None => Ok(()),
        }
    }

    /// Waits until all is written.
    pub(super) async fn flush(&mut self) -> Result<(), SftpError> {
        while !self.writes.is_empty() {
            self.written().await?;
        }
        Ok(())
    }

    /// Sets these of its attributes.
    pub(super) async fn set(&mut self, attributes: FileAttributes) -> Result<(), SftpError> {
        let handle = self.handle.clone();
        self.client.fsetstat(handle, attributes).await.map(drop)
    }

    /// Closes it. What is still to be said of what was written is said by now.
    pub(super) async fn close(mut self) -> Result<(), SftpError> {
        self.flush().await?;
        self.client.close(self.handle).await.map(drop)
    }
}
