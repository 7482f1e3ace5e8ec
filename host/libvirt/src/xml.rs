//! libvirt's XML, written from plain types by pure functions and read back into them.
#[cfg(any(feature = "libvirt", test))]
mod capabilities;
mod devices;
mod domain;
mod element;
mod metadata;
mod overlay;
#[cfg(any(feature = "libvirt", test))]
mod read;
mod volume;

pub use domain::{domain_xml, final_domain_xml, shown_domain_xml};
pub use metadata::METADATA_NAMESPACE;
pub use overlay::{MAX_OVERLAY_BYTES, OverlayError, XmlOverlay};
#[cfg(feature = "libvirt")]
pub use read::virtual_port;
pub use volume::volume_xml;

pub(crate) use domain::{ALIAS_PREFIX, secret_domain_xml};
pub(crate) use metadata::build_record_xml;
#[cfg(feature = "libvirt")]
pub(crate) use {
    capabilities::{capabilities, domain_capabilities},
    metadata::METADATA_PREFIX,
    read::{build_record, domain_uses, host_device, network_facts, pool_facts, volume_facts},
};

use crate::{Error, Result};

/// Refuses what no XML can say: control characters have no escape in XML 1.0, and a NUL would end
/// libvirt's string.
pub(crate) fn check_characters(action: &str, text: &str) -> Result<()> {
    let forbidden = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}')
    };
    match text.chars().find(|c| forbidden(*c)) {
        None => Ok(()),
        Some(c) => Err(Error::InvalidValue {
            action: action.to_owned(),
            message: format!("a name or value has the control character {c:?} in it"),
        }),
    }
}

#[cfg(test)]
mod tests;
