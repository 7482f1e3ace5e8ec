//! What a test tells the fake beforehand, does to its guests, and looks at afterwards.
use std::time::SystemTime;

use bytes::Bytes;
use uuid::Uuid;

use super::{Call, FakeHypervisor, Operation, ShutdownReaction, disk::SparseBytes};
use crate::{
    AddressSource, Capabilities, DiskBus, DomainCapabilities, DomainSpec, DomainState, Error,
    Firmware, GuestCapability, InterfaceAddress, KeyCodeSet, Result, TpmModel, TpmVersion,
    VolumeId, VolumeSpec,
};

/// Keys that were pressed all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysPressed {
    /// The domain's name.
    pub domain: String,
    /// What the numbers mean.
    pub set: KeyCodeSet,
    /// The keys.
    pub codes: Vec<u32>,
}

impl Default for FakeHypervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeHypervisor {
    /// With an active `dir` pool `default` of 100 GiB, an active network `default`, and the device `lo`.
    pub fn new() -> Self {
        let fake = Self {
            state: Default::default(),
        };
        fake.add_pool("default", 100 << 30, true);
        fake.add_network("default", true);
        fake.add_device("lo", false);
        fake.set_capabilities(capabilities(), domain_capabilities());
        fake
    }

    /// Adds (or replaces) a `dir` pool, empty, of so many bytes.
    pub fn add_pool(&self, name: &str, capacity: u64, active: bool) {
        self.add_pool_of("dir", name, capacity, active);
    }

    /// Adds (or replaces) a pool of libvirt's type `kind`.
    pub fn add_pool_of(&self, kind: &str, name: &str, capacity: u64, active: bool) {
        self.lock().world.add_pool(kind, name, capacity, active);
    }

    /// Adds (or replaces) a network device of the host.
    pub fn add_device(&self, name: &str, is_bridge: bool) {
        self.lock().world.add_device(name, is_bridge);
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
            .upload_volume(&spec.id, SparseBytes::from_bytes(bytes))
    }

    /// Puts a file with these first bytes into a pool's folder: what [`Self::add_volume`] makes, and the
    /// hypervisor does not know of it before the pool is [refreshed](Self::refresh).
    ///
    /// # Errors
    /// Those of [`Hypervisor::create_volume`].
    pub fn put_file(&self, spec: &VolumeSpec, bytes: &[u8]) -> Result<()> {
        self.add_volume(spec, bytes)?;
        self.lock().world.hide(&spec.id);
        Ok(())
    }

    /// Takes a volume's file out of the pool's folder. The hypervisor does not know before the pool is
    /// [refreshed](Self::refresh).
    ///
    /// # Errors
    /// [`NoSuchVolume`](Error::NoSuchVolume), and those of the pool.
    pub fn lose_file(&self, id: &VolumeId) -> Result<()> {
        self.lock().world.lose_file(id)
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

    /// libvirt is still at work: the next `looks` calls of that kind are answered with
    /// [`Error::Busy`].
    pub fn stay_busy(&self, call: Call, looks: u32) {
        self.lock().record.stay_busy(call, looks);
    }

    /// Makes a volume after `calls` more calls of any kind, as libvirt does for a client that is gone.
    pub fn make_late(&self, spec: &VolumeSpec, calls: usize) {
        self.lock().late.push((calls, spec.clone()));
    }

    /// When a volume was last written to.
    pub fn set_written(&self, id: &VolumeId, time: SystemTime) {
        self.lock().world.set_written(id, time);
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

    /// Questions for addresses are never answered: the guest's agent is there, and says nothing.
    pub fn silence_addresses(&self) {
        self.lock().addresses_are_silent = true;
    }

    /// The next `calls` questions for addresses are answered with nothing: the guest still boots.
    pub fn delay_addresses(&self, calls: u32) {
        self.lock().empty_answers = calls;
    }

    /// What guests do when they are asked to shut down.
    pub fn set_shutdown_reaction(&self, reaction: ShutdownReaction) {
        self.lock().shutdown_reaction = reaction;
    }

    /// What it can run. By default guests of x86_64, emulated or with KVM, with all there is.
    pub fn set_capabilities(&self, kinds: Capabilities, each: DomainCapabilities) {
        let mut state = self.lock();
        state.capabilities = kinds;
        state.domain_capabilities = each;
    }

    /// From now on it is on another host.
    pub fn set_remote(&self) {
        self.lock().remote = true;
    }

    /// What every guest writes to its console when it begins to run.
    pub fn set_boot_output(&self, output: impl Into<Bytes>) {
        self.lock().consoles.set_boot_output(output.into());
    }

    /// A guest writes to its console. Nobody sees it who has not opened it.
    pub fn write_console(&self, domain: &str, bytes: impl Into<Bytes>) {
        let state = self.lock();
        if let Some(id) = state.world.domain_id(domain) {
            state.consoles.write(id.uuid, bytes.into());
        }
    }

    /// The keys pressed so far, in order.
    pub fn keys(&self) -> Vec<KeysPressed> {
        self.lock().keys.clone()
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
        state.consoles.close_all();
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

    /// A guest (or whoever may) writes to the beginning of its disk. The hypervisor does not look at it
    /// before the pool is [refreshed](Self::refresh).
    ///
    /// # Errors
    /// [`NoSuchVolume`](Error::NoSuchVolume), and those of the pool.
    pub fn overwrite_volume(&self, id: &VolumeId, bytes: &[u8]) -> Result<()> {
        self.lock().world.overwrite(id, bytes)
    }

    /// Somebody has the hypervisor look at all volumes of a pool and guess what they are.
    pub fn refresh(&self, pool: &str) {
        self.lock().world.refresh(pool);
    }

    /// The files that QEMU and qemu-img have opened so far, beside the volumes they were told to work
    /// on: those that images lean on.
    pub fn opened_files(&self) -> Vec<String> {
        self.lock().world.opened().to_vec()
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
}

fn capabilities() -> Capabilities {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Capabilities {
        host_uuid: Some(Uuid::from_u128(0xfa4e)),
        guests: vec![GuestCapability {
            os_type: "hvm".into(),
            arch: "x86_64".into(),
            domain_types: words(&["qemu", "kvm"]),
            machines: words(&["pc", "q35"]),
        }],
    }
}

fn domain_capabilities() -> DomainCapabilities {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    DomainCapabilities {
        emulator: Some("/usr/bin/qemu-system-x86_64".into()),
        machine: Some("pc-q35-10.0".into()),
        max_vcpus: Some(255),
        firmware: Firmware::ALL.to_vec(),
        loaders: words(&["/usr/share/OVMF/OVMF_CODE_4M.fd"]),
        secure_boot: true,
        cpu_modes: words(&["host-passthrough", "host-model", "maximum", "custom"]),
        disk_buses: DiskBus::ALL.to_vec(),
        graphics: words(&["vnc", "spice", "sdl"]),
        video_models: words(&["virtio", "qxl", "vga"]),
        tpm_models: TpmModel::ALL.to_vec(),
        tpm_versions: TpmVersion::ALL.to_vec(),
        interface_backends: words(&["default", "passt"]),
    }
}
