//! Ctrl-C and SIGTERM.
//!
//! ```text
//!  running ──Ctrl-C, SIGTERM──► cancelling: the build cleans up, then exit 130
//!                                   └──Ctrl-C──► exit 130 at once; what may be left is said
//! ```

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit_code::CANCELLED;
use crate::printer::Printer;
use crate::ui::{Event, Screen};

/// What a user would have to look for if lvhost ended at this moment.
#[derive(Clone, Default)]
pub(crate) struct AtRisk(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl AtRisk {
    /// From now on these of a build.
    pub(crate) fn set(&self, build: &str, things: Vec<String>) {
        let mut builds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        builds.insert(build.to_owned(), things);
    }

    /// Nothing of a build any more.
    pub(crate) fn clear(&self, build: &str) {
        let mut builds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        builds.remove(build);
    }

    fn get(&self) -> Vec<String> {
        let builds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        builds.values().flatten().cloned().collect()
    }
}

/// Follows the signals from now on: the first triggers `cancel`, a second Ctrl-C ends the process.
///
/// # Errors
/// When there are no signals to be had.
pub(crate) fn follow(
    cancel: CancellationToken,
    at_risk: AtRisk,
    screen: Arc<dyn Screen>,
    printer: Printer,
) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => screen.show(&Event::Cancelling {
                text: "Cancelling, cleaning up; press Ctrl-C again to stop at once and leave things behind",
            }),
            _ = terminate.recv() => screen.show(&Event::Cancelling {
                text: "Cancelling, cleaning up",
            }),
        }
        cancel.cancel();
        interrupt.recv().await;
        screen.leave();
        // Straight to the stream: the screen may be what hangs.
        printer.error(&stopped(&at_risk.get()));
        end_now();
    });
    Ok(())
}

fn stopped(things: &[String]) -> String {
    let mut text = "stopped before everything was cleaned up".to_owned();
    if !things.is_empty() {
        text.push_str("; what may be left behind:");
        for thing in things {
            text.push_str("\n  ");
            text.push_str(thing);
        }
        text.push_str("\n`lvhost clean` lists and removes it");
    }
    text
}

#[expect(
    clippy::exit,
    reason = "the user wants the process to end, whatever its tasks still do"
)]
fn end_now() {
    std::process::exit(i32::from(CANCELLED));
}
