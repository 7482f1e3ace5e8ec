//! Names of volumes, and the shape of an image.

use std::fmt;

use crate::{Device, Image, VolumeId};

impl VolumeId {
    /// The volume `name` in `pool`.
    #[must_use]
    pub fn new(pool: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            pool: pool.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for VolumeId {
    /// `pool/name`, as messages show it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.pool, self.name)
    }
}

impl Image {
    /// A raw image of this many bytes.
    #[must_use]
    pub fn raw(bytes: u64) -> Self {
        Self {
            format: "raw".to_owned(),
            length: Some(bytes),
            capacity: bytes,
        }
    }
}

impl Device {
    /// The device as a user writes it: `disk`, `cdrom`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Cdrom => "cdrom",
            Self::Floppy => "floppy",
            Self::Lun => "lun",
        }
    }
}
