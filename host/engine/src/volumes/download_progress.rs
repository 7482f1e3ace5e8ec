//! What a user sees of a download, and what it costs the component that wants it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lvhost_fetch::Location;
use lvhost_runtime::Work;

use crate::ui::{Transfer, Ui};

/// Hands a download's progress to the user.
pub(super) struct DownloadProgress<'a> {
    pub(super) work: Work,
    pub(super) ui: &'a dyn Ui,
    /// What lines and bars begin with.
    pub(super) label: &'a str,
    pub(super) bar: Mutex<Option<Box<dyn Transfer>>>,
}

impl DownloadProgress<'_> {
    fn with_bar(&self, act: impl FnOnce(&dyn Transfer)) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bar.as_deref() {
            act(bar);
        }
    }
}

impl lvhost_fetch::Progress for DownloadProgress<'_> {
    fn started(&self, origin: &Location, total: Option<u64>, resumed_from: u64) {
        let name = match origin {
            Location::Web(_) => format!("{}: download", self.label),
            Location::Path(path) => format!("{}: read {}", self.label, shown(path)),
        };
        let bar = self.ui.transfer(&name, total);
        bar.set_position(resumed_from);
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advanced(&self, bytes: u64) {
        self.work.checked(bytes);
        self.with_bar(|bar| bar.advance(bytes));
    }

    fn worked(&self, processor_time: Duration) {
        self.work.computed(processor_time);
    }

    fn finished(&self) {
        self.with_bar(|bar| bar.finish());
    }

    fn note(&self, text: &str) {
        self.ui.say(&format!("{}: {text}", self.label));
    }
}

fn shown(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
}
