//! [`Session`]: the host's side of one call. Answers what the component asks, checks all it says, and
//! holds what it has handles of: blobs, readers, the target.
//!
//! ```text
//!            ┌─ look_ups: downloads, files, volumes
//!  Request ──┼─ blobs: blobs and readers         ──► Answer, or the fault that ends the call
//!            ├─ target: the one volume
//!            └─ report: log, progress, cancelled
//! ```
//! What is done here is charged to the component's [`Account`]. A component in a child has said nothing
//! that is believed because it comes from there: what arrives is checked here, not where it was said.

mod blobs;
mod content;
mod look_ups;
mod report;
mod target;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::blobs::Reader;
use self::report::ProgressGate;
pub(crate) use self::target::Target;
use crate::budget::{Account, Held};
use crate::error::Fault;
use crate::limits;
use crate::log::SharedLog;
use crate::request::{Answer, Answered, Request};
use crate::services::{ServiceError, Services};
use crate::types::Blob;

/// What one call has. Dropping it ends whatever still runs for it on other threads.
pub(crate) struct Session {
    log: SharedLog,
    services: Option<Arc<dyn Services>>,
    account: Account,
    progress: ProgressGate,
    blobs: Handles<(Blob, Held)>,
    readers: Handles<Reader>,
    target: Target,
    abandoned: Abandoned,
}

/// How an answer came about: by the host, or by what the component did, which ends the call.
type Outcome = Result<Answer, Refusal>;

/// Why there is no answer.
enum Refusal {
    /// The component is told, and may go on.
    Error(ServiceError),
    /// The call is over.
    Fault(Fault),
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Error(error)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What `untrusted` has against something.
fn invalid(reason: String) -> Refusal {
    Refusal::Error(ServiceError::Invalid(reason))
}

impl Session {
    /// `services` are there in `prepare` only.
    pub(crate) fn new(
        log: SharedLog,
        services: Option<Arc<dyn Services>>,
        account: Account,
    ) -> Self {
        Self {
            log,
            services,
            account,
            progress: ProgressGate::default(),
            blobs: Handles::default(),
            readers: Handles::default(),
            target: Target::default(),
            abandoned: Abandoned::default(),
        }
    }

    /// Answers a request; `bytes` are those that came with it.
    pub(crate) async fn answer(&mut self, request: Request, bytes: Bytes) -> Answered {
        self.account.check()?;
        let outcome = self.outcome(request, bytes).await;
        // What was used up meanwhile matters more than what came of it.
        self.account.check()?;
        match outcome {
            Ok((answer, bytes)) => Ok((answer, bytes)),
            Err(Refusal::Error(error)) => Ok((Answer::Failed(error), Bytes::new())),
            Err(Refusal::Fault(fault)) => Err(fault),
        }
    }

    async fn outcome(
        &mut self,
        request: Request,
        bytes: Bytes,
    ) -> Result<(Answer, Bytes), Refusal> {
        let answer = match request {
            Request::Log { level, message } => self.message(level, &message),
            Request::Output(stream) => {
                self.log.bytes(stream, &bytes);
                Answer::Done
            }
            Request::Progress { fraction, what } => self.show_progress(fraction, &what),
            Request::IsCancelled => Answer::Flag(self.is_cancelled()),
            Request::Download {
                request,
                checksum,
                packed,
            } => self.download(request, checksum, packed).await?,
            Request::Ask { request, method } => return self.ask(request, method, bytes).await,
            Request::Secret(name) => self.secret(name).await?,
            Request::ListFiles(pattern) => self.list_files(pattern).await?,
            Request::OpenFile { pattern, path } => self.open_file(pattern, path).await?,
            Request::LookUp(id) => self.look_up(id).await?,
            Request::LookUpPath(path) => self.look_up_path(path).await?,
            Request::ReadBlob {
                blob,
                offset,
                length,
            } => return self.read_blob(blob, offset, length).await,
            Request::Digest { blob, algorithm } => self.digest(blob, &algorithm).await?,
            Request::Unpack {
                blob,
                packing,
                member,
            } => self.unpack(blob, packing, member).await?,
            Request::MakeReader { blob } => self.make_reader(blob)?,
            Request::Read { reader, length } => return self.read(reader, length).await,
            Request::Decode { reader, codec } => self.decode(reader, codec).await?,
            Request::Measure { reader } => self.measure(reader).await?,
            Request::DropBlob(blob) => {
                self.blobs.take(blob)?;
                Answer::Done
            }
            Request::DropReader(reader) => {
                self.readers.take(reader)?;
                Answer::Done
            }
            Request::CreateTarget(image) => self.create_target(image).await?,
            Request::Content {
                blob,
                codec,
                format,
            } => self.content(blob, codec, &format).await?,
            Request::Write => self.write(bytes).await?,
            Request::Zeros(length) => self.zeros(length).await?,
            Request::CopyFrom {
                blob,
                offset,
                length,
            } => self.copy_from(blob, offset, length).await?,
            Request::Drain { reader } => self.drain(reader).await?,
        };
        Ok((answer, Bytes::new()))
    }

