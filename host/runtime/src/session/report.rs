//! Log, progress, and whether the user has had enough.

use std::time::Instant;

use super::Session;
use crate::limits;
use crate::request::Answer;
use crate::types::Level;
use crate::untrusted;

/// Lets through only as much progress as anyone sees.
#[derive(Default)]
pub(super) struct ProgressGate {
    last: Option<Instant>,
}

impl ProgressGate {
    /// What is shown of the progress `fraction` at `now`. The end is always shown.
    fn pass(&mut self, fraction: f64, now: Instant) -> Option<f64> {
        if fraction.is_nan() {
            return None;
        }
        let fraction = fraction.clamp(0.0, 1.0);
        let too_soon = self
            .last
            .is_some_and(|last| now.duration_since(last) < limits::PROGRESS_INTERVAL);
        if too_soon && fraction < 1.0 {
            return None;
        }
        self.last = Some(now);
        Some(fraction)
    }
}

impl Session {
    pub(super) fn message(&self, level: Level, message: &str) -> Answer {
        self.log.message(level, message);
        Answer::Done
    }

    pub(super) fn show_progress(&mut self, fraction: f64, what: &str) -> Answer {
        if let Ok(services) = self.services("progress")
            && let Some(fraction) = self.progress.pass(fraction, Instant::now())
        {
            services.progress(fraction, &untrusted::line(what, limits::ACTIVITY));
        }
        Answer::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_thinned_out() {
        let mut gate = ProgressGate::default();
        let start = Instant::now();
        let interval = limits::PROGRESS_INTERVAL;
        assert_eq!(gate.pass(f64::NAN, start), None);
        assert_eq!(gate.pass(-1.0, start), Some(0.0));
        assert_eq!(gate.pass(0.5, start), None);
        assert_eq!(gate.pass(0.5, start + interval), Some(0.5));
        assert_eq!(gate.pass(0.6, start + interval), None);
        assert_eq!(gate.pass(f64::INFINITY, start + interval), Some(1.0));
    }
}
