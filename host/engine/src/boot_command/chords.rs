//! Turns strokes into what a hypervisor can do: press some keys at once and let go of them.
//!
//! A keyboard has keys that stay down while others are struck. `virDomainSendKey` has not: each
//! call presses all its keys in their order, and lets go of all of them. So a key that is held is
//! pressed anew with each key that is struck meanwhile:
//!
//! ```text
//! <leftCtrlOn>ab<leftCtrlOff>                        ctrl+a  ctrl+b
//! <leftCtrlOn><leftAltOn><delOn>…Off in any order    ctrl+alt+del
//! <leftAltOn><wait>f<leftAltOff>                     a second of nothing, then alt+f
//! <cOn><wait5><cOff>                                 c, for five seconds
//! H                                                  shift+h
//! ```
//!
//! What is held is in one of three states; *press* means all that is held, with the struck key:
//!
//! | | nothing held | held, not pressed yet | held and pressed |
//! |---|---|---|---|
//! | On | → not pressed yet | stays | → not pressed yet |
//! | Tap | press | press → pressed | press |
//! | Off | – | press → pressed, or nothing held | stays, or → nothing held |
//! | Wait | wait | press that long → pressed, if an Off comes before a Tap; else wait | wait |
//!
//! What is lost: a key that is held over several presses is up between them. Guests tell the
//! difference only for keys that do something on their own, such as Super.

use std::fmt;
use std::time::Duration;

use lvhost_libvirt::MAX_KEYS;

use super::Timing;
use super::keys::{LEFT_SHIFT, RIGHT_SHIFT};
use super::language::{BootCommandError, BootWarning, Placed, Position, Stroke};

/// One thing that is done.
#[derive(Clone, PartialEq, Eq)]
pub enum BootStep {
    /// Keys go down in this order and up in the opposite one.
    Press {
        /// The keys, by the numbers of Linux' input events; at least one, at most [`MAX_KEYS`].
        codes: Vec<u32>,
        /// How long they are down together.
        hold: Duration,
    },
    /// Nothing is pressed for a while.
    Wait(Duration),
}

impl BootStep {
    /// How long the step takes.
    ///
    /// QEMU lets the hold time pass after each key that goes down and after each that goes up, and
    /// keeps what comes meanwhile in a queue that is short and silently drops what does not fit
    /// (`qmp_send_key` in QEMU's `ui/`). So that is how long the next keys have to wait.
    pub fn lasts(&self) -> Duration {
        match self {
            Self::Press { codes, hold } => {
                let events = u32::try_from(codes.len() * 2).unwrap_or(u32::MAX);
                hold.saturating_mul(events)
            }
            Self::Wait(wait) => *wait,
        }
    }
}

/// Does not show which keys, since they may be those of a password.
impl fmt::Debug for BootStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Press { codes, hold } => {
                write!(formatter, "Press({} keys, {hold:?})", codes.len())
            }
            Self::Wait(wait) => write!(formatter, "Wait({wait:?})"),
        }
    }
}

/// The steps for each of `texts` texts.
pub(super) fn steps(
    strokes: &[Placed],
    texts: usize,
    timing: &Timing,
    warnings: &mut Vec<BootWarning>,
) -> Result<Vec<Vec<BootStep>>, BootCommandError> {
    let mut hands = Hands {
        timing,
        held: Vec::new(),
        new: false,
        steps: vec![Vec::new(); texts],
    };
    for (index, &Placed { stroke, position }) in strokes.iter().enumerate() {
        match stroke {
            Stroke::Tap(key) => {
                let codes = hands.with(key.code, key.shift);
                hands.press(codes, timing.key_hold, position)?;
            }
            Stroke::On(key) => {
                for code in hands.with(key.code, key.shift) {
                    if hands.held.iter().all(|held| held.code != code) {
                        hands.new = true;
                        hands.held.push(Held { code, position });
                    }
                }
            }
            Stroke::Off(key) => {
                if hands.held.iter().any(|held| held.code == key.code) {
                    hands.press_new(timing.key_hold, position)?;
                }
                let with_shift = |code| key.shift && code == LEFT_SHIFT;
                hands
                    .held
                    .retain(|held| held.code != key.code && !with_shift(held.code));
            }
            Stroke::Wait(wait) => {
                if hands.new && goes_up_next(&strokes[index + 1..]) {
                    hands.press_new(wait, position)?;
                } else {
                    hands.push(position, BootStep::Wait(wait));
                }
            }
        }
    }
    if let Some(last) = strokes.last() {
        hands.press_new(timing.key_hold, last.position)?;
    }
    warnings.extend(hands.held.iter().map(|held| BootWarning {
        position: held.position,
        message: "a key that is held with <…On> is never let go of".to_string(),
        help: Some("write <…Off> where its effect is to end".to_string()),
    }));
    warnings.sort_by_key(|warning| warning.position);
    if !timing.keygroup_interval.is_zero() {
        for steps in hands.steps.iter_mut().filter(|steps| !steps.is_empty()) {
            steps.push(BootStep::Wait(timing.keygroup_interval));
        }
    }
    Ok(hands.steps)
}

/// Whether a key goes up before another one is struck. At the end all of them do.
fn goes_up_next(strokes: &[Placed]) -> bool {
    let next = strokes
        .iter()
        .find(|next| matches!(next.stroke, Stroke::Tap(_) | Stroke::Off(_)));
    next.is_none_or(|next| matches!(next.stroke, Stroke::Off(_)))
}

struct Held {
    code: u32,
    position: Position,
}

struct Hands<'a> {
    timing: &'a Timing,
    /// What is down, in the order it went down.
    held: Vec<Held>,
    /// A key went down that no press has had in it yet.
    new: bool,
    steps: Vec<Vec<BootStep>>,
}

impl Hands<'_> {
    /// What is held, with one more key.
    fn with(&self, code: u32, shift: bool) -> Vec<u32> {
        let mut codes: Vec<u32> = self.held.iter().map(|held| held.code).collect();
        if shift && !codes.contains(&LEFT_SHIFT) && !codes.contains(&RIGHT_SHIFT) {
            codes.push(LEFT_SHIFT);
        }
        if !codes.contains(&code) {
            codes.push(code);
        }
        codes
    }

    /// Presses what is held, if that has not been done since it is.
    fn press_new(&mut self, hold: Duration, position: Position) -> Result<(), BootCommandError> {
        if !self.new {
            return Ok(());
        }
        let codes = self.held.iter().map(|held| held.code).collect();
        self.press(codes, hold, position)
    }

    fn press(
        &mut self,
        codes: Vec<u32>,
        hold: Duration,
        position: Position,
    ) -> Result<(), BootCommandError> {
        if codes.len() > MAX_KEYS {
            return Err(BootCommandError {
                position,
                message: format!(
                    "{} keys are down at once; libvirt can press {MAX_KEYS}",
                    codes.len()
                ),
                help: Some("let go of some with <…Off>"),
            });
        }
        self.new = false;
        self.push(position, BootStep::Press { codes, hold });
        if !self.timing.key_interval.is_zero() {
            self.push(position, BootStep::Wait(self.timing.key_interval));
        }
        Ok(())
    }

    fn push(&mut self, position: Position, step: BootStep) {
        if let Some(steps) = self.steps.get_mut(position.text - 1) {
            steps.push(step);
        }
    }
}

#[cfg(test)]
mod tests;
