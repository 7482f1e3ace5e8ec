//! Directory entries: the label, files and directories with their dates.

use super::name::{Names, ShortName};
use crate::calendar::DateTime;

/// Bytes in a directory entry.
pub(super) const ENTRY: usize = 32;

/// The first second of 1980 and the last even second of 2107: years are seven bits from 1980, and
/// seconds are counted in twos.
const EARLIEST: u64 = 315_532_800;
const LATEST: u64 = 4_354_819_198;

const ATTRIBUTE_VOLUME_LABEL: u8 = 0x08;
const ATTRIBUTE_DIRECTORY: u8 = 0x10;
const ATTRIBUTE_ARCHIVE: u8 = 0x20;

/// What an entry points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A directory at a cluster; the root is cluster 0.
    Directory { cluster: u16 },
    /// A file at a cluster (0 if it is empty), with its length in bytes.
    File { cluster: u16, length: u32 },
}

/// A directory on its way to the disk.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) bytes: Vec<u8>,
    timestamp: u64,
}

impl Directory {
    /// The root: no entries for itself and its parent, but the volume's label if there is one.
    pub(super) fn root(timestamp: u64, label: Option<ShortName>) -> Self {
        let mut root = Self {
            bytes: Vec::new(),
            timestamp,
        };
        if let Some(label) = label {
            let entry = root.entry(label, ATTRIBUTE_VOLUME_LABEL, 0, 0);
            root.bytes.extend(entry);
        }
        root
    }

    /// A directory below the root.
    pub(super) fn below(timestamp: u64, own_cluster: u16, parent_cluster: u16) -> Self {
        let mut directory = Self {
            bytes: Vec::new(),
            timestamp,
        };
        for (name, cluster) in [
            (*b".          ", own_cluster),
            (*b"..         ", parent_cluster),
        ] {
            let entry = directory.entry(name, ATTRIBUTE_DIRECTORY, cluster, 0);
            directory.bytes.extend(entry);
        }
        directory
    }

    /// Adds a file or a directory under its names.
    pub(super) fn add(&mut self, names: &Names, target: Target) {
        self.bytes.extend(names.long_entries().concat());
        let entry = match target {
            Target::Directory { cluster } => {
                self.entry(names.short, ATTRIBUTE_DIRECTORY, cluster, 0)
            }
            Target::File { cluster, length } => {
                self.entry(names.short, ATTRIBUTE_ARCHIVE, cluster, length)
            }
        };
        self.bytes.extend(entry);
    }

    fn entry(&self, name: ShortName, attributes: u8, cluster: u16, length: u32) -> [u8; ENTRY] {
        let (date, time) = date_and_time(self.timestamp);
        let (date, time) = (date.to_le_bytes(), time.to_le_bytes());
        let mut entry = [0; ENTRY];
        entry[..11].copy_from_slice(&name);
        entry[11] = attributes;
        if attributes != ATTRIBUTE_VOLUME_LABEL {
            entry[14..16].copy_from_slice(&time); // created
            entry[16..18].copy_from_slice(&date);
            entry[18..20].copy_from_slice(&date); // accessed
        }
        entry[22..24].copy_from_slice(&time); // written
        entry[24..26].copy_from_slice(&date);
        entry[26..28].copy_from_slice(&cluster.to_le_bytes());
        entry[28..32].copy_from_slice(&length.to_le_bytes());
        entry
    }
}

/// The moment as FAT packs it.
fn date_and_time(timestamp: u64) -> (u16, u16) {
    let time = DateTime::within(timestamp, EARLIEST, LATEST);
    let [month, day, hour, minute, second] =
        [time.month, time.day, time.hour, time.minute, time.second].map(u16::from);
    let date = ((time.year - 1980) << 9) + (month << 5) + day;
    (date, (hour << 11) + (minute << 5) + second / 2)
}
