//! Writes a volume source for lvhost: a WASM component that says where the bytes of a virtual
//! machine's disk come from.
//!
//! A source is a type that implements [`VolumeSource`], in a crate of its own that is built as a
//! `cdylib` alone for `wasm32-wasip2`, optimised. It can do nothing but compute and call its [`Host`]: it has no
//! files, no network, no environment. What it may reach through the host is what it asked for
//! and the user has allowed.
//!
//! # A complete source
//!
//! ```
//! #![forbid(unsafe_code)]
//! use lvhost_plugin_sdk::{
//!     Configuration, Description, Diagnostic, Error, Host, Image, OptionSchema, Options, Recipe,
//!     Volume, VolumeSource, export_source,
//! };
//!
//! /// Fills a volume with one text.
//! struct Motd;
//!
//! const BLOCK: u64 = 512;
//!
//! impl VolumeSource for Motd {
//!     fn describe() -> Description {
//!         Description::new("motd", "A disk whose first bytes are a text")
//!             .option(OptionSchema::text("text", "What the guest will read.").required())
//!     }
//!
//!     fn configure(_: &Volume, options: &Options) -> Configuration {
//!         let mut configuration = Configuration::default();
//!         if options.text("text").is_some_and(str::is_empty) {
//!             configuration.report(
//!                 Diagnostic::error("text", "the text is empty")
//!                     .help("leave out the `source` block for an empty volume"),
//!             );
//!         }
//!         configuration.defaults.format = Some("raw".into());
//!         configuration
//!     }
//!
//!     fn prepare(_: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
//!         let text = options.text("text").unwrap_or_default().as_bytes();
//!         let length = text.len() as u64;
//!         let capacity = length.next_multiple_of(BLOCK);
//!         let mut sink = host.create(&Image::raw(capacity))?;
//!         sink.write(text)?;
//!         sink.zeros(capacity - length)?;
//!         Ok(Recipe::Image)
//!     }
//! }
//!
//! export_source!(Motd);
//!
//! // In the crate's tests:
//! use lvhost_plugin_sdk::testing::{FakeHost, volume};
//! use lvhost_plugin_sdk::OptionValue;
//!
//! let host = FakeHost::new();
//! let options = Options::default().with("text", OptionValue::text("hello"));
//! let recipe = Motd::prepare(&volume("default", "motd"), &options, &host)?;
//! assert_eq!(recipe, Recipe::Image);
//! assert!(host.written().bytes().starts_with(b"hello\0"));
//! # Ok::<(), Error>(())
//! ```
//!
//! The folder `template` beside this crate's sources is a crate to start from. How users allow a
//! source what it asks for stands in `docs/sources.md` of lvhost's repository.
//!
//! # Bulk bytes
//!
//! A volume is written as a sequence of three things: bytes that the source made
//! ([`Sink::write`]), splices of what the host holds ([`Sink::copy_from`], [`Sink::drain`]), and
//! holes ([`Sink::zeros`]). Spliced bytes never enter the component, and decompression
//! ([`Blob::decode`]), archives ([`Blob::unpack`]) and digests ([`Blob::digest`]) run natively in the host: leave
//! them to it. An image that is there already goes to [`Host::content`] as it is.
//! The module [`image`] lays out CDs and floppies of files and reads QCOW2 headers.

#![forbid(unsafe_code)]

mod bindings;
mod configuration;
mod description;
mod error;
mod files;
mod handle;
mod host;
mod layout;
mod options;
mod source;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod volume;
mod web;

pub use configuration::{Configuration, Defaults, Diagnostic, Download, Grant, Severity};
pub use description::{Description, OptionSchema, OptionType};
pub use error::Error;
pub use files::{FileEntry, FileKind, Listing};
pub use handle::{Blob, Codec, Reader, Sink};
pub use host::{Content, Host, Level};
pub use layout::write_layout;
/// Makes ISO 9660 and FAT images and reads QCOW2 headers; [`write_layout`] writes what it makes.
pub use lvhost_image as image;
pub use options::{OptionSetting, OptionValue, Options};
pub use source::VolumeSource;
pub use volume::{Base, Device, Facts, Image, Recipe, Volume, VolumeId};
pub use web::{Answer, Header, Method, Request, Secret};

#[doc(hidden)]
pub mod __component {
    //! What [`export_source!`](crate::export_source) expands to. No part of the API.

    pub use crate::bindings::*;
    pub use crate::source::Component;
}
