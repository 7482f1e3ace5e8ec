//! libvirt's XML, written from plain types by pure functions and read back into them.
mod domain;
mod element;
#[cfg(any(feature = "libvirt", test))]
mod read;
mod volume;

pub use domain::{METADATA_NAMESPACE, domain_xml};
#[cfg(feature = "libvirt")]
pub(crate) use read::{network_facts, pool_facts, volume_facts};
pub use volume::volume_xml;

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
