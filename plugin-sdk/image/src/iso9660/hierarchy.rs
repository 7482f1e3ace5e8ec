//! One of a disc's two views of the tree: its path tables and directories, placed and encoded.

use super::field::{both_u16, both_u32, short_date};
use super::name::{Naming, identifiers, sort_key};
use super::rock_ridge::{Attributes, Continuation, DIRECTORY_MODE, file_mode, system_use};
use super::{Error, SECTOR, Sections, to_sector};
use crate::catalog::{Catalog, Child};

/// The longest a directory record can be: its length is one byte, and even.
const MAX_RECORD: usize = 254;
/// Bytes of a directory record before the identifier.
const RECORD_HEADER: usize = 33;

const DIRECTORY_FLAG: u8 = 0b0000_0010;
/// Another record with the next section of the same file follows.
const NOT_LAST_SECTION_FLAG: u8 = 0b1000_0000;

/// Identifiers of a directory's records of itself and of its parent.
const SELF: &[u8] = &[0];
const PARENT: &[u8] = &[1];

/// The primary (with Rock Ridge) or the Joliet hierarchy.
#[derive(Debug)]
pub(super) struct Hierarchy<'tree> {
    pub(super) naming: Naming,
    /// Sector of the path table with numbers in little-endian order.
    pub(super) path_table_little_endian: u32,
    /// Sector of the path table with numbers in big-endian order.
    pub(super) path_table_big_endian: u32,
    /// In the order of the path table.
    directories: Vec<Directory<'tree>>,
    /// From a catalog's directory number to the index in `directories`.
    positions: Vec<usize>,
}

/// A directory with its place on the disc.
#[derive(Debug)]
struct Directory<'tree> {
    identifier: Vec<u8>,
    /// Index of the parent in the path table's order.
    parent: usize,
    /// In the order of the records.
    children: Vec<Entry<'tree>>,
    subdirectories: u32,
    sector: u32,
    /// Bytes of records, in whole sectors; continuation areas come behind them.
    length: u32,
}

/// A child of a directory.
#[derive(Debug)]
struct Entry<'tree> {
    identifier: Vec<u8>,
    name: &'tree str,
    child: Child,
}

/// A directory's sectors.
#[derive(Debug)]
struct Encoded {
    records: Vec<u8>,
    continuation: Vec<u8>,
}

impl<'tree> Hierarchy<'tree> {
    /// Names and orders everything; nothing has a place yet.
    pub(super) fn new(naming: Naming, catalog: &Catalog<'tree>) -> Self {
        let count = catalog.directories.len();
        let mut directories: Vec<Directory<'tree>> = Vec::with_capacity(count);
        let mut positions = vec![0; count];
        let mut order = vec![(0, SELF.to_vec())];
        let mut position = 0;
        // Breadth first with sorted children is just how the path table is sorted: by level, by the
        // parent's number, by identifier (ECMA-119 §6.9.1).
        while position < order.len() {
            let (number, identifier) = order[position].clone();
            let source = &catalog.directories[number];
            positions[number] = position;
            let mut children: Vec<Entry<'tree>> = identifiers(naming, source)
                .into_iter()
                .zip(&source.children)
                .map(|(identifier, &(name, child))| Entry {
                    identifier,
                    name,
                    child,
                })
                .collect();
            children.sort_by(|a, b| {
                sort_key(naming, &a.identifier).cmp(sort_key(naming, &b.identifier))
            });
            let before = order.len();
            order.extend(children.iter().filter_map(|entry| match entry.child {
                Child::Directory(number) => Some((number, entry.identifier.clone())),
                Child::File(_) => None,
            }));
            directories.push(Directory {
                identifier,
                parent: positions[source.parent],
                children,
                subdirectories: (order.len() - before) as u32,
                sector: 0,
                length: 0,
            });
            position += 1;
        }
        Self {
            naming,
            path_table_little_endian: 0,
            path_table_big_endian: 0,
            directories,
            positions,
        }
    }

    /// Gives both path tables their sectors, from `next` on.
    pub(super) fn place_path_tables(&mut self, next: &mut u64) -> Result<(), Error> {
        let sectors = u64::from(self.path_table_length()).div_ceil(SECTOR as u64);
        self.path_table_little_endian = to_sector(*next)?;
        self.path_table_big_endian = to_sector(*next + sectors)?;
        *next += 2 * sectors;
        Ok(())
    }

    /// Gives every directory its sectors, from `next` on.
    pub(super) fn place_directories(
        &mut self,
        next: &mut u64,
        catalog: &Catalog<'_>,
        files: &[Sections],
    ) -> Result<(), Error> {
        for position in 0..self.directories.len() {
            // How long it gets does not depend on where things are.
            let encoded = self.encode(position, catalog, files, 0);
            let directory = &mut self.directories[position];
            directory.sector = to_sector(*next)?;
            directory.length = encoded.records.len() as u32;
            let length = encoded.records.len() + encoded.continuation.len();
            *next += length.div_ceil(SECTOR) as u64;
        }
        Ok(())
    }

    /// Bytes in each path table.
    pub(super) fn path_table_length(&self) -> u32 {
        let lengths = self
            .directories
            .iter()
            .map(|directory| 8 + directory.identifier.len().next_multiple_of(2));
        lengths.sum::<usize>() as u32
    }

