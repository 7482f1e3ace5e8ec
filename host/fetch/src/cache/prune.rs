//! Removing what nobody needs, while others go on downloading.
//!
//! A file in use is left: its user holds a lock on it. Of a file that goes, what is known about it
//! goes first, so that a process that dies in between leaves nothing that leads nowhere.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use lvhost_regular_file::{OwnFolder, UNFINISHED};

use super::index::{DigestEntry, UrlEntry};
use super::inventory::{all_files, files};
use super::partial::record_name;
use super::{Cache, CacheEntry, CacheError, Content, blobs, read_json, remove};
use crate::digest::Digest;

/// How old an unfinished record must be to have been left behind by a process that died: writing
/// one takes milliseconds.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(3600);

/// What to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// What was not used for so long.
    pub unused_for: Option<Duration>,
    /// Then what was not used for longest, until no more than so many bytes are taken on the disk;
    /// 0 removes everything.
    pub keep_at_most: Option<u64>,
}

/// What was removed, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Gone.
    pub removed: Vec<CacheEntry>,
    /// Would be gone, if no process used it.
    pub in_use: Vec<CacheEntry>,
    /// Still there for other reasons.
    pub kept: Vec<CacheEntry>,
}

impl Cache {
    /// Removes what `what` says, but nothing that a process uses.
    ///
    /// # Errors
    /// A file of the cache that can't be looked at or removed.
    pub fn prune(&self, what: Prune) -> Result<Pruned, CacheError> {
        let now = SystemTime::now();
        let entries = self.entries()?;
        let mut taken: u64 = entries.iter().map(|entry| entry.allocated).sum();
        let mut pruned = Pruned::default();
        for entry in entries.into_iter().rev() {
            let too_old = what
                .unused_for
                .is_some_and(|age| entry.unused_for(now) >= age);
            // What is empty takes nothing and is still an entry.
            let too_much = what
                .keep_at_most
                .is_some_and(|most| taken > most || most == 0);
            if !too_old && !too_much {
                pruned.kept.push(entry);
                continue;
            }
            let removed = match &entry.content {
                Content::Whole(sha256) => self.remove_blob(sha256)?,
                Content::Partial { name } => self.remove_partial(name)?,
            };
            if removed {
                taken = taken.saturating_sub(entry.allocated);
                pruned.removed.push(entry);
            } else {
                pruned.in_use.push(entry);
            }
        }
        self.remove_left_behind(now)?;
        Ok(pruned)
    }

    /// Removes a blob with all that leads to it, unless it is in use.
    fn remove_blob(&self, sha256: &Digest) -> Result<bool, CacheError> {
        let name = blobs::blob_name(sha256);
        let folders = &self.folders;
        let Some(_lock) = lock(&folders.blobs, &name)? else {
            return Ok(false);
        };
        for url in files(&folders.urls)? {
            let entry = read_json::<UrlEntry>(&folders.urls, &url);
            if entry.is_some_and(|entry| entry.sha256().as_ref() == Some(sha256)) {
                remove(&folders.urls, &url)?;
            }
        }
        let digits = sha256.to_string();
        for digest in files(&folders.digests)? {
            let entry = read_json::<DigestEntry>(&folders.digests, &digest);
            if entry.is_some_and(|entry| entry.sha256 == digits) {
                remove(&folders.digests, &digest)?;
            }
        }
        remove(&folders.stamps, &name)?;
        remove(&folders.blobs, &name)?;
        Ok(true)
    }

    /// Removes an interrupted download, unless it is going on.
    fn remove_partial(&self, name: &str) -> Result<bool, CacheError> {
        let locked = match lock(&self.folders.locks, name) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(false),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let partial = &self.folders.partial;
        remove(partial, &record_name(name))?;
        remove(partial, name)?;
        drop(locked);
        Ok(true)
    }

    /// Removes records that were never finished.
    fn remove_left_behind(&self, now: SystemTime) -> Result<(), CacheError> {
        let folders = &self.folders;
        let with_records = [
            &folders.stamps,
            &folders.digests,
            &folders.urls,
            &folders.partial,
        ];
        for folder in with_records {
            for name in all_files(folder)? {
                let is_unfinished = name.starts_with(UNFINISHED);
                let file = folder.anybodys_file(&name);
                let modified = file.and_then(|file| file.metadata()?.modified());
                let age = modified.ok().and_then(|at| now.duration_since(at).ok());
                if is_unfinished && age.is_some_and(|age| age >= LEFT_BEHIND_AFTER) {
                    remove(folder, &name)?;
                }
            }
        }
        Ok(())
    }
}

/// Locks a file that is to go; `None` if it is in use, or no longer the file of that name.
fn lock(folder: &OwnFolder, name: &str) -> Result<Option<File>, CacheError> {
    let error = |source| CacheError::new("lock", &folder.path().join(name), source);
    let file = folder.anybodys_file(name).map_err(error)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(source)) => return Err(error(source)),
    }
    let now = folder.anybodys_file(name);
    let same = now
        .and_then(|now| Ok(now.metadata()?.ino() == file.metadata()?.ino()))
        .unwrap_or(false);
    Ok(same.then_some(file))
}

#[cfg(test)]
mod tests;
