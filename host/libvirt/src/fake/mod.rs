//! A hypervisor in memory, for tests: it keeps libvirt's rules, records every call, and fails where
//! it is told to.
//!
//! It refuses what a real one refuses: a volume that exists is not made again, one that is a disk
//! of a running domain is not deleted, a running domain is not undefined, an upload takes no more
//! than was announced. It guesses as a real one guesses: what a volume begins with decides what it
//! takes the volume for, and it keeps account of the files that are opened because of that. Contents
//! are kept sparsely. Events come through the same channel as real ones.
//!
//! ```
//! use lvhost_libvirt::{DomainSpec, DomainState, Hypervisor, fake::{Call, FakeHypervisor}};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), lvhost_libvirt::Error> {
//! let hypervisor = FakeHypervisor::new();
//! hypervisor.fail_on(Call::StartDomain);
//! let domain = hypervisor.define_domain(&DomainSpec::new("vm")).await?;
//! assert!(hypervisor.start_domain(&domain).await.is_err());
//! assert_eq!(hypervisor.domain_state(&domain).await?, DomainState::ShutOff);
//! # Ok(()) }
//! ```
mod answers;
mod calls;
mod console;
mod disk;
mod guess;
mod script;
mod upload;
mod world;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;

use self::{calls::Record, console::Consoles, world::World};
pub use self::{
    calls::{Call, Operation},
    script::KeysPressed,
};
use crate::{
    AddressSource, Capabilities, DomainCapabilities, DomainId, DomainState, Error,
    InterfaceAddress, Result, VolumeSpec,
};

/// What a fake guest does when it is asked to shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownReaction {
    /// It goes down at once.
    #[default]
    PowersOff,
    /// It does nothing.
    Ignores,
    /// It begins to go down and never ends.
    Hangs,
}

/// A hypervisor in memory. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct FakeHypervisor {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    record: Record,
    world: World,
    watches: HashMap<Uuid, watch::Sender<DomainState>>,
    addresses: HashMap<AddressSource, Vec<InterfaceAddress>>,
    /// Whether a call for addresses never returns.
    addresses_are_silent: bool,
    /// Calls for addresses that are answered with nothing first.
    empty_answers: u32,
    shutdown_reaction: ShutdownReaction,
    capabilities: Capabilities,
    domain_capabilities: DomainCapabilities,
    keys: Vec<KeysPressed>,
    /// Volumes that will be there after so many more calls.
    late: Vec<(usize, VolumeSpec)>,
    consoles: Consoles,
    /// What is not on this host is not readable here.
    remote: bool,
    disconnected: bool,
}

impl FakeHypervisor {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere does not make what is kept here wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call; fails if it was told to, or if the connection is gone.
    fn call(&self, call: Call, subject: impl ToString) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.make_late();
        state.record.call(call, subject.to_string())?;
        if state.disconnected {
            return Err(Error::Disconnected {
                action: format!("{} {}", call.as_str(), subject.to_string()),
                message: "the fake was disconnected".into(),
            });
        }
        Ok(state)
    }
}

impl State {
    /// Counts a call, and makes the volumes whose time has come.
    fn make_late(&mut self) {
        for (calls, spec) in std::mem::take(&mut self.late) {
            match calls.checked_sub(1) {
                Some(calls) => self.late.push((calls, spec)),
                // Nobody is there to be told.
                None => drop(self.world.create_volume(&spec)),
            }
        }
    }

    /// A domain's state changes, and whoever watches it is told.
    fn enter(&mut self, id: &DomainId, to: DomainState) {
        self.world.set_domain_state(id, to);
        if let Some(sender) = self.watches.get(&id.uuid) {
            sender.send_replace(to);
        }
        if to.is_off() {
            self.consoles.close(id.uuid);
        }
    }
}

#[cfg(test)]
mod tests;
