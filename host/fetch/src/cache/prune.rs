//! Removing what nobody needs, while others go on downloading.
//!
//! A file in use is left: its user holds a lock on it. Of a file that goes, what is known about it
//! goes first, so that a process that dies in between leaves nothing that leads nowhere.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::index::{DigestEntry, UrlEntry};
use super::{Cache, CacheEntry, CacheError, Content, UNFINISHED, blobs, read_json, remove};
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
        let path = self.path("blobs", &name);
        let Some(_lock) = lock(&path)? else {
            return Ok(false);
        };
        for (_, path) in self.files("urls")? {
            if read_json::<UrlEntry>(&path).is_some_and(|it| it.sha256().as_ref() == Some(sha256)) {
                remove(&path)?;
            }
        }
        let digits = sha256.to_string();
        for (_, path) in self.files("digests")? {
            if read_json::<DigestEntry>(&path).is_some_and(|it| it.sha256 == digits) {
                remove(&path)?;
            }
        }
        remove(&self.path("stamps", &name))?;
        remove(&path)?;
        Ok(true)
    }

    /// Removes an interrupted download, unless it is going on.
    fn remove_partial(&self, name: &str) -> Result<bool, CacheError> {
        let locked = match lock(&self.path("locks", name)) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Ok(false),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let path = self.path("partial", name);
        remove(&path.with_extension("json"))?;
        remove(&path)?;
        drop(locked);
        Ok(true)
    }

    /// Removes records that were never finished.
    fn remove_left_behind(&self, now: SystemTime) -> Result<(), CacheError> {
        for folder in ["stamps", "digests", "urls", "partial"] {
            for entry in self.all_files(folder)? {
                let is_unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
                let modified = entry.metadata().and_then(|metadata| metadata.modified());
                let age = modified.ok().and_then(|at| now.duration_since(at).ok());
                if is_unfinished && age.is_some_and(|age| age >= LEFT_BEHIND_AFTER) {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(())
    }
}

/// Locks a file that is to go; `None` if it is in use, or no longer the file of that name.
fn lock(path: &Path) -> Result<Option<File>, CacheError> {
    let error = |source| CacheError::new("lock", path, source);
    let file = File::open(path).map_err(error)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(source)) => return Err(error(source)),
    }
    let same = fs::metadata(path)
        .and_then(|now| Ok(now.ino() == file.metadata()?.ino()))
        .unwrap_or(false);
    Ok(same.then_some(file))
}

#[cfg(test)]
mod tests;
