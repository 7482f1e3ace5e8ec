//! Bytes that lvhost holds: files and downloads, streams of them, and the volume being filled.

use crate::Error;
use crate::bindings::lvhost::source::{blobs, prepare};
#[cfg(not(target_family = "wasm"))]
use crate::testing;

/// Bytes that are copied in one call, at most: what a test's host takes, like lvhost.
const CHUNK: usize = 1024 * 1024;

/// A compression that the host undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// The .xz container.
    Xz,
    /// RFC 8878.
    Zstd,
}

impl Codec {
    /// What users and the host call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// Random access to a finished download or a file.
pub struct Blob(pub(crate) BlobHandle);

pub(crate) enum BlobHandle {
    Host(blobs::Blob),
    #[cfg(not(target_family = "wasm"))]
    Fake(testing::FakeBlob),
}

impl Blob {
    pub(crate) fn of_host(&self) -> Result<&blobs::Blob, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => Ok(blob),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(_) => Err(mixed_hosts()),
        }
    }

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

    /// From `offset`, at most `length` bytes, and it may be fewer; none only at the end.
    ///
    /// # Errors
    /// Those of the host's file system.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let length = word(length);
        match &self.0 {
            BlobHandle::Host(blob) => Ok(blob.read(offset, length)?),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => Ok(blob.read(offset, length)),
        }
    }

    /// A stream of the bytes from the beginning.
    ///
    /// # Errors
    /// Those of the host's file system.
    pub fn reader(&self) -> Result<Reader, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => Ok(Reader(ReaderHandle::Host(blob.reader()?))),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => Ok(Reader(ReaderHandle::Fake(blob.reader()))),
        }
    }

    /// A stream of the bytes from the beginning, decompressed by the host.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they do not begin as the codec demands; the rest is checked while it is read.
    pub fn decode(&self, codec: Codec) -> Result<Reader, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => Ok(Reader(ReaderHandle::Host(blob.decode(codec.name())?))),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => Ok(Reader(ReaderHandle::Fake(blob.decode(codec)?))),
        }
    }

    /// The digest of all bytes, in hexadecimal digits: `sha256`, `sha512`, `sha1` or `md5`. A test's host knows none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such algorithm.
    pub fn digest(&self, algorithm: &str) -> Result<String, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => Ok(blob.digest(algorithm)?),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => blob.digest(algorithm),
        }
    }

    /// A file in an archive: the one of that name, or the only one there is. `packing` is what the names of such
    /// archives end in: `zip`, `tar`, `tar.gz`, `tar.bz2`, `tar.xz` or `tar.zst`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is no such archive, or has no such file.
    pub fn unpack(&self, packing: &str, member: Option<&str>) -> Result<Self, Error> {
        match &self.0 {
            BlobHandle::Host(blob) => Ok(Self(BlobHandle::Host(blob.unpack(packing, member)?))),
            #[cfg(not(target_family = "wasm"))]
            BlobHandle::Fake(blob) => Ok(Self(BlobHandle::Fake(blob.unpack(packing, member)?))),
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
    /// At most `length` bytes, and it may be fewer; none only at the end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes can't be decompressed.
    pub fn read(&mut self, length: usize) -> Result<Vec<u8>, Error> {
        let length = word(length);
        match &mut self.0 {
            ReaderHandle::Host(reader) => Ok(reader.read(length)?),
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
}

/// The volume being filled: a write-only sequence of bytes, splices and holes.
///
/// Every function waits until the hypervisor has taken the bytes. What has been written can't be
/// changed.
pub struct Sink(pub(crate) SinkHandle);

pub(crate) enum SinkHandle {
    Host(prepare::Sink),
    #[cfg(not(target_family = "wasm"))]
    Fake(testing::FakeSink),
}

impl Sink {
    /// Writes bytes, as many as you like.
    ///
    /// # Errors
    /// [`Error::Invalid`] past the length that was declared, otherwise the hypervisor's.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let mut left = data;
        while !left.is_empty() {
            let chunk = &left[..left.len().min(CHUNK)];
            let taken = match &mut self.0 {
                SinkHandle::Host(sink) => sink.write(chunk)?,
                #[cfg(not(target_family = "wasm"))]
                SinkHandle::Fake(sink) => sink.write(chunk)?,
            };
            left = left.get(taken as usize..).unwrap_or_default();
        }
        Ok(())
    }

    /// A hole: `length` zeros that are neither sent nor stored.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn zeros(&mut self, length: u64) -> Result<(), Error> {
        match &mut self.0 {
            SinkHandle::Host(sink) => Ok(sink.zeros(length)?),
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
                Ok(sink.copy_from(blob, offset, length)?)
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
            (SinkHandle::Host(sink), ReaderHandle::Host(reader)) => Ok(sink.drain(reader)?),
            #[cfg(not(target_family = "wasm"))]
            (SinkHandle::Fake(sink), ReaderHandle::Fake(reader)) => sink.drain(reader),
            #[cfg(not(target_family = "wasm"))]
            _ => Err(mixed_hosts()),
        }
    }
}

/// A length as it crosses the border. What is longer is clamped, and so does the host.
fn word(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(not(target_family = "wasm"))]
fn mixed_hosts() -> Error {
    Error::Invalid("bytes of one host were to be written to a volume of another".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, Piece, compressed};
    use crate::{Host, Image, Request};

    const URL: &str = "https://example.org/a.gz";

    fn blob(host: &FakeHost) -> Blob {
        host.download(&Request::new([URL])).unwrap()
    }

    #[test]
    fn more_than_a_chunk_crosses_the_border_in_pieces() {
        let data = vec![1; 2 * CHUNK + 1];
        let host = FakeHost::new().with_download(URL, data.clone());
        let mut sink = host.create(&Image::raw(data.len() as u64)).unwrap();
        sink.write(&data).unwrap();
        let lengths: Vec<_> = host
            .written()
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths, [CHUNK, CHUNK, 1]);

        let blob = blob(&host);
        assert_eq!(blob.read(0, usize::MAX).unwrap().len(), CHUNK);
        assert_eq!(blob.read(2 * CHUNK as u64, CHUNK).unwrap(), [1]);
        assert_eq!(blob.read(u64::MAX, 1).unwrap(), []);
        assert_eq!(blob.reader().unwrap().read_up_to(usize::MAX).unwrap(), data);
    }

    #[test]
    fn a_decoded_reader_goes_on_where_it_was() {
        let host = FakeHost::new().with_download(URL, compressed(Codec::Gzip, b"plain text"));
        let decoded = || blob(&host).decode(Codec::Gzip).unwrap();
        let mut reader = decoded();
        assert_eq!(reader.read_up_to(5).unwrap(), b"plain");
        assert_eq!(reader.read_up_to(100).unwrap(), b" text");

        let mut sink = host.create(&Image::raw(10)).unwrap();
        assert_eq!(sink.drain(decoded()), Ok(10));
        assert_eq!(host.written().bytes(), b"plain text");

        let not_xz = blob(&host).decode(Codec::Xz);
        assert!(matches!(not_xz, Err(Error::Corrupt(_))));
    }

    #[test]
    fn a_volume_takes_no_more_than_was_declared_and_a_blob_gives_no_more_than_it_has() {
        let host = FakeHost::new().with_download(URL, b"data");
        let mut sink = host.create(&Image::raw(4)).unwrap();
        let beyond = sink.copy_from(&blob(&host), 1, 4);
        assert!(matches!(beyond, Err(Error::Invalid(_))));
        sink.copy_from(&blob(&host), 0, 4).unwrap();
        assert!(matches!(sink.zeros(1), Err(Error::Invalid(_))));
        assert!(matches!(
            host.create(&Image::raw(4)),
            Err(Error::Invalid(_))
        ));
    }
}
