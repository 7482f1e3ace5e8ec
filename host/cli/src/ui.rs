//! A run as the user sees it. What happens is an [`Event`]; a [`Screen`] shows it.
//!
//! ```text
//!  engine ──Ui──► BuildUi ──Event──► Screen ─┬► Terminal: lines above, a bar for each transfer below
//!                 (one a build)              ├► Plain:    lines only
//!                    └► Questions            └► Json:     an object a line
//! ```

mod build_ui;
mod event;
mod hidden_input;
mod json;
mod key_echo;
mod layout;
mod plain;
mod questions;
mod tally;
mod terminal;
mod text;

use std::sync::Arc;

use lvhost_engine::Transfer;

pub(crate) use self::build_ui::{BuildUi, last_seen, letters, taken};
pub(crate) use self::event::{ArtifactFacts, BuildResult, Event, StepTime};
pub(crate) use self::questions::Questions;
pub(crate) use self::tally::Tally;
use self::text::Text;
use crate::printer::Printer;
use crate::surroundings::Surroundings;

/// Where builds are shown; all of a run share one.
pub(crate) trait Screen: Send + Sync {
    /// Shows an event.
    fn show(&self, event: &Event<'_>);

    /// Bytes of a build begin to move.
    fn transfer(&self, build: &str, name: &str, total: Option<u64>) -> Box<dyn Transfer>;

    /// Draws nothing but lines from now on, since the user is asked something.
    fn make_room(&self) {}

    /// Draws as before [`Self::make_room`].
    fn go_on(&self) {}

    /// Leaves the terminal as it was before. Nothing is shown any more.
    fn leave(&self) {}
}

/// What a screen has to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// For programs.
    pub(crate) json: bool,
    /// There is a log on the same stream, which would tear bars apart.
    pub(crate) is_logging: bool,
}

/// The screen for this process, with bars where they can be drawn.
pub(crate) fn screen(
    style: Style,
    printer: &Printer,
    surroundings: &Surroundings,
) -> Arc<dyn Screen> {
    let printer = printer.clone();
    if style.json {
        return Arc::new(json::Json::new(printer));
    }
    let text = Text::new(printer.clone());
    if surroundings.has_terminal() && !style.is_logging {
        Arc::new(terminal::Terminal::new(printer, text))
    } else {
        Arc::new(plain::Plain::new(printer, text))
    }
}
