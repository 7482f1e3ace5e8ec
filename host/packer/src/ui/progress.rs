//! A progress bar that bytes move through.
//!
//! Counting must not slow a transfer down. So bytes are added to a counter, and one task tells Packer what
//! has come together each time it has an answer to the time before.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::msgpack::Encoder;
use crate::rpc::{CallError, Client, nil};

/// A progress bar. When it is dropped the bar is removed, in the background.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicU64,
    closed: AtomicBool,
    changed: Notify,
}

impl Progress {
    pub(super) fn start(client: Client, id: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(tell(client, id.to_owned(), Arc::clone(&shared)));
        Self {
            shared,
            task: Some(task),
        }
    }

    /// So many more bytes have gone.
    pub fn advance(&self, bytes: u64) {
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.changed.notify_one();
    }

    /// Counts what is read from or written to `inner`.
    pub fn track<T>(&self, inner: T) -> Tracked<T> {
        Tracked {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Removes the bar and returns when it is gone.
    pub async fn close(mut self) {
        if let Some(task) = self.task.take() {
            self.shared.close();
            // The task fails only if the runtime ends, and then there is nothing to wait for.
            let _ = task.await;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

async fn tell(client: Client, id: String, shared: Arc<Shared>) {
    let told = async {
        loop {
            let closed = shared.closed.load(Ordering::Acquire);
            let bytes = shared.bytes.swap(0, Ordering::Relaxed);
            if bytes > 0 {
                let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                let argument = Encoder::default().signed(bytes).finish();
                client.call(&format!("Ui{id}.Add"), argument).await?;
            }
            if closed {
                return client.call(&format!("Ui{id}.Close"), nil()).await;
            }
            shared.changed.notified().await;
        }
    };
    let told: Result<_, CallError> = told.await;
    if let Err(error) = told {
        tracing::debug!(%error, "a progress bar was lost");
    }
}

/// A reader or writer whose bytes a [`Progress`] shows.
#[derive(Debug)]
pub struct Tracked<T> {
    inner: T,
    shared: Arc<Shared>,
}

impl<T> Tracked<T> {
    fn count(&self, bytes: usize) {
        if bytes > 0 {
            self.shared.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            self.shared.changed.notify_one();
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Tracked<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.count(buffer.filled().len() - before);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Tracked<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.count(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
