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
//!      ├─ machine code, and what it says of itself and its volumes: both are kept
//!      ├─ open files
//!      └─ time gone by
//! ```
//!
//! Sums, not limits of single calls: a template may have many volumes of one component, and the loop
//! may be in the component as well as in the template. It may have many components, too: what one uses
//! up, all of a command have used up together ([`Budget::part`]).

use std::iter::successors;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
    /// What this is a part of.
    whole: Option<Budget>,
    stages: [Stages; 3],
    bytes: AtomicU64,
    look_ups: AtomicU64,
    code: AtomicU64,
    said: AtomicU64,
    blobs: AtomicUsize,
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
        Self::within(None, limits)
    }

    /// A budget of which nothing has been used, for one of those who have this one together: what is
    /// used of it is used of this one as well.
    #[must_use]
    pub fn part(&self, limits: Limits) -> Self {
        Self::within(Some(self.clone()), limits)
    }

    fn within(whole: Option<Self>, limits: Limits) -> Self {
        Self(Arc::new(Sums {
            limits,
            whole,
            stages: Default::default(),
            bytes: AtomicU64::default(),
            look_ups: AtomicU64::default(),
            code: AtomicU64::default(),
            said: AtomicU64::default(),
            blobs: AtomicUsize::default(),
        }))
    }

    /// This one, what it is a part of, and so on.
    fn and_wholes(&self) -> impl Iterator<Item = &Sums> {
        successors(Some(&*self.0), |sums| {
            sums.whole.as_ref().map(|whole| &*whole.0)
        })
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

impl Sums {
    /// Processor time that a stage may take in all.
    fn limit(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Compiling => self.limits.compile_time,
            Stage::Asking => self.limits.configure_time,
            Stage::Preparing => self.limits.prepare_time,
        }
    }

    /// Processor time that is left in a stage.
    fn left(&self, stage: Stage) -> Duration {
        let used = self.stages[stage as usize]
            .computing
            .load(Ordering::Relaxed);
        self.limit(stage).saturating_sub(Duration::from_nanos(used))
    }
}

/// A file of the host that a component holds open. Dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Held(Budget);

impl Drop for Held {
    fn drop(&mut self) {
        for sums in self.0.and_wholes() {
            sums.blobs.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Account {
    /// Processor time that the stage may take in all.
    pub(crate) fn limit(&self) -> Duration {
        self.budget.0.limit(self.stage)
    }

    fn sums(&self) -> &Stages {
        &self.budget.0.stages[self.stage as usize]
    }

    /// Counts processor time, the component's own or on its behalf.
    pub(crate) fn charge(&self, used: Duration) {
        for sums in self.budget.and_wholes() {
            add(
                &sums.stages[self.stage as usize].computing,
                nanoseconds(used),
            );
        }
    }

    /// Counts bytes of machine code.
    pub(crate) fn charge_code(&self, bytes: usize) {
        for sums in self.budget.and_wholes() {
            add(&sums.code, bytes as u64);
        }
    }

    /// Counts bytes that the component has said of itself or a volume, and that are kept.
    pub(crate) fn charge_said(&self, bytes: usize) {
        for sums in self.budget.and_wholes() {
            add(&sums.said, bytes as u64);
        }
    }

    /// Counts a file that the component is about to hold open; none if there is no room for it.
    pub(crate) fn hold(&self) -> Option<Held> {
        let held = Held(self.budget.clone());
        // First taken, then looked at: others take at the same time.
        let before = self
            .budget
            .and_wholes()
            .map(|sums| sums.blobs.fetch_add(1, Ordering::Relaxed));
        // All of them, or what is given back was never taken.
        let most = before.fold(0, usize::max);
        (most < limits::BLOBS).then_some(held)
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
        let sums = self.budget.and_wholes();
        sums.map(|sums| sums.left(self.stage))
            .min()
            .unwrap_or_default()
    }

    /// Whether something is used up, as what has to be said of it.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.check_own()?;
        self.check_all()
    }

    /// What the component and all those it belongs to may have together.
    fn check_all(&self) -> Result<(), Fault> {
        for (index, sums) in self.budget.and_wholes().enumerate() {
            let who = match index {
                0 => "it",
                _ => "all components of the command together",
            };
            let over = |counter: &AtomicU64, limit: u64| counter.load(Ordering::Relaxed) > limit;
            let too_much = if sums.left(self.stage).is_zero() {
                let limit = sums.limit(self.stage).as_secs_f64();
                format!("{who} computed for more than {limit} s")
            } else if over(&sums.code, sums.limits.code as u64) {
                format!(
                    "{who} made more than {} MiB of machine code",
                    sums.limits.code >> 20
                )
            } else if over(&sums.said, limits::SAID_IN_ALL) {
                format!(
                    "{who} said more than {} MiB of volumes and options",
                    limits::SAID_IN_ALL >> 20
                )
            } else {
                continue;
            };
            return Err(Fault::LimitExceeded(too_much));
        }
        Ok(())
    }

    fn check_own(&self) -> Result<(), Fault> {
        let sums = self.sums();
        let over = |counter: &AtomicU64, limit: u64| counter.load(Ordering::Relaxed) > limit;
        let limit = self.limit();
        if self.budget.0.left(self.stage).is_zero() {
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
mod tests;
