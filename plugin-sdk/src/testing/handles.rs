//! What the fake host hands out: blobs and readers in memory, and a sink that records.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Piece, Written, magic};
use crate::{Codec, Error};

#[derive(Clone)]
pub(crate) struct FakeBlob {
    name: String,
    data: Rc<[u8]>,
}

impl FakeBlob {
    pub(super) fn new(name: &str, data: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            data: data.into(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.data.len() as u64
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        let start = self
            .data
            .len()
            .min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = self.data.len().min(start + length as usize);
        Ok(self.data[start..end].to_vec())
    }

    pub(crate) fn reader(&self) -> FakeReader {
        FakeReader {
            data: Rc::clone(&self.data),
            position: 0,
        }
    }
}

pub(crate) struct FakeReader {
    data: Rc<[u8]>,
    position: usize,
}

impl FakeReader {
    pub(crate) fn read(&mut self, length: u32) -> Vec<u8> {
        let start = self.position;
        self.position = self.data.len().min(start + length as usize);
        self.data[start..self.position].to_vec()
    }

    pub(crate) fn decode(self, codec: Codec) -> Result<Self, Error> {
        let plain = self.data[self.position..]
            .strip_prefix(magic(codec))
            .ok_or_else(|| Error::Corrupt(format!("no {codec:?} stream")))?;
        Ok(Self {
            data: plain.into(),
            position: 0,
        })
    }

    pub(crate) fn measure(self) -> u64 {
        (self.data.len() - self.position) as u64
    }
}

pub(crate) struct FakeSink {
    pub(super) written: Rc<RefCell<Option<Written>>>,
}

impl FakeSink {
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.push(Piece::Bytes(data.to_vec()))
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
        self.push(Piece::Splice(data.to_vec()))
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
