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
use tokio::sync::{Notify, watch};
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
    let (queue, closed) = workers
        .call(move |session| {
            let queue = session.open_console(&domain, device.as_deref())?;
            Ok((queue, session.watches.watch_connection()))
        })
        .await?;
    Ok(LibvirtConsole {
        action: format!("read the console of the domain {id}"),
        queue,
        closed,
        workers: workers.clone(),
    })
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

/// Where the bytes come from: libvirt's stream, or a test's.
trait Source {
    fn take(&self, buffer: &mut [u8]) -> std::result::Result<Option<usize>, VirtError>;
    fn listen(&self, readable: bool) -> std::result::Result<(), VirtError>;
}

impl Source for WatchedStream {
    fn take(&self, buffer: &mut [u8]) -> std::result::Result<Option<usize>, VirtError> {
        self.take(buffer)
    }

    fn listen(&self, readable: bool) -> std::result::Result<(), VirtError> {
        self.listen(readable)
    }
}

/// What came and was not read yet.
struct Queue<S = WatchedStream> {
    inner: Mutex<Inner<S>>,
    changed: Notify,
}

struct Inner<S> {
    /// `None` before it is connected and after its reader is gone.
    stream: Option<S>,
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

impl<S> Default for Queue<S> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                stream: None,
                portions: VecDeque::new(),
                length: 0,
                full: false,
                end: None,
            }),
            changed: Notify::new(),
        }
    }
}

/// What a reader finds in the queue.
enum QueueContent {
    /// Bytes, and whether there is room again where there was none.
    Bytes(Bytes, bool),
    End(End),
    Nothing,
}

impl<S: Source> Queue<S> {
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
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

    /// Takes what came first.
    fn take(&self) -> QueueContent {
        let mut inner = self.lock();
        if let Some(bytes) = inner.portions.pop_front() {
            inner.length -= bytes.len();
            let room = inner.full && inner.length < CONSOLE_BUFFER / 2;
            if room {
                inner.full = false;
            }
            return QueueContent::Bytes(bytes, room);
        }
        inner
            .end
            .clone()
            .map_or(QueueContent::Nothing, QueueContent::End)
    }

    /// Goes on where it was held back for want of room.
    fn go_on(&self) {
        let failed = match &self.lock().stream {
            Some(stream) => stream.listen(true).err(),
            None => None,
        };
        if let Some(error) = failed {
            tracing::debug!(%error, "a console that was held back cannot be heard again");
        }
        self.fill();
    }
}

/// An open console.
pub(super) struct LibvirtConsole {
    action: String,
    queue: Arc<Queue>,
    /// libvirt tells its streams nothing when the connection is lost.
    closed: watch::Receiver<bool>,
    workers: Workers,
}

#[async_trait]
impl Console for LibvirtConsole {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        loop {
            // Registered before it is looked, so that nothing that comes in between is missed.
            let changed = self.queue.changed.notified();
            match self.queue.take() {
                QueueContent::Bytes(bytes, room) => {
                    if room {
                        let queue = Arc::clone(&self.queue);
                        self.workers.submit(Box::new(move |_| queue.go_on()))?;
                    }
                    return Ok(Some(bytes));
                }
                QueueContent::End(End::Closed) => return Ok(None),
                QueueContent::End(End::Failed(error)) => return Err(self.failure(error).await),
                QueueContent::Nothing => {
                    let lost = tokio::select! {
                        () = changed => false,
                        // The session outlives this console, so it is not gone but lost.
                        _ = self.closed.wait_for(|closed| *closed) => true,
                    };
                    if lost {
                        return Err(Error::Disconnected {
                            action: self.action.clone(),
                            message: "the hypervisor does not answer any more".to_owned(),
                        });
                    }
                }
            }
        }
    }
}

impl LibvirtConsole {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// A guest that counts for ever, or to some number.
    #[derive(Default)]
    struct Counting {
        next: AtomicU64,
        last: Option<u64>,
        listened: AtomicBool,
    }

    impl Source for Counting {
        fn take(&self, buffer: &mut [u8]) -> std::result::Result<Option<usize>, VirtError> {
            let mut count = 0;
            for place in buffer.chunks_exact_mut(8) {
                let next = self.next.load(Ordering::Relaxed);
                if self.last.is_some_and(|last| next >= last) {
                    break;
                }
                place.copy_from_slice(&next.to_be_bytes());
                self.next.store(next + 1, Ordering::Relaxed);
                count += 8;
            }
            Ok(Some(count))
        }

        fn listen(&self, readable: bool) -> std::result::Result<(), VirtError> {
            self.listened.store(readable, Ordering::Relaxed);
            Ok(())
        }
    }

    fn queue(last: Option<u64>) -> Queue<Counting> {
        let queue = Queue::default();
        queue.lock().stream = Some(Counting {
            last,
            listened: true.into(),
            ..Counting::default()
        });
        queue
    }

    fn listened(queue: &Queue<Counting>) -> bool {
        let inner = queue.lock();
        inner
            .stream
            .as_ref()
            .unwrap()
            .listened
            .load(Ordering::Relaxed)
    }

    #[test]
    fn a_slow_reader_holds_the_guest_back_and_loses_nothing() {
        let queue = queue(None);
        let mut expected = 0_u64;
        let mut rounds = 0;
        queue.fill();
        while rounds < 3 {
            assert!(queue.lock().length < CONSOLE_BUFFER + PORTION);
            assert_eq!(listened(&queue), !queue.lock().full);
            let QueueContent::Bytes(bytes, room) = queue.take() else {
                panic!("the queue is empty");
            };
            for number in bytes.chunks_exact(8) {
                assert_eq!(number, expected.to_be_bytes());
                expected += 1;
            }
            if room {
                rounds += 1;
                queue.go_on();
            }
        }
        assert!(expected * 8 > CONSOLE_BUFFER as u64);
    }

    #[test]
    fn what_came_before_the_end_is_read_first() {
        let queue = queue(Some(3));
        queue.fill();
        queue.fill();
        assert!(!listened(&queue));
        assert!(matches!(queue.take(), QueueContent::Bytes(bytes, false) if bytes.len() == 24));
        assert!(matches!(queue.take(), QueueContent::End(End::Closed)));
        // As often as it is asked.
        assert!(matches!(queue.take(), QueueContent::End(End::Closed)));
    }
}