    /// The services, or the error that a component gets for trying to use them outside of `prepare`.
    fn services(&self, function: &str) -> Result<Arc<dyn Services>, ServiceError> {
        self.services.clone().ok_or_else(|| {
            ServiceError::Denied(format!("{function} works only while a volume is prepared"))
        })
    }

    /// The services, for who watches the call.
    pub(crate) fn services_of_call(&self) -> Option<Arc<dyn Services>> {
        self.services.clone()
    }

    fn is_cancelled(&self) -> bool {
        self.services
            .as_ref()
            .is_some_and(|services| services.is_cancelled())
    }

    /// What has become of the volume, for whoever ends the call.
    pub(crate) fn take_target(&mut self) -> Target {
        std::mem::take(&mut self.target)
    }

    /// Waits for work that lvhost does for the component on this machine: the time it takes counts as
    /// computing, and it ends when there is no more of that.
    async fn on_its_behalf<T>(
        account: &Account,
        what: &str,
        work: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let started = Instant::now();
        let limit = limits::STEP_TIME.min(account.left());
        let done = within(limit, what, work).await;
        account.charge(started.elapsed());
        done
    }
}

/// Waits for a service for [`limits::STEP_TIME`] at most.
async fn in_time<T>(
    what: &str,
    service: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, ServiceError> {
    within(limits::STEP_TIME, what, service).await
}

async fn within<T>(
    limit: Duration,
    what: &str,
    service: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, ServiceError> {
    tokio::time::timeout(limit, service)
        .await
        .unwrap_or_else(|_| {
            Err(ServiceError::Other(format!(
                "{what} did not answer within {} s",
                limit.as_secs_f64()
            )))
        })
}

/// Things that a component knows by number.
struct Handles<T> {
    held: BTreeMap<u32, T>,
    next: u32,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            next: 1,
        }
    }
}

impl<T> Handles<T> {
    fn push(&mut self, thing: T) -> Result<u32, Fault> {
        let handle = self.next;
        self.next = handle.checked_add(1).ok_or_else(|| {
            Fault::LimitExceeded("it has used up the numbers that handles have".to_owned())
        })?;
        self.held.insert(handle, thing);
        Ok(handle)
    }

    fn get(&mut self, handle: u32) -> Result<&mut T, Fault> {
        self.held.get_mut(&handle).ok_or_else(no_such_handle)
    }

    fn take(&mut self, handle: u32) -> Result<T, Fault> {
        self.held.remove(&handle).ok_or_else(no_such_handle)
    }

    fn len(&self) -> usize {
        self.held.len()
    }
}

fn no_such_handle() -> Fault {
    Fault::Misbehaved("it used a handle that it does not hold".to_owned())
}

/// Set when the call is over, for work on other threads to see.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    fn watch(&self) -> AbandonedWatch {
        AbandonedWatch(Arc::clone(&self.0))
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The other end of [`Abandoned`].
#[derive(Clone)]
struct AbandonedWatch(Arc<AtomicBool>);

impl AbandonedWatch {
    fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
