//! Work on a thread that may block, of which is told what it takes of a processor, as it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinError;
use tokio::time::interval;

use crate::Progress;

/// How often it is told.
const LOOK: Duration = Duration::from_millis(50);

/// Where work notes what it has taken so far. Stays on the work's thread.
#[derive(Clone)]
pub(crate) struct Meter {
    began: Duration,
    /// Nanoseconds.
    used: Arc<AtomicU64>,
}

impl Meter {
    pub(crate) fn start(used: Arc<AtomicU64>) -> Self {
        Self {
            began: processor_time(),
            used,
        }
    }

    /// To be called now and then.
    pub(crate) fn look(&self) {
        let used = processor_time().saturating_sub(self.began).as_nanos();
        let used = u64::try_from(used).unwrap_or(u64::MAX);
        self.used.store(used, Ordering::Relaxed);
    }
}

/// What this thread has used of its processor since it began.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        now.tv_nsec.unsigned_abs().try_into().unwrap_or(0),
    )
}

/// Runs `work` on a thread that may block, and tells `progress` what that takes. Dropping the future does not
/// end the work.
pub(crate) async fn metered<T: Send + 'static>(
    progress: &dyn Progress,
    work: impl FnOnce(&Meter) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let used = Arc::new(AtomicU64::default());
    let mut working = tokio::task::spawn_blocking({
        let used = Arc::clone(&used);
        move || {
            let meter = Meter::start(used);
            let done = work(&meter);
            meter.look();
            done
        }
    });
    let mut ticks = interval(LOOK);
    let mut told = 0;
    loop {
        let done = tokio::select! {
            done = &mut working => Some(done),
            _ = ticks.tick() => None,
        };
        let now = used.load(Ordering::Relaxed);
        progress.worked(Duration::from_nanos(now.saturating_sub(told)));
        told = now;
        if let Some(done) = done {
            return done;
        }
    }
}
