//! A guest's console: the event thread takes what comes, a bounded queue keeps it for the reader.
//!
//! ```text
//!            room in the queue          the reader took something
//! listening ───────────────────► full ─────────────────────────────► listening
//!     │ end of the stream, error
//!     └──────────────────────────► ended: what is queued is still read, then the end
//! ```
//! The stream is one that never waits: a thread that waits for a guest to write could not be ended.
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use virt::error::Error as VirtError;
use virt_sys as sys;

use super::{
    Session,
    errors::Context,
    ffi::streams::{Listener, WatchedStream},
    workers::Workers,
};
use crate::{CONSOLE_BUFFER, Console, DomainId, Error, Result, xml::ALIAS_PREFIX};

/// Bytes taken from the stream at once.
const PORTION: usize = 16 << 10;

/// Opens a console of a domain.
pub(super) async fn open(
    workers: &Workers,
    id: &DomainId,
    device: Option<&str>,
) -> Result<LibvirtConsole> {
    let (domain, device) = (id.clone(), device.map(str::to_owned));
    let queue = workers
        .call(move |session| session.open_console(&domain, device.as_deref()))
        .await?;
    Ok(LibvirtConsole {
        action: action(id),
        queue,
        workers: workers.clone(),
    })
}

fn action(id: &DomainId) -> String {
    format!("read the console of the domain {id}")
}

impl Session {
    fn open_console(&self, id: &DomainId, device: Option<&str>) -> Result<Arc<Queue>> {
        let action = format!("open the console of the domain {id}");
        let domain = self.active_domain(id, &action)?;
        let context = Context::new(self, action);
        let alias = device.map(|name| {
            let name = name.strip_prefix(ALIAS_PREFIX).unwrap_or(name);
            format!("{ALIAS_PREFIX}{name}")
        });
        let mut stream = WatchedStream::new(&self.connect).map_err(|error| context.error(error))?;
        // A killed build may have left the console open.
        domain
            .open_console(
                alias.as_deref(),
                stream.stream(),
                sys::VIR_DOMAIN_CONSOLE_FORCE,
            )
            .map_err(|error| context.error(error))?;
        let queue = Arc::new(Queue::default());
        let listener = Arc::new(QueueListener(Arc::downgrade(&queue)));
        stream
            .watch(listener)
            .map_err(|error| context.error(error))?;
        queue.lock().stream = Some(stream);
        // What came before the listener was there is not told again by every driver.
        queue.fill();
        Ok(queue)
    }
}

/// What came and was not read yet.
#[derive(Default)]
struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    /// `None` before it is connected and after its end.
    stream: Option<WatchedStream>,
    portions: VecDeque<Bytes>,
    /// Bytes in `portions`.
    length: usize,
    full: bool,
    end: Option<End>,
}

#[derive(Clone)]
enum End {
    Closed,
    Failed(VirtError),
}

/// What libvirt holds: it must not keep the stream alive.
struct QueueListener(Weak<Queue>);

impl Listener for QueueListener {
    fn ready(&self) {
        if let Some(queue) = self.0.upgrade() {
            queue.fill();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the stream has, as long as there is room.
    fn fill(&self) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut buffer = [0; PORTION];
        while inner.end.is_none()
            && let Some(stream) = &inner.stream
        {
            if inner.length >= CONSOLE_BUFFER {
                inner.full = true;
                if let Err(error) = stream.listen(false) {
                    tracing::debug!(%error, "a console cannot be held back");
                }
                break;
            }
            let end = match stream.take(&mut buffer) {
                Ok(None) => break,
                Ok(Some(0)) => End::Closed,
                Ok(Some(count)) => {
                    inner
                        .portions
                        .push_back(Bytes::copy_from_slice(&buffer[..count]));
                    inner.length += count;
                    continue;
                }
                Err(error) => End::Failed(error),
            };
            // Else the event thread would be told of the end for ever.
            if let Err(error) = stream.listen(false) {
                tracing::debug!(%error, "a console that has ended is still listened to");
            }
            inner.end = Some(end);
            break;
        }
        drop(guard);
        self.changed.notify_one();
    }
}

/// An open console.
pub(super) struct LibvirtConsole {
    action: String,
    queue: Arc<Queue>,
    workers: Workers,
}

#[async_trait]
impl Console for LibvirtConsole {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        loop {
            // Registered before it is looked, so that nothing that comes in between is missed.
            let changed = self.queue.changed.notified();
            let end = {
                let mut inner = self.queue.lock();
                if let Some(bytes) = inner.portions.pop_front() {
                    inner.length -= bytes.len();
                    if inner.full && inner.length < CONSOLE_BUFFER / 2 {
                        inner.full = false;
                        self.listen_again()?;
                    }
                    return Ok(Some(bytes));
                }
                inner.end.clone()
            };
            match end {
                Some(End::Closed) => return Ok(None),
                Some(End::Failed(error)) => return Err(self.failure(error).await),
                None => changed.await,
            }
        }
    }
}

impl LibvirtConsole {
    /// There is room again.
    fn listen_again(&self) -> Result<()> {
        let queue = Arc::clone(&self.queue);
        self.workers.submit(Box::new(move |_| {
            let failed = match &queue.lock().stream {
                Some(stream) => stream.listen(true).err(),
                None => None,
            };
            if let Some(error) = failed {
                tracing::debug!(%error, "a console that was held back cannot be heard again");
            }
            queue.fill();
        }))
    }

    async fn failure(&self, error: VirtError) -> Error {
        let action = self.action.clone();
        let classified = self
            .workers
            .call(move |session| Ok(Context::new(session, action).error(error)))
            .await;
        classified.unwrap_or_else(|error| error)
    }
}

impl Drop for LibvirtConsole {
    fn drop(&mut self) {
        // To close it is a call that waits for the daemon.
        if let Some(stream) = self.queue.lock().stream.take() {
            let _ = self.workers.submit(Box::new(move |_| drop(stream)));
        }
    }
}
