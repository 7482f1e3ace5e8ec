//! Watches what a child uses up while it is waited for, and gives up on it when that is too much.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::time::{MissedTickBehavior, interval};

use super::process::Process;
use crate::budget::Account;
use crate::computing::processor_time;
use crate::error::Fault;
use crate::limits;

/// Runs `work`, which waits for a child, until it is done, the component's budget is used up, or
/// `is_cancelled` says so. `is_answering` is set while the child waits for us.
pub(crate) async fn supervise<T>(
    process: &Process,
    account: &Account,
    is_answering: &AtomicBool,
    is_cancelled: impl Fn() -> bool,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    account.check()?;
    let mut work = pin!(metered(account, work));
    let mut used = process.processor_time();
    let mut looked = Instant::now();
    let mut ticks = interval(limits::LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            done = &mut work => Some(done),
            _ = ticks.tick() => None,
        };
        let now = process.processor_time();
        account.charge(now.saturating_sub(used));
        used = used.max(now);
        let passed = looked.elapsed();
        looked = Instant::now();
        account.charge_passed(passed);
        if !is_answering.load(Ordering::Relaxed) {
            account.charge_silence(passed);
        }
        if let Some(done) = done {
            return done;
        }
        if is_cancelled() {
            return Err(Fault::Cancelled);
        }
        account.check()?;
    }
}

/// Counts the processor time that `work` takes on our own threads: reading what the child says,
/// answering it.
async fn metered<F: Future>(account: &Account, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        let before = processor_time();
        let polled = work.as_mut().poll(context);
        account.charge(processor_time().saturating_sub(before));
        polled
    })
    .await
}
