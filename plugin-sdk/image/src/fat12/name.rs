//! Names on FAT: the 8.3 short name every entry has, and the long name (VFAT) beside it.
//!
//! After "FAT: General Overview of On-Disk Format" (Microsoft, 2000), "Long Directory Entries".

use std::collections::BTreeMap;

use super::Error;
use super::directory::ENTRY;
use crate::catalog::{Catalog, Child};
use crate::unique::UniqueNames;

/// A short name as a directory entry holds it: base and extension, each filled with spaces.
pub(super) type ShortName = [u8; 11];

const BASE: usize = 8;
const EXTENSION: usize = 3;
/// UTF-16 units in one long-name entry.
const UNITS_PER_ENTRY: usize = 13;
// A long name has at most 255 UTF-16 units, and no text has more of them than bytes of UTF-8.
const _: () = assert!(crate::MAX_NAME_BYTES <= 255);

/// The names of one directory entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) short: ShortName,
    /// The long name in UTF-16; empty where the short name says it all.
    pub(super) long: Vec<u16>,
}

impl Names {
    /// Directory entries the names take.
    pub(super) fn entries(&self) -> usize {
        1 + self.long.len().div_ceil(UNITS_PER_ENTRY)
    }

    /// The long name's entries, in the order they stand before the short one.
    pub(super) fn long_entries(&self) -> Vec<[u8; ENTRY]> {
        const LONG_NAME_ATTRIBUTES: u8 = 0x0F;
        const LAST: u8 = 0x40;
        let checksum = checksum(&self.short);
        let count = self.long.len().div_ceil(UNITS_PER_ENTRY);
        let mut entries = Vec::with_capacity(count);
        for (index, piece) in self.long.chunks(UNITS_PER_ENTRY).enumerate().rev() {
            let mut units = [0xFFFF_u16; UNITS_PER_ENTRY];
            units[..piece.len()].copy_from_slice(piece);
            if let Some(end) = units.get_mut(piece.len()) {
                *end = 0;
            }
            let mut entry = [0; ENTRY];
            entry[0] = (index + 1) as u8 | if index + 1 == count { LAST } else { 0 };
            entry[11] = LONG_NAME_ATTRIBUTES;
            entry[13] = checksum;
            let places = (1..11)
                .step_by(2)
                .chain((14..26).step_by(2))
                .chain([28, 30]);
            for (unit, at) in units.iter().zip(places) {
                entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            entries.push(entry);
        }
        entries
    }
}

/// The names of a directory's children, in the order of the children.
pub(super) fn assign(catalog: &Catalog<'_>, directory: usize) -> Result<Vec<Names>, Error> {
    let children = &catalog.directories[directory].children;
    check(catalog, directory, children)?;
    let mut unique = UniqueNames::new();
    // Names that are short already come first, so that none of them goes to a longer one.
    let mut shorts: Vec<Option<ShortName>> = children
        .iter()
        .map(|(name, _)| as_short(name).filter(|short| unique.take(short)))
        .collect();
    let mut names = Vec::with_capacity(children.len());
    for (short, (name, _)) in shorts.iter_mut().zip(children) {
        names.push(match short.take() {
            Some(short) => Names {
                short,
                long: Vec::new(),
            },
            None => {
                let (base, extension) = shortened(name);
                let numbered = |number: u32| {
                    let tail = format!("~{number}");
                    let keep = base.len().min(BASE - tail.len());
                    short_name(&[&base[..keep], tail.as_bytes()].concat(), &extension)
                };
                let short = unique.number((base.clone(), extension.clone()), numbered);
                Names {
                    short,
                    long: name.encode_utf16().collect(),
                }
            }
        });
    }
    Ok(names)
}

/// Refuses names FAT cannot store, and names it cannot tell apart.
fn check(catalog: &Catalog<'_>, directory: usize, children: &[(&str, Child)]) -> Result<(), Error> {
    let mut seen = BTreeMap::new();
    for (name, _) in children {
        let path = || catalog.path(directory, name);
        if name.contains(['"', '*', ':', '<', '>', '?', '\\', '|']) {
            let reason = "FAT has no names with any of `\" * : < > ? \\ |`";
            return Err(Error::Name {
                path: path(),
                reason,
            });
        }
        if name.ends_with(['.', ' ']) {
            let reason = "FAT has no names that end in a dot or a space";
            return Err(Error::Name {
                path: path(),
                reason,
            });
        }
        if let Some(first) = seen.insert(name.to_lowercase(), name) {
            let first = catalog.path(directory, first);
            return Err(Error::SameName {
                first,
                second: path(),
            });
        }
    }
    Ok(())
}

/// The name as a short name, if it is one.
fn as_short(name: &str) -> Option<ShortName> {
    let (base, extension) = match name.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (name, ""),
    };
    let fits = (1..=BASE).contains(&base.len()) && extension.len() <= EXTENSION;
    let allowed = |c: char| is_short_character(c) && !c.is_ascii_lowercase();
    (fits && base.chars().chain(extension.chars()).all(allowed))
        .then(|| short_name(base.as_bytes(), extension.as_bytes()))
}

/// What is left of a long name's base and extension: capitals, no spaces, `_` for what a short name
/// cannot have. The base has 6 characters at most, which leaves room for `~1`.
fn shortened(name: &str) -> (Vec<u8>, Vec<u8>) {
    const STEM: usize = 6;
    let name = name.trim_start_matches(['.', ' ']);
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let field = |text: &str, limit| -> Vec<u8> {
        text.chars()
            .filter(|c| !matches!(c, '.' | ' '))
            .take(limit)
            .map(|c| {
                if is_short_character(c) {
                    c.to_ascii_uppercase() as u8
                } else {
                    b'_'
                }
            })
            .collect()
    };
    let mut stem = field(base, STEM);
    if stem.is_empty() {
        stem.push(b'_');
    }
    (stem, field(extension, EXTENSION))
}

fn is_short_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "$%'-_@~`!(){}^#&".contains(c)
}

fn short_name(base: &[u8], extension: &[u8]) -> ShortName {
    let mut short = [b' '; BASE + EXTENSION];
    short[..base.len()].copy_from_slice(base);
    short[BASE..BASE + extension.len()].copy_from_slice(extension);
    short
}

/// Ties a long name to its short one.
fn checksum(short: &ShortName) -> u8 {
    short
        .iter()
        .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}
