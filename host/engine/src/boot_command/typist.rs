//! Types a boot command: sends its keys at the right time and says how far it is.

use std::time::Duration;

use async_trait::async_trait;
use lvhost_libvirt::{DomainId, Hypervisor, KeyCodeSet};
use tokio_util::sync::CancellationToken;

use super::{BootCommand, BootStep, sum};

/// The shortest wait within a text that is worth a message.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// Something with keys.
#[async_trait]
pub trait Keyboard: Send + Sync {
    /// Presses keys at once, given as Linux' input events, and lets go of them after `hold`. Need
    /// not wait until that is done.
    ///
    /// # Errors
    /// The hypervisor's, such as that the guest has gone off.
    async fn press(&self, codes: &[u32], hold: Duration) -> Result<(), lvhost_libvirt::Error>;
}

/// The keyboard of a domain.
pub struct GuestKeyboard<'a> {
    /// Where it runs.
    pub hypervisor: &'a dyn Hypervisor,
    /// Which one.
    pub domain: &'a DomainId,
}

#[async_trait]
impl Keyboard for GuestKeyboard<'_> {
    async fn press(&self, codes: &[u32], hold: Duration) -> Result<(), lvhost_libvirt::Error> {
        self.hypervisor
            .send_keys(self.domain, KeyCodeSet::Linux, codes, hold)
            .await
    }
}

/// How far the typing is. It does not tell what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Nothing is typed for `boot_wait`.
    BootWait(Duration),
    /// A text begins.
    Text {
        /// Which one, counted from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// How long the rest takes, with this text.
        remaining: Duration,
    },
    /// A long wait, or a key that is held for long, begins within a text.
    Wait(Duration),
    /// All of it has been typed.
    Done {
        /// How many times keys were pressed.
        presses: usize,
    },
}

/// Why typing ended early.
#[derive(Debug, thiserror::Error)]
pub enum TypeError {
    /// It was told to.
    #[error("typing was cancelled")]
    Cancelled,
    /// The hypervisor refused.
    #[error("can't type text {text} of `boot_command`")]
    Keyboard {
        /// Which text, counted from 1.
        text: usize,
        /// Why.
        #[source]
        source: Box<lvhost_libvirt::Error>,
    },
}

impl BootCommand {
    /// Waits for `boot_wait` and types. `progress` is told of each part as it begins. Does nothing
    /// and says nothing if the command [is empty](Self::is_empty). May be dropped at any time: keys
    /// that are down go up by themselves.
    ///
    /// # Errors
    /// [`TypeError::Cancelled`] as soon as `cancel` says so, and the keyboard's.
    pub async fn type_on(
        &self,
        keyboard: &dyn Keyboard,
        cancel: &CancellationToken,
        progress: impl FnMut(Typing) + Send,
    ) -> Result<(), TypeError> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(TypeError::Cancelled),
            result = self.type_all(keyboard, progress) => result,
        }
    }

    async fn type_all(
        &self,
        keyboard: &dyn Keyboard,
        mut progress: impl FnMut(Typing) + Send,
    ) -> Result<(), TypeError> {
        if self.is_empty() {
            return Ok(());
        }
        if !self.boot_wait.is_zero() {
            progress(Typing::BootWait(self.boot_wait));
            tokio::time::sleep(self.boot_wait).await;
        }
        let of = self.texts.len();
        for (index, steps) in self.texts.iter().enumerate() {
            if steps.is_empty() {
                continue;
            }
            progress(Typing::Text {
                number: index + 1,
                of,
                remaining: sum(self.texts[index..].iter().flatten()),
            });
            for step in steps {
                if let BootStep::Press { codes, hold } = step {
                    keyboard
                        .press(codes, *hold)
                        .await
                        .map_err(|source| TypeError::Keyboard {
                            text: index + 1,
                            source: Box::new(source),
                        })?;
                }
                if step.lasts() >= LONG_WAIT {
                    progress(Typing::Wait(step.lasts()));
                }
                tokio::time::sleep(step.lasts()).await;
            }
        }
        progress(Typing::Done {
            presses: self.presses(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
