//! The hypervisor as the engine sees it.
//!
//! A domain's life, as [`DomainState`] tells it:
//!
//! ```text
//!             define_domain              start_domain
//! (nothing) ───────────────► ShutOff ───────────────────► Running ◄──► Paused, Suspended
//!     ▲                        ▲  ▲                        │  │
//!     │ undefine_domain        │  │     destroy_domain     │  │ shutdown_domain, or the guest
//!     └────────────────────────┘  ├────────────────────────┘  ▼
//!      Gone                       └──────────────────────── ShuttingDown
//!                                   a crash leads from Running to Crashed, which is off as well
//! ```
use std::{
    fmt,
    fs::File,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{ConnectionUri, DomainSpec, Result, VolumeFacts, VolumeId, VolumeSpec, domain::named};

/// Everything a build asks of a hypervisor.
///
/// All methods may be called at the same time from several tasks. A future that is dropped gives up
/// waiting; the call it made is finished all the same.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// What is at the other end.
    async fn facts(&self) -> Result<HypervisorFacts>;

    /// The names of all storage pools, active or not, sorted.
    async fn pools(&self) -> Result<Vec<String>>;

    /// The names of all networks, active or not, sorted.
    async fn networks(&self) -> Result<Vec<String>>;

    /// An active storage pool.
    ///
    /// # Errors
    /// [`NoSuchPool`](crate::Error::NoSuchPool) with the names that exist,
    /// [`PoolInactive`](crate::Error::PoolInactive).
    async fn pool(&self, name: &str) -> Result<PoolFacts>;

    /// An active network.
    ///
    /// # Errors
    /// [`NoSuchNetwork`](crate::Error::NoSuchNetwork) with the names that exist,
    /// [`NetworkInactive`](crate::Error::NetworkInactive).
    async fn network(&self, name: &str) -> Result<NetworkFacts>;

    /// A volume, or `None` if the pool has none of that name. A missing or inactive pool is an
    /// error.
    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>>;

    /// The volume of whatever active pool that has this path on the hypervisor's host.
    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>>;

    /// Makes a volume.
    ///
    /// # Errors
    /// [`VolumeExists`](crate::Error::VolumeExists), [`NoSpace`](crate::Error::NoSpace), those of
    /// [`Self::pool`].
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts>;

    /// Makes a volume with the contents of another, which may be in another pool. The new volume is
    /// at least as large as its source; if `spec` asks for more, it is resized after the copy.
    ///
    /// # Errors
    /// Those of [`Self::create_volume`], and [`NoSuchVolume`](crate::Error::NoSuchVolume) for the
    /// source.
    async fn clone_volume(&self, spec: &VolumeSpec, source: &VolumeId) -> Result<VolumeFacts>;

    /// Grows a volume to `capacity` bytes. Asking for the capacity it has already is no error and
    /// calls nothing.
    async fn resize_volume(&self, id: &VolumeId, capacity: u64) -> Result<()>;

    /// Deletes a volume.
    ///
    /// # Errors
    /// [`NoSuchVolume`](crate::Error::NoSuchVolume).
    async fn delete_volume(&self, id: &VolumeId) -> Result<()>;

    /// Begins to write `length` bytes into an existing volume, from its beginning; any number of
    /// them if there is no length.
    ///
    /// # Errors
    /// [`NotSupported`](crate::Error::NotSupported) where the driver has no uploads (`test:///`).
    async fn open_upload(&self, id: &VolumeId, length: Option<u64>) -> Result<Box<dyn Upload>>;

    /// Defines a domain and does not start it.
    ///
    /// # Errors
    /// [`DomainExists`](crate::Error::DomainExists): nothing that exists is ever redefined.
    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId>;

    /// Starts a defined domain.
    ///
    /// # Errors
    /// [`KvmUnusable`](crate::Error::KvmUnusable) if the reason is KVM.
    async fn start_domain(&self, id: &DomainId) -> Result<()>;

    /// The state a domain is in. One that is not there (any more) is [`DomainState::Gone`].
    async fn domain_state(&self, id: &DomainId) -> Result<DomainState>;

    /// Follows a domain's state. The receiver holds the present state at once and is fed by
    /// libvirt's lifecycle events; when the connection is lost it turns to
    /// [`DomainState::Disconnected`] and stays there.
    async fn watch_domain(&self, id: &DomainId) -> Result<watch::Receiver<DomainState>>;

    /// Asks the guest to shut down and returns at once. A domain that is off already, or gone, is
    /// `Ok`.
    async fn shutdown_domain(&self, id: &DomainId, mode: Option<ShutdownMode>) -> Result<()>;

    /// Pulls the plug. A domain that is off already, or gone, is `Ok`.
    async fn destroy_domain(&self, id: &DomainId) -> Result<()>;

    /// Removes a domain that is off, with its NVRAM file, TPM state, managed save and metadata of
    /// snapshots and checkpoints. One that is gone already is `Ok`.
    async fn undefine_domain(&self, id: &DomainId) -> Result<()>;

    /// The addresses a domain's interfaces have, as `source` knows them. A guest agent that has not
    /// answered yet, or a domain that is not running yet, is an empty list and not an error.
    async fn interface_addresses(
        &self,
        id: &DomainId,
        source: AddressSource,
    ) -> Result<Vec<InterfaceAddress>>;
}

