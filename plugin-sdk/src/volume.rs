//! Names of volumes, the shape of an image, and what a user's capacity allows.

use std::fmt;

use crate::{Device, Error, Image, Volume, VolumeId};

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

impl VolumeId {
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
