//! Many streams over one connection: yamux, and Packer's numbered streams on top of it.
//!
//! ```text
//!   dial(id):    open ──► write id ──► read id back ──► a stream          (id was told to us by core)
//!   listen():    new id, told to core ──► core opens, writes id ──► id is echoed ──► a stream
//!
//!   one task     drives the connection: it alone touches yamux
//!   a task each  for a dial, for an inbound stream until it is routed, and for a stream that was let go
//! ```
//! Ids are counted by the side that accepts, so the two counters never meet. Id 0 is the stream that core
//! opens first. A dial is not interrupted half-way when its caller goes away: it would leave a stream
//! behind that was opened and never said which one it is.
//!
//! Go's peer takes a reset for a loss of data and a second FIN for a fault of the whole connection. So
//! streams are only ever ended by [`Stream`], once, in order.

mod driver;
mod stream;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) use stream::Stream;

/// How many streams may be open at once: a command needs four, and a build's provisioners run one
/// after the other.
const MAX_STREAMS: usize = 1024;

/// How long core may take to answer the opening of a stream. It gives up itself after five seconds if
/// nobody waits for the stream there.
const DIAL_TIME: Duration = Duration::from_secs(15);

/// How long an inbound stream may take to say which one it is. Core writes that at once.
const ROUTE_TIME: Duration = Duration::from_secs(15);

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The connection to Packer is gone.
    #[error("the connection to Packer is gone")]
    Disconnected,
    /// Too many streams are open.
    #[error("more than {MAX_STREAMS} streams to Packer are open")]
    TooMany,
    /// Core does not answer for the stream it has named.
    #[error("Packer did not accept stream {id} within {} s", DIAL_TIME.as_secs())]
    NotAccepted {
        /// The stream's number.
        id: u32,
    },
    /// Core closed the stream or answered with another number.
    #[error("Packer refused stream {id}")]
    Refused {
        /// The stream's number.
        id: u32,
        /// What came instead of its number.
        #[source]
        source: io::Error,
    },
}

/// One connection to core. Clones are the same connection, which ends when core hangs up or the last
/// clone is gone.
#[derive(Clone)]
pub(crate) struct Mux {
    open: mpsc::Sender<oneshot::Sender<Result<Stream, StreamError>>>,
    listening: Arc<Listening>,
    closed: CancellationToken,
}

impl Mux {
    /// Starts to serve `socket`, whose other end is core's. Beside the connection there is the stream
    /// that core opens first, which may be there before this has returned.
    pub(crate) fn start<T>(socket: T) -> (Self, Incoming)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (open, requests) = mpsc::channel(1);
        let listening = Arc::new(Listening::default());
        let closed = CancellationToken::new();
        let mux = Self {
            open,
            listening: Arc::clone(&listening),
            closed: closed.clone(),
        };
        let main = mux.listen_to(0);
        tokio::spawn(driver::drive(socket, requests, listening, closed));
        (mux, main)
    }

    /// Opens the stream to which core gave the number `id`.
    pub(crate) async fn dial(&self, id: u32) -> Result<Stream, StreamError> {
        let (reply, opened) = oneshot::channel();
        let open = self.open.clone();
        tokio::spawn(async move {
            // Nobody waits any more: the stream, if there is one, closes itself.
            let _ = reply.send(introduce(&open, id).await);
        });
        opened.await.unwrap_or(Err(StreamError::Disconnected))
    }

    /// Chooses a number that core is to be told, and waits for core to open that stream.
    pub(crate) fn listen(&self) -> Incoming {
        let mut id = 0;
        while id == 0 {
            id = self
                .listening
                .last
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(1);
        }
        self.listen_to(id)
    }

    /// Returns when the connection is gone.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    fn listen_to(&self, id: u32) -> Incoming {
        let (waiter, stream) = oneshot::channel();
        if let Ok(mut waiters) = self.listening.waiters.lock() {
            waiters.insert(id, waiter);
        }
        Incoming {
            id,
            stream,
            closed: self.closed.clone(),
            listening: Arc::clone(&self.listening),
        }
    }
}

/// A number that core may open a stream under, as long as this is kept.
pub(crate) struct Incoming {
    id: u32,
    stream: oneshot::Receiver<Stream>,
    closed: CancellationToken,
    listening: Arc<Listening>,
}

impl Incoming {
    /// The number to tell core.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The stream, once core has opened it. Only the end of the connection ends the wait otherwise.
    pub(crate) async fn accept(mut self) -> Result<Stream, StreamError> {
        tokio::select! {
            biased;
            stream = &mut self.stream => stream.map_err(|_| StreamError::Disconnected),
            () = self.closed.cancelled() => Err(StreamError::Disconnected),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Ok(mut waiters) = self.listening.waiters.lock() {
            waiters.remove(&self.id);
        }
    }
}

/// Who waits for which number.
#[derive(Default)]
struct Listening {
    last: AtomicU32,
    waiters: Mutex<HashMap<u32, oneshot::Sender<Stream>>>,
}

impl Listening {
    /// Reads which stream this is, says so back, and hands it to who waits for it.
    async fn route(&self, mut stream: Stream) {
        let id = match timeout(ROUTE_TIME, stream.read_u32_le()).await {
            Ok(Ok(id)) => id,
            Ok(Err(error)) => return tracing::debug!(%error, "an inbound stream names no number"),
            Err(_) => return tracing::debug!("an inbound stream does not name its number"),
        };
        let waiter = match self.waiters.lock() {
            Ok(mut waiters) => waiters.remove(&id),
            Err(_) => None,
        };
        let Some(waiter) = waiter else {
            // A number is announced only after somebody waits for it: there is nothing to wait for.
            return tracing::warn!(id, "Packer opened a stream that nobody waits for");
        };
        if let Err(error) = write_id(&mut stream, id).await {
            return tracing::debug!(id, %error, "an inbound stream was lost");
        }
        // Should nobody wait any more, the stream closes itself.
        let _ = waiter.send(stream);
    }
}

/// Opens a stream and agrees with core on its number.
async fn introduce(
    open: &mpsc::Sender<oneshot::Sender<Result<Stream, StreamError>>>,
    id: u32,
) -> Result<Stream, StreamError> {
    let (reply, opened) = oneshot::channel();
    open.send(reply)
        .await
        .map_err(|_| StreamError::Disconnected)?;
    let mut stream = opened.await.map_err(|_| StreamError::Disconnected)??;
    let agreed = async {
        write_id(&mut stream, id).await?;
        stream.read_u32_le().await
    };
    match timeout(DIAL_TIME, agreed).await {
        Ok(Ok(echo)) if echo == id => Ok(stream),
        Ok(Ok(echo)) => Err(StreamError::Refused {
            id,
            source: io::Error::new(
                io::ErrorKind::InvalidData,
                format!("Packer took it for stream {echo}"),
            ),
        }),
        Ok(Err(source)) => Err(StreamError::Refused { id, source }),
        Err(_) => Err(StreamError::NotAccepted { id }),
    }
}

async fn write_id(stream: &mut Stream, id: u32) -> io::Result<()> {
    // In one piece: core's router reads the four bytes before it looks at any other stream.
    stream.write_all(&id.to_le_bytes()).await?;
    stream.flush().await
}