/// Bytes on their way into a volume, from its beginning to the announced length, if one was.
///
/// Dropping it before [`finish`](Self::finish) aborts the upload: the volume stays, its contents
/// are undefined.
#[async_trait]
pub trait Upload: Send {
    /// Writes bytes. Waits while the hypervisor is slower than the caller. An error that happened
    /// behind the caller's back comes out of the next call.
    async fn data(&mut self, bytes: Bytes) -> Result<()>;

    /// Writes `length` zeros without sending them, where the connection can. The volume must be
    /// freshly made: what lay there before may show through.
    async fn hole(&mut self, length: u64) -> Result<()>;

    /// Writes `length` bytes of `file` from `offset` on, without the caller seeing them. Holes of
    /// the file, and longer runs of zeros in it, stay holes. The file's own cursor is not used.
    async fn file(&mut self, file: Arc<File>, offset: u64, length: u64) -> Result<()>;

    /// How far the upload is; can be asked from elsewhere while [`file`](Self::file) runs.
    fn transferred(&self) -> Progress;

    /// Ends the upload: returns when the hypervisor has everything.
    ///
    /// # Errors
    /// Besides those of libvirt: [`Error::Upload`](crate::Error::Upload) if fewer bytes came than
    /// were announced.
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// How many bytes of a volume an [`Upload`] has passed, holes included.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts bytes that have gone.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorFacts {
    /// The URI as libvirt knows it; shown without passwords.
    pub uri: ConnectionUri,
    /// libvirt's version at the other end.
    pub libvirt_version: Version,
    /// libvirt's name of the driver, as `QEMU` or `TEST`.
    pub hypervisor: String,
    /// The hypervisor's own version.
    pub hypervisor_version: Version,
    /// Architecture of the hypervisor's host, as `x86_64`.
    pub arch: String,
    /// Whether the hypervisor runs on this host, so that its paths are ours.
    pub is_local: bool,
}

/// A version as libvirt counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third.
    pub release: u32,
}

impl Version {
    /// From libvirt's `major * 1_000_000 + minor * 1_000 + release`.
    pub const fn from_libvirt(number: u64) -> Self {
        Self {
            major: (number / 1_000_000) as u32,
            minor: (number / 1_000 % 1_000) as u32,
            release: (number % 1_000) as u32,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.release)
    }
}

/// What libvirt knows of a storage pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolFacts {
    /// The pool's name.
    pub name: String,
    /// libvirt's name of its type: `dir`, `fs`, `logical`, `zfs`, `rbd`, …
    pub kind: String,
    /// Whether it is started.
    pub active: bool,
    /// Its size in bytes.
    pub capacity: u64,
    /// What of that is free, in bytes.
    pub available: u64,
    /// Where its volumes are, if it is a place in the file system.
    pub target_path: Option<String>,
}

/// What libvirt knows of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The network's name.
    pub name: String,
    /// Whether it is started.
    pub active: bool,
    /// The bridge behind it, if it has one.
    pub bridge: Option<String>,
}

/// Names one domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DomainId {
    /// What libvirt finds it by.
    pub uuid: Uuid,
    /// What people call it.
    pub name: String,
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

/// The state of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainState {
    /// The guest runs (or waits for a resource).
    Running,
    /// Held by somebody, or by an error of its disk.
    Paused,
    /// The guest sleeps (suspended to memory).
    Suspended,
    /// The guest is on its way down.
    ShuttingDown,
    /// Off: the guest ended by itself, or was destroyed.
    ShutOff,
    /// Off: the guest or the hypervisor's process crashed.
    Crashed,
    /// There is no such domain (any more).
    Gone,
    /// The connection was lost: nobody knows.
    Disconnected,
}

impl DomainState {
    /// Whether the guest no longer runs: [`ShutOff`](Self::ShutOff), [`Crashed`](Self::Crashed) or
    /// [`Gone`](Self::Gone).
    pub const fn is_off(self) -> bool {
        matches!(self, Self::ShutOff | Self::Crashed | Self::Gone)
    }
}

/// One address of one interface of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's name: of the guest's (`eth0`) if the agent told it, else of the host's
    /// (`vnet0`).
    pub name: String,
    /// The hardware address in lower case. Interfaces without one exist (tunnels).
    pub mac: Option<String>,
    /// The address.
    pub ip: IpAddr,
    /// Length of the network's prefix, in bits. Zero if the source does not know it.
    pub prefix: u8,
}

named! {
    /// Who is asked for a domain's addresses.
    AddressSource, "network address source" {
        /// The guest agent, inside the guest.
        Agent = "agent",
        /// The DHCP server of the managed network.
        Lease = "lease",
        /// The host's ARP table.
        Arp = "arp",
    }
}

named! {
    /// How a guest is asked to shut down.
    ShutdownMode, "shutdown mode" {
        /// The power button.
        Acpi = "acpi",
        /// The guest agent.
        Guest = "guest",
        /// /dev/initctl, of containers.
        Initctl = "initctl",
        /// A signal to the init process, of containers.
        Signal = "signal",
        /// Xen's own way.
        Paravirt = "paravirt",
    }
}
