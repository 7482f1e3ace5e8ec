//! When a guest may use the agent: while commands run that it is lent to.
//!
//! ```text
//!   not lent ── a command begins ──► lent ── the last such command ends ──► not lent
//!      │ a channel to the agent        │ a channel to the agent              │ channels that are
//!      ▼ is refused                    ▼ leads there                         ▼ open are closed
//! ```
//!
//! A guest's server can ask for the agent at any time, and a program of the guest can keep a channel
//! to it: neither outlives the command.

use tokio::sync::watch;

/// The agent's loan to one connection.
#[derive(Debug, Clone)]
pub(super) struct Loan(watch::Sender<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Commands that it is lent to.
    commands: usize,
    /// How often it came back, so that nobody misses that it was away in between.
    returns: u64,
}

/// The agent is lent while this lives.
pub(super) struct Lent(watch::Sender<State>);

impl Loan {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Lends the agent to one more command.
    pub(super) fn lend(&self) -> Lent {
        self.0.send_modify(|state| state.commands += 1);
        Lent(self.0.clone())
    }

    /// If the agent is lent, what ends when it is no longer.
    pub(super) fn returned(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let mut states = self.0.subscribe();
        let now = *states.borrow_and_update();
        (now.commands > 0).then_some(async move {
            // A sender that is gone has ended with its connection.
            let _ = states.wait_for(|state| state.returns > now.returns).await;
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.send_modify(|state| {
            state.commands = state.commands.saturating_sub(1);
            state.returns += u64::from(state.commands == 0);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it has not ended yet.
    async fn is_pending(returned: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        tokio::select! {
            biased;
            () = returned => false,
            () = std::future::ready(()) => true,
        }
    }

    #[tokio::test]
    async fn the_agent_is_lent_as_long_as_any_command_runs() {
        let loan = Loan::new();
        assert!(loan.returned().is_none());
        let first = loan.lend();
        let second = loan.lend();
        let mut returned = Box::pin(loan.returned().unwrap());
        drop(first);
        assert!(is_pending(&mut returned).await);
        drop(second);
        // Even if the next command is quicker than whoever waits.
        let third = loan.lend();
        returned.await;
        assert!(is_pending(&mut Box::pin(loan.returned().unwrap())).await);
        drop(third);
        assert!(loan.returned().is_none());
    }
}
