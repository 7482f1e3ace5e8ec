//! What a pattern of files matches.

use crate::bindings::lvhost::source::prepare as wit;
use crate::handle::BlobHandle;
#[cfg(not(target_family = "wasm"))]
use crate::testing;
use crate::{Blob, Error};

/// What an entry of a [`Listing`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
}

/// A file or folder that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Below the match of the pattern, with `/` between its parts: that of `drivers/*` called `net` and the
    /// files in it are `net`, `net/a.inf`, …
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// Its owner may run it.
    pub executable: bool,
}

/// What a pattern of files matches: folders with all that is in them, in a fixed order.
pub struct Listing {
    entries: Vec<FileEntry>,
    handle: ListingHandle,
}

pub(crate) enum ListingHandle {
    Host(wit::Listing),
    #[cfg(not(target_family = "wasm"))]
    Fake(Vec<testing::FakeBlob>),
}

impl Listing {
    pub(crate) fn of_host(listing: wit::Listing) -> Self {
        let entries = (0..listing.length()).map(|number| {
            let is_folder = listing.is_folder(number);
            FileEntry {
                path: listing.path(number),
                kind: if is_folder {
                    FileKind::Directory
                } else {
                    FileKind::File
                },
                size: listing.size(number),
                executable: listing.is_executable(number),
            }
        });
        Self {
            entries: entries.collect(),
            handle: ListingHandle::Host(listing),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn of_test(entries: Vec<(FileEntry, testing::FakeBlob)>) -> Self {
        let (entries, blobs) = entries.into_iter().unzip();
        Self {
            entries,
            handle: ListingHandle::Fake(blobs),
        }
    }

    /// All files and folders.
    #[must_use]
    pub fn entries(&self) -> &[FileEntry] {
        &self.entries
    }

    /// Opens a file by its number in [`entries`](Self::entries).
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is gone, [`Error::Invalid`] if there is no file of that number.
    pub fn open(&self, number: usize) -> Result<Blob, Error> {
        let entry = self.entries.get(number);
        if entry.is_none_or(|entry| entry.kind != FileKind::File) {
            return Err(Error::Invalid(format!(
                "there is no file of the number {number} among {} files and folders",
                self.entries.len()
            )));
        }
        match &self.handle {
            ListingHandle::Host(listing) => {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                Ok(Blob(BlobHandle::Host(listing.open(number)?)))
            }
            #[cfg(not(target_family = "wasm"))]
            ListingHandle::Fake(blobs) => Ok(Blob(BlobHandle::Fake(blobs[number].clone()))),
        }
    }
}
