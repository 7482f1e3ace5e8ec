//! Builds as lines only: for logs, pipes and CI.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lvhost_engine::Transfer;

use super::Screen;
use super::event::Event;
use super::tally::Tally;
use super::text::{Line, Text};
use crate::printer::Printer;

/// How long at least between two lines about one transfer.
const OFTEN_ENOUGH: Duration = Duration::from_secs(10);

/// How far at least between two lines, unless it takes longer than [`SIGN_OF_LIFE`].
const FAR_ENOUGH: f64 = 0.1;

/// How long at most: what is silent for longer looks dead, and some CI systems end it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Shows lines.
pub(super) struct Plain {
    printer: Printer,
    text: Text,
}

impl Plain {
    pub(super) fn new(printer: Printer, text: Text) -> Self {
        Self { printer, text }
    }
}

impl Screen for Plain {
    fn show(&self, event: &Event<'_>) {
        for line in self.text.lines(event) {
            match line {
                Line::Message(line) => self.printer.message(&line),
                Line::Result(line) => self.printer.result(&line),
            }
        }
    }

    fn transfer(&self, build: &str, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        let lines = Lines {
            label: format!("{build}: {name}"),
            printer: self.printer.clone(),
            state: Mutex::new(State {
                tally: Tally::new(total),
                said: Duration::ZERO,
                said_fraction: 0.0,
                finished: false,
            }),
        };
        let size = total.map(|total| format!(", {}", indicatif::BinaryBytes(total)));
        lines.say(&format!("begins{}", size.unwrap_or_default()));
        Box::new(lines)
    }
}

/// A transfer as lines.
struct Lines {
    label: String,
    printer: Printer,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    /// When the last line came, from the beginning of the transfer.
    said: Duration,
    said_fraction: f64,
    finished: bool,
}

impl Lines {
    fn say(&self, text: &str) {
        self.printer.message(&format!("    {}: {text}", self.label));
    }

    fn update(&self, act: impl FnOnce(&mut Tally)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut state.tally);
        let now = state.tally.elapsed();
        let fraction = state.tally.fraction();
        let further = fraction.map(|fraction| fraction - state.said_fraction);
        if is_due(now.saturating_sub(state.said), further) {
            state.said = now;
            state.said_fraction = fraction.unwrap_or_default();
            self.say(&state.tally.progress());
        }
    }
}

/// Whether it is time for a line, `passed` after the last and `further` on.
fn is_due(passed: Duration, further: Option<f64>) -> bool {
    let far = further.is_none_or(|further| further >= FAR_ENOUGH);
    passed >= SIGN_OF_LIFE || (passed >= OFTEN_ENOUGH && far)
}

impl Transfer for Lines {
    fn set_total(&self, total: Option<u64>) {
        self.update(|tally| tally.set_total(total));
    }

    fn set_position(&self, bytes: u64) {
        self.update(|tally| tally.set_position(bytes));
    }

    fn advance(&self, bytes: u64) {
        self.update(|tally| tally.advance(bytes));
    }

    fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut state.finished, true) {
            state.tally.finish();
            self.say(&format!("done, {}", state.tally.summary()));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !state.finished {
            let summary = state.tally.summary();
            self.say(&format!("stopped after {summary}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(printer: Printer) -> Plain {
        let text = Text::new(printer.clone());
        Plain::new(printer, text)
    }

    #[test]
    fn lines_come_neither_too_often_nor_too_seldom() {
        let cases = [
            (0, Some(1.0), false),
            (9, Some(0.9), false),
            (10, Some(0.05), false),
            (10, Some(0.1), true),
            (59, Some(0.05), false),
            (60, Some(0.0), true),
            (9, None, false),
            (10, None, true),
        ];
        for (seconds, further, due) in cases {
            let passed = Duration::from_secs(seconds);
            assert_eq!(is_due(passed, further), due, "{seconds} s, {further:?}");
        }
    }

    #[test]
    fn a_transfer_tells_its_beginning_and_its_end_once() {
        let (printer, recorded) = Printer::for_test();
        let transfer = plain(printer).transfer("b", "disk: upload", Some(2 << 20));
        transfer.advance(1 << 20);
        transfer.finish();
        transfer.finish();
        drop(transfer);
        let said = recorded.messages();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert_eq!(lines[0], "    b: disk: upload: begins, 2.00 MiB");
        assert!(
            lines[1].starts_with("    b: disk: upload: done, 2.00 MiB in 0.0 s"),
            "{said}"
        );
    }

    #[test]
    fn one_that_is_dropped_has_stopped() {
        let (printer, recorded) = Printer::for_test();
        let transfer = plain(printer).transfer("b", "disk: download", None);
        transfer.advance(10);
        drop(transfer);
        let said = recorded.messages();
        assert!(
            said.starts_with("    b: disk: download: begins\n"),
            "{said}"
        );
        assert!(
            said.contains("    b: disk: download: stopped after 10 B in 0.0 s"),
            "{said}"
        );
    }
}
