//! Locks between processes, and between tasks of one: advisory locks on files, released by the
//! kernel when their holder dies.

use std::fs::{File, TryLockError};
use std::thread;

use tokio::sync::oneshot;

use super::{Cache, CacheError};
use crate::digest::Digest;
use crate::{Progress, SafeUrl};

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    /// Whether somebody else held it first.
    pub(crate) waited: bool,
}

impl Cache {
    /// Waits for the lock on a URL's partial download and entry.
    ///
    /// Whoever needs both locks takes the digest's first; the holder of a URL's lock never
    /// waits for another, so no circle can form.
    pub(crate) async fn lock_url(
        &self,
        url: &SafeUrl,
        progress: &dyn Progress,
    ) -> Result<Lock, CacheError> {
        self.lock(&self.url_key(url), progress).await
    }

    /// Waits for the lock on a digest, so that mirrors of one file aren't downloaded twice.
    pub(crate) async fn lock_digest(
        &self,
        digest: &Digest,
        progress: &dyn Progress,
    ) -> Result<Lock, CacheError> {
        self.lock(&self.digest_name(digest), progress).await
    }

    async fn lock(&self, name: &str, progress: &dyn Progress) -> Result<Lock, CacheError> {
        let locks = &self.folders.locks;
        let error = |source| CacheError::new("lock", &locks.path().join(name), source);
        let file = locks.make_file(name).map_err(error)?;
        match file.try_lock() {
            Ok(()) => {
                return Ok(Lock {
                    _file: file,
                    waited: false,
                });
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
        progress.note("waiting for another download of the same file");
        // A thread of its own, not one of the runtime's: if the wait is given up the thread
        // stays until the lock comes free, and must not hold up the runtime's end.
        let (sender, receiver) = oneshot::channel();
        thread::Builder::new()
            .name("lvhost-fetch-lock".to_owned())
            .spawn(move || {
                let _ = sender.send(file.lock().map(|()| file));
            })
            .map_err(error)?;
        let file = receiver
            .await
            .map_err(std::io::Error::other)
            .and_then(|locked| locked);
        Ok(Lock {
            _file: file.map_err(error)?,
            waited: true,
        })
    }
}
