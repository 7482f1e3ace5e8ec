//! The transfers of a communicator as the user sees them.

use std::sync::{Mutex, PoisonError};

use lvhost_communicator::Progress;

use crate::ui::{Transfer, Ui};

/// A bar for each file.
pub(super) struct Bars<'a> {
    ui: &'a dyn Ui,
    /// `upload` or `download`.
    verb: &'static str,
    bar: Mutex<Option<Box<dyn Transfer>>>,
}

impl<'a> Bars<'a> {
    pub(super) fn new(ui: &'a dyn Ui, verb: &'static str) -> Self {
        Self {
            ui,
            verb,
            bar: Mutex::new(None),
        }
    }
}

impl Progress for Bars<'_> {
    fn started(&self, name: &str, total: Option<u64>) {
        let bar = self.ui.transfer(&format!("{} {name}", self.verb), total);
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advanced(&self, bytes: u64) {
        if let Some(bar) = self
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_deref()
        {
            bar.advance(bytes);
        }
    }

    fn finished(&self) {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(bar) = bar {
            bar.finish();
        }
    }
}

/// Shows nothing: scripts are too small for a bar.
pub(super) struct Silent;

impl Progress for Silent {
    fn started(&self, _name: &str, _total: Option<u64>) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
}
