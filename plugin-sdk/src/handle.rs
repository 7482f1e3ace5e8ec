//! Bytes that lvhost holds: files and downloads, streams of them, and the volume being filled.

use crate::bindings::lvhost::source::{blobs, target};
#[cfg(not(target_family = "wasm"))]
use crate::testing;
use crate::{Codec, Error};

/// The most bytes that cross the border in one call, either way: lvhost refuses more.
pub const MAX_CHUNK: usize = 1024 * 1024;

/// Random access to a finished download or a file.
pub struct Blob(pub(crate) BlobHandle);

pub(crate) enum BlobHandle {
    Host(blobs::Blob),
    #[cfg(not(target_family = "wasm"))]
    Fake(testing::FakeBlob),
}

impl Blob {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.0 {
            BlobHandle::Host(blob) => blob.size(),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => blob.size(),
        }
    }

    /// The file's name without folders, as the user or the URL gave it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            BlobHandle::Host(blob) => blob.name(),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => blob.name(),
        }
    }

    /// At most `length` bytes from `offset`, and at most [`MAX_CHUNK`]; fewer only at the end.
    ///
    /// # Errors
    /// Those of the host's file system.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let length = chunk_length(length);
        match &self.0 {
            BlobHandle::Host(blob) => blob.read(offset, length),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => blob.read(offset, length),
        }
    }

    /// A stream of the bytes from the beginning.
    ///
    /// # Errors
    /// Those of the host's file system.
    pub fn reader(&self) -> Result<Reader, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => blob
                .reader()
                .map(|reader| Reader(ReaderHandle::Host(reader))),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => Ok(Reader(ReaderHandle::Fake(blob.reader()))),
        }
    }
}

/// A stream of bytes.
pub struct Reader(pub(crate) ReaderHandle);

pub(crate) enum ReaderHandle {
    Host(blobs::Reader),
    #[cfg(not(target_family = "wasm"))]
    Fake(testing::FakeReader),
}

impl Reader {
    /// At most `length` bytes, and at most [`MAX_CHUNK`]; none only at the end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes can't be decompressed.
    pub fn read(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let length = chunk_length(length);
        match &mut self.0 {
            ReaderHandle::Host(reader) => reader.read(length),
            #[cfg(not(target_family = "wasm"))]
            ReaderHandle::Fake(reader) => Ok(reader.read(length)),
        }
    }

    /// Reads until `length` bytes are there; fewer only at the end. For headers.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_up_to(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let piece = self.read(length - bytes.len())?;
            if piece.is_empty() {
                break;
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// The same bytes, decompressed by the host.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the stream does not begin as the codec demands; the rest of the
    /// stream is checked while it is read.
    pub fn decode(self, codec: Codec) -> Result<Self, Error> {
        match self.0 {
            ReaderHandle::Host(reader) => {
                blobs::Reader::decode(reader, codec).map(|reader| Self(ReaderHandle::Host(reader)))
            }
            #[cfg(not(target_family = "wasm"))]
            ReaderHandle::Fake(reader) => reader
                .decode(codec)
                .map(|reader| Self(ReaderHandle::Fake(reader))),
        }
    }

    /// Reads to the end, inside the host, and returns how many bytes that were.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn measure(self) -> Result<u64, Error> {
        match self.0 {
            ReaderHandle::Host(reader) => blobs::Reader::measure(reader),
            #[cfg(not(target_family = "wasm"))]
            ReaderHandle::Fake(reader) => Ok(reader.measure()),
        }
    }
}

/// The volume being filled: a write-only sequence of bytes, splices and holes.
///
/// Every function waits until the hypervisor has taken the bytes. What has been written can't be
/// changed.
pub struct Sink(pub(crate) SinkHandle);

pub(crate) enum SinkHandle {
    Host(target::Sink),
    #[cfg(not(target_family = "wasm"))]
    Fake(testing::FakeSink),
}

impl Sink {
    /// Writes bytes, as many as you like.
    ///
    /// # Errors
    /// [`Error::Invalid`] past the length that was declared, otherwise the hypervisor's.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        data.chunks(MAX_CHUNK)
            .try_for_each(|chunk| match &mut self.0 {
                SinkHandle::Host(sink) => sink.write(chunk),
                #[cfg(not(target_family = "wasm"))]
                SinkHandle::Fake(sink) => sink.write(chunk),
            })
    }

    /// A hole: `length` zeros that are neither sent nor stored.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn zeros(&mut self, length: u64) -> Result<(), Error> {
        match &mut self.0 {
            SinkHandle::Host(sink) => sink.zeros(length),
            #[cfg(not(target_family = "wasm"))]
            SinkHandle::Fake(sink) => sink.zeros(length),
        }
    }

    /// Splices a part of a blob; holes in it stay holes. The bytes don't enter the component.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the blob has no such part, otherwise as [`write`](Self::write).
    pub fn copy_from(&mut self, source: &Blob, offset: u64, length: u64) -> Result<(), Error> {
        match (&mut self.0, &source.0) {
            (SinkHandle::Host(sink), BlobHandle::Host(blob)) => {
                sink.copy_from(blob, offset, length)
            }
            #[cfg(not(target_family = "wasm"))]
            (SinkHandle::Fake(sink), BlobHandle::Fake(blob)) => {
                sink.copy_from(blob, offset, length)
            }
            #[cfg(not(target_family = "wasm"))]
            _ => Err(mixed_hosts()),
        }
    }

    /// Splices all that is left in a reader; runs of zeros become holes. Returns how many bytes
    /// that were.
    ///
    /// # Errors
    /// Those of [`Reader::read`] and of [`write`](Self::write).
    pub fn drain(&mut self, source: Reader) -> Result<u64, Error> {
        match (&mut self.0, source.0) {
            (SinkHandle::Host(sink), ReaderHandle::Host(reader)) => sink.drain(reader),
            #[cfg(not(target_family = "wasm"))]
            (SinkHandle::Fake(sink), ReaderHandle::Fake(reader)) => sink.drain(reader),
            #[cfg(not(target_family = "wasm"))]
            _ => Err(mixed_hosts()),
        }
    }
}

fn chunk_length(length: usize) -> u32 {
    u32::try_from(length.min(MAX_CHUNK)).unwrap_or(u32::MAX)
}

#[cfg(not(target_family = "wasm"))]
fn mixed_hosts() -> Error {
    Error::Invalid("bytes of one host were to be written to a volume of another".to_owned())
}
