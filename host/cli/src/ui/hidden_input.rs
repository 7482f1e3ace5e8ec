//! Keeps the terminal from showing what is typed: the answer to a question for a password.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// As long as this lives, only the end of a line shows that something was typed.
pub(super) struct HiddenInput {
    before: Option<(OwnedFd, Termios)>,
}

impl HiddenInput {
    /// Hides what is typed from now on; nothing where standard input is no terminal.
    pub(super) fn begin() -> Self {
        Self::on(io::stdin().as_fd())
    }

    fn on(terminal: BorrowedFd<'_>) -> Self {
        Self {
            before: hide(terminal),
        }
    }
}

fn hide(terminal: BorrowedFd<'_>) -> Option<(OwnedFd, Termios)> {
    let before = tcgetattr(terminal).ok()?;
    let own = terminal.try_clone_to_owned().ok()?;
    let mut changed = before.clone();
    changed.local_modes.remove(LocalModes::ECHO);
    changed.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(terminal, OptionalActions::Now, &changed).ok()?;
    Some((own, before))
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        if let Some((terminal, before)) = &self.before {
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(terminal, OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_nothing_until_the_answer_is_there() {
        let (terminal, _other_end) = pty_process::blocking::open().unwrap();
        let shows = || {
            let modes = tcgetattr(terminal.as_fd()).unwrap().local_modes;
            modes.contains(LocalModes::ECHO)
        };
        assert!(shows());
        let hidden = HiddenInput::on(terminal.as_fd());
        assert!(!shows());
        drop(hidden);
        assert!(shows());
    }

    #[test]
    fn what_is_no_terminal_is_left_alone() {
        let file = tempfile::tempfile().unwrap();
        assert!(HiddenInput::on(file.as_fd()).before.is_none());
    }
}
