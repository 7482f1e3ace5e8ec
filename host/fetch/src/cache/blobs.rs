//! The blobs and their stamps.
//!
//! A blob is hashed while it is written. Afterwards what the file system says of it is compared with its
//! stamp at every use, which costs nothing: which file it is, whose, how long, and when its content and
//! anything else about it changed last, which no program can set. It is hashed again only
//!
//! - if they differ, or there is no stamp: somebody changed the file or put another in its place, or a
//!   process died between the rename and the stamp;
//! - if the host was started anew since: nothing is synced to disk (that would make a download
//!   as slow as the disk), so after a power failure a file can have its length and not its
//!   bytes. A blob that passes once after a restart was on disk, and its stamp says so.
//!
//! A blob that fails is removed, and so is one that somebody else owns or can write to.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::time::SystemTime;

use lvhost_regular_file::{OwnFolder, not_own};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Cache, CacheError, Partial, read_json, remove, write_json};
use crate::digest::{Algorithm, Digest};
use crate::{Progress, SafeUrl, local};

/// Linux's name for one run of the kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What a blob looked like when its digest was last known to be right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    owner: u32,
    length: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
    /// `None` where the system doesn't tell: then no stamp is ever believed.
    boot: Option<String>,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let boot = fs::read_to_string(BOOT_ID)
            .ok()
            .map(|id| id.trim().to_owned());
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            owner: metadata.uid(),
            length: metadata.len(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
            changed_seconds: metadata.ctime(),
            changed_nanoseconds: metadata.ctime_nsec(),
            boot,
        })
    }

    fn vouches_for(&self, now: &Self) -> bool {
        self.boot.is_some() && self == now
    }
}

/// A whole, verified file of the cache.
#[derive(Debug)]
pub(crate) struct Blob {
    /// Locked against pruning as long as it is open.
    pub(crate) file: Arc<File>,
    pub(crate) length: u64,
    pub(crate) sha256: Digest,
}

impl Cache {
    /// The SHA-256 of the file with this digest, if it is here.
    pub(crate) fn known_by_digest(&self, digest: &Digest) -> Option<Digest> {
        self.sha256_of(digest)
            .filter(|sha256| self.has_blob(sha256))
    }

    /// The SHA-256 of the file that came from this URL before, if it is here.
    pub(crate) fn known_by_url(&self, url: &SafeUrl) -> Option<Digest> {
        let sha256 = self.url_entry(url)?.sha256();
        sha256.filter(|sha256| self.has_blob(sha256))
    }

    /// Whether there is a blob that [`blob`](Self::blob) would open: a file of ours.
    fn has_blob(&self, sha256: &Digest) -> bool {
        self.folders.blobs.file(&blob_name(sha256)).is_ok()
    }

    /// Opens a blob, having made sure that it is what its name says; `None` if there is none.
    pub(crate) async fn blob(
        &self,
        sha256: &Digest,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Option<Blob>, CacheError> {
        let name = blob_name(sha256);
        let (blobs, stamps) = (&self.folders.blobs, &self.folders.stamps);
        let error = |source| CacheError::new("read", &blobs.path().join(&name), source);
        let file = match blobs.file(&name) {
            Ok(file) => Arc::new(file),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(other) => {
                let Some(why) = not_own(&other) else {
                    return Err(error(other));
                };
                progress.note(&format!(
                    "a cached file is removed, and fetched again: {why}"
                ));
                remove(blobs, &name)?;
                return Ok(None);
            }
        };
        // Pruning holds it for as long as it takes to remove some small files.
        file.lock_shared().map_err(error)?;
        if file.metadata().map_err(error)?.nlink() == 0 {
            return Ok(None);
        }
        let now = Stamp::of(&file).map_err(error)?;
        let blob = Blob {
            file,
            length: now.length,
            sha256: sha256.clone(),
        };
        if read_json::<Stamp>(stamps, &name).is_some_and(|stamp| stamp.vouches_for(&now)) {
            touch(stamps, &name);
            return Ok(Some(blob));
        }
        progress.note("checking a cached file that has not been checked since this host started");
        match local::hash(
            Arc::clone(&blob.file),
            Algorithm::Sha256,
            &crate::Silent,
            cancel,
        )
        .await
        {
            None => Ok(None),
            Some(actual) if actual.as_ref().map_err(copy).map_err(error)? == sha256 => {
                write_json(stamps, &name, &now)?;
                Ok(Some(blob))
            }
            Some(_) => {
                progress.note("a cached file was damaged; it is fetched again");
                remove(blobs, &name)?;
                Ok(None)
            }
        }
    }

    /// Makes a finished download a blob.
    pub(crate) fn adopt(&self, partial: &Partial, sha256: Digest) -> Result<Blob, CacheError> {
        let name = blob_name(&sha256);
        let blobs = &self.folders.blobs;
        let error = |source| CacheError::new("store", &blobs.path().join(&name), source);
        let file = partial.open()?;
        file.lock_shared().map_err(error)?;
        file.set_permissions(Permissions::from_mode(0o400))
            .map_err(error)?;
        partial.rename(blobs, &name).map_err(error)?;
        let stamp = Stamp::of(&file).map_err(error)?;
        write_json(&self.folders.stamps, &name, &stamp)?;
        partial.discard()?;
        Ok(Blob {
            file: Arc::new(file),
            length: stamp.length,
            sha256,
        })
    }
}

/// Notes that a blob is used. If it can't be noted, the blob merely looks older than it is.
fn touch(stamps: &OwnFolder, name: &str) {
    let touched = stamps
        .file(name)
        .and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(%error, "the use of a cached file could not be noted");
    }
}

pub(super) fn blob_name(sha256: &Digest) -> String {
    format!("sha256-{sha256}")
}

/// An error to pass on while the original is only borrowed.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
