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
//! The XML of volumes and domains comes out of pure functions, [`volume_xml`] and [`domain_xml`]; an
//! [`XmlOverlay`] lays XML of the user's own over the latter. What a build has made is found again
//! by the [`BuildRecord`] in its domain's metadata.
//!
//! `unsafe` code stands in two places: `connection::ffi` calls libvirt, `connection::library` loads
//! it.
#![deny(unsafe_code)]

mod build_record;
mod capabilities;
#[cfg(feature = "libvirt")]
mod connection;
mod console;
mod devices;
mod domain;
mod error;
mod facts;
pub mod fake;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hypervisor;
mod named;
mod pump;
mod screenshot;
mod transfer;
mod uri;
mod virsh;
mod volume;
mod xml;

pub use build_record::{BuildRecord, Liveness, Owner, rivals};
pub use capabilities::{Capabilities, DomainCapabilities, DomainKind, GuestCapability};
#[cfg(feature = "libvirt")]
pub use connection::{Libvirt, end_process};
pub use console::{CONSOLE_BUFFER, Console};
pub use devices::{
    BackingImage, DirectMode, Disk, DiskBus, DiskDevice, DiskFormat, DiskSource, Graphics,
    GraphicsPassword, GraphicsServer, Interface, InterfaceSource, PortForward, Protocol, is_x86,
};
pub use domain::{
    BootDevice, Clock, DomainSpec, Firmware, FirmwareChoice, Loader, LoaderType, Nvram, SerialLog,
    Tpm, TpmModel, TpmVersion,
};
pub use error::{Error, Result};
pub use facts::{
    DomainFacts, DomainId, DomainState, HostDevice, HypervisorFacts, InterfaceAddress,
    NetworkFacts, PoolFacts, Screenshot, Version,
};
pub use hypervisor::{AddressSource, Hypervisor, KeyCodeSet, MAX_KEYS, ShutdownMode};
pub use named::UnknownName;
pub use transfer::{Progress, SparseFile, Upload, VolumeSink};
pub use uri::{Bastion, ConnectionUri, UriFault, UriRisk, is_local};
pub use virsh::{in_quotes, virsh, virsh_at};
pub use volume::{Backing, VolumeFacts, VolumeId, VolumeSpec};
#[cfg(feature = "libvirt")]
pub use xml::virtual_port;
pub use xml::{
    MAX_OVERLAY_BYTES, METADATA_NAMESPACE, OverlayError, XmlOverlay, domain_xml, final_domain_xml,
    shown_domain_xml, volume_xml,
};
