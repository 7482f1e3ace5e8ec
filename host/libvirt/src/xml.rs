//! libvirt's XML, written from plain types by pure functions and read back into them.
mod domain;
mod element;
mod read;
mod volume;

pub use domain::{METADATA_NAMESPACE, domain_xml};
pub use volume::volume_xml;
