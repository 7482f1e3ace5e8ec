//! The guest's consoles during a build: the serial one is kept in a file, and one may be watched.

use std::path::PathBuf;
use std::sync::Arc;

use lvhost_config::{Console, ConsoleLog, LibvirtSource};
use lvhost_libvirt::DomainId;

use super::Build;
use crate::console::Recorder;
use crate::ui::Ui as _;

/// What is listened to.
#[derive(Default)]
pub(super) struct Consoles {
    /// The serial console and the file it is kept in.
    pub(super) serial: Option<(Recorder, Option<PathBuf>)>,
    /// The virtual console, held open while the user watches it.
    _virtual: Option<Recorder>,
}

impl Consoles {
    /// Waits for what the guest has written and is still on its way to the file and the user.
    pub(super) async fn settle(&self) {
        if let Some((recorder, _)) = &self.serial {
            recorder.settle().await;
        }
    }
}

impl Build {
    /// Begins to listen. What can't be listened to is told, and is no reason to fail.
    pub(super) async fn listen(&self, source: &LibvirtSource, domain: &DomainId) -> Consoles {
        let log = match &source.console_log {
            ConsoleLog::Off => None,
            ConsoleLog::File(path) => Some(self.working_directory.join(path)),
            ConsoleLog::Default => self
                .log_directory
                .as_ref()
                .map(|directory| directory.join("console.log")),
        };
        let watches = |console| self.watched_console == Some(console);
        let mut consoles = Consoles::default();
        if log.is_some() || watches(Console::Serial) {
            let recorder = self.record(domain, Console::Serial, log.clone()).await;
            consoles.serial = recorder.map(|recorder| (recorder, log));
        }
        if watches(Console::Virtual) {
            consoles._virtual = self.record(domain, Console::Virtual, None).await;
        }
        consoles
    }

    async fn record(
        &self,
        domain: &DomainId,
        console: Console,
        path: Option<PathBuf>,
    ) -> Option<Recorder> {
        let alias = console.as_str();
        let stream = match self.hypervisor.open_console(domain, Some(alias)).await {
            Ok(stream) => stream,
            Err(error @ lvhost_libvirt::Error::NotSupported { .. }) => {
                tracing::info!(%error, "the guest's console is not kept");
                return None;
            }
            Err(error) => {
                self.ui
                    .warn(&format!("the guest's {alias} can't be read: {error}"));
                return None;
            }
        };
        let watcher =
            (self.watched_console == Some(console)).then(|| Arc::new(self.ui.clone()) as _);
        match Recorder::start(stream, path.as_deref(), watcher).await {
            Ok(recorder) => Some(recorder),
            Err(error) => {
                let path = path.unwrap_or_default();
                self.ui.warn(&format!(
                    "the guest's console can't be kept in {}: {error}",
                    path.display()
                ));
                None
            }
        }
    }
}
