//! The engine's user is Packer's.
//!
//! ```text
//!  engine ─► say, output, ask, a bar ─► queue ─► one task, in order ─► Packer
//!  build over ─► end ─────────────────────┘        └─► ended: all of it is shown
//! ```
//! The engine does not wait for its words to be shown, and Packer shows one at a time. The prefix with the
//! name of the build is Packer's own, for each line of a text; what of it can't be seen is left out here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_engine::{Step, Stream, Transfer};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::bar::Bar;
use crate::shown::shown_lines;
use crate::ui::{last_seen, letters, taken};

/// Lines of a guest's console that wait to be shown. A guest can print faster than Packer shows; what is
/// more than a few screens behind is not worth memory.
const WAITING_LINES: usize = 1000;

/// What Packer is told.
pub(super) enum Message {
    /// A text.
    Say(String),
    /// A text about what went wrong.
    Error(String),
    /// A line that a guest printed.
    Output(String),
    /// A bar that has something to show.
    Bar(Arc<Bar>),
    /// A question, and where the answer goes.
    Ask(String, oneshot::Sender<Result<String, String>>),
    /// Nothing is shown any more.
    End,
}

/// What shows.
pub(super) struct Screen {
    queue: mpsc::UnboundedSender<Message>,
    task: JoinHandle<()>,
}

impl Screen {
    /// Returns when all that was said is shown.
    pub(super) async fn end(self) {
        // The task ends early only by a panic, and then there is nothing to wait for.
        let _ = self.queue.send(Message::End);
        let _ = self.task.await;
    }
}

/// Packer's user interface as the engine's.
pub(super) struct PackerUi {
    queue: mpsc::UnboundedSender<Message>,
    /// Lines of output in the queue.
    waiting: Arc<AtomicUsize>,
    /// It was said that lines are left out.
    is_behind: AtomicBool,
}

impl PackerUi {
    /// Shows what it is told on `ui`, until the screen is ended.
    pub(super) fn start(ui: lvhost_packer::Ui) -> (Self, Screen) {
        let (queue, messages) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(show(ui, messages, Arc::clone(&waiting)));
        let user = Self {
            queue: queue.clone(),
            waiting,
            is_behind: AtomicBool::new(false),
        };
        (user, Screen { queue, task })
    }

    fn send(&self, message: Message) {
        // After the end nobody listens.
        let _ = self.queue.send(message);
    }

    async fn question(&self, text: String) -> Result<String, String> {
        let (sender, answer) = oneshot::channel();
        self.send(Message::Ask(text, sender));
        answer
            .await
            .unwrap_or_else(|_| Err("Packer is gone".to_owned()))
    }
}

async fn show(
    ui: lvhost_packer::Ui,
    mut messages: mpsc::UnboundedReceiver<Message>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(message) = messages.recv().await {
        // A Packer that is gone shows nothing, and is no reason to stop: the build is cancelled then.
        let shown = match message {
            Message::Say(text) => ui.say(&shown_lines(&text)).await,
            Message::Error(text) => ui.error(&shown_lines(&text)).await,
            Message::Output(line) => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                ui.say(&line).await
            }
            Message::Bar(bar) => bar.show(&ui).await,
            Message::Ask(question, sender) => {
                let answer = ui.ask(&shown_lines(&question)).await;
                // Nobody waits for it when the build was cancelled meanwhile.
                let _ = sender.send(answer.map_err(|error| error.to_string()));
                Ok(())
            }
            Message::End => break,
        };
        if let Err(error) = shown {
            tracing::debug!(%error, "Packer does not show what it is told");
        }
    }
}

#[async_trait]
impl lvhost_engine::Ui for PackerUi {
    fn say(&self, message: &str) {
        self.send(Message::Say(message.to_owned()));
    }

    fn warn(&self, message: &str) {
        self.send(Message::Say(format!("Warning: {message}")));
    }

    fn error(&self, message: &str) {
        self.send(Message::Error(message.to_owned()));
    }

    fn output(&self, _: Stream, line: &str) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_LINES {
            self.is_behind.store(false, Ordering::Relaxed);
            return self.send(Message::Output(last_seen(line)));
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.is_behind.swap(true, Ordering::Relaxed) {
            self.warn("the guest prints faster than Packer can show; lines are left out");
        }
    }

    fn step_finished(&self, step: Step, time: Duration) {
        tracing::info!(%step, ?time, "finished");
    }

    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        Box::new(Bar::new(name, total, self.queue.clone()))
    }

    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        self.question(format!("{note}. Press enter to continue."))
            .await
            .map(drop)
    }

    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String> {
        let letters = letters(choices);
        let list = letters.iter().zip(choices);
        let list: Vec<String> = list
            .map(|(letter, choice)| format!("[{letter}] {choice}"))
            .collect();
        let question = format!("{question}\n{}?", list.join(", "));
        loop {
            let answer = self.question(question.clone()).await?;
            // As with Packer's own question: who just presses enter wants the first.
            if answer.trim().is_empty() {
                return Ok(0);
            }
            if let Some(taken) = taken(&answer, &letters, choices) {
                return Ok(taken);
            }
        }
    }
}
