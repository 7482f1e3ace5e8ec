//! A stranger's component as its parent has it: compiled in one child, run in another, call by call.
//!
//! ```text
//!  compile ─► code ─► Component ──call──► no child yet: start one, load the code
//!                        ▲                 │
//!                        │                 ▼
//!                        └── kept ── Call, Request ⇄ Answer …, Returned
//!                            or ended: budget used up, cancelled, dropped, broken
//! ```
//! Calls are one after the other, so that the memory of one is all that the component has.

use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::confine::{Bounds, Confinement};
use super::connection::{Connection, broken, confined, out_of_turn};
use super::failure::Failure;
use super::frame::{Direction, FromChild, Task, ToChild};
use super::process::{Process, Program, in_words};
use super::supervise::supervise;
use crate::budget::{Account, Budget, Stage};
use crate::error::Fault;
use crate::limits;
use crate::request::{Answer, Call, Said};
use crate::session::{Session, Target};
use crate::untrusted;

/// A component that runs in child processes.
pub(crate) struct Component {
    program: Program,
    source_date_epoch: u64,
    code: Bytes,
    budget: Budget,
    /// Between two calls: the child, if there is one.
    idle: Mutex<Option<Child>>,
}

/// A child with its connection.
struct Child {
    process: Process,
    connection: BlockingStream,
    bounds: Bounds,
}

/// Compiles a component in a child, which is gone afterwards.
pub(crate) async fn compile(
    program: &Program,
    wasm: &[u8],
    budget: &Budget,
) -> Result<Bytes, Failure> {
    let account = budget.account(Stage::Compiling);
    account.check()?;
    let bounds = Bounds {
        memory: limits::COMPILE_MEMORY,
        processor_seconds: whole_seconds(account.limit()),
    };
    let child = Child::start(program, bounds)?;
    let begin = child.begin(Task::Compile, bounds, 0);
    let work = async {
        let mut connection = child.connect()?;
        confined(&mut connection, &begin).await?;
        let send = connection.send(&ToChild::Component, wasm);
        // A child that is content with a part of it may have ended.
        let sent = send.await;
        let received = connection.receive(Direction::FromCompiler).await;
        Ok::<_, Fault>(received.or_else(|error| sent.and(Err(error))))
    };
    let never = || false;
    let watched = supervise(
        &child.process,
        &account,
        &AtomicBool::new(false),
        never,
        work,
    )
    .await;
    let received = match watched {
        Ok(Ok(received)) => received,
        Ok(Err(broken)) => return Err(child.explain(broken, &account).await.into()),
        Err(fault) => return Err(child.explain_fault(fault, &account).await.into()),
    };
    match received {
        (FromChild::Compiled, code) => {
            account.charge_code(code.len());
            account.check()?;
            Ok(code.into())
        }
        (FromChild::Refused(refusal), _) => Err(Failure::Refused(refusal)),
        _ => Err(out_of_turn().into()),
    }
}

/// What holds a child on this machine.
pub(crate) async fn confinement(program: &Program) -> Result<Confinement, Failure> {
    let bounds = Bounds {
        memory: limits::COMPILE_MEMORY,
        processor_seconds: 1,
    };
    let child = Child::start(program, bounds)?;
    let begin = child.begin(Task::Compile, bounds, 0);
    let mut connection = child.connect()?;
    Ok(confined(&mut connection, &begin).await?)
}

/// What a process may use for a component that may compute for `time`: a second more than is counted,
/// since the kernel's limit is there for what was not seen.
fn whole_seconds(time: std::time::Duration) -> u64 {
    time.as_secs().saturating_add(2)
}

impl Component {
    pub(crate) fn new(
        program: Program,
        source_date_epoch: u64,
        code: Bytes,
        budget: Budget,
    ) -> Self {
        Self {
            program,
            source_date_epoch,
            code,
            budget,
            idle: Mutex::new(None),
        }
    }

    /// Counts the code of one that was compiled before, like that of others.
    pub(crate) fn charge_code(&self) -> Result<(), Failure> {
        let account = self.budget.account(Stage::Compiling);
        account.charge_code(self.code.len());
        Ok(account.check()?)
    }

    /// Calls the component. What becomes of the target is for the caller to decide by what was said.
    /// Dropping the future ends the child, and with it the call.
    pub(crate) async fn call(
        &self,
        call: Call,
        account: &Account,
        mut session: Session,
    ) -> Result<(Said, Target), Fault> {
        let mut idle = self.idle.lock().await;
        account.check()?;
        let child = match idle.take() {
            Some(child) => child,
            None => self.start(account).await.map_err(Failure::in_call)?,
        };
        let is_answering = AtomicBool::new(false);
        let services = session.services_of_call();
        let is_cancelled = || services.as_ref().is_some_and(|it| it.is_cancelled());
        let memory = self.budget.limits().memory;
        let work = async {
            let mut connection = child.connect()?;
            let call = ToChild::Call { call, memory };
            connection.send(&call, &[]).await.map_err(broken)?;
            converse(&mut connection, &mut session, account, &is_answering).await
        };
        let conversed = supervise(&child.process, account, &is_answering, is_cancelled, work).await;
        match conversed {
            Ok(Ok(said)) => {
                *idle = Some(child);
                Ok((said, session.take_target()))
            }
            // The component has failed, and its process is as good as before.
            Ok(Err(fault)) => {
                *idle = Some(child);
                Err(fault)
            }
            Err(fault) => Err(child.explain_fault(fault, account).await),
        }
    }

