//! Names of volumes, the shape of an image, and what a user's capacity allows.

use std::fmt;

use crate::Error;
use crate::bindings::lvhost::source::types as wit;

/// A volume of the hypervisor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumeId {
    /// The storage pool's name.
    pub pool: String,
    /// The volume's name in that pool.
    pub name: String,
}

/// What a guest sees a volume as, by libvirt's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `disk`
    Disk,
    /// `cdrom`
    Cdrom,
    /// `floppy`
    Floppy,
    /// `lun`
    Lun,
}

/// The volume that a source fills, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its pool and name.
    pub id: VolumeId,
    /// The name of the domain; also what a name that lvhost makes begins with.
    pub domain: String,
    /// What the guest will see it as.
    pub device: Option<Device>,
    /// libvirt's name of the format: `raw`, `qcow2`, …
    pub format: Option<String>,
    /// Bytes.
    pub capacity: Option<u64>,
    /// Whether the guest may only read it.
    pub read_only: Option<bool>,
}

/// What a volume that is there is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Bytes that a guest sees.
    pub capacity: u64,
    /// libvirt's name of the format.
    pub format: String,
    /// Where the hypervisor keeps it.
    pub path: String,
    /// The path of the image that it is an overlay of.
    pub backing: Option<String>,
}

/// An image that a source writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// libvirt's name of the format of the bytes that follow: `raw` or `qcow2`.
    pub format: String,
    /// Bytes that follow, if that is known. It always is for `raw`.
    pub length: Option<u64>,
    /// Bytes that the guest will see; for `raw` the same as `length`.
    pub capacity: u64,
}

/// Where the unchanged bytes of an overlay come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A volume of the hypervisor.
    Volume(VolumeId),
    /// A path on the hypervisor.
    HypervisorPath(String),
}

/// How a volume comes to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// Empty, of the capacity that the user has to give.
    Blank,
    /// A copy-on-write overlay, of at least the capacity of its base.
    Overlay(Base),
    /// A copy that the hypervisor makes, grown to the capacity that the user asked for.
    Clone(VolumeId),
    /// What was made by [`Host::create`](crate::Host::create) or [`Host::content`](crate::Host::content).
    Image,
}

impl VolumeId {
    /// The volume `name` in `pool`.
    #[must_use]
    pub fn new(pool: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            pool: pool.into(),
            name: name.into(),
        }
    }

    pub(crate) fn to_wit(&self) -> wit::VolumeId {
        wit::VolumeId {
            pool: self.pool.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether a text can be the name of a pool or volume. lvhost takes a [`Grant`](crate::Grant)
    /// with one that can't for a mistake of the source, so check what the user wrote.
    ///
    /// # Errors
    /// What is wrong with the name, for a [`Diagnostic`](crate::Diagnostic).
    pub fn check_name(name: &str) -> Result<(), String> {
        if name.is_empty() {
            Err("the name is empty".to_owned())
        } else if matches!(name, "." | "..") || name.contains('/') {
            Err(format!("`{name}` is a path and no name"))
        } else if name.contains(char::is_control) {
            Err(format!("the name {name:?} has a control character in it"))
        } else {
            Ok(())
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Disk, Self::Cdrom, Self::Floppy, Self::Lun];

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

impl Volume {
    /// The volume of a call.
    pub(crate) fn of_host(volume: &wit::Volume) -> Self {
        let wit::VolumeId { pool, name } = volume.id();
        let device = volume.device();
        Self {
            id: VolumeId { pool, name },
            domain: volume.domain(),
            // One that is not known here is none that a source could do something about.
            device: device.and_then(|name| Device::ALL.into_iter().find(|it| it.name() == name)),
            format: volume.format(),
            capacity: volume.capacity(),
            read_only: volume.read_only(),
        }
    }

    /// Checks that what the guest will see fits into the capacity that the user asked for, if any.
    /// `content` names in the error what it is that has this many bytes: ``"`image.qcow2`"``.
    ///
    /// # Errors
    /// [`Error::Other`] with both sizes.
    pub fn check_capacity(&self, content: &str, bytes: u64) -> Result<(), Error> {
        match self.capacity {
            Some(capacity) if capacity < bytes => Err(Error::Other(format!(
                "the volume's `capacity` is {}, and {content} has {}; give it at least that much, \
                 or leave `capacity` out",
                size_text(capacity),
                size_text(bytes),
            ))),
            _ => Ok(()),
        }
    }
}

/// A size to read and to compute with: `2.2 GiB (2361393152 bytes)`.
fn size_text(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| bytes >> shift > 0) else {
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    match tenth {
        0 => format!("{whole} {unit} ({bytes} bytes)"),
        _ => format!("{whole}.{tenth} {unit} ({bytes} bytes)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::volume;

    #[test]
    fn sizes_are_rounded_down_and_exact() {
        let cases = [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB (1024 bytes)"),
            (1_474_560, "1.4 MiB (1474560 bytes)"),
            (2_361_393_152, "2.1 GiB (2361393152 bytes)"),
            (u64::MAX, "16777215.9 TiB (18446744073709551615 bytes)"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size_text(bytes), text);
        }
    }

    #[test]
    fn names_are_not_paths() {
        for name in ["debian", "a:b c", "…", "sdb1"] {
            assert_eq!(VolumeId::check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a\nb", "a\0b"] {
            assert!(VolumeId::check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_capacity_must_hold_the_content() {
        let mut volume = volume("default", "a");
        assert_eq!(volume.check_capacity("it", u64::MAX), Ok(()));
        volume.capacity = Some(1024);
        assert_eq!(volume.check_capacity("it", 1024), Ok(()));
        let error = volume.check_capacity("`a.img`", 2048).unwrap_err();
        assert!(
            error
                .message()
                .contains("is 1 KiB (1024 bytes), and `a.img` has 2 KiB")
        );
    }
}
