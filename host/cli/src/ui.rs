//! A build as the user sees it: lines with the source's name in front, as Packer writes them, and
//! transfers as bars or lines.
//!
//! ```text
//!  engine ──Ui──► BuildUi ──Screen──► Terminal: lines above, a bar for each transfer below
//!                 (one a build)    └► Plain:    lines only
//! ```

mod plain;
mod tally;
mod terminal;

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_engine::{Step, Stream, Transfer, Ui};

use crate::printer::{Paint, Printer};
use crate::surroundings::Surroundings;

/// Where builds are shown; all of a run share one.
pub(crate) trait Screen: Send + Sync {
    /// A line for the user.
    fn message(&self, line: &str);

    /// A line of what was asked for.
    fn result(&self, line: &str);

    /// Bytes begin to move.
    fn transfer(&self, label: &str, total: Option<u64>) -> Box<dyn Transfer>;
}

/// The screen for this process: bars where they can be drawn. Not beside a log, which would tear
/// them apart.
pub(crate) fn screen(
    printer: &Printer,
    surroundings: &Surroundings,
    is_logging: bool,
) -> Arc<dyn Screen> {
    if surroundings.has_terminal() && !is_logging {
        Arc::new(terminal::Terminal::new(printer.clone()))
    } else {
        Arc::new(plain::Plain::new(printer.clone()))
    }
}

/// Shows one build and remembers how long its steps took.
pub(crate) struct BuildUi {
    label: String,
    screen: Arc<dyn Screen>,
    printer: Printer,
    steps: Mutex<Vec<(Step, Duration)>>,
}

impl BuildUi {
    /// A build called `label`. `printer` only paints.
    pub(crate) fn new(label: String, screen: Arc<dyn Screen>, printer: Printer) -> Self {
        Self {
            label,
            screen,
            printer,
            steps: Mutex::default(),
        }
    }

    /// The steps so far, in the order they ended.
    pub(crate) fn steps(&self) -> Vec<(Step, Duration)> {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Text of several lines, as it is.
    pub(crate) fn block(&self, text: &str) {
        self.screen.message(text.trim_end());
    }

    /// A line of less weight, below what was said.
    pub(crate) fn detail(&self, line: &str) {
        self.screen.message(&format!("    {}: {line}", self.label));
    }

    /// A line of the build's result.
    pub(crate) fn result(&self, line: &str) {
        self.screen.result(&format!("{}: {line}", self.label));
    }

    fn announce(&self, paint: Paint, message: &str) {
        let label = self.printer.paint(paint, &format!("==> {}:", self.label));
        self.screen.message(&format!("{label} {message}"));
    }
}

#[async_trait]
impl Ui for BuildUi {
    fn say(&self, message: &str) {
        self.announce(Paint::Announcement, message);
    }

    fn warn(&self, message: &str) {
        self.announce(Paint::Warning, &format!("warning: {message}"));
    }

    fn error(&self, message: &str) {
        self.announce(Paint::Error, &format!("error: {message}"));
    }

    fn output(&self, stream: Stream, line: &str) {
        let line = harmless(line);
        self.detail(&match stream {
            Stream::Stdout => line,
            Stream::Stderr => self.printer.paint(Paint::Aside, &line),
        });
    }

    fn step_finished(&self, step: Step, time: Duration) {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((step, time));
    }

    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        self.screen
            .transfer(&format!("{}: {name}", self.label), total)
    }

    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        if !io::stdin().is_terminal() {
            return Err("standard input is not a terminal".to_owned());
        }
        if !note.is_empty() {
            self.say(note);
        }
        self.say("Press Enter to go on");
        let read = || io::stdin().read_line(&mut String::new());
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(0)) => Err("standard input was closed".to_owned()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What a guest printed, without what could steer the user's terminal. Of a line that was written over
/// with carriage returns, what was last to be seen.
fn harmless(line: &str) -> String {
    let last = line
        .rsplit('\r')
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    let plain = console::strip_ansi_codes(last);
    plain
        .chars()
        .filter(|character| *character == '\t' || !character.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build_ui() -> (BuildUi, crate::printer::Recorded) {
        let (printer, recorded) = Printer::for_test();
        let screen = Arc::new(plain::Plain::new(printer.clone()));
        (
            BuildUi::new("libvirt.example".to_owned(), screen, printer),
            recorded,
        )
    }

    #[test]
    fn lines_carry_the_name_of_the_source() {
        let (ui, recorded) = build_ui();
        ui.say("Starting");
        ui.warn("odd");
        ui.error("bad");
        ui.output(Stream::Stdout, "hello");
        ui.output(Stream::Stderr, "oops");
        ui.result("artifact");
        assert_eq!(
            recorded.messages(),
            "==> libvirt.example: Starting\n\
             ==> libvirt.example: warning: odd\n\
             ==> libvirt.example: error: bad\n    \
                 libvirt.example: hello\n    \
                 libvirt.example: oops\n"
        );
        assert_eq!(recorded.results(), "libvirt.example: artifact\n");
    }

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        let cases = [
            ("plain\ttext", "plain\ttext"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            (" 10 %\r 20 %\r", " 20 %"),
            ("bell\u{7}back\u{8}", "bellback"),
            ("grüße", "grüße"),
            ("", ""),
        ];
        for (said, shown) in cases {
            assert_eq!(harmless(said), shown, "{said:?}");
        }
    }
}
