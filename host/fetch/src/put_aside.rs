//! Bytes that are made once and needed twice: they wait in a file without a name, which the system removes with its
//! last handle.

use std::fs::File;
use std::io::{self, Read};

use thiserror::Error;

use crate::cache::{Cache, CacheError};
use crate::disk;
use crate::download::MAXIMUM_LENGTH;
use crate::sink::write_sparse;
use crate::{Fetcher, Settings};

/// Bytes moved at once.
const PIECE: usize = 1 << 20;

/// Why bytes can't be put aside.
#[derive(Debug, Error)]
pub enum PutAsideError {
    /// They can't be read.
    #[error("these bytes can't be read")]
    Read(#[source] io::Error),
    /// There is no room for them: no more than half of what is free is taken.
    #[error("there is no room")]
    NoRoom,
    /// They can't be written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Bytes that were put aside.
#[derive(Debug)]
pub struct PutAside {
    /// Holes where they are zero.
    pub file: File,
    /// Bytes.
    pub length: u64,
}

impl Fetcher {
    /// Puts all that comes out of `source` into a file beside the cache. This blocks.
    ///
    /// # Errors
    /// See [`PutAsideError`].
    pub fn put_aside(&self, source: &mut dyn Read) -> Result<PutAside, PutAsideError> {
        let free = disk::free(&self.settings().cache_directory).unwrap_or(u64::MAX);
        put_aside(source, self.settings(), free / 2)
    }
}

fn put_aside(
    source: &mut dyn Read,
    settings: &Settings,
    room: u64,
) -> Result<PutAside, PutAsideError> {
    let folder = &settings.cache_directory;
    let written = |source: io::Error| match disk::is_full(&source) {
        true => PutAsideError::NoRoom,
        false => CacheError::new("write into", folder, source).into(),
    };
    let cache = Cache::open(folder)?;
    let file = cache.root().unnamed_file().map_err(written)?;
    let mut buffer = vec![0; PIECE];
    let mut length = 0;
    let mut left = room;
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PutAsideError::Read(error)),
        };
        let bytes = &buffer[..count];
        if bytes.iter().any(|byte| *byte != 0) {
            let rest = left.checked_sub(count as u64);
            left = rest.ok_or(PutAsideError::NoRoom)?;
        }
        if length + count as u64 > MAXIMUM_LENGTH {
            return Err(PutAsideError::NoRoom);
        }
        write_sparse(&file, length, bytes).map_err(written)?;
        length += count as u64;
    }
    // A hole at the end is not there until the length says so.
    file.set_len(length).map_err(written)?;
    Ok(PutAside { file, length })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    fn settings(folder: &tempfile::TempDir) -> Settings {
        Settings::new(folder.path().join("cache"))
    }

    #[test]
    fn what_was_put_aside_is_the_same_with_holes_for_zeros() {
        let folder = tempfile::tempdir().unwrap();
        for zeros in [0, 1, PIECE, 40 * PIECE + 7] {
            let mut bytes = b"beginning".to_vec();
            bytes.resize(bytes.len() + zeros, 0);
            let aside = put_aside(&mut &bytes[..], &settings(&folder), u64::MAX).unwrap();
            assert_eq!(aside.length, bytes.len() as u64);
            let mut read = vec![1; bytes.len()];
            aside.file.read_exact_at(&mut read, 0).unwrap();
            assert!(read == bytes, "{zeros}");
            let metadata = aside.file.metadata().unwrap();
            assert_eq!(metadata.len(), aside.length);
            assert!(metadata.blocks() * 512 <= 2 * PIECE as u64, "{zeros}");
        }
        let left = std::fs::read_dir(folder.path().join("cache")).unwrap();
        let files = left.filter(|entry| entry.as_ref().unwrap().path().is_file());
        assert_eq!(files.count(), 0, "nothing is left behind");
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for_and_zeros_take_none() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let room = 2 * PIECE as u64;
        let mut zeros = io::repeat(0).take(100 * room);
        let aside = put_aside(&mut zeros, &settings, room).unwrap();
        assert_eq!(aside.length, 100 * room);
        let mut ones = io::repeat(1).take(100 * room);
        let error = put_aside(&mut ones, &settings, room).unwrap_err();
        assert!(matches!(error, PutAsideError::NoRoom), "{error:?}");
    }

    #[test]
    fn a_source_that_fails_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let error = put_aside(&mut Broken, &settings(&folder), u64::MAX).unwrap_err();
        assert!(matches!(error, PutAsideError::Read(_)), "{error:?}");
    }
}
