//! Keeps the terminal from showing what is typed: the answer to a question for a password.

use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// As long as this lives, only the end of a line shows that something was typed.
pub(super) struct HiddenInput {
    before: Option<Termios>,
}

impl HiddenInput {
    /// Hides what is typed from now on; nothing where standard input is no terminal.
    pub(super) fn begin() -> Self {
        Self { before: hide() }
    }
}

fn hide() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut changed = before.clone();
    changed.local_modes.remove(LocalModes::ECHO);
    changed.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(io::stdin(), OptionalActions::Now, &changed).ok()?;
    Some(before)
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
