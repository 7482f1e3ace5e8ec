//! A hypervisor in memory, for tests: it keeps libvirt's rules, records every call, and fails where
//! it is told to.
//!
//! It refuses what a real one refuses: a volume that exists is not made again, one that is a disk
//! of a running domain is not deleted, a running domain is not undefined, an upload takes no more
//! than was announced. Contents are kept sparsely. Events come through the same channel as real
//! ones.
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
mod calls;
mod disk;
mod upload;
mod world;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::calls::{Call, Operation};
use self::{calls::Record, disk::SparseBytes, upload::FakeUpload, world::World};
use crate::{
    AddressSource, ConnectionUri, DomainId, DomainSpec, DomainState, Error, Hypervisor,
    HypervisorFacts, InterfaceAddress, NetworkFacts, PoolFacts, Result, ShutdownMode, Upload,
    Version, VolumeFacts, VolumeId, VolumeSpec,
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
    /// Calls for addresses that are answered with nothing first.
    empty_answers: u32,
    shutdown_reaction: ShutdownReaction,
    disconnected: bool,
}

impl Default for FakeHypervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeHypervisor {
    /// With an active `dir` pool `default` of 100 GiB and an active network `default`.
    pub fn new() -> Self {
        let fake = Self {
            state: Arc::default(),
        };
        fake.add_pool("default", 100 << 30, true);
        fake.add_network("default", true);
        fake
    }

    /// Adds (or replaces) a `dir` pool, empty, of so many bytes.
    pub fn add_pool(&self, name: &str, capacity: u64, active: bool) {
        self.lock().world.add_pool(name, capacity, active);
    }

    /// Adds (or replaces) a network.
    pub fn add_network(&self, name: &str, active: bool) {
        self.lock().world.add_network(name, active);
    }

    /// Makes a volume with these first bytes, without recording a call.
    ///
    /// # Errors
    /// Those of [`Hypervisor::create_volume`].
    pub fn add_volume(&self, spec: &VolumeSpec, bytes: &[u8]) -> Result<()> {
        let mut state = self.lock();
        state.world.create_volume(spec)?;
        state
            .world
            .write_volume(&spec.id, &SparseBytes::from_bytes(bytes))
    }

    /// Makes the `number`-th call from now on fail, counted from 1.
    pub fn fail_at(&self, number: usize) {
        self.lock().record.fail_at(number);
    }

    /// Makes every call of that kind fail from now on.
    pub fn fail_on(&self, call: Call) {
        self.lock().record.fail_on(call, None);
    }

    /// Makes every call of that kind fail from now on with this error.
    pub fn fail_on_with(&self, call: Call, error: impl Fn() -> Error + Send + 'static) {
        self.lock().record.fail_on(call, Some(Box::new(error)));
    }

    /// No call fails on purpose any more.
    pub fn clear_failures(&self) {
        self.lock().record.clear_failures();
    }

    /// Every call so far, in order, those that failed included.
    pub fn operations(&self) -> Vec<Operation> {
        self.lock().record.operations().to_vec()
    }

    /// What [`Hypervisor::interface_addresses`] answers for running domains.
    pub fn set_addresses(&self, source: AddressSource, addresses: Vec<InterfaceAddress>) {
        self.lock().addresses.insert(source, addresses);
    }

    /// The next `calls` questions for addresses are answered with nothing: the guest still boots.
    pub fn delay_addresses(&self, calls: u32) {
        self.lock().empty_answers = calls;
    }

    /// What guests do when they are asked to shut down.
    pub fn set_shutdown_reaction(&self, reaction: ShutdownReaction) {
        self.lock().shutdown_reaction = reaction;
    }

    /// A guest ends by itself. Nothing happens if no domain of that name runs.
    pub fn power_off(&self, domain: &str) {
        self.guest_ends(domain, DomainState::ShutOff);
    }

    /// A guest crashes. Nothing happens if no domain of that name runs.
    pub fn crash(&self, domain: &str) {
        self.guest_ends(domain, DomainState::Crashed);
    }

    /// The connection breaks: watches turn to [`DomainState::Disconnected`] and every later call
    /// fails.
    pub fn disconnect(&self) {
        let mut state = self.lock();
        state.disconnected = true;
        for sender in state.watches.values() {
            sender.send_replace(DomainState::Disconnected);
        }
    }

    /// All volumes there are, sorted.
    pub fn volumes(&self) -> Vec<VolumeId> {
        self.lock().world.volume_ids()
    }

    /// The names of all domains that are defined, sorted.
    pub fn domains(&self) -> Vec<String> {
        self.lock().world.domain_names()
    }

    /// What a domain was defined with.
    pub fn domain_spec(&self, name: &str) -> Option<DomainSpec> {
        self.lock().world.domain_spec(name)
    }

    /// What a volume was made with.
    pub fn volume_spec(&self, id: &VolumeId) -> Option<VolumeSpec> {
        self.lock().world.volume_spec(id)
    }

    /// The bytes of a volume from `offset` on, at most `length`; behind what was written there are
    /// zeros.
    pub fn read_volume(&self, id: &VolumeId, offset: u64, length: usize) -> Option<Vec<u8>> {
        Some(self.lock().world.content(id)?.read(offset, length))
    }

