//! What evaluating a template may cost in sum: work and memory.
//!
//! A short template can ask for any amount of both: loops in loops, a text that is doubled again and
//! again, a list that holds the same list many times. So nothing is bounded for itself alone. There is one
//! budget for a load of a template, and one for each later evaluation of a provisioner, and whatever
//! works pays *before* it does, in proportion to what it is going to walk through or to make. When the
//! budget is spent, all that is left to evaluate is unknown, and one error names the place.
//!
//! ```text
//!  parse ────────┐
//!  expressions ──┤
//!  functions ────┼─► charge(work, bytes) ─► enough? ─┬─► go on
//!  conversions ──┤                                   └─► spent, once and for all: the first place is kept
//!  loops ────────┘
//! ```

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::source_map::Span;

/// Work, in units of about ten nanoseconds of an optimised build: half a second, and a second at most
/// with what is not counted. A template with ten thousand locals takes a fiftieth of it.
pub(crate) const WORK: u64 = 50_000_000;

/// Bytes of values and syntax trees that are made, whether they are kept or not. A file of 16 MiB, the
/// most that `file` reads, can be read, encoded once and be the value of an option.
pub(crate) const BYTES: u64 = 128 << 20;

/// Time that looking for all matches of patterns may take. A pattern may have to look through all of the
/// rest of a text for each match; how far it looked can't be asked for, so the clock is.
pub(crate) const MATCHING: Duration = Duration::from_secs(4);

/// What one expression costs.
pub(crate) const STEP: u64 = 20;

/// Bytes of a value, without what it refers to, with its share of what holds it.
pub(crate) const VALUE: u64 = 80;

/// Bytes of an entry of an object, without its key's text and its value.
pub(crate) const ENTRY: u64 = 48;

/// Bytes of text that are walked through for a unit of work.
const TEXT_PER_WORK: u64 = 4;

/// Bytes of a syntax tree for each sign in the text that something follows, and for each word, which may be
/// the label of a block: measured, and rounded up.
const SYNTAX: u64 = 288;

const TIME: &str = "more time than a template may have";
const MEMORY: &str = "more memory than a template may have";

/// The budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent;

/// What is left.
#[derive(Debug)]
pub(crate) struct Budget {
    work: AtomicU64,
    bytes: AtomicU64,
    /// Nanoseconds.
    matching: AtomicU64,
    /// What there was not enough of, once it has run out.
    lacking: OnceLock<&'static str>,
    /// Where that was.
    place: OnceLock<Span>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            work: AtomicU64::new(WORK),
            bytes: AtomicU64::new(BYTES),
            matching: AtomicU64::new(nanoseconds(MATCHING)),
            lacking: OnceLock::new(),
            place: OnceLock::new(),
        }
    }
}

impl Budget {
    /// Takes both off. Whoever gets an error must not do the work.
    pub(crate) fn charge(&self, work: u64, bytes: u64) -> Result<(), Spent> {
        let lacking = if !take(&self.work, work) {
            TIME
        } else if !take(&self.bytes, bytes) {
            MEMORY
        } else {
            return Ok(());
        };
        self.lacking.get_or_init(|| lacking);
        Err(Spent)
    }

    /// Takes off time that a search for one match of many has taken.
    pub(crate) fn charge_matching(&self, taken: Duration) -> Result<(), Spent> {
        if take(&self.matching, nanoseconds(taken)) {
            return Ok(());
        }
        self.lacking.get_or_init(|| TIME);
        Err(Spent)
    }

    /// Takes off what walking through `bytes` of text costs.
    pub(crate) fn charge_text(&self, bytes: usize) -> Result<(), Spent> {
        self.charge(bytes as u64 / TEXT_PER_WORK + 1, 0)
    }

    /// Takes off what making `bytes` of text costs.
    pub(crate) fn charge_new_text(&self, bytes: usize) -> Result<(), Spent> {
        self.charge(bytes as u64 / TEXT_PER_WORK + 1, bytes as u64)
    }

    /// Takes off what `count` values cost that are put into a list.
    pub(crate) fn charge_elements(&self, count: usize) -> Result<(), Spent> {
        self.charge(count as u64, (count as u64).saturating_mul(VALUE))
    }

    /// Takes off what parsing `text` costs.
    pub(crate) fn charge_syntax(&self, text: &str) -> Result<(), Spent> {
        let begins = |byte: &u8| b",=\n[{(?:.+-*/%&|!<>$\"".contains(byte);
        let signs = text.bytes().filter(begins).count() + text.split_ascii_whitespace().count();
        let signs = signs as u64;
        let length = text.len() as u64;
        self.charge(
            signs.saturating_mul(STEP) + length / TEXT_PER_WORK,
            signs.saturating_mul(SYNTAX) + length,
        )
    }

    /// Work that is left.
    pub(crate) fn work_left(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    /// Whether it has run out.
    pub(crate) fn is_spent(&self) -> bool {
        self.lacking.get().is_some()
    }

    /// Says where it ran out, unless that was said before.
    pub(crate) fn locate(&self, place: Span) {
        if self.is_spent() {
            self.place.get_or_init(|| place);
        }
    }

    /// The one error, if it has run out.
    pub(crate) fn error(&self) -> Option<Diagnostic> {
        let lacking = self.lacking.get()?;
        let place = self.place.get().copied();
        Some(
            Diagnostic::error(place, "this takes too much to evaluate")
                .detail(format!("it needs {lacking}"))
                .help(
                    "look for loops in loops, long texts and files that are used again and again, and \
                     values that hold each other many times",
                ),
        )
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn take(left: &AtomicU64, amount: u64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(amount)
    })
    .is_ok()
}
