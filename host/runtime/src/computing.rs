//! How long a component computes: measured, and ended when it is too long.
//!
//! A component's code looks at the engine's epoch at each loop and call. While one computes, a
//! thread moves the epoch every [`TICK`]; the code then yields, which hands control back to
//! [`limited`]: it knows how much of the thread's processor time has gone by, and drops the call when
//! that is too much. Waiting for the host or for a processor is not computing, so a slow download or a
//! busy machine ends no honest component.
//!
//! ```text
//!            work()                      last Working dropped, tick over
//!   asleep ─────────► ticking every TICK ────────────────────────────────► asleep
//! ```

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::Engine;

use crate::budget::Account;
use crate::error::Fault;
use crate::limits::TICK;

/// Runs `future` until it is done, the component's budget is used up, or `is_cancelled` says so. A
/// future that waits is not woken to be cancelled: that is for those it waits for.
pub(crate) async fn limited<F: Future>(
    ticker: &Ticker,
    account: &Account,
    is_cancelled: impl Fn() -> bool,
    future: F,
) -> Result<F::Output, Fault> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let working = ticker.work();
        let before = processor_time();
        let polled = future.as_mut().poll(context);
        account.charge(processor_time().saturating_sub(before));
        drop(working);
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if is_cancelled() => Poll::Ready(Err(Fault::Cancelled)),
            Poll::Pending => match account.check() {
                Ok(()) => Poll::Pending,
                Err(fault) => Poll::Ready(Err(fault)),
            },
        }
    })
    .await
}

/// Runs a future that only ever yields and never waits, on this thread and without a reactor.
pub(crate) fn run_yielding<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// What this thread has used of its processor since it began.
pub(crate) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        now.tv_nsec.unsigned_abs().try_into().unwrap_or(0),
    )
}

/// Moves the engine's epoch while components compute.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    computing: usize,
    stopped: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self, engine: &Engine) {
        let mut state = self.state();
        while !state.stopped {
            if state.computing == 0 {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self
                .changed
                .wait_timeout_while(state, TICK, |state| !state.stopped);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            engine.increment_epoch();
        }
    }
}

impl Ticker {
    /// Starts the thread, asleep.
    pub(crate) fn start(engine: Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("component-clock".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.tick(&engine)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks until the guard is dropped.
    fn work(&self) -> Working<'_> {
        let mut state = self.shared.state();
        state.computing += 1;
        if state.computing == 1 {
            self.shared.changed.notify_one();
        }
        Working(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It can't have panicked, and there would be nobody to tell.
            let _ = thread.join();
        }
    }
}

struct Working<'a>(&'a Shared);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.state().computing -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budget, Stage};
    use crate::limits::Limits;

    fn account(configure_time: Duration) -> Account {
        let limits = Limits {
            configure_time,
            ..Limits::default()
        };
        Budget::new(limits).account(Stage::Asking)
    }

    fn ticker() -> Ticker {
        Ticker::start(crate::engine::running().expect("engine")).expect("thread")
    }

    async fn yield_once() {
        let mut yielded = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut yielded, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    #[test]
    fn computing_is_ended() {
        let limit = Duration::from_millis(20);
        let endless = async {
            loop {
                for _ in 0..10_000 {
                    std::hint::black_box(0);
                }
                yield_once().await;
            }
        };
        let result: Result<(), _> =
            run_yielding(limited(&ticker(), &account(limit), || false, endless));
        assert_eq!(result, Err(Fault::TimedOut { limit }));
    }

    #[test]
    fn waiting_is_not_computing() {
        let limit = Duration::from_millis(20);
        let (send, receive) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(limit * 3);
            send.send(7)
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("runtime");
        let result = runtime.block_on(limited(&ticker(), &account(limit), || false, receive));
        assert_eq!(result, Ok(Ok(7)));
    }

    #[test]
    fn cancellation_is_seen_at_the_next_yield() {
        let limit = Duration::from_secs(3600);
        let endless = async {
            loop {
                yield_once().await;
            }
        };
        let result: Result<(), _> =
            run_yielding(limited(&ticker(), &account(limit), || true, endless));
        assert_eq!(result, Err(Fault::Cancelled));
    }
}
