//! The process's two streams: results go to standard output, everything else to standard error.
//!
//! A reader that has gone away (`lvhost … | head`) is not an error: what can't be written is dropped,
//! since a build has to clean up whether anybody listens or not.
//!
//! Nothing else in the program writes there but the log and the bars, and all that is written passes the
//! filter of [`shown`](crate::shown).

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use console::{Color as Hue, Style};
use lvhost_hcl::{Diagnostics, RenderStyle, SourceMap, render};
use serde::Serialize;

use crate::arguments::Color;
use crate::components::Notice;
use crate::shown::{Marks, escaped, shown};
use crate::surroundings::Surroundings;

/// Widest a diagnostic is drawn: beyond it lines are no longer readable.
const WIDEST: usize = 160;

/// The colours that tell builds apart. Yellow and red are those of warnings and errors.
const BUILDS: [Hue; 4] = [Hue::Green, Hue::Cyan, Hue::Magenta, Hue::Blue];

type Stream = Arc<Mutex<dyn Write + Send>>;

/// Writes to both streams. Clones write to the same ones.
#[derive(Clone)]
pub(crate) struct Printer {
    results: Stream,
    messages: Stream,
    marks: Marks,
    color: bool,
    width: usize,
}

impl Printer {
    /// The streams of this process.
    pub(crate) fn standard(color: Color, surroundings: &Surroundings) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org: set to anything but nothing.
            Color::Auto => surroundings.has_terminal() && surroundings.set("NO_COLOR").is_none(),
        };
        // For the bars, which ask there.
        console::set_colors_enabled(color);
        console::set_colors_enabled_stderr(color);
        Self {
            results: Arc::new(Mutex::new(io::stdout())),
            messages: Arc::new(Mutex::new(io::stderr())),
            marks: Marks::new(),
            color,
            width: width(surroundings),
        }
    }

    /// A line of what was asked for.
    pub(crate) fn result(&self, line: &str) {
        write_line(&self.results, &self.marks.line(line));
    }

    /// What was asked for, as JSON on one line.
    pub(crate) fn json(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => write_line(&self.results, &escaped(&text)),
            // Only a map with keys that are no texts can't be written; there is none.
            Err(error) => self.error(&error.to_string()),
        }
    }

    /// A line for the user.
    pub(crate) fn message(&self, line: &str) {
        write_line(&self.messages, &self.marks.line(line));
    }

    /// What takes the lines of those who can't wait to be asked for them.
    pub(crate) fn notice(&self) -> Notice {
        let printer = self.clone();
        Arc::new(move |line| printer.message(line))
    }

    /// Something went wrong.
    pub(crate) fn error(&self, text: &str) {
        let label = self.paint(Paint::Error, "error");
        self.message(&format!("{label}: {text}"));
    }

    /// A text of many lines that this program has made out of nothing but itself, as it is.
    pub(crate) fn own(&self, text: &str) {
        write_line(&self.results, text);
    }

    /// Text in a colour, if there are any.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        let style = match paint {
            Paint::Build(number) => Style::new().fg(BUILDS[number % BUILDS.len()]).bold(),
            Paint::Warning => Style::new().yellow().bold(),
            Paint::Error => Style::new().red().bold(),
            Paint::Aside => Style::new().dim(),
        };
        let painted = style.force_styling(self.color).apply_to(shown(text));
        self.marks.marked(&painted.to_string())
    }

    /// Diagnostics as text for the lines that are written.
    pub(crate) fn drawn(&self, files: &SourceMap, diagnostics: &Diagnostics) -> String {
        let style = RenderStyle {
            color: self.color,
            width: self.width,
        };
        self.marks.marked(&render(files, diagnostics, style))
    }
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Paint {
    /// A build, by its number, begins something or has done it.
    Build(usize),
    /// Something is surprising.
    Warning,
    /// Something went wrong.
    Error,
    /// Of less interest.
    Aside,
}

fn width(surroundings: &Surroundings) -> usize {
    if !surroundings.has_terminal() {
        return RenderStyle::default().width;
    }
    let (_, columns) = console::Term::stderr().size();
    usize::from(columns).clamp(40, WIDEST)
}

fn write_line(stream: &Stream, line: &str) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    // One write for a line: two processes on one terminal don't tear each other's lines apart.
    let _ = stream
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| stream.flush());
}

#[cfg(test)]
impl Printer {
    /// A printer without colours, and what is written to its two streams.
    pub(crate) fn for_test() -> (Self, RecordedOutput) {
        let recorded = RecordedOutput::default();
        let printer = Self {
            results: recorded.results.clone(),
            messages: recorded.messages.clone(),
            marks: Marks::new(),
            color: false,
            width: 100,
        };
        (printer, recorded)
    }
}

/// What a printer for tests has written.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct RecordedOutput {
    results: Arc<Mutex<Vec<u8>>>,
    messages: Arc<Mutex<Vec<u8>>>,
}

#[cfg(test)]
impl RecordedOutput {
    pub(crate) fn results(&self) -> String {
        String::from_utf8(self.results.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn messages(&self) -> String {
        String::from_utf8(self.messages.lock().unwrap().clone()).unwrap()
    }
}
