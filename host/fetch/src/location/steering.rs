//! What a location says beside where the file is: how it is packed, and what it must be.

use std::path::Path;

use super::LocationParseError;
use crate::{Archive, Checksum};

/// What a location says beside where the file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Steering {
    archive: Archive,
    checksum: Option<Checksum>,
    file_name: Option<String>,
    member: Option<String>,
}

impl Steering {
    /// `archive=`: how the file is packed.
    pub fn archive(&self) -> Archive {
        self.archive
    }

    /// `checksum=`: what the file must be.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// `filename=`: what the file is called, whatever its address ends in.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// What stood after `//`: the file meant, or its folder, inside of an archive.
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }

    /// A relative path in `checksum=file:` is taken from `base`.
    pub(super) fn resolved_in(self, base: &Path) -> Self {
        Self {
            checksum: self.checksum.map(|checksum| checksum.resolved_in(base)),
            ..self
        }
    }
}

impl TryFrom<lvhost_location::Steering> for Steering {
    type Error = LocationParseError;

    fn try_from(written: lvhost_location::Steering) -> Result<Self, LocationParseError> {
        Ok(Self {
            archive: written.archive,
            checksum: written.checksum.map(Checksum::try_from).transpose()?,
            file_name: written.file_name,
            member: written.member,
        })
    }
}
