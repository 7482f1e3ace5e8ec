//! Messages on a stream: read whole, written whole.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::msgpack::{DecodeError, Encoder, ScanError, Scanner, decode};
use crate::value::{Map, Value};

/// How many messages may wait for a stream. More would only keep memory: whoever sends waits instead.
const OUTGOING: usize = 8;

/// How much is read at once, in bytes: as much as core puts into one frame.
const READ: usize = 4096;

/// What ends the reading of a stream early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the stream broke")]
    Io(#[from] std::io::Error),
    #[error("the stream ended within a message")]
    Cut,
    #[error("a message has no end")]
    Scan(#[from] ScanError),
    #[error("a message has no header")]
    Header(#[from] DecodeError),
    #[error("the header of a message has no {0}")]
    Field(&'static str),
}

/// The first half of a request or an answer.
pub(crate) struct Header {
    pub(crate) method: String,
    pub(crate) sequence: u64,
    /// Empty in a request, and in the answer to a call that went well.
    pub(crate) error: String,
}

/// A header and its body, encoded.
pub(crate) struct Message {
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
}

/// The value that stands for nothing.
pub(crate) fn nil() -> Bytes {
    Bytes::from_static(&[0xc0])
}

pub(crate) fn request(method: &str, sequence: u64, body: Bytes) -> Message {
    let mut header = Encoder::default();
    header
        .map(2)
        .str("ServiceMethod")
        .str(method)
        .str("Seq")
        .unsigned(sequence);
    Message {
        header: header.finish(),
        body,
    }
}

pub(crate) fn answer(method: &str, sequence: u64, result: Result<Bytes, String>) -> Message {
    let (error, body) = match result {
        Ok(body) => (String::new(), body),
        // An empty text would mean success. The body is skipped by the reader; Go sends an empty map.
        Err(text) if text.is_empty() => ("unknown error".to_owned(), Bytes::from_static(&[0x80])),
        Err(text) => (text, Bytes::from_static(&[0x80])),
    };
    let mut header = Encoder::default();
    header
        .map(3)
        .str("ServiceMethod")
        .str(method)
        .str("Seq")
        .unsigned(sequence)
        .str("Error")
        .str(&error);
    Message {
        header: header.finish(),
        body,
    }
}

/// Reads messages one after the other.
pub(crate) struct Reader<R> {
    stream: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// The next header and its body, still encoded; `None` when the stream has ended between messages.
    pub(crate) async fn next(&mut self) -> Result<Option<(Header, Bytes)>, ReadError> {
        let Some(header) = self.value().await? else {
            return Ok(None);
        };
        let header = parse(&header)?;
        let body = self.value().await?.ok_or(ReadError::Cut)?;
        Ok(Some((header, body)))
    }

    async fn value(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut scanner = Scanner::default();
        loop {
            if let Some(length) = scanner.advance(&self.buffer)? {
                return Ok(Some(self.buffer.split_to(length).freeze()));
            }
            self.buffer.reserve(READ);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.has_remaining() {
                    Err(ReadError::Cut)
                } else {
                    Ok(None)
                };
            }
        }
    }
}

fn parse(header: &[u8]) -> Result<Header, ReadError> {
    let Value::Map(mut fields) = decode(header)? else {
        return Err(ReadError::Field("fields"));
    };
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let method = text("ServiceMethod").ok_or(ReadError::Field("ServiceMethod"))?;
    let error = text("Error").unwrap_or_default();
    Ok(Header {
        method,
        sequence: sequence(&fields)?,
        error,
    })
}

fn sequence(fields: &Map) -> Result<u64, ReadError> {
    fields
        .get("Seq")
        .and_then(Value::as_i64)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or(ReadError::Field("Seq"))
}

/// Starts what writes to `stream`. It ends the stream when the last sender is gone.
pub(crate) fn write<W>(mut stream: W) -> mpsc::Sender<Message>
where
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (sender, mut messages) = mpsc::channel::<Message>(OUTGOING);
    tokio::spawn(async move {
        let written = async {
            while let Some(message) = messages.recv().await {
                stream.write_all(&message.header).await?;
                stream.write_all(&message.body).await?;
                stream.flush().await?;
            }
            stream.shutdown().await
        };
        if let Err(error) = written.await {
            tracing::debug!(%error, "a stream to Packer broke");
        }
    });
    sender
}
