//! The cache on disk.
//!
//! ```text
//! blobs/sha256-HEX     whole, verified files; read-only, never changed
//! stamps/sha256-HEX    what the blob looked like when it was last hashed (JSON)
//! digests/ALGORITHM-HEX  which blob has this other digest (JSON)
//! urls/HEX             what the server last said about a URL, and which blob that was (JSON)
//! partial/HEX          an unfinished download, with HEX.json saying how far it can be trusted
//! locks/NAME           held while a URL or a digest is being fetched
//! ```
//!
//! Every file appears under its name by a rename, so a reader sees all of it or nothing. JSON
//! that is missing or can't be read means "not known" and costs a download or a hashing, never
//! a wrong answer. What is trusted is the user who owns the folder and everything in it, if nobody else can
//! write there ([`OwnFolder`]), and what the file system says of a file; see [`blobs`].
//!
//! Blobs are shared by all who fetch. What leads to one is not: a component that is not built in has a part of
//! the cache to itself, in which it finds what it has fetched. It is told from others' by the names in
//! `digests`, `urls`, `partial` and `locks`.
//!
//! Whoever uses a blob holds a shared lock on the blob's own file; pruning takes it exclusively.
//! The time of a stamp's file is when the blob was last used.
//!
//! Lock files stay: removing one would let a second process lock a new file of the same name.

mod blobs;
mod index;
mod inventory;
mod lock;
mod partial;
mod prune;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_regular_file::OwnFolder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::Request;
use crate::digest::{Algorithm, Hasher};

pub(crate) use blobs::Blob;
pub(crate) use index::UrlEntry;
pub use inventory::{CacheEntry, Content};
pub(crate) use lock::Lock;
pub(crate) use partial::{Checkpoint, Partial};
pub use prune::{Prune, Pruned};

/// The cache directory can't be used.
#[derive(Debug, Error)]
#[error("can't {action} {} in the download cache", path.display())]
pub struct CacheError {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// Bytes of a record. The longest thing in one is a URL.
const RECORD_SIZE: u64 = 1 << 20;

impl CacheError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// A cache directory. Several processes may use one at the same time.
#[derive(Clone, Debug)]
pub struct Cache {
    folders: Arc<Folders>,
    /// Whose part of it: `None` is the user's.
    part: Option<Arc<str>>,
    /// What tells what a URL was asked for with; `None` if with nothing.
    headers: Option<Arc<str>>,
}

/// The folders of a cache, each held open.
#[derive(Debug)]
struct Folders {
    root: OwnFolder,
    blobs: OwnFolder,
    stamps: OwnFolder,
    digests: OwnFolder,
    urls: OwnFolder,
    partial: OwnFolder,
    locks: OwnFolder,
}

impl Cache {
    /// Opens the cache in [`Settings::cache_directory`](crate::Settings::cache_directory), and
    /// makes the folders that are missing.
    ///
    /// # Errors
    /// A folder that can't be made, or that others than its owner can write to.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        let opened = OwnFolder::make(root);
        let root = opened.map_err(|source| CacheError::new("use", root, source))?;
        let folder = |name: &str| {
            let folder = root.folder(name);
            folder.map_err(|source| CacheError::new("use", &root.path().join(name), source))
        };
        let folders = Folders {
            blobs: folder("blobs")?,
            stamps: folder("stamps")?,
            digests: folder("digests")?,
            urls: folder("urls")?,
            partial: folder("partial")?,
            locks: folder("locks")?,
            root,
        };
        Ok(Self {
            folders: Arc::new(folders),
            part: None,
            headers: None,
        })
    }

    /// The part of the cache that is of a request's author, for what is asked for with its headers.
    pub(crate) fn part_of(&self, request: &Request) -> Self {
        Self {
            folders: Arc::clone(&self.folders),
            part: request.author.identity().map(Into::into),
            headers: request.headers.identity().map(Into::into),
        }
    }

    /// The folder that everything is in.
    pub(crate) fn root(&self) -> &OwnFolder {
        &self.folders.root
    }

    /// The file name a URL gets in this part: a hash, since URLs are longer than file names may be.
    fn url_key(&self, url: &crate::SafeUrl) -> String {
        let mut url = url.expose().clone();
        // A password doesn't belong on disk, not even hashed; it doesn't change what a URL names.
        let _ = url.set_password(None);
        let mut hasher = Hasher::new(Algorithm::Sha256);
        if let Some(part) = &self.part {
            // No URL begins like that.
            hasher.update(format!("\0{part}\0").as_bytes());
        }
        if let Some(headers) = &self.headers {
            hasher.update(format!("\0\0{headers}\0").as_bytes());
        }
        hasher.update(url.as_str().as_bytes());
        hasher.finish().to_string()
    }

    #[cfg(test)]
    fn folder(&self, name: &str) -> &OwnFolder {
        let folders = &self.folders;
        match name {
            "blobs" => &folders.blobs,
            "stamps" => &folders.stamps,
            "digests" => &folders.digests,
            "urls" => &folders.urls,
            "partial" => &folders.partial,
            _ => &folders.locks,
        }
    }

    #[cfg(test)]
    fn path(&self, folder: &str, name: &str) -> PathBuf {
        self.root().path().join(folder).join(name)
    }
}

/// What the file says; `None` if it is missing, damaged, or not the user's own.
fn read_json<T: DeserializeOwned>(folder: &OwnFolder, name: &str) -> Option<T> {
    let mut bytes = Vec::new();
    let file = folder.file(name).ok()?.take(RECORD_SIZE);
    io::BufReader::new(file).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Puts a whole file in place of what is there.
fn write_json(folder: &OwnFolder, name: &str, value: &impl Serialize) -> Result<(), CacheError> {
    let bytes = serde_json::to_vec(value).map_err(io::Error::other);
    let written = bytes.and_then(|bytes| folder.write(name, &bytes));
    written.map_err(|source| CacheError::new("write", &folder.path().join(name), source))
}

fn remove(folder: &OwnFolder, name: &str) -> Result<(), CacheError> {
    let removed = folder.remove(name);
    removed.map_err(|source| CacheError::new("remove", &folder.path().join(name), source))
}
