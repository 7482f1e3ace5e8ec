//! Builds on a terminal: a bar for each transfer, and the lines above them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState,
    ProgressStyle,
};
use lvhost_engine::Transfer;

use super::Screen;
use super::event::Event;
use super::key_echo::KeyEcho;
use super::layout::layout;
use super::tally::Tally;
use super::text::{Line, Text};
use crate::printer::Printer;
use crate::shown::shown;

/// Shows bars below lines.
pub(super) struct Terminal {
    bars: MultiProgress,
    /// Columns there are now.
    width: fn() -> usize,
    keys: Option<KeyEcho>,
    printer: Printer,
    text: Text,
}

impl Terminal {
    pub(super) fn new(printer: Printer, text: Text) -> Self {
        let width = || usize::from(console::Term::stderr().size().1);
        Self {
            keys: Some(KeyEcho::switched_off()),
            ..Self::on(ProgressDrawTarget::stderr(), width, printer, text)
        }
    }

    fn on(target: ProgressDrawTarget, width: fn() -> usize, printer: Printer, text: Text) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(target),
            width,
            keys: None,
            printer,
            text,
        }
    }
}

impl Screen for Terminal {
    fn show(&self, event: &Event<'_>) {
        let lines = self.text.lines(event);
        if lines.is_empty() {
            return;
        }
        self.bars.suspend(|| {
            for line in &lines {
                match line {
                    Line::Message(line) => self.printer.message(line),
                    Line::Result(line) => self.printer.result(line),
                }
            }
        });
    }

    fn make_room(&self) {
        // What can't be cleared is overwritten by the question.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn go_on(&self) {
        self.bars.set_draw_target(ProgressDrawTarget::stderr());
    }

    fn leave(&self) {
        if let Some(keys) = &self.keys {
            keys.restore();
        }
    }

    fn transfer(&self, build: &str, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        let label = shown(&format!("{build}: {name}"));
        let bar = ProgressBar::no_length().with_finish(ProgressFinish::AndClear);
        let bar = Bar {
            bar: self.bars.add(bar),
            bars: self.bars.clone(),
            width: self.width,
            label,
            printer: self.printer.clone(),
            state: Mutex::new(State {
                tally: Tally::new(total),
                finished: false,
            }),
        };
        bar.show_total(total);
        Box::new(bar)
    }
}

/// A transfer as a bar.
struct Bar {
    bar: ProgressBar,
    bars: MultiProgress,
    width: fn() -> usize,
    label: String,
    printer: Printer,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    finished: bool,
}

impl Bar {
    fn show_total(&self, total: Option<u64>) {
        let (label, template) = layout(&self.label, total.is_some(), (self.width)());
        self.bar.set_prefix(label);
        // The templates are made of constants; a test reads them.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar
                .set_style(style.progress_chars("=> ").with_key("left", time_left));
        }
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
    }

    fn update(&self, act: impl FnOnce(&mut Tally)) {
        act(&mut self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tally);
    }

    fn end(&self, text: &str) {
        self.bar.finish_and_clear();
        let line = format!("    {}: {text}", self.label);
        self.bars.suspend(|| self.printer.message(&line));
    }
}

/// Nothing before there is a rate to tell it by.
fn time_left(state: &ProgressState, text: &mut dyn fmt::Write) {
    if state.per_sec() >= 1.0 {
        // What draws has nowhere to report a failure to.
        let _ = write!(text, ", {:#} left", HumanDuration(state.eta()));
    }
}

impl Transfer for Bar {
    fn set_total(&self, total: Option<u64>) {
        self.update(|tally| tally.set_total(total));
        self.show_total(total);
    }

    fn set_position(&self, bytes: u64) {
        self.update(|tally| tally.set_position(bytes));
        let first = self.bar.position() == 0;
        self.bar.set_position(bytes);
        if first {
            // What was there before says nothing about the rate.
            self.bar.reset_eta();
        }
    }

    fn advance(&self, bytes: u64) {
        self.update(|tally| tally.advance(bytes));
        self.bar.inc(bytes);
    }

    fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut state.finished, true) {
            state.tally.finish();
            self.end(&format!("done, {}", state.tally.summary()));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !state.finished {
            let text = format!("stopped after {}", state.tally.summary());
            self.end(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// Remembers every text that is drawn.
    #[derive(Debug, Clone, Default)]
    struct Drawn(Arc<Mutex<Vec<String>>>);

    impl Drawn {
        fn contains(&self, text: &str) -> bool {
            self.0
                .lock()
                .unwrap()
                .iter()
                .any(|drawn| drawn.contains(text))
        }
    }

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            120
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_transfer_has_a_bar_until_it_ends_with_a_line() {
        let (printer, recorded) = Printer::for_test();
        let drawn = Drawn::default();
        let target = ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        let text = Text::new(printer.clone());
        let terminal = Terminal::on(target, || 120, printer, text);
        let upload = terminal.transfer("b", "disk: upload", Some(4 << 20));
        let download = terminal.transfer("b", "cd: download", None);
        upload.set_position(0);
        upload.advance(1 << 20);
        download.advance(3 << 20);
        terminal.show(&Event::Cancelling {
            text: "a line above",
        });
        assert!(drawn.contains("b: disk: upload [======>"), "{drawn:?}");
        assert!(drawn.contains("1.00 MiB/4.00 MiB"), "{drawn:?}");
        assert!(drawn.contains("/s, 0s left"), "{drawn:?}");
        assert!(drawn.contains("b: cd: download"), "{drawn:?}");
        upload.finish();
        drop(upload);
        drop(download);
        let said = recorded.messages();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert_eq!(lines[0], "a line above");
        assert!(
            lines[1].starts_with("    b: disk: upload: done, 4.00 MiB in "),
            "{said}"
        );
        assert!(
            lines[2].starts_with("    b: cd: download: stopped after 3.00 MiB in "),
            "{said}"
        );
    }
}
