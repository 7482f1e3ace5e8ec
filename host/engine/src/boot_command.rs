//! `boot_command`: what lvhost types on the guest's keyboard after its start.
//!
//! ```text
//! texts ─► language ─► strokes ─► chords ─► steps ─► typist ─► the hypervisor
//!  "<tab>a"  reads the   which      what is held   press /   waits, counts,
//!            notation    key it is  down together  wait      can be stopped
//! ```
//!
//! Everything but the typist is pure, and a command is read twice by the same code: when the
//! template is checked, with addresses that stand in for the HTTP server's, and when the guest
//! runs, with the real ones.
//!
//! The notation is Packer's, described with its QEMU builder under "Boot Configuration", and so are
//! its rules: the texts are typed one after the other as if they were one, the names of keys may be
//! written in any case, and what looks like a key and is none is typed as it stands.
//!
//! What is typed may be a password, so no type in here shows it: not in `Debug`, not in an error or
//! a warning beyond the one character or key name it is about, and not in the progress.

mod chords;
mod keys;
mod language;
mod typist;

use std::fmt;
use std::time::Duration;

pub use chords::BootStep;
pub use language::{BootCommandError, BootWarning, Position};
pub use typist::{GuestKeyboard, Keyboard, TypeError, Typing};

/// The pauses of a boot command. All of them come from the options of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `boot_wait`: before the first key.
    pub boot_wait: Duration,
    /// `boot_key_interval`: from the release of a key to the next one.
    pub key_interval: Duration,
    /// `boot_keygroup_interval`: after each text.
    pub keygroup_interval: Duration,
    /// `key_hold_time`: how long a key is down.
    pub key_hold: Duration,
}

/// A boot command that can be typed.
#[derive(Clone, PartialEq, Eq)]
pub struct BootCommand {
    /// What is done for each text of the option, in their order.
    texts: Vec<Vec<BootStep>>,
    boot_wait: Duration,
    warnings: Vec<BootWarning>,
}

impl BootCommand {
    /// Reads the texts of the option `boot_command`, in which every `{{ … }}` has been replaced.
    ///
    /// # Errors
    /// The first thing that can't be typed, with its place.
    pub fn parse<S: AsRef<str>>(texts: &[S], timing: &Timing) -> Result<Self, BootCommandError> {
        let reading = language::read(texts)?;
        let mut warnings = reading.warnings;
        let steps = chords::steps(&reading.strokes, texts.len(), timing, &mut warnings)?;
        Ok(Self {
            texts: steps,
            boot_wait: timing.boot_wait,
            warnings,
        })
    }

    /// Whether there is nothing to do, not even to wait.
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(Vec::is_empty)
    }

    /// What is right but most likely not meant, in the order of the text.
    pub fn warnings(&self) -> &[BootWarning] {
        &self.warnings
    }

    /// Everything that is done, in its order, without the wait before it.
    pub fn steps(&self) -> impl Iterator<Item = &BootStep> {
        self.texts.iter().flatten()
    }

    /// How many times keys are pressed.
    pub fn presses(&self) -> usize {
        self.steps()
            .filter(|step| matches!(step, BootStep::Press { .. }))
            .count()
    }

    /// How long typing takes in all, `boot_wait` included.
    pub fn duration(&self) -> Duration {
        if self.is_empty() {
            return Duration::ZERO;
        }
        sum(self.steps()).saturating_add(self.boot_wait)
    }
}

impl fmt::Debug for BootCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BootCommand")
            .field("texts", &self.texts.len())
            .field("presses", &self.presses())
            .field("duration", &self.duration())
            .field("warnings", &self.warnings)
            .finish()
    }
}

fn sum<'a>(steps: impl Iterator<Item = &'a BootStep>) -> Duration {
    steps.fold(Duration::ZERO, |sum, step| sum.saturating_add(step.lasts()))
}

#[cfg(test)]
mod tests;