    /// One of the two path tables (ECMA-119 §9.4).
    pub(super) fn path_table(&self, big_endian: bool) -> Vec<u8> {
        let mut table = Vec::with_capacity(self.path_table_length() as usize);
        for Directory {
            identifier,
            sector,
            parent,
            ..
        } in &self.directories
        {
            // `MAX_ENTRIES` is below what 16 bits can number.
            let parent = (parent + 1) as u16;
            table.extend([identifier.len() as u8, 0]);
            if big_endian {
                table.extend(sector.to_be_bytes());
                table.extend(parent.to_be_bytes());
            } else {
                table.extend(sector.to_le_bytes());
                table.extend(parent.to_le_bytes());
            }
            table.extend(identifier);
            if identifier.len() % 2 == 1 {
                table.push(0);
            }
        }
        table
    }

    /// The directories' sectors, in the order they were placed in.
    pub(super) fn encode_directories(
        &self,
        catalog: &Catalog<'_>,
        files: &[Sections],
        timestamp: u64,
    ) -> impl Iterator<Item = Vec<u8>> {
        (0..self.directories.len()).map(move |position| {
            let Encoded {
                mut records,
                continuation,
            } = self.encode(position, catalog, files, timestamp);
            records.extend(continuation);
            records
        })
    }

    /// The record of the root directory that stands in the volume descriptor.
    pub(super) fn root_record(&self, timestamp: u64) -> Vec<u8> {
        let root = &self.directories[0];
        record(
            SELF,
            (root.sector, root.length),
            DIRECTORY_FLAG,
            timestamp,
            &[],
        )
    }

    fn encode(
        &self,
        position: usize,
        catalog: &Catalog<'_>,
        files: &[Sections],
        timestamp: u64,
    ) -> Encoded {
        let directory = &self.directories[position];
        let parent = &self.directories[directory.parent];
        let mut continuation = Continuation {
            sector: directory.sector + directory.length / SECTOR as u32,
            bytes: Vec::new(),
        };
        let mut records = Vec::new();
        let mut add = |identifier: &[u8], section, flags, attributes| {
            let extra = match self.naming {
                Naming::Primary => {
                    let room = MAX_RECORD - system_use_offset(identifier.len());
                    system_use(attributes, timestamp, room, &mut continuation)
                }
                Naming::Joliet => Vec::new(),
            };
            let record = record(identifier, section, flags, timestamp, &extra);
            // A record never crosses into another sector; zeros fill up.
            if records.len() % SECTOR + record.len() > SECTOR {
                records.resize(records.len().next_multiple_of(SECTOR), 0);
            }
            records.extend(record);
        };
        let of_directory = |directory: &Directory<'_>, name| Attributes {
            mode: DIRECTORY_MODE,
            links: 2 + directory.subdirectories,
            name,
            announces: false,
        };
        let own = Attributes {
            announces: position == 0,
            ..of_directory(directory, None)
        };
        add(
            SELF,
            (directory.sector, directory.length),
            DIRECTORY_FLAG,
            own,
        );
        let section = (parent.sector, parent.length);
        add(PARENT, section, DIRECTORY_FLAG, of_directory(parent, None));
        for Entry {
            identifier,
            name,
            child,
        } in &directory.children
        {
            match *child {
                Child::Directory(number) => {
                    let child = &self.directories[self.positions[number]];
                    let attributes = of_directory(child, Some(*name));
                    add(
                        identifier,
                        (child.sector, child.length),
                        DIRECTORY_FLAG,
                        attributes,
                    );
                }
                Child::File(number) => {
                    let attributes = Attributes {
                        mode: file_mode(catalog.files[number].executable),
                        links: 1,
                        name: Some(*name),
                        announces: false,
                    };
                    let mut sections = files[number].iter().peekable();
                    while let Some(section) = sections.next() {
                        let last = sections.peek().is_none();
                        let flags = if last { 0 } else { NOT_LAST_SECTION_FLAG };
                        add(identifier, section, flags, attributes);
                    }
                }
            }
        }
        records.resize(records.len().next_multiple_of(SECTOR), 0);
        Encoded {
            records,
            continuation: continuation.bytes,
        }
    }
}

/// Where System Use begins in a record: behind the identifier, at an even place.
fn system_use_offset(identifier: usize) -> usize {
    (RECORD_HEADER + identifier).next_multiple_of(2)
}

/// A directory record (ECMA-119 §9.1) for a section at a sector, with a length in bytes.
fn record(
    identifier: &[u8],
    (sector, length): (u32, u32),
    flags: u8,
    timestamp: u64,
    system_use: &[u8],
) -> Vec<u8> {
    let start = system_use_offset(identifier.len());
    let size = (start + system_use.len()).next_multiple_of(2);
    let mut record = Vec::with_capacity(size);
    record.extend([size as u8, 0]);
    record.extend(both_u32(sector));
    record.extend(both_u32(length));
    record.extend(short_date(timestamp));
    record.extend([flags, 0, 0]); // not interleaved
    record.extend(both_u16(1)); // the volume's number in its set
    record.push(identifier.len() as u8);
    record.extend(identifier);
    record.resize(start, 0);
    record.extend(system_use);
    record.resize(size, 0);
    record
}
