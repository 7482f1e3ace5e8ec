//! A 1.44 MB floppy disk: FAT12 with long names.
//!
//! ```text
//! sector    0  boot sector with the BIOS parameter block
//!           1  the file allocation table, 9 sectors
//!          10  its copy
//!          19  the root directory, 14 sectors: 224 entries
//!          33  clusters 2 to 2848, a sector each: directories, then files, none in fragments
//!        2880  the end
//! ```
//!
//! Source: "FAT: General Overview of On-Disk Format" (Microsoft, 2000).

mod directory;
mod name;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Child};
use crate::{Image, Tree};
use directory::{Directory, ENTRY, Target};
use name::{Names, ShortName};

/// Bytes in a sector, and in a cluster: a cluster is one sector.
const SECTOR: usize = 512;
const SECTORS: u16 = 2880;
const SECTORS_PER_TRACK: u16 = 18;
const HEADS: u16 = 2;
/// The media descriptor of a 1.44 MB floppy, in the boot sector and in the table.
const MEDIA: u8 = 0xF0;
const RESERVED_SECTORS: u16 = 1;
const TABLES: u8 = 2;
const TABLE_SECTORS: u16 = 9;
const ROOT_ENTRIES: u16 = 224;
const ROOT_SECTORS: u16 = ROOT_ENTRIES * ENTRY as u16 / SECTOR as u16;
const DATA_SECTOR: u16 = RESERVED_SECTORS + TABLES as u16 * TABLE_SECTORS + ROOT_SECTORS;
const CLUSTERS: u16 = SECTORS - DATA_SECTOR;
/// Clusters are numbered from 2 on: the first two places of the table say other things.
const FIRST_CLUSTER: u16 = 2;
/// Marks the last cluster of a file.
const END_OF_CHAIN: u16 = 0xFFF;
const MAX_LABEL: usize = 11;

/// How the floppy is called and dated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's label: up to 11 characters, stored in upper case as FAT wants it. Empty for
    /// none.
    pub label: String,
    /// The time on everything, in seconds since 1970. FAT can write the years 1980 to 2107, in
    /// steps of two seconds; other times become the nearest of those.
    pub timestamp: u64,
}

/// Why a floppy cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The label cannot be stored.
    #[error(
        "label {label:?} cannot be used on a floppy: give at most 11 ASCII characters, none of \
         them one of `* ? < > | \" + = , ; : . / \\ [ ]`"
    )]
    Label {
        /// The label as given.
        label: String,
    },
    /// A name cannot be stored on FAT.
    #[error("{path:?} cannot be put on a floppy: {reason}")]
    Name {
        /// The entry's path.
        path: String,
        /// What is wrong with its last name.
        reason: &'static str,
    },
    /// Two names in one directory differ in case only.
    #[error("{first:?} and {second:?} are the same name on a floppy, which ignores case")]
    SameName {
        /// The path of the one that sorts first.
        first: String,
        /// The path of the other.
        second: String,
    },
    /// The root directory has no room for that many names.
    #[error(
        "too many names at the top of the floppy: they take {needed} directory entries, there are \
         {available}; put files into a directory, or use shorter names"
    )]
    RootFull {
        /// Directory entries the names take: long names take several.
        needed: usize,
        /// Directory entries there are.
        available: usize,
    },
    /// The files do not fit.
    #[error(
        "the files do not fit on a floppy: they take {needed} bytes, {available} are there; use a \
         CD for more"
    )]
    Full {
        /// Bytes the files and directories take, in whole sectors.
        needed: u64,
        /// Bytes a floppy has for them.
        available: u64,
    },
}

