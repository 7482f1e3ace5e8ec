//! Every option of a template, declared once: name, type, default and documentation. Decoding with
//! positions, validation and reference docs come out of the same declaration.
//!
//! [`decode_source`] turns the body of a `source "libvirt"` block into a [`LibvirtSource`] that has
//! passed every rule which needs neither a hypervisor nor a component.

#![forbid(unsafe_code)]

mod communicator;
mod declare;
mod duration;
mod graphics;
mod libvirt_source;
mod network_interface;
mod origin;
mod provisioner;
mod reference;
mod rules;
mod schema;
mod setting;
mod size;
mod source;
mod volume;
mod volume_source;

pub use communicator::{Communicator, CommunicatorType, FileTransferMethod};
pub use declare::{Context, Declared, InnerBlocks};
pub use graphics::{Graphics, GraphicsType};
pub use libvirt_source::{
    BootDevice, LibvirtSource, LoaderType, NetworkAddressSource, ShutdownMode,
};
pub use network_interface::{NetworkInterface, NetworkInterfaceType, PortForward, Protocol};
pub use origin::Origin;
pub use provisioner::{
    Breakpoint, Direction, File, PROVISIONER_TYPES, Provisioner, Shell, ShellLocal,
};
pub use reference::reference;
pub use schema::{BlockSchema, Choice, InnerBlockSchema, Kind, OptionSchema};
pub use setting::{Element, Mismatch, Setting};
pub use size::{Size, SizeError};
pub use source::decode_source;
pub use volume::{Device, Volume};
pub use volume_source::{
    SourceOption, SourceOptionType, SourceSchema, SourceSchemas, SourceSetting, SourceValue,
    VolumeSource,
};