    /// Starts a child that has loaded the component.
    async fn start(&self, account: &Account) -> Result<Child, Failure> {
        let limits = self.budget.limits();
        let code = self.code.len() as u64;
        let time = limits.configure_time.saturating_add(limits.prepare_time);
        let bounds = Bounds {
            // The code is there twice for a moment.
            memory: limits::PROCESS_MEMORY + limits.memory as u64 + 2 * code,
            processor_seconds: whole_seconds(time),
        };
        let child = Child::start(&self.program, bounds)?;
        let begin = child.begin(Task::Run, bounds, self.source_date_epoch);
        let work = async {
            let mut connection = child.connect()?;
            confined(&mut connection, &begin).await?;
            let sent = connection.send(&ToChild::Component, &self.code).await;
            sent.map_err(broken)?;
            connection
                .receive(Direction::FromChild)
                .await
                .map_err(broken)
        };
        let never = || false;
        let loaded = supervise(
            &child.process,
            account,
            &AtomicBool::new(false),
            never,
            work,
        )
        .await;
        match loaded {
            Ok((FromChild::Loaded, _)) => Ok(child),
            Ok((FromChild::Refused(refusal), _)) => Err(Failure::Refused(refusal)),
            Ok(_) => Err(out_of_turn().into()),
            Err(fault) => Err(child.explain_fault(fault, account).await.into()),
        }
    }

    /// Starts the child, if there is none: what is wrong with the component shows by that.
    pub(crate) async fn load(&self) -> Result<(), Failure> {
        let mut idle = self.idle.lock().await;
        if idle.is_none() {
            *idle = Some(self.start(&self.budget.account(Stage::Asking)).await?);
        }
        Ok(())
    }

    /// The process that waits for a call, for tests to look at.
    pub(crate) async fn process_id(&self) -> Option<i32> {
        let idle = self.idle.lock().await;
        idle.as_ref().map(|child| child.process.id())
    }
}

/// Answers what the component asks until its call is over. The outer error is that of a child that
/// can't be used any more.
async fn converse(
    connection: &mut Connection,
    session: &mut Session,
    account: &Account,
    is_answering: &AtomicBool,
) -> Result<Result<Said, Fault>, Fault> {
    let mut ended = None;
    loop {
        let (message, bytes) = connection
            .receive(Direction::FromChild)
            .await
            .map_err(broken)?;
        match message {
            FromChild::Request(request) if ended.is_none() => {
                is_answering.store(true, Ordering::Relaxed);
                let answered = session.answer(request, bytes.into()).await;
                is_answering.store(false, Ordering::Relaxed);
                let (answer, bytes) = answered.unwrap_or_else(|fault| {
                    ended = Some(fault);
                    (Answer::Ended, Bytes::new())
                });
                let sent = connection.send(&ToChild::Answer(answer), &bytes).await;
                sent.map_err(broken)?;
            }
            // What it drops on its way out.
            FromChild::Request(_) => {
                let sent = connection.send(&ToChild::Answer(Answer::Ended), &[]).await;
                sent.map_err(broken)?;
            }
            FromChild::Returned(returned) => {
                account.charge_said(connection.received);
                return Ok(match ended {
                    Some(fault) => Err(fault),
                    None => returned.map_err(untrusted::fault),
                });
            }
            _ => return Err(out_of_turn()),
        }
    }
}

impl Child {
    fn start(program: &Program, bounds: Bounds) -> Result<Self, Failure> {
        let (process, connection) = Process::start(program).map_err(Failure::NoProcess)?;
        Ok(Self {
            process,
            connection,
            bounds,
        })
    }

    fn begin(&self, task: Task, bounds: Bounds, source_date_epoch: u64) -> ToChild {
        ToChild::Begin {
            task,
            bounds,
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            source_date_epoch,
        }
    }

    /// The connection, for the asynchronous runtime of this call.
    fn connect(&self) -> Result<Connection, Fault> {
        let connection = self.connection.try_clone();
        let stream = connection.and_then(UnixStream::from_std);
        stream.map(Connection::new).map_err(broken)
    }

    /// What a broken connection means.
    async fn explain(&self, error: io::Error, account: &Account) -> Fault {
        self.explain_fault(broken(error), account).await
    }

    /// What ended the work with this child: of a process that has ended, how it did; and first of all
    /// what the component has used up.
    async fn explain_fault(&self, fault: Fault, account: &Account) -> Fault {
        let Fault::ProcessEnded(_) = &fault else {
            return fault;
        };
        // It has closed its connection or can't be believed: either way it ends now.
        let seen = self.process.processor_time();
        let ending = tokio::time::timeout(limits::LOOK, self.process.ended());
        let by_itself = ending.await.ok().flatten();
        self.process.kill();
        let used = self.process.processor_time();
        account.charge(used.saturating_sub(seen));
        if let Err(used_up) = account.check() {
            return used_up;
        }
        match by_itself {
            Some(ended) => Fault::ProcessEnded(in_words(ended, self.bounds)),
            None => fault,
        }
    }
}

/// Runs asynchronous work to its end on a thread of its own, which may wait: this one may belong to an
/// asynchronous runtime, which may not.
pub(crate) fn wait_for<T: Send>(
    work: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().map_err(Failure::NoProcess)?;
            runtime.block_on(work)
        });
        thread.join().unwrap_or_else(|_| {
            let stopped = "an internal error stopped the work for it".to_owned();
            Err(Failure::Fault(Fault::NotLoaded(stopped)))
        })
    })
}
