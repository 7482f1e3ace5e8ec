//! Builds as events on standard output, one JSON object a line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lvhost_engine::Transfer;
use serde::Serialize;

use super::Screen;
use super::event::Event;
use super::tally::Tally;
use crate::printer::Printer;

/// How long at least between two events of progress of one transfer: often enough for a bar, and far
/// below what a transfer reports.
const OFTEN_ENOUGH: Duration = Duration::from_millis(500);

/// Writes events.
#[derive(Clone)]
pub(super) struct Json {
    printer: Printer,
    transfers: Arc<AtomicU64>,
}

/// An event with when it happened.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Json {
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            transfers: Arc::default(),
        }
    }
}

impl Screen for Json {
    fn show(&self, event: &Event<'_>) {
        let line = Line {
            time: format!("{:.3}", jiff::Timestamp::now()),
            event,
        };
        self.printer.json(&line);
    }

    fn transfer(&self, build: &str, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        let transfer = self.transfers.fetch_add(1, Ordering::Relaxed) + 1;
        self.show(&Event::TransferStarted {
            build,
            transfer,
            name,
            total,
        });
        Box::new(Moving {
            build: build.to_owned(),
            transfer,
            screen: self.clone(),
            state: Mutex::new(State {
                tally: Tally::new(total),
                told: Duration::ZERO,
                finished: false,
            }),
        })
    }
}

/// A transfer as events.
struct Moving {
    build: String,
    transfer: u64,
    screen: Json,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    /// When the last event came, from the beginning of the transfer.
    told: Duration,
    finished: bool,
}

impl Moving {
    fn update(&self, act: impl FnOnce(&mut Tally)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut state.tally);
        let now = state.tally.elapsed();
        if now.saturating_sub(state.told) >= OFTEN_ENOUGH {
            state.told = now;
            self.screen.show(&Event::TransferProgress {
                build: &self.build,
                transfer: self.transfer,
                position: state.tally.position(),
                total: state.tally.total(),
            });
        }
    }

    fn finished(&self, tally: &Tally, complete: bool) {
        self.screen.show(&Event::TransferFinished {
            build: &self.build,
            transfer: self.transfer,
            position: tally.position(),
            seconds: tally.elapsed().as_secs_f64(),
            complete,
        });
    }
}

impl Transfer for Moving {
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
            self.finished(&state.tally, true);
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.finished {
            self.finished(&state.tally, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ui::event::Level;

    fn events(said: &str) -> Vec<Value> {
        let read = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            let time = event.as_object_mut().unwrap().remove("time").unwrap();
            let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
            assert!(time > jiff::Timestamp::UNIX_EPOCH);
            event.as_object_mut().unwrap().remove("seconds");
            event
        };
        said.lines().map(read).collect()
    }

    #[test]
    fn events_are_lines_of_json_on_standard_output() {
        let (printer, recorded) = Printer::for_test();
        let screen = Json::new(printer);
        screen.show(&Event::Message {
            build: "libvirt.example",
            level: Level::Warning,
            text: "two\nlines",
        });
        let expected = json!({
            "event": "message",
            "build": "libvirt.example",
            "level": "warning",
            "text": "two\nlines",
        });
        assert_eq!(events(&recorded.results()), [expected]);
        assert_eq!(recorded.messages(), "");
    }

    #[test]
    fn a_transfer_is_told_from_its_beginning_to_its_end() {
        let (printer, recorded) = Printer::for_test();
        let screen = Json::new(printer);
        let whole = screen.transfer("b", "disk: upload", Some(4));
        let broken = screen.transfer("b", "cd: download", None);
        whole.advance(2);
        broken.advance(3);
        whole.finish();
        whole.finish();
        drop(whole);
        drop(broken);
        assert_eq!(
            events(&recorded.results()),
            [
                json!({"event": "transfer-started", "build": "b", "transfer": 1,
                       "name": "disk: upload", "total": 4}),
                json!({"event": "transfer-started", "build": "b", "transfer": 2,
                       "name": "cd: download", "total": null}),
                json!({"event": "transfer-finished", "build": "b", "transfer": 1,
                       "position": 4, "complete": true}),
                json!({"event": "transfer-finished", "build": "b", "transfer": 2,
                       "position": 3, "complete": false}),
            ]
        );
    }
}
