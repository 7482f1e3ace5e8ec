//! The build as a state machine: from a decoded template to an artifact.
//!
//! [`Build`] takes a `source "libvirt"` that has been decoded and checked, and everything it needs of
//! the outside as traits and values: the hypervisor, the volume sources, the downloader, the way into
//! the guest, the provisioners and the user. It prints nothing, never exits, and reads neither
//! arguments nor environment.

#![forbid(unsafe_code)]

mod address;
mod attachment;
mod boot;
pub mod boot_command;
mod build;
mod configure;
mod connect;
mod console;
mod disk_image;
mod error;
pub mod go_template;
pub mod http_server;
mod identity;
mod journal;
mod key_pair;
mod ledger;
mod local_paths;
mod masked_ui;
mod overlay;
mod ownership;
mod permission;
mod plan;
mod private_file;
mod provision;
mod regular_file;
mod removal;
mod secrets;
mod sources;
mod ui;
mod user_secret;
mod volumes;

pub use boot::BootError;
pub use build::{Artifact, Build, OnError, Outcome};
pub use configure::{Configured, configure};
pub use connect::{Connector, GuestConnector, SettingsError};
pub use disk_image::{DiskImage, StatedBy};
pub use error::{Error, ProvisionError, VolumeError, with_causes};
pub use identity::Identity;
pub use journal::{
    Entry, FileEntry, FileIdentity, HypervisorId, Journal, JournalError, JournalFolder, Stage,
};
pub use ledger::{KeptItem, Leftover};
pub use local_paths::LocalPaths;
pub use masked_ui::MaskedUi;
pub use ownership::{Claim, Doubt, MadeVolume, Uses, build_of};
pub use permission::{Allowed, Permission, Rule, allow_lines};
pub use plan::{
    AllowedBy, Contents, Need, Needs, Plan, PlannedDownload, PlannedInterface, PlannedVolume,
    domain_name, plan,
};
pub use provision::{Provision, ProvisionContext, TemplateProvisioners};
pub use removal::Removal;
pub use secrets::{Secrets, check_secrets};
pub use sources::{NameClash, SourceKind, Sources};
pub use ui::{Step, Stream, Transfer, Ui};
pub use user_secret::UserSecrets;
pub use volumes::{InspectError, Original};
