//! What a component reports of its own progress, thinned out to what a user reads.
//!
//! A line for each new piece of work, and one for each further tenth of it.

use std::sync::{Mutex, PoisonError};

/// Parts of a piece of work that are told of.
const PARTS: f64 = 10.0;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct ProgressLines(Mutex<Option<(String, u8)>>);

impl ProgressLines {
    /// What to tell of `fraction` of `what`, if there is anything new in it.
    pub(super) fn line(&self, fraction: f64, what: &str) -> Option<String> {
        // From 0 to 10, whatever was reported.
        let part = (fraction.clamp(0.0, 1.0) * PARTS) as u8;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = match &*last {
            Some((known, told)) => known != what || part > *told,
            None => true,
        };
        if !is_new {
            return None;
        }
        *last = Some((what.to_owned(), part));
        let percent = u32::from(part) * 10;
        Some(match what.is_empty() {
            true => format!("{percent} %"),
            false => format!("{what}, {percent} %"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenth_is_told_once() {
        let reported = ProgressLines::default();
        let steps: u32 = (0..=1000)
            .filter_map(|step| reported.line(f64::from(step) / 1000.0, "packing"))
            .map(|_| 1)
            .sum();
        assert_eq!(steps, 11);
        assert_eq!(reported.line(0.2, "checking").unwrap(), "checking, 20 %");
        assert_eq!(reported.line(0.1, "checking"), None, "it went back");
        assert_eq!(reported.line(0.31, "").unwrap(), "30 %");
    }

    #[test]
    fn no_number_is_taken_as_it_is() {
        for (fraction, expected) in [(-1.0, "x, 0 %"), (7.5, "x, 100 %"), (f64::NAN, "x, 0 %")] {
            assert_eq!(
                ProgressLines::default().line(fraction, "x").unwrap(),
                expected
            );
        }
    }
}