/// Lays the tree out as a floppy disk.
///
/// Names are kept as written, in long-name entries where they are not short capitals. Whether a
/// file is executable cannot be stored.
///
/// # Errors
/// See [`Error`].
pub fn layout(tree: &Tree, options: &Options) -> Result<Image, Error> {
    let label = volume_label(&options.label)?;
    let catalog = Catalog::new(tree);
    let names = (0..catalog.directories.len())
        .map(|directory| name::assign(&catalog, directory))
        .collect::<Result<Vec<_>, _>>()?;
    check_root(&names[0], label)?;
    let places = Places::new(&catalog, &names)?;

    let mut image = Image::default();
    image.push_bytes(&boot_sector(label, serial_number(&catalog, options)));
    for _ in 0..TABLES {
        image.push_bytes(&places.table());
    }
    for (number, source) in catalog.directories.iter().enumerate() {
        let own = places.directories[number].first;
        let mut directory = match number {
            0 => Directory::root(options.timestamp, label),
            _ => {
                let parent = places.directories[source.parent].first;
                Directory::below(options.timestamp, own, parent)
            }
        };
        for (names, (_, child)) in names[number].iter().zip(&source.children) {
            directory.add(names, places.target(&catalog, *child));
        }
        if number == 0 {
            directory
                .bytes
                .resize(usize::from(ROOT_SECTORS) * SECTOR, 0);
        }
        image.push_bytes(&directory.bytes);
        image.align(SECTOR);
    }
    for file in &catalog.files {
        image.push_body(file.kind);
        image.align(SECTOR);
    }
    image.push_zeros(u64::from(SECTORS) * SECTOR as u64 - image.length);
    Ok(image)
}

/// A run of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first cluster, or 0 if there is none: an empty file has none, and the root directory,
    /// which is in no cluster either, is called 0 by its children.
    first: u16,
    count: u16,
}

/// Where everything is.
#[derive(Debug)]
struct Places {
    directories: Vec<Run>,
    files: Vec<Run>,
}

impl Places {
    fn new(catalog: &Catalog<'_>, names: &[Vec<Names>]) -> Result<Self, Error> {
        let of_directory = |names: &Vec<Names>| {
            let entries = names.iter().map(Names::entries).sum::<usize>() + 2;
            (entries * ENTRY).div_ceil(SECTOR) as u64
        };
        let directories: Vec<u64> = names[1..].iter().map(of_directory).collect();
        let files: Vec<u64> = catalog
            .files
            .iter()
            .map(|file| file.kind.length().div_ceil(SECTOR as u64))
            .collect();
        let in_bytes = |clusters: u64| clusters.saturating_mul(SECTOR as u64);
        let needed = directories
            .iter()
            .chain(&files)
            .fold(0u64, |sum, n| sum.saturating_add(*n));
        if needed > u64::from(CLUSTERS) {
            let available = in_bytes(u64::from(CLUSTERS));
            return Err(Error::Full {
                needed: in_bytes(needed),
                available,
            });
        }
        let mut next = FIRST_CLUSTER;
        // Each count fits because their sum does.
        let mut place = |count: &u64| {
            let run = Run {
                first: if *count == 0 { 0 } else { next },
                count: *count as u16,
            };
            next += run.count;
            run
        };
        let root = Run { first: 0, count: 0 };
        let directories = std::iter::once(root)
            .chain(directories.iter().map(&mut place))
            .collect();
        let files = files.iter().map(&mut place).collect();
        Ok(Self { directories, files })
    }

    /// What a directory entry for the child says.
    fn target(&self, catalog: &Catalog<'_>, child: Child) -> Target {
        match child {
            Child::Directory(number) => Target::Directory {
                cluster: self.directories[number].first,
            },
            Child::File(number) => Target::File {
                cluster: self.files[number].first,
                // What is on the disk is far below 4 GiB.
                length: catalog.files[number].kind.length() as u32,
            },
        }
    }

