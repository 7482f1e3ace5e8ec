//! The threads that libvirt calls block.
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use tokio::sync::oneshot;

use super::Session;
use crate::{Error, Result};

/// Threads for short calls. libvirt's client sends several calls over one connection at once, and a
/// build that waits for the guest's agent, which may never answer, must not keep three others from asking
/// for a volume.
const WORKERS: usize = 4;

pub(super) type Job = Box<dyn FnOnce(&Arc<Session>) + Send>;

/// Where jobs go. The threads end when this and all its clones are dropped.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    jobs: Sender<Job>,
}

impl Workers {
    /// Opens the session on the first of the threads, for that may block too.
    pub(super) async fn start(
        open: impl FnOnce() -> Result<Session> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (opened, result) = oneshot::channel();
        spawn("libvirt-worker", move || {
            let session = match open() {
                Ok(session) => Arc::new(session),
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let queue = Arc::new(Mutex::new(queue));
            for _ in 1..WORKERS {
                let (session, queue) = (Arc::clone(&session), Arc::clone(&queue));
                if let Err(error) = spawn("libvirt-worker", move || work(&session, &queue)) {
                    tracing::warn!(%error, "fewer threads for libvirt calls than planned");
                }
            }
            let _ = opened.send(Ok(()));
            work(&session, &queue);
        })
        .map_err(no_thread)?;
        result.await.map_err(|_| worker_died())??;
        Ok(Self { jobs })
    }

    /// Runs a short call.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, result) = oneshot::channel();
        self.submit(Box::new(move |session| {
            let _ = answer.send(call(session));
        }))?;
        result.await.map_err(|_| worker_died())?
    }

    /// Runs a call that may take as long as copying an image does, on a thread of its own.
    pub(super) async fn call_long<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, result) = oneshot::channel();
        self.spawn("libvirt-call", move |session| {
            let _ = answer.send(call(session));
        })?;
        result.await.map_err(|_| worker_died())?
    }

    /// Runs something on a thread of its own, with the session.
    pub(super) fn spawn(
        &self,
        name: &'static str,
        run: impl FnOnce(&Session) + Send + 'static,
    ) -> Result<()> {
        self.submit(Box::new(move |session| {
            let session = Arc::clone(session);
            // Whoever waits for an answer sees the answer's channel close.
            if let Err(error) = spawn(name, move || run(&session)) {
                tracing::error!(%error, "no thread for a libvirt call");
            }
        }))
    }

    /// Runs something short whose end nobody waits for.
    pub(super) fn submit(&self, job: Job) -> Result<()> {
        self.jobs.send(job).map_err(|_| worker_died())
    }
}

fn work(session: &Arc<Session>, queue: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: one worker waits for the job, the others for the lock.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(session),
            Err(_) => return,
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
}

pub(super) fn no_thread(error: io::Error) -> Error {
    Error::Disconnected {
        action: "make a thread for libvirt calls".to_owned(),
        message: error.to_string(),
    }
}

pub(super) fn worker_died() -> Error {
    Error::Disconnected {
        action: "reach libvirt".to_owned(),
        message: "the thread that makes the calls has ended".to_owned(),
    }
}
