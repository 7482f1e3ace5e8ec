//! A transfer as one of Packer's bars, which are seen on a terminal only, and as a line at its end.
//!
//! ```text
//!  made ─► first byte: queued ─► the queue's task: a bar of Packer's ─► bytes ─► finished: a line
//! ```
//! Packer wants to know the size before the first byte, and cannot be told later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lvhost_engine::Transfer;
use lvhost_packer::{CallError, Progress};
use tokio::sync::mpsc;

use super::ui::Message;
use crate::shown::shown;
use crate::ui::Tally;

/// One transfer. What is dropped of it takes the bar away.
pub(super) struct Bar {
    state: Arc<Mutex<State>>,
    name: String,
    queue: mpsc::UnboundedSender<Message>,
}

struct State {
    tally: Tally,
    is_queued: bool,
    is_finished: bool,
    shown: Option<Shown>,
}

/// Packer's bar, and how far it is.
struct Shown {
    progress: Progress,
    position: u64,
}

impl Bar {
    /// A transfer that has not begun.
    pub(super) fn new(
        name: &str,
        total: Option<u64>,
        queue: mpsc::UnboundedSender<Message>,
    ) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                tally: Tally::new(total),
                is_queued: false,
                is_finished: false,
                shown: None,
            })),
            name: name.to_owned(),
            queue,
        }
    }

    /// Puts the bar on Packer's screen, if there is still something to see.
    pub(super) async fn show(&self, ui: &lvhost_packer::Ui) -> Result<(), CallError> {
        let total = {
            let state = self.state();
            if state.is_finished {
                return Ok(());
            }
            state.tally.total().unwrap_or_default()
        };
        let progress = ui.track_progress(&shown(&self.name), 0, total).await?;
        let mut state = self.state();
        if !state.is_finished {
            let position = state.tally.position();
            progress.advance(position);
            state.shown = Some(Shown { progress, position });
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, act: impl FnOnce(&mut Tally)) {
        let mut state = self.state();
        act(&mut state.tally);
        let position = state.tally.position();
        if let Some(shown) = &mut state.shown {
            // A bar can't go back; a transfer that begins anew catches up with it.
            shown
                .progress
                .advance(position.saturating_sub(shown.position));
            shown.position = shown.position.max(position);
        } else if position > 0 && !std::mem::replace(&mut state.is_queued, true) {
            let bar = Self {
                state: Arc::clone(&self.state),
                name: self.name.clone(),
                queue: self.queue.clone(),
            };
            let _ = self.queue.send(Message::Bar(Arc::new(bar)));
        }
    }
}

impl Transfer for Bar {
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
        let mut state = self.state();
        if std::mem::replace(&mut state.is_finished, true) {
            return;
        }
        state.tally.finish();
        state.shown = None;
        let line = format!("{}: {}", self.name, state.tally.summary());
        let _ = self.queue.send(Message::Say(line));
    }
}
