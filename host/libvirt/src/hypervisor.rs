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
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    BuildRecord, Capabilities, Console, DomainCapabilities, DomainFacts, DomainId, DomainKind,
    DomainSpec, DomainState, HostDevice, HypervisorFacts, InterfaceAddress, NetworkFacts,
    PoolFacts, Progress, Result, Screenshot, Upload, VolumeFacts, VolumeId, VolumeSink, VolumeSpec,
    named::named,
};

/// Everything a build asks of a hypervisor.
///
/// All methods may be called at the same time from several tasks. A future that is dropped gives up
/// waiting; the call it made is finished all the same.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// What is at the other end.
    async fn facts(&self) -> Result<HypervisorFacts>;

    /// The kinds of guests it offers.
    async fn capabilities(&self) -> Result<Capabilities>;

    /// What a domain of one kind can have. May take as long as starting an emulator, if the daemon
    /// has not looked at it yet.
    ///
    /// # Errors
    /// [`KvmUnusable`](crate::Error::KvmUnusable) if the kind is `kvm` and the host has none.
    async fn domain_capabilities(&self, kind: &DomainKind) -> Result<DomainCapabilities>;

    /// The names of all storage pools, active or not, sorted.
    async fn pools(&self) -> Result<Vec<String>>;

    /// The names of all networks, active or not, sorted.
    async fn networks(&self) -> Result<Vec<String>>;

    /// An active storage pool. Its free space is what libvirt counted last, which it does at each
    /// change it makes itself; what others write into the same file system shows up later.
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

    /// A network device of the hypervisor's host; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`NotSupported`](crate::Error::NotSupported) where the hypervisor tells nothing of such devices.
    async fn host_device(&self, name: &str) -> Result<Option<HostDevice>>;

    /// The names of an active pool's volumes as they were seen last, sorted. It is for pools that nobody
    /// has named, too, so none is refreshed: libvirt stops a pool that it can't look through.
    ///
    /// # Errors
    /// Those of [`Self::pool`].
    async fn list_volumes(&self, pool: &str) -> Result<Vec<String>>;

    /// A volume, or `None` if the pool has none of that name. A missing or inactive pool is an
    /// error.
    ///
    /// Here and in every call that takes the name or path of a volume: before it is called missing, the
    /// pool is refreshed once and looked at again. Somebody may have put a file into the pool's folder,
    /// or taken one out. While libvirt is at work on another volume of a pool it refuses to refresh it;
    /// what it knows already has to do then.
    async fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>>;

    /// The volume of whatever active pool that has this path on the hypervisor's host.
    async fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>>;

    /// Makes a volume, [adapted](VolumeSpec::adapted_to) to the pool's type.
    ///
    /// # Errors
    /// [`VolumeExists`](crate::Error::VolumeExists), [`NoSpace`](crate::Error::NoSpace), those of
    /// [`Self::pool`] and of [`VolumeSpec::adapted_to`].
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts>;

    /// Makes a volume with the contents of another, which may be in another pool and is of the format
    /// `source_format`. The new volume is at least as large as its source; if `spec` asks for more, it
    /// is resized after the copy.
    ///
    /// # Errors
    /// Those of [`Self::create_volume`], [`NoSuchVolume`](crate::Error::NoSuchVolume) for the source,
    /// and [`TakenForOther`](crate::Error::TakenForOther) if libvirt would read it as something else.
    async fn clone_volume(
        &self,
        spec: &VolumeSpec,
        source: &VolumeId,
        source_format: &str,
    ) -> Result<VolumeFacts>;

    /// Grows a volume of this format to `capacity` bytes. Asking for the capacity it has already is no
    /// error and calls nothing.
    ///
    /// # Errors
    /// [`TakenForOther`](crate::Error::TakenForOther) if libvirt would read it as something else.
    async fn resize_volume(&self, id: &VolumeId, format: &str, capacity: u64) -> Result<()>;

    /// Deletes a volume.
    ///
    /// # Errors
    /// [`NoSuchVolume`](crate::Error::NoSuchVolume), and
    /// [`TakenForFolder`](crate::Error::TakenForFolder) where the hypervisor is on another host.
    async fn delete_volume(&self, id: &VolumeId) -> Result<()>;

    /// Begins to write `length` bytes into an existing volume, from its beginning; any number of
    /// them if there is no length. The pool's free space is counted first, and the upload ends with
    /// [`NoSpace`](crate::Error::NoSpace) before that is used up: daemons do not survive a stream
    /// into a full file system.
    ///
    /// # Errors
    /// [`NotSupported`](crate::Error::NotSupported) where the driver has no uploads (`test:///`).
    async fn open_upload(&self, id: &VolumeId, length: Option<u64>) -> Result<Box<dyn Upload>>;

    /// The first bytes of a volume as they are in the pool, at most `length` and fewer only if there are
    /// no more: for whoever has to know what it is before anybody opens it as something.
    ///
    /// # Errors
    /// [`NoSuchVolume`](crate::Error::NoSuchVolume),
    /// [`NotSupported`](crate::Error::NotSupported) where the driver has no downloads (`test:///`).
    async fn volume_head(&self, id: &VolumeId, length: usize) -> Result<Vec<u8>>;

    /// Gives `sink` the bytes of a volume as they are in the pool (of a qcow2 volume the qcow2
    /// file), holes as holes where the connection can, and longer runs of zeros as holes in any
    /// case. `progress` counts while it runs. A future that is dropped ends the download.
    ///
    /// # Errors
    /// [`WriteTarget`](crate::Error::WriteTarget) if the sink fails,
    /// [`NotSupported`](crate::Error::NotSupported) where the driver has no downloads (`test:///`).
    async fn download_volume(
        &self,
        id: &VolumeId,
        sink: Box<dyn VolumeSink>,
        progress: Progress,
    ) -> Result<()>;

    /// All domains, running or not, sorted by name.
    async fn list_domains(&self) -> Result<Vec<DomainFacts>>;

    /// Defines a domain and does not start it.
    ///
    /// # Errors
    /// [`DomainExists`](crate::Error::DomainExists): nothing of anybody else is ever redefined.
    /// [`Overlay`](crate::Error::Overlay) if a fragment of XML does not fit.
    async fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId>;

    /// Gives a domain another definition, under the same name and UUID. The domain must be off, and
    /// its metadata must carry the same build's id as `spec`.
    ///
    /// # Errors
    /// [`NotOurs`](crate::Error::NotOurs) if the domain is not the build's,
    /// [`DomainState`](crate::Error::DomainState) if it runs,
    /// [`NoSuchDomain`](crate::Error::NoSuchDomain).
    async fn update_domain(&self, id: &DomainId, spec: &DomainSpec) -> Result<()>;

    /// The build that made a domain, as its metadata has it; `None` if it was not one of ours.
    ///
    /// # Errors
    /// [`NoSuchDomain`](crate::Error::NoSuchDomain).
    async fn build_record(&self, id: &DomainId) -> Result<Option<BuildRecord>>;

    /// Writes another record into the metadata of a domain that has one, running or not.
    ///
    /// # Errors
    /// [`NotOurs`](crate::Error::NotOurs) if the domain has none, or another build's,
    /// [`NoSuchDomain`](crate::Error::NoSuchDomain).
    async fn set_build_record(&self, id: &DomainId, record: &BuildRecord) -> Result<()>;

    /// Starts a defined domain.
    ///
    /// # Errors
    /// [`KvmUnusable`](crate::Error::KvmUnusable) if the reason is KVM.
    async fn start_domain(&self, id: &DomainId) -> Result<()>;

    /// Starts a defined domain with its CPUs halted, so that a console can be opened before the
    /// guest writes to it: what a guest writes to a console that nobody has opened is lost.
    ///
    /// # Errors
    /// Those of [`Self::start_domain`].
    async fn start_domain_paused(&self, id: &DomainId) -> Result<()>;

    /// Lets a paused domain run.
    ///
    /// # Errors
    /// [`DomainState`](crate::Error::DomainState) if it is off,
    /// [`NoSuchDomain`](crate::Error::NoSuchDomain).
    async fn resume_domain(&self, id: &DomainId) -> Result<()>;

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

    /// Presses keys of a guest's keyboard all at once, and lets go of them after `hold`. Returns at
    /// once: the hypervisor queues the keys, so the caller waits at least `hold` before the next.
    ///
    /// # Errors
    /// [`InvalidValue`](crate::Error::InvalidValue) for no keys or more than [`MAX_KEYS`],
    /// [`DomainState`](crate::Error::DomainState) if the domain is not running.
    async fn send_keys(
        &self,
        id: &DomainId,
        set: KeyCodeSet,
        codes: &[u32],
        hold: Duration,
    ) -> Result<()>;

    /// What a guest's first screen shows.
    ///
    /// # Errors
    /// [`DomainState`](crate::Error::DomainState) if the domain is not running,
    /// [`NotSupported`](crate::Error::NotSupported) if it has no screen.
    async fn screenshot(&self, id: &DomainId) -> Result<Screenshot>;

    /// Opens a console of a domain that is running or paused. `device` is the console's alias, with
    /// or without libvirt's prefix `ua-`; `None` is the first. Whoever had the console open before
    /// loses it.
    ///
    /// # Errors
    /// [`DomainState`](crate::Error::DomainState) if the domain is off,
    /// [`NotSupported`](crate::Error::NotSupported) where the driver has no consoles (`test:///`).
    async fn open_console(&self, id: &DomainId, device: Option<&str>) -> Result<Box<dyn Console>>;
}

/// Keys that can be pressed at once (`VIR_DOMAIN_SEND_KEY_MAX_KEYS`).
pub const MAX_KEYS: usize = 16;

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

named! {
    /// What the numbers of keys mean, see <https://libvirt.org/manpages/virkeycode-linux.html>.
    KeyCodeSet, "set of key codes" {
        /// Linux' input events, as `KEY_A`.
        Linux = "linux",
        /// PC XT scan codes.
        Xt = "xt",
        /// The AT keyboard's first set.
        AtSet1 = "atset1",
        /// The AT keyboard's second set.
        AtSet2 = "atset2",
        /// The AT keyboard's third set.
        AtSet3 = "atset3",
        /// macOS'.
        Osx = "osx",
        /// The Linux console's extension of the XT codes.
        XtKbd = "xt_kbd",
        /// USB's.
        Usb = "usb",
        /// Windows' virtual keys.
        Win32 = "win32",
        /// QEMU's numbers, as in VNC.
        Qnum = "qnum",
    }
}
