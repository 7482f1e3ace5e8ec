//! Builds on a terminal: a bar for each transfer, and the lines above them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState,
    ProgressStyle,
};
use lvhost_engine::Transfer;

use super::Screen;
use super::tally::Tally;
use crate::printer::Printer;

/// With a total: how much, how fast, how long still.
const BAR: &str = "    {prefix} [{bar:24.green}] {binary_bytes}/{binary_total_bytes} \
                   {binary_bytes_per_sec}{left}";

/// Without one: how much and how fast.
const SPINNER: &str = "    {prefix} {spinner} {binary_bytes} {binary_bytes_per_sec}";

/// Shows bars below lines.
pub(super) struct Terminal {
    bars: MultiProgress,
    printer: Printer,
}

impl Terminal {
    pub(super) fn new(printer: Printer) -> Self {
        Self::on(ProgressDrawTarget::stderr(), printer)
    }

    fn on(target: ProgressDrawTarget, printer: Printer) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(target),
            printer,
        }
    }
}

impl Screen for Terminal {
    fn message(&self, line: &str) {
        self.bars.suspend(|| self.printer.message(line));
    }

    fn result(&self, line: &str) {
        self.bars.suspend(|| self.printer.result(line));
    }

    fn transfer(&self, label: &str, total: Option<u64>) -> Box<dyn Transfer> {
        let bar = ProgressBar::no_length()
            .with_prefix(label.to_owned())
            .with_finish(ProgressFinish::AndClear);
        let bar = Bar {
            bar: self.bars.add(bar),
            bars: self.bars.clone(),
            label: label.to_owned(),
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
        let template = if total.is_some() { BAR } else { SPINNER };
        // The templates are constants; a test reads them.
        if let Ok(style) = ProgressStyle::with_template(template) {
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
    fn the_templates_are_right() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn every_transfer_has_a_bar_until_it_ends_with_a_line() {
        let (printer, recorded) = Printer::for_test();
        let drawn = Drawn::default();
        let target = ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        let terminal = Terminal::on(target, printer);
        let upload = terminal.transfer("disk: upload", Some(4 << 20));
        let download = terminal.transfer("cd: download", None);
        upload.set_position(0);
        upload.advance(1 << 20);
        download.advance(3 << 20);
        terminal.message("a line above");
        assert!(drawn.contains("disk: upload [======>"), "{drawn:?}");
        assert!(drawn.contains("1.00 MiB/4.00 MiB"), "{drawn:?}");
        assert!(drawn.contains("/s, 0s left"), "{drawn:?}");
        assert!(drawn.contains("cd: download"), "{drawn:?}");
        upload.finish();
        drop(upload);
        drop(download);
        let said = recorded.messages();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert_eq!(lines[0], "a line above");
        assert!(
            lines[1].starts_with("    disk: upload: done, 4.00 MiB in "),
            "{said}"
        );
        assert!(
            lines[2].starts_with("    cd: download: stopped after 3.00 MiB in "),
            "{said}"
        );
    }
}
