//! [`Budget`]: what one component may use up, in sum over all that it does in one command.
//!
//! ```text
//!            compiling     describe, configure     prepare
//!               │                  │                  │
//!   Account ────┴──── one of the three stages ────────┘
//!      ├─ its own computing             (computing, or the child's processor time)
//!      ├─ computing on its behalf       (session: decompressing, listing, splicing)
//!      ├─ bytes read, decompressed and written for it
//!      ├─ look-ups
//!      └─ time gone by
//! ```
//!
//! Sums, not limits of single calls: a template may have many volumes of one component, and the loop
//! may be in the component as well as in the template.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Fault;
use crate::limits::{self, Limits};

/// What a component has left of what it may use up. Clones share it: components that are loaded with
/// clones of one budget have it together.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Sums>);

#[derive(Debug)]
struct Sums {
    limits: Limits,
    stages: [Stages; 3],
    bytes: AtomicU64,
    look_ups: AtomicU64,
}

/// Nanoseconds.
#[derive(Debug, Default)]
struct Stages {
    computing: AtomicU64,
    silent: AtomicU64,
    passed: AtomicU64,
}

/// What a component is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is compiled.
    Compiling,
    /// It is asked what it is and what it needs: `describe`, `configure`.
    Asking,
    /// It makes volumes: `prepare`.
    Preparing,
}

impl Stage {
    /// The stage that a call of this function belongs to.
    pub(crate) fn of(function: &str) -> Self {
        match function {
            "prepare" => Self::Preparing,
            _ => Self::Asking,
        }
    }
}

impl Budget {
    /// A budget of which nothing has been used.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Sums {
            limits,
            stages: Default::default(),
            bytes: AtomicU64::default(),
            look_ups: AtomicU64::default(),
        }))
    }

    /// What there was at the beginning.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn account(&self, stage: Stage) -> Account {
        Account {
            budget: self.clone(),
            stage,
        }
    }
}

/// A component's budget, in one stage.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    budget: Budget,
    stage: Stage,
}

impl Account {
    /// Processor time that the stage may take in all.
    pub(crate) fn limit(&self) -> Duration {
        let limits = self.budget.limits();
        match self.stage {
            Stage::Compiling => limits.compile_time,
            Stage::Asking => limits.configure_time,
            Stage::Preparing => limits.prepare_time,
        }
    }

    fn sums(&self) -> &Stages {
        &self.budget.0.stages[self.stage as usize]
    }

    /// Counts processor time, the component's own or on its behalf.
    pub(crate) fn charge(&self, used: Duration) {
        add(&self.sums().computing, nanoseconds(used));
    }

    /// Counts time in which the component neither ended nor asked for anything.
    pub(crate) fn charge_silence(&self, silent: Duration) {
        add(&self.sums().silent, nanoseconds(silent));
    }

    /// Counts time of the clock on the wall.
    pub(crate) fn charge_passed(&self, passed: Duration) {
        add(&self.sums().passed, nanoseconds(passed));
    }

    /// Counts bytes that were read, decompressed or written.
    pub(crate) fn charge_bytes(&self, bytes: u64) {
        add(&self.budget.0.bytes, bytes);
    }

    /// Counts a question to a service.
    pub(crate) fn charge_look_up(&self) {
        add(&self.budget.0.look_ups, 1);
    }

    /// Processor time that is left in this stage.
    pub(crate) fn left(&self) -> Duration {
        let used = Duration::from_nanos(self.sums().computing.load(Ordering::Relaxed));
        self.limit().saturating_sub(used)
    }

    /// Whether something is used up, as what has to be said of it.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let sums = self.sums();
        let over = |counter: &AtomicU64, limit: u64| counter.load(Ordering::Relaxed) > limit;
        let limit = self.limit();
        if self.left().is_zero() {
            return Err(Fault::TimedOut { limit });
        }
        let silence = limits::silence(limit);
        if over(&sums.silent, nanoseconds(silence)) {
            return Err(Fault::Silent { limit: silence });
        }
        if over(&sums.passed, nanoseconds(limits::WALL_TIME)) {
            return Err(Fault::LimitExceeded(format!(
                "it took more than {} hours",
                limits::WALL_TIME.as_secs() / 3600
            )));
        }
        if over(&self.budget.0.bytes, limits::BYTES) {
            return Err(Fault::LimitExceeded(format!(
                "lvhost read, decompressed and wrote more than {} TiB for it",
                limits::BYTES >> 40
            )));
        }
        if over(&self.budget.0.look_ups, limits::LOOK_UPS) {
            return Err(Fault::LimitExceeded(format!(
                "it asked for more than {} downloads, listings, files and volumes",
                limits::LOOK_UPS
            )));
        }
        Ok(())
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    // What would overflow is far beyond every limit.
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
        Some(sum.saturating_add(amount))
    });
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(Limits {
            configure_time: Duration::from_secs(5),
            prepare_time: Duration::from_secs(60),
            ..Limits::default()
        })
    }

    #[test]
    fn what_many_calls_use_is_one_sum() {
        let budget = budget();
        let volumes = (0..41).map(|_| budget.account(Stage::Asking));
        let ended = volumes.take_while(|volume| {
            volume.charge(Duration::from_secs(1));
            volume.check().is_ok()
        });
        assert_eq!(ended.count(), 4);
        // Another stage has its own.
        assert_eq!(budget.account(Stage::Preparing).check(), Ok(()));
    }

    #[test]
    fn clones_share_it() {
        let first = budget();
        let second = first.clone();
        first
            .account(Stage::Preparing)
            .charge(Duration::from_secs(60));
        assert!(second.account(Stage::Preparing).check().is_err());
    }

    #[test]
    fn each_thing_that_is_counted_has_an_end() {
        type UseUp = fn(&Account);
        let cases: [(&str, UseUp); 6] = [
            ("computed for more than 60 s", |account| {
                account.charge(Duration::from_secs(60));
            }),
            ("did nothing", |account| {
                account.charge_silence(Duration::MAX);
            }),
            ("hours", |account| account.charge_passed(Duration::MAX)),
            ("TiB", |account| account.charge_bytes(u64::MAX)),
            ("TiB", |account| {
                account.charge_bytes(limits::BYTES);
                account.charge_bytes(1);
            }),
            ("downloads, listings", |account| {
                (0..=limits::LOOK_UPS).for_each(|_| account.charge_look_up());
            }),
        ];
        for (expected, use_up) in cases {
            let account = budget().account(Stage::Preparing);
            assert_eq!(account.check(), Ok(()));
            use_up(&account);
            let fault = account.check().expect_err(expected).to_string();
            assert!(fault.contains(expected), "{expected}: {fault}");
        }
    }
}
