//! Every option of a template, declared once: name, type, default and documentation. Decoding with
//! positions, validation and reference docs come out of the same declaration.
//!
//! [`decode_source`] turns the body of a `source "libvirt"` block into a [`LibvirtSource`] that has
//! passed every rule which needs neither a hypervisor nor a component.

#![forbid(unsafe_code)]

mod communicator;
mod console;
mod declare;
mod duration;
mod firmware;
mod graphics;
mod key_text;
mod libvirt_source;
mod network_interface;
mod origin;
mod packer_reference;
mod project;
mod provisioner;
mod public_key;
mod reference;
mod rules;
mod schema;
mod setting;
mod shape;
mod size;
mod source;
mod spelling;
mod tunnel;
mod volume;
mod volume_source;

pub use communicator::{
    Communicator, CommunicatorType, FileTransferMethod, NO_LIMIT, TemporaryKeyPairType,
};
pub use console::{Console, ConsoleLog};
pub use declare::{Context, Declared, InnerBlocks};
pub use firmware::{Firmware, LoaderType, Tpm};
pub use graphics::{Graphics, GraphicsType, VideoModel};
pub use key_text::KeyText;
pub use libvirt_source::{
    BootDevice, HttpNetworkProtocol, LibvirtSource, NetworkAddressSource, ShutdownMode,
};
pub use network_interface::{
    DirectMode, NetworkInterface, NetworkInterfaceType, PortForward, Protocol,
};
pub use origin::Origin;
pub use packer_reference::packer_reference;
pub use project::{
    Allow, NamedPlugin, NamedSecret, PROJECT_FILE, Project, SecretBlock, SourceLimits,
    SourcePlugin, decode_project, is_secret_name, is_type_name,
};
pub use provisioner::{
    Breakpoint, Direction, File, PROVISIONER_TYPES, Provisioner, Shell, ShellLocal,
};
pub use reference::{block_schemas, reference};
pub use rules::VOLUME_NAME;
pub use schema::{
    BlockSchema, Choice, InnerBlockSchema, Kind, NotSupported, OptionSchema, ValueType,
};
pub use setting::{Element, Mismatch, Setting};
pub use shape::{AttributeShape, InnerShape, Shape, source_shape};
pub use size::{Size, SizeError};
pub use source::decode_source;
pub use tunnel::Tunnel;
pub use volume::{AttachAs, Device, Volume};
pub use volume_source::{
    ExcusedTypes, SourceOption, SourceOptionType, SourceSchema, SourceSchemas, SourceSetting,
    SourceValue, VolumeSource,
};
