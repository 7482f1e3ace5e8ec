//! What is in the cache, for people.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lvhost_regular_file::{OwnFolder, UNFINISHED, not_own};

use super::index::UrlEntry;
use super::partial::{Record, record_name};
use super::{Cache, CacheError, read_json};
use crate::digest::{Algorithm, Digest};

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A whole, verified file with this SHA-256.
    Whole(Digest),
    /// What there is of a download that was interrupted.
    Partial {
        /// What the cache calls it.
        name: String,
    },
}

/// One file of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// What it is.
    pub content: Content,
    /// Where it came from, as far as that is known; without secrets. Several URLs may have the
    /// same file.
    pub urls: Vec<String>,
    /// Bytes.
    pub length: u64,
    /// Bytes that it takes on the disk: fewer if it has holes.
    pub allocated: u64,
    /// When it was last used.
    pub last_used: SystemTime,
    /// Whether a process uses it right now.
    pub in_use: bool,
}

impl Cache {
    /// Everything in the cache, the most recently used first.
    ///
    /// # Errors
    /// A folder of the cache that can't be read.
    pub fn entries(&self) -> Result<Vec<CacheEntry>, CacheError> {
        let mut urls: HashMap<String, Vec<String>> = HashMap::new();
        let folders = &self.folders;
        for name in files(&folders.urls)? {
            if let Some(entry) = read_json::<UrlEntry>(&folders.urls, &name) {
                if let Some(sha256) = entry.sha256() {
                    urls.entry(super::blobs::blob_name(&sha256))
                        .or_default()
                        .push(entry.url.clone());
                }
                urls.entry(name).or_default().push(entry.url);
            }
        }
        let mut entries = Vec::new();
        for name in files(&folders.blobs)? {
            let digits = name.strip_prefix("sha256-").unwrap_or_default();
            let Some(sha256) = Digest::from_hex(Algorithm::Sha256, digits) else {
                continue;
            };
            let mut from = urls.remove(&name).unwrap_or_default();
            from.sort();
            let used = |file: &File| {
                let stamp = folders.stamps.anybodys_file(&name);
                let stamped = stamp.and_then(|stamp| stamp.metadata()?.modified());
                stamped.or_else(|_| file.metadata()?.modified())
            };
            let lock = |file: &File| file.try_lock();
            let content = Content::Whole(sha256);
            entries.extend(entry(&folders.blobs, &name, content, from, used, lock)?);
        }
        for name in files(&folders.partial)? {
            if name.ends_with(".json") {
                continue;
            }
            let record = read_json::<Record>(&folders.partial, &record_name(&name));
            let from = match record {
                Some(record) => vec![record.url],
                None => urls.get(&name).cloned().unwrap_or_default(),
            };
            let lock = |_: &File| self.try_lock(&name);
            let content = Content::Partial { name: name.clone() };
            let used = |file: &File| file.metadata()?.modified();
            entries.extend(entry(&folders.partial, &name, content, from, used, lock)?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.last_used));
        Ok(entries)
    }

    /// Tries the lock that a download of that name holds.
    fn try_lock(&self, name: &str) -> Result<(), TryLockError> {
        match self.folders.locks.anybodys_file(name) {
            Ok(file) => file.try_lock(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(TryLockError::Error(error)),
        }
    }
}

/// The names of the complete files in a folder.
pub(super) fn files(folder: &OwnFolder) -> Result<Vec<String>, CacheError> {
    let mut names = all_files(folder)?;
    names.retain(|name| !name.starts_with(UNFINISHED));
    Ok(names)
}

pub(super) fn all_files(folder: &OwnFolder) -> Result<Vec<String>, CacheError> {
    let names = folder.names();
    names.map_err(|source| CacheError::new("list", folder.path(), source))
}

/// Looks at one file, whosever it is; `None` if it has just been removed, or is none.
fn entry(
    folder: &OwnFolder,
    name: &str,
    content: Content,
    urls: Vec<String>,
    used: impl Fn(&File) -> io::Result<SystemTime>,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<Option<CacheEntry>, CacheError> {
    let look = || -> io::Result<CacheEntry> {
        let file = folder.anybodys_file(name)?;
        let metadata = file.metadata()?;
        Ok(CacheEntry {
            content,
            urls,
            length: metadata.len(),
            // In units of 512 bytes, whatever the file system's blocks are (stat(2)).
            allocated: metadata.blocks() * 512,
            last_used: used(&file).unwrap_or(UNIX_EPOCH),
            in_use: lock(&file).is_err(),
        })
    };
    match look() {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if not_own(&error).is_some() => Ok(None),
        Err(error) => Err(CacheError::new("look at", &folder.path().join(name), error)),
    }
}

impl CacheEntry {
    /// How long it has not been used.
    pub fn unused_for(&self, now: SystemTime) -> Duration {
        now.duration_since(self.last_used).unwrap_or_default()
    }
}