    /// The file allocation table: for each cluster the next one, in 12 bits.
    fn table(&self) -> Vec<u8> {
        let mut clusters = vec![0xF00 | u16::from(MEDIA), END_OF_CHAIN];
        for run in self
            .directories
            .iter()
            .chain(&self.files)
            .filter(|run| run.count > 0)
        {
            clusters.extend(run.first + 1..run.first + run.count);
            clusters.push(END_OF_CHAIN);
        }
        let mut table = Vec::with_capacity(usize::from(TABLE_SECTORS) * SECTOR);
        for pair in clusters.chunks(2) {
            let (even, odd) = (pair[0], pair.get(1).copied().unwrap_or(0));
            let [low, middle, high, _] = (u32::from(even) | u32::from(odd) << 12).to_le_bytes();
            table.extend([low, middle, high]);
        }
        table.resize(usize::from(TABLE_SECTORS) * SECTOR, 0);
        table
    }
}

/// The label as FAT stores it; none if it is empty.
fn volume_label(label: &str) -> Result<Option<ShortName>, Error> {
    let allowed = |c: char| matches!(c, ' '..='~') && !"*?<>|\"+=,;:./\\[]".contains(c);
    if label.len() > MAX_LABEL || label.starts_with(' ') || !label.chars().all(allowed) {
        return Err(Error::Label {
            label: label.to_owned(),
        });
    }
    let mut stored = [b' '; MAX_LABEL];
    stored[..label.len()].copy_from_slice(label.to_ascii_uppercase().as_bytes());
    Ok((!label.is_empty()).then_some(stored))
}

/// Refuses more names than the root directory, which cannot grow, has entries for.
fn check_root(names: &[Names], label: Option<ShortName>) -> Result<(), Error> {
    let needed = names.iter().map(Names::entries).sum::<usize>() + usize::from(label.is_some());
    let available = usize::from(ROOT_ENTRIES);
    if needed > available {
        return Err(Error::RootFull { needed, available });
    }
    Ok(())
}

/// The boot sector. It is not bootable: it asks the firmware for the next boot device.
fn boot_sector(label: Option<ShortName>, serial_number: u32) -> Vec<u8> {
    const JUMP: &[u8] = &[0xEB, 0x3C, 0x90];
    const INT_18_AND_HALT: &[u8] = &[0xCD, 0x18, 0xF4, 0xEB, 0xFD];
    let extended_signature = 0x29;
    let mut bytes = JUMP.to_vec();
    bytes.extend(b"MSWIN4.1"); // what the specification recommends, since drivers look at it
    bytes.extend((SECTOR as u16).to_le_bytes());
    bytes.push(1); // sectors per cluster
    bytes.extend(RESERVED_SECTORS.to_le_bytes());
    bytes.push(TABLES);
    bytes.extend(ROOT_ENTRIES.to_le_bytes());
    bytes.extend(SECTORS.to_le_bytes());
    bytes.push(MEDIA);
    bytes.extend(TABLE_SECTORS.to_le_bytes());
    bytes.extend(SECTORS_PER_TRACK.to_le_bytes());
    bytes.extend(HEADS.to_le_bytes());
    bytes.extend([0; 4]); // hidden sectors
    bytes.extend([0; 4]); // sectors, where 16 bits do not suffice
    bytes.extend([0, 0, extended_signature]); // drive 0, reserved
    bytes.extend(serial_number.to_le_bytes());
    bytes.extend(label.unwrap_or(*b"NO NAME    "));
    bytes.extend(b"FAT12   ");
    bytes.extend(INT_18_AND_HALT);
    bytes.resize(SECTOR - 2, 0);
    bytes.extend([0x55, 0xAA]);
    bytes
}

/// A serial number that differs between floppies with different names or times on them: drivers
/// tell by it that a floppy was changed. FNV-1a over what is in the directories.
fn serial_number(catalog: &Catalog<'_>, options: &Options) -> u32 {
    let mut hash = 0x811C_9DC5_u32;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    add(options.label.as_bytes());
    add(&options.timestamp.to_le_bytes());
    for file in &catalog.files {
        add(file.name.as_bytes());
        add(&file.kind.length().to_le_bytes());
    }
    hash
}
