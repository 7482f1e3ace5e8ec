//! Everything of lvhost that touches libvirt.
//!
//! [`Hypervisor`] is what the engine sees: pools, volumes, networks and domains in plain Rust
//! types, asynchronous, without XML and without a libvirt handle. Two back ends stand behind it:
//!
//! * [`Libvirt`] talks to a real daemon through libvirt's client library (cargo feature `libvirt`,
//!   on by default);
//! * [`fake::FakeHypervisor`] lives in memory, keeps libvirt's rules, records every call and fails
//!   where it is told to.
//!
//! The XML of volumes and domains comes out of pure functions, [`volume_xml`] and [`domain_xml`].
//!
//! `unsafe` code stands in two modules: `connection::ffi` calls libvirt, `connection::library` loads it.
#![deny(unsafe_code)]

#[cfg(feature = "libvirt")]
mod connection;
mod domain;
mod error;
pub mod fake;
mod hypervisor;
mod pump;
mod uri;
mod volume;
mod xml;

#[cfg(feature = "libvirt")]
pub use connection::Libvirt;
pub use domain::{
    BootDevice, Disk, DiskBus, DiskDevice, DiskSource, DomainSpec, Graphics, Interface,
    InterfaceSource, Loader, LoaderType, Nvram, PortForward, Protocol, UnknownName,
};
pub use error::{Error, Result};
pub use hypervisor::{
    AddressSource, DomainId, DomainState, Hypervisor, HypervisorFacts, InterfaceAddress,
    NetworkFacts, PoolFacts, Progress, ShutdownMode, Upload, Version,
};
pub use uri::{ConnectionUri, is_local};
pub use volume::{Backing, VolumeFacts, VolumeId, VolumeSpec};
pub use xml::{METADATA_NAMESPACE, domain_xml, volume_xml};
