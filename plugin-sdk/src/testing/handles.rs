//! What the fake host hands out: blobs and readers in memory, and a sink that records.

use std::cell::RefCell;
use std::rc::Rc;

use super::{ARCHIVE, Piece, Written, magic};
use crate::{Codec, Error};

/// Bytes of one call, at most, like those of lvhost.
const CHUNK: usize = 1024 * 1024;

/// The names and contents of a test's archive: lengths in eight bytes before each.
fn members(mut archive: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut text = move || {
        let (length, rest) = archive.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let text = rest.get(..length)?.to_vec();
        archive = &rest[length..];
        Some(text)
    };
    std::iter::from_fn(move || Some((String::from_utf8(text()?).ok()?, text()?)))
}

#[derive(Clone)]
pub(crate) struct FakeBlob {
    name: String,
    data: Rc<[u8]>,
    /// Algorithms and digits.
    pub(super) digests: Vec<(String, String)>,
}

impl FakeBlob {
    pub(super) fn new(name: &str, data: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            data: data.into(),
            digests: Vec::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.data.len() as u64
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Vec<u8> {
        let start = self
            .data
            .len()
            .min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = self.data.len().min(start + CHUNK.min(length as usize));
        self.data[start..end].to_vec()
    }

    pub(crate) fn reader(&self) -> FakeReader {
        FakeReader {
            data: Rc::clone(&self.data),
            position: 0,
        }
    }

    pub(crate) fn decode(&self, codec: Codec) -> Result<FakeReader, Error> {
        let plain = self.data.strip_prefix(magic(codec));
        let plain = plain.ok_or_else(|| {
            Error::Corrupt(format!(
                "`{}` is not compressed by {}",
                self.name,
                codec.name()
            ))
        })?;
        Ok(FakeReader {
            data: plain.into(),
            position: 0,
        })
    }

    /// What a test has told that it is.
    pub(crate) fn digest(&self, algorithm: &str) -> Result<String, Error> {
        let told = self.digests.iter().find(|(name, _)| name == algorithm);
        told.map(|(_, digits)| digits.clone()).ok_or_else(|| {
            Error::Invalid(format!(
                "the test has told no {algorithm} of `{}`",
                self.name
            ))
        })
    }

    pub(crate) fn unpack(&self, packing: &str, member: Option<&str>) -> Result<Self, Error> {
        let files = self.data.strip_prefix(ARCHIVE).ok_or_else(|| {
            Error::Corrupt(format!(
                "`{}` is no archive of the kind {packing}",
                self.name
            ))
        })?;
        let mut files = members(files);
        let found = match member {
            Some(member) => files.find(|(name, _)| name == member),
            None => files.next().filter(|_| files.next().is_none()),
        };
        let (name, data) = found.ok_or_else(|| {
            Error::Corrupt(format!(
                "`{}` has not the one file that is wanted",
                self.name
            ))
        })?;
        Ok(Self::new(&name, data))
    }
}

pub(crate) struct FakeReader {
    data: Rc<[u8]>,
    position: usize,
}

impl FakeReader {
    pub(crate) fn read(&mut self, length: u32) -> Vec<u8> {
        let start = self.position;
        self.position = self.data.len().min(start + CHUNK.min(length as usize));
        self.data[start..self.position].to_vec()
    }
}

pub(crate) struct FakeSink {
    pub(super) written: Rc<RefCell<Option<Written>>>,
}

impl FakeSink {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<u32, Error> {
        let taken = &data[..data.len().min(CHUNK)];
        self.push(Piece::Bytes(taken.to_vec()))?;
        Ok(u32::try_from(taken.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn splice(&mut self, data: Vec<u8>) -> Result<(), Error> {
        self.push(Piece::Splice(data))
    }

    pub(crate) fn zeros(&mut self, length: u64) -> Result<(), Error> {
        self.push(Piece::Zeros(length))
    }

    pub(crate) fn copy_from(
        &mut self,
        source: &FakeBlob,
        offset: u64,
        length: u64,
    ) -> Result<(), Error> {
        let range = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(length).ok());
        let data = range
            .and_then(|(offset, length)| source.data.get(offset..offset.checked_add(length)?))
            .ok_or_else(|| {
                Error::Invalid(format!(
                    "{} has no {length} bytes from {offset}",
                    source.name
                ))
            })?;
        self.splice(data.to_vec())
    }

    pub(crate) fn drain(&mut self, source: FakeReader) -> Result<u64, Error> {
        let data = &source.data[source.position..];
        self.push(Piece::Splice(data.to_vec()))?;
        Ok(data.len() as u64)
    }

    fn push(&mut self, piece: Piece) -> Result<(), Error> {
        let mut written = self.written.borrow_mut();
        let Some(written) = written.as_mut() else {
            return Ok(());
        };
        let end = written.length() + piece.length();
        if let Some(declared) = written.image.length.filter(|declared| end > *declared) {
            return Err(Error::Invalid(format!(
                "{end} bytes were written to an image that was declared to have {declared}"
            )));
        }
        written.pieces.push(piece);
        Ok(())
    }
}
