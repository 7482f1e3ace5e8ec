//! Files with holes as GNU tar writes them into archives of the format PAX: which pieces of the file are in the
//! archive, and where in the file they belong.
//!
//! ```text
//!  0.0  GNU.sparse.size, then GNU.sparse.offset and GNU.sparse.numbytes for each piece ─┐
//!  0.1  GNU.sparse.size, GNU.sparse.map = offset,length,offset,length…                 ─┼─► the map
//!  1.0  GNU.sparse.realsize, and the map as lines of numbers before the pieces         ─┘
//! ```
//!
//! To a reader that does not know them such files are the pieces one after the other, under another name.
//! So whatever is not understood here is an error: nothing is taken for the file that is not the file.

use std::io::{self, Read};

/// Pieces of one file. An image of 100 GiB whose every other MiB is a hole has fifty thousand.
const MAXIMUM_PIECES: usize = 1 << 20;

/// Digits of the largest number.
const DIGITS: usize = 20;

/// To this the map of the format 1.0 is filled up.
const BLOCK: u64 = 512;

/// What the keywords of such files begin with.
const KEYWORDS: &str = "GNU.sparse.";

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where in the file it begins.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u64,
}

/// What the headers say of a file with holes.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    name: Option<String>,
    size: Option<u64>,
    real_size: Option<u64>,
    version: (Option<u64>, Option<u64>),
    count: Option<u64>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    map: Option<String>,
}

/// Whether a keyword is one of those for files with holes.
pub(super) fn is_keyword(key: &str) -> bool {
    key.starts_with(KEYWORDS)
}

/// Whether keywords for files with holes are somewhere in a header.
pub(super) fn are_in(header: &[u8]) -> bool {
    let keywords = KEYWORDS.as_bytes();
    header
        .windows(keywords.len())
        .any(|bytes| bytes == keywords)
}

/// They are where they belong to no file, or to one that tells of its holes in another way.
pub(super) fn misplaced() -> io::Error {
    wrong("its headers are where none belong")
}

impl Keywords {
    /// Notes one.
    ///
    /// # Errors
    /// It is unknown, or its value is none.
    pub(super) fn note(&mut self, key: &str, value: &str) -> io::Result<()> {
        let unknown = || wrong(format!("it has the unknown keyword {key}"));
        match key.strip_prefix(KEYWORDS).ok_or_else(unknown)? {
            "name" => self.name = Some(value.to_owned()),
            "size" => self.size = Some(number(value)?),
            "realsize" => self.real_size = Some(number(value)?),
            "major" => self.version.0 = Some(number(value)?),
            "minor" => self.version.1 = Some(number(value)?),
            "numblocks" => self.count = Some(number(value)?),
            "offset" => push(&mut self.offsets, number(value)?)?,
            "numbytes" => push(&mut self.lengths, number(value)?)?,
            "map" => self.map = Some(value.to_owned()),
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// The file's name, where the header has another one.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The file's length, its pieces, and how many bytes of the entry stand before the first of them. In the
    /// format 1.0 the map is read from `entry`, which has `packed` bytes.
    ///
    /// # Errors
    /// The map contradicts itself or the entry, or does not end.
    pub(super) fn layout(self, entry: &mut impl Read, packed: u64) -> io::Result<Layout> {
        let (pieces, map_length) = match self.version {
            (None, None) | (Some(0), Some(0 | 1)) => (self.pieces_in_header()?, 0),
            (Some(1), Some(0)) => map_in_front(entry)?,
            _ => return Err(wrong("it is of an unknown version")),
        };
        let is_said = self.real_size.or(self.size);
        let length = is_said.ok_or_else(|| wrong("its length is not said"))?;
        if self.real_size.zip(self.size).is_some_and(|(a, b)| a != b) {
            return Err(wrong("it has two lengths"));
        }
        let (mut end, mut stored) = (0, map_length);
        for piece in &pieces {
            let ends = piece.offset.checked_add(piece.length);
            match ends {
                Some(ends) if piece.offset >= end && ends <= length => end = ends,
                _ => return Err(wrong("its pieces overlap or go beyond its end")),
            }
            // No sum of lengths without overlaps is longer than the file.
            stored += piece.length;
        }
        if stored != packed {
            return Err(wrong("its pieces are not as long as what is there of them"));
        }
        Ok(Layout { length, pieces })
    }

    fn pieces_in_header(&self) -> io::Result<Vec<Piece>> {
        let pieces: Vec<Piece> = match &self.map {
            Some(map) if self.offsets.is_empty() && self.lengths.is_empty() => {
                let mut numbers = map.split(',').filter(|text| !text.is_empty());
                let mut pieces = Vec::new();
                while let Some(offset) = numbers.next() {
                    let length = numbers.next().ok_or_else(|| wrong("its map ends early"))?;
                    push(
                        &mut pieces,
                        Piece {
                            offset: number(offset)?,
                            length: number(length)?,
                        },
                    )?;
                }
                pieces
            }
            None if self.offsets.len() == self.lengths.len() => {
                let both = self.offsets.iter().zip(&self.lengths);
                both.map(|(&offset, &length)| Piece { offset, length })
                    .collect()
            }
            _ => return Err(wrong("its map contradicts itself")),
        };
        match self.count {
            Some(count) if count == pieces.len() as u64 => Ok(pieces),
            _ => Err(wrong("it has not as many pieces as it says")),
        }
    }
}

/// Where the pieces of a file belong.
#[derive(Debug)]
pub(super) struct Layout {
    /// The file's length, holes included.
    pub(super) length: u64,
    /// In the order of the file and of the archive.
    pub(super) pieces: Vec<Piece>,
}

/// Reads a map of lines of numbers, up to the block after which the pieces begin.
fn map_in_front(entry: &mut impl Read) -> io::Result<(Vec<Piece>, u64)> {
    let mut lines = Lines {
        entry,
        block: [0; BLOCK as usize],
        at: BLOCK as usize,
        read: 0,
    };
    let count = lines.number()?;
    if count > MAXIMUM_PIECES as u64 {
        return Err(too_many());
    }
    let mut pieces = Vec::new();
    for _ in 0..count {
        let (offset, length) = (lines.number()?, lines.number()?);
        pieces.push(Piece { offset, length });
    }
    Ok((pieces, lines.read))
}

/// Numbers on lines of their own, read in whole blocks.
struct Lines<'a, R> {
    entry: &'a mut R,
    block: [u8; BLOCK as usize],
    at: usize,
    read: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> io::Result<u64> {
        let mut text = String::new();
        loop {
            if self.at == self.block.len() {
                self.entry.read_exact(&mut self.block)?;
                (self.at, self.read) = (0, self.read + BLOCK);
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' => return number(&text),
                b'0'..=b'9' if text.len() < DIGITS => text.push(char::from(byte)),
                _ => return Err(wrong("its map is none")),
            }
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> io::Result<()> {
    if list.len() == MAXIMUM_PIECES {
        return Err(too_many());
    }
    list.push(item);
    Ok(())
}

fn number(text: &str) -> io::Result<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_plain);
    number.ok_or_else(|| wrong("a number of its map is none"))
}

fn too_many() -> io::Error {
    wrong(format!("it has more than {MAXIMUM_PIECES} pieces"))
}

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the file with holes in it can't be put together: {what}"),
    )
}
