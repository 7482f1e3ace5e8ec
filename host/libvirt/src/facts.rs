//! What a hypervisor tells of itself and of what it has.
use std::{fmt, net::IpAddr};

use uuid::Uuid;

use crate::{BuildRecord, ConnectionUri, DiskSource};

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
    /// The name of the hypervisor's host, as it calls itself.
    pub host: String,
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
    /// The hypervisor's own addresses in it.
    pub addresses: Vec<IpAddr>,
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

/// A network device of the hypervisor's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDevice {
    /// Its name, as `eth0`.
    pub name: String,
    /// Whether it is a bridge of Linux's. One of Open vSwitch's is not.
    pub is_bridge: bool,
}

/// A domain as it is found in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainFacts {
    /// Which.
    pub id: DomainId,
    /// Its state.
    pub state: DomainState,
    /// The build that made it, if it was one of ours.
    pub build: Option<BuildRecord>,
    /// All that its definition says it is made of, now and at its next start: disks with the images
    /// they are known to stand on, firmware variables, kernels.
    pub uses: Vec<DiskSource>,
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

/// What a guest's screen shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Screenshot {
    /// The picture as a PNG file.
    pub png: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

impl fmt::Debug for Screenshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screenshot({}x{})", self.width, self.height)
    }
}