    fn guest_ends(&self, domain: &str, to: DomainState) {
        let mut state = self.lock();
        let Some(id) = state.world.domain_id(domain) else {
            return;
        };
        if !state.world.domain_state(&id).is_off() {
            state.enter(&id, to);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere does not make what is kept here wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call; fails if it was told to, or if the connection is gone.
    fn call(&self, call: Call, subject: impl ToString) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
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
    /// A domain's state changes, and whoever watches it is told.
    fn enter(&mut self, id: &DomainId, to: DomainState) {
        self.world.set_domain_state(id, to);
        if let Some(sender) = self.watches.get(&id.uuid) {
            sender.send_replace(to);
        }
    }
}

#[async_trait]
impl Hypervisor for FakeHypervisor {
    async fn facts(&self) -> Result<HypervisorFacts> {
        drop(self.call(Call::Facts, "")?);
        Ok(HypervisorFacts {
            uri: ConnectionUri::new("fake:///"),
            libvirt_version: Version {
                major: 11,
                minor: 3,
                release: 0,
            },
            hypervisor: "FAKE".into(),
            hypervisor_version: Version {
                major: 1,
                minor: 0,
                release: 0,
            },
            arch: "x86_64".into(),
            is_local: true,
        })
    }

    async fn pools(&self) -> Result<Vec<String>> {
        Ok(self.call(Call::Pools, "")?.world.pool_names())
    }

    async fn networks(&self) -> Result<Vec<String>> {
        Ok(self.call(Call::Networks, "")?.world.network_names())
    }

    async fn pool(&self, name: &str) -> Result<PoolFacts> {
        self.call(Call::Pool, name)?.world.pool(name)
    }

    async fn network(&self, name: &str) -> Result<NetworkFacts> {
        self.call(Call::Network, name)?.world.network(name)
    }

    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        self.call(Call::Volume, id)?.world.volume(id)
    }

    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>> {
        Ok(self
            .call(Call::VolumeByPath, path)?
            .world
            .volume_by_path(path))
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        self.call(Call::CreateVolume, &spec.id)?
            .world
            .create_volume(spec)
    }

    async fn clone_volume(&self, spec: &VolumeSpec, source: &VolumeId) -> Result<VolumeFacts> {
        self.call(Call::CloneVolume, &spec.id)?
            .world
            .clone_volume(spec, source)
    }

    async fn resize_volume(&self, id: &VolumeId, capacity: u64) -> Result<()> {
        self.call(Call::ResizeVolume, id)?
            .world
            .resize_volume(id, capacity)
    }

    async fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        self.call(Call::DeleteVolume, id)?.world.delete_volume(id)
    }

    async fn open_upload(&self, id: &VolumeId, length: Option<u64>) -> Result<Box<dyn Upload>> {
        self.call(Call::OpenUpload, id)?
            .world
            .check_upload(id, length)?;
        Ok(Box::new(FakeUpload::new(self.clone(), id.clone(), length)))
    }

    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId> {
        self.call(Call::DefineDomain, &spec.name)?
            .world
            .define_domain(spec)
    }

    async fn start_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::StartDomain, &id.name)?;
        state.world.check_start(id)?;
        state.enter(id, DomainState::Running);
        Ok(())
    }

    async fn domain_state(&self, id: &DomainId) -> Result<DomainState> {
        Ok(self
            .call(Call::DomainState, &id.name)?
            .world
            .domain_state(id))
    }

    async fn watch_domain(&self, id: &DomainId) -> Result<watch::Receiver<DomainState>> {
        let mut state = self.call(Call::WatchDomain, &id.name)?;
        let now = state.world.domain_state(id);
        let sender = state
            .watches
            .entry(id.uuid)
            .or_insert_with(|| watch::Sender::new(now));
        Ok(sender.subscribe())
    }

    async fn shutdown_domain(&self, id: &DomainId, mode: Option<ShutdownMode>) -> Result<()> {
        let subject = match mode {
            Some(mode) => format!("{} {mode}", id.name),
            None => id.name.clone(),
        };
        let mut state = self.call(Call::ShutdownDomain, subject)?;
        if state.world.domain_state(id).is_off() {
            return Ok(());
        }
        match state.shutdown_reaction {
            ShutdownReaction::PowersOff => state.enter(id, DomainState::ShutOff),
            ShutdownReaction::Ignores => {}
            ShutdownReaction::Hangs => state.enter(id, DomainState::ShuttingDown),
        }
        Ok(())
    }

    async fn destroy_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::DestroyDomain, &id.name)?;
        if !state.world.domain_state(id).is_off() {
            state.enter(id, DomainState::ShutOff);
        }
        Ok(())
    }

    async fn undefine_domain(&self, id: &DomainId) -> Result<()> {
        let mut state = self.call(Call::UndefineDomain, &id.name)?;
        state.world.undefine_domain(id)?;
        if let Some(sender) = state.watches.remove(&id.uuid) {
            sender.send_replace(DomainState::Gone);
        }
        Ok(())
    }

    async fn interface_addresses(
        &self,
        id: &DomainId,
        source: AddressSource,
    ) -> Result<Vec<InterfaceAddress>> {
        let mut state = self.call(Call::InterfaceAddresses, format!("{} {source}", id.name))?;
        if state.world.domain_state(id) != DomainState::Running {
            return Ok(Vec::new());
        }
        if state.empty_answers > 0 {
            state.empty_answers -= 1;
            return Ok(Vec::new());
        }
        Ok(state.addresses.get(&source).cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
