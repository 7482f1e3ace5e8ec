//! Volume descriptors (ECMA-119 §8): the primary one, Joliet's, and the terminator.

use super::field::{both_u16, both_u32, long_date, no_date, text};
use super::hierarchy::Hierarchy;
use super::name::Naming;
use super::{Options, SECTOR};

/// The escape sequence for UCS-2 level 3, which makes a supplementary descriptor Joliet's.
const UCS2_LEVEL_3: &[u8] = b"%/E";

/// The primary or the Joliet descriptor of a disc that is `sectors` long.
pub(super) fn volume_descriptor(
    hierarchy: &Hierarchy<'_>,
    options: &Options,
    sectors: u32,
) -> Vec<u8> {
    let joliet = hierarchy.naming == Naming::Joliet;
    let text = |value: &str, length| text(value, length, joliet);
    let mut escape_sequences = [0; 32];
    if joliet {
        escape_sequences[..UCS2_LEVEL_3.len()].copy_from_slice(UCS2_LEVEL_3);
    }
    let date = long_date(options.timestamp);
    let volumes_in_set = both_u16(1);

    let mut bytes = header(if joliet { 2 } else { 1 });
    bytes.push(0);
    bytes.extend(text("", 32)); // system identifier
    bytes.extend(text(&options.label, 32));
    bytes.extend([0; 8]);
    bytes.extend(both_u32(sectors));
    bytes.extend(escape_sequences);
    bytes.extend(volumes_in_set);
    bytes.extend(both_u16(1)); // this volume's number in its set
    bytes.extend(both_u16(SECTOR as u16));
    bytes.extend(both_u32(hierarchy.path_table_length()));
    bytes.extend(hierarchy.path_table_little_endian.to_le_bytes());
    bytes.extend([0; 4]); // no second copy
    bytes.extend(hierarchy.path_table_big_endian.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(hierarchy.root_record(options.timestamp));
    bytes.extend(text("", 128)); // volume set
    bytes.extend(text("", 128)); // publisher
    bytes.extend(text("", 128)); // data preparer
    bytes.extend(text(&options.application, 128));
    bytes.extend(text("", 37)); // copyright file
    bytes.extend(text("", 37)); // abstract file
    bytes.extend(text("", 37)); // bibliographic file
    bytes.extend(date); // created
    bytes.extend(date); // modified
    bytes.extend(no_date()); // expires
    bytes.extend(no_date()); // effective
    bytes.push(1); // version of the file structure
    bytes.resize(SECTOR, 0);
    bytes
}

/// The descriptor that ends the list.
pub(super) fn terminator() -> Vec<u8> {
    let mut bytes = header(255);
    bytes.resize(SECTOR, 0);
    bytes
}

fn header(kind: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SECTOR);
    bytes.push(kind);
    bytes.extend(b"CD001");
    bytes.push(1); // version
    bytes
}
