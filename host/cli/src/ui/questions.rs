//! What the user is asked: one question at a time, answered by a line of standard input.
//!
//! ```text
//!  ask ──► nobody else asks ──► bars away, question shown ──► a line from the reader ──► bars back
//! ```
//! A thread reads the lines, from the first question on. What was typed before a question is no
//! answer to it.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::Screen;
use super::hidden_input::HiddenInput;

/// Lines that are kept while nobody has asked for them. They are thrown away at the next question, so
/// this many are as good as one; it is more than one so that the reader need not wait.
const UNREAD_LINES: usize = 16;

/// Asks on the terminal.
pub(crate) struct Questions {
    screen: Arc<dyn Screen>,
    is_possible: bool,
    lines: Mutex<Option<mpsc::Receiver<io::Result<String>>>>,
}

impl Questions {
    /// Questions are possible where somebody is at a terminal.
    pub(crate) fn new(screen: Arc<dyn Screen>, for_people: bool) -> Self {
        Self {
            screen,
            is_possible: for_people && io::stdin().is_terminal(),
            lines: Mutex::default(),
        }
    }

    /// Whether there is somebody to ask.
    pub(crate) fn is_possible(&self) -> bool {
        self.is_possible
    }

    /// Calls `show` and waits for a line, which nobody sees while it is typed.
    pub(super) async fn ask_secretly(&self, show: impl FnOnce() + Send) -> Result<String, String> {
        let show = || {
            show();
            HiddenInput::begin()
        };
        self.line_after(show).await
    }

    /// Calls `show` and waits for a line.
    pub(super) async fn ask(&self, show: impl FnOnce() + Send) -> Result<String, String> {
        self.line_after(show).await
    }

    /// Waits for a line after `show`; what that returns is kept until the line is there.
    async fn line_after<T: Send>(&self, show: impl FnOnce() -> T + Send) -> Result<String, String> {
        if !self.is_possible {
            return Err("standard input is not a terminal".to_owned());
        }
        let mut lines = self.lines.lock().await;
        let lines = lines.get_or_insert_with(read_lines);
        while lines.try_recv().is_ok() {}
        let _room = Room::made_on(&self.screen);
        let _until_answered = show();
        match lines.recv().await {
            Some(Ok(line)) => Ok(line),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("standard input was closed".to_owned()),
        }
    }
}

/// The screen without bars, until it is dropped.
struct Room(Arc<dyn Screen>);

impl Room {
    fn made_on(screen: &Arc<dyn Screen>) -> Self {
        screen.make_room();
        Self(Arc::clone(screen))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.go_on();
    }
}

/// Reads standard input to its end, on a thread that nobody waits for.
fn read_lines() -> mpsc::Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel(UNREAD_LINES);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            match sender.try_send(line) {
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                // Nobody has asked.
                Err(mpsc::error::TrySendError::Full(_)) | Ok(()) => {}
            }
        }
    });
    receiver
}
