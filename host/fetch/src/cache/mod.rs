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
//! a wrong answer. What is trusted is the owner of the directory (it is made for its owner
//! only) and the file system's length and modification time; see [`blobs`].
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

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

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

/// What the name of a file begins with until it is complete and gets its own.
const UNFINISHED: &str = ".new-";

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
    root: PathBuf,
}

impl Cache {
    /// Opens the cache in [`Settings::cache_directory`](crate::Settings::cache_directory), and
    /// makes the folders that are missing.
    ///
    /// # Errors
    /// A folder that can't be made.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        for folder in ["blobs", "stamps", "digests", "urls", "partial", "locks"] {
            let path = root.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| CacheError::new("create", &path, source))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    fn path(&self, folder: &str, name: &str) -> PathBuf {
        self.root.join(folder).join(name)
    }
}

/// The file name a URL gets: a hash, since URLs are longer than file names may be.
fn url_key(url: &crate::SafeUrl) -> String {
    let mut url = url.expose().clone();
    // A password doesn't belong on disk, not even hashed; it doesn't change what a URL names.
    let _ = url.set_password(None);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(url.as_str().as_bytes());
    hasher.finish().to_string()
}

/// What the file says; `None` if it is missing or damaged.
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Puts a whole file in place of what is there.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CacheError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)?;
        serde_json::to_writer(&file, value)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|source| CacheError::new("write", path, source))
}

fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CacheError::new("remove", path, error))
        }
        _ => Ok(()),
    }
}
