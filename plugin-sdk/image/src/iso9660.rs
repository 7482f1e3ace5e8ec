//! ISO 9660 with Joliet and Rock Ridge: the CD that Linux, Windows and firmware all read.
//!
//! ```text
//! sector  0  system area, empty
//!        16  primary volume descriptor ─► root of the level 1 names, with Rock Ridge
//!        17  Joliet volume descriptor ──► root of the UCS-2 names
//!        18  terminator
//!        19  path tables: primary little- and big-endian, Joliet the same
//!            directories of the primary hierarchy, each with its continuation areas
//!            directories of the Joliet hierarchy
//!            bodies of the files, each from a sector's start
//! ```
//!
//! Linux takes the Rock Ridge names, Windows the Joliet ones; nothing of today looks at the 8.3
//! names. Files of 4 GiB and more are written in several sections (ISO 9660 level 3).
//!
//! Sources: ECMA-119 (ISO 9660), the Joliet Specification (Microsoft, 1995), SUSP 1.10 and
//! RRIP 1991A (IEEE P1281, P1282).

mod descriptor;
mod field;
mod hierarchy;
mod name;
mod rock_ridge;
#[cfg(test)]
mod tests;

use crate::catalog::Catalog;
use crate::{Image, Tree};
use descriptor::{terminator, volume_descriptor};
use hierarchy::Hierarchy;
use name::Naming;

/// Bytes in a sector: the unit of every place on the disc.
const SECTOR: usize = 2048;
/// Sectors before the first volume descriptor.
const SYSTEM_AREA: u64 = 16;
/// Volume descriptors: primary, Joliet, terminator.
const DESCRIPTORS: u64 = 3;

/// Most characters in a label.
const MAX_LABEL: usize = 32;
/// Most characters in an application identifier that fits Joliet's descriptor too.
const MAX_APPLICATION: usize = 64;
// A path table numbers directories, the root among them, from 1 in 16 bits.
const _: () = assert!(crate::MAX_ENTRIES < u16::MAX as usize);
/// Bytes in each section of a file but the last: whole sectors, in 32 bits.
const SECTION: u64 = (u32::MAX as u64 / SECTOR as u64) * SECTOR as u64;
/// Most sections of one file: Linux stops reading a directory at more
/// (`isofs_read_level3_size`).
const MAX_SECTIONS: u64 = 100;
/// Empty sectors at the end, as many as mkisofs appends. Readers that read ahead need some behind the
/// last file, and BusyBox, with which small distributions look for their seed, takes a device of less
/// than 64 KiB for none. They are a hole, so they cost nothing.
const PADDING: u64 = 150;
/// The largest disc: sectors are numbered in 32 bits.
const MAX_DISC: u64 = u32::MAX as u64 * SECTOR as u64;

/// How the disc is called and dated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's label, kept as written: up to 32 printable ASCII characters. Joliet, which
    /// Windows shows, has room for 16 and gets the beginning.
    pub label: String,
    /// The time on everything, in seconds since 1970. The years 1970 to 2155 can be written; a
    /// later time becomes the end of 2155.
    pub timestamp: u64,
    /// The application identifier: up to 64 printable ASCII characters, or nothing.
    pub application: String,
}

/// Why a disc cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text for the volume descriptor is too long or has characters that cannot stand there.
    #[error("{field} {value:?} cannot be used: give at most {limit} printable ASCII characters")]
    Text {
        /// Which text: `label` or `application identifier`.
        field: &'static str,
        /// The text as given.
        value: String,
        /// Most characters it may have.
        limit: usize,
    },
    /// A file is longer than readers accept.
    #[error("{path:?} is too large for a CD: {length} bytes, {limit} at most")]
    FileTooLarge {
        /// The file's path.
        path: String,
        /// Its length in bytes.
        length: u64,
        /// The longest a file can be, in bytes.
        limit: u64,
    },
    /// The files together are larger than a disc can be.
    #[error("the files are too large for one CD: a disc holds {limit} bytes at most")]
    DiscTooLarge {
        /// The largest a disc can be, in bytes.
        limit: u64,
    },
}

