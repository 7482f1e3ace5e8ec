//! Keeps the terminal from showing `^C` where it is typed: the cursor stands at the end of the last bar
//! then, and what is shown there would move the bars from where they are drawn over next.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The terminal's way to show keys, to be restored.
pub(super) struct KeyEcho {
    before: Option<Termios>,
}

impl KeyEcho {
    /// From now on, control characters are not shown. Letters still are.
    pub(super) fn switched_off() -> Self {
        Self {
            before: switch_off(),
        }
    }

    /// As it was before.
    pub(super) fn restore(&self) {
        if let Some(before) = &self.before {
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(io::stderr(), OptionalActions::Now, before);
        }
    }
}

fn switch_off() -> Option<Termios> {
    let terminal = io::stderr();
    // Who is not in the foreground would be stopped for changing the terminal.
    if tcgetpgrp(&terminal).ok()? != getpgrp() {
        return None;
    }
    let before = tcgetattr(&terminal).ok()?;
    let mut changed = before.clone();
    changed.local_modes.remove(LocalModes::ECHOCTL);
    tcsetattr(&terminal, OptionalActions::Now, &changed).ok()?;
    Some(before)
}