/// Lays the tree out as a CD.
///
/// Files get mode 0444 or 0555, directories 0555, all of them owner 0. Names are kept in Rock Ridge
/// whatever they are (Linux shows up to 253 bytes of them). In Joliet the characters `* : ; ? \`
/// become `_`, and what is longer than 103 UTF-16 units is cut before its extension.
///
/// # Errors
/// See [`Error`].
pub fn layout(tree: &Tree, options: &Options) -> Result<Image, Error> {
    check_text("label", &options.label, MAX_LABEL)?;
    check_text(
        "application identifier",
        &options.application,
        MAX_APPLICATION,
    )?;
    let catalog = Catalog::new(tree);

    let mut files = measure(&catalog)?;
    let mut primary = Hierarchy::new(Naming::Primary, &catalog);
    let mut joliet = Hierarchy::new(Naming::Joliet, &catalog);
    let mut next = SYSTEM_AREA + DESCRIPTORS;
    primary.place_path_tables(&mut next)?;
    joliet.place_path_tables(&mut next)?;
    primary.place_directories(&mut next, &catalog, &files)?;
    joliet.place_directories(&mut next, &catalog, &files)?;
    for file in &mut files {
        file.sector = to_sector(next)?;
        next = next.saturating_add(file.length.div_ceil(SECTOR as u64));
    }
    let sectors = to_sector(next.saturating_add(PADDING))?;

    let mut image = Image::default();
    image.push_zeros(SYSTEM_AREA * SECTOR as u64);
    image.push_bytes(&volume_descriptor(&primary, options, sectors));
    image.push_bytes(&volume_descriptor(&joliet, options, sectors));
    image.push_bytes(&terminator());
    for hierarchy in [&primary, &joliet] {
        for big_endian in [false, true] {
            image.push_bytes(&hierarchy.path_table(big_endian));
            image.align(SECTOR);
        }
    }
    for hierarchy in [&primary, &joliet] {
        for directory in hierarchy.encode_directories(&catalog, &files, options.timestamp) {
            image.push_bytes(&directory);
            image.align(SECTOR);
        }
    }
    for file in &catalog.files {
        image.push_body(file.kind);
        image.align(SECTOR);
    }
    image.push_zeros(PADDING * SECTOR as u64);
    Ok(image)
}

/// Where a file's body is.
#[derive(Clone, Copy, Debug)]
struct Sections {
    sector: u32,
    length: u64,
}

impl Sections {
    /// The sections' sectors and lengths in bytes; an empty file has one of no length.
    fn iter(self) -> impl Iterator<Item = (u32, u32)> {
        let count = self.length.div_ceil(SECTION).max(1);
        (0..count).map(move |number| {
            let sector = u64::from(self.sector) + number * (SECTION / SECTOR as u64);
            let length = (self.length - number * SECTION).min(SECTION);
            // The sector was placed within the disc, and a section's length fits by its bound;
            // before anything is placed, only the number of sections counts.
            (sector as u32, length as u32)
        })
    }
}

/// The lengths of the files, none of them placed.
fn measure(catalog: &Catalog<'_>) -> Result<Vec<Sections>, Error> {
    const LIMIT: u64 = MAX_SECTIONS * SECTION;
    catalog
        .files
        .iter()
        .map(|file| match file.kind.length() {
            length if length > LIMIT => {
                let path = catalog.path(file.parent, file.name);
                Err(Error::FileTooLarge {
                    path,
                    length,
                    limit: LIMIT,
                })
            }
            length => Ok(Sections { sector: 0, length }),
        })
        .collect()
}

/// A sector's number in the 32 bits there are for it.
fn to_sector(number: u64) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| Error::DiscTooLarge { limit: MAX_DISC })
}

/// Refuses a text that tools would show wrongly. The standard allows capitals, digits and `_` only;
/// lower case is what cloud-init documents (`cidata`) and every reader takes it.
fn check_text(field: &'static str, value: &str, limit: usize) -> Result<(), Error> {
    let printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && value.len() <= limit {
        return Ok(());
    }
    Err(Error::Text {
        field,
        value: value.to_owned(),
        limit,
    })
}
