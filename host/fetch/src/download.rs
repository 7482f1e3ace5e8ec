//! One web location: from the cache, or received into it.
//!
//! ```text
//! digest known ──► blob there? ────────────────────────────────► done, no network
//!        │
//!        ▼
//!  lock digest, lock URL ──► somebody else has just brought it? ► done
//!        │
//!        ▼            304
//!  ┌─► ask ─────────────────────────────────────────────────────► done, known blob
//!  │     │ 200: from the start   206: after the checkpoint
//!  │     ▼
//!  │   receive ──► complete ──► digest right? ──yes──► blob ────► done
//!  │     │ broken                    │ no
//!  └─ back off                       ▼
//!        │ too often            file removed, error
//!        ▼
//!   checkpoint kept, error
//! ```

mod attempt;
mod resume;
mod retry;
#[cfg(feature = "smb")]
mod shared;
mod version;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::cache::{Blob, Cache, CacheError, Lock, Partial, UrlEntry};
use crate::digest::Digest;
use crate::disk::{self, NoSpace};
use crate::exchange::Exchange;
use crate::patience::Patience;
use crate::sink::{Finished, Sink};
use crate::{Fetched, Location, LocationError, Progress, Settings};

use attempt::{Broken, Outcome};
use version::Validators;

pub(crate) use retry::Retry;

/// The longest file received, in bytes: ext4's limit for one file. Stops a server that sends
/// for ever only where the disk is larger still.
pub(crate) const MAXIMUM_LENGTH: u64 = 16 << 40;

/// Why there is no file.
pub(crate) enum Failed {
    /// From outside.
    Cancelled,
    /// The cache's fault: other locations would fare no better.
    Cache(CacheError),
    /// The disk's fault.
    NoSpace(NoSpace),
    /// The location's fault.
    Location(LocationError),
}

impl From<CacheError> for Failed {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

impl From<LocationError> for Failed {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

/// One download's surroundings.
pub(crate) struct Download<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) exchange: &'a Exchange<'a>,
    pub(crate) cache: Cache,
    pub(crate) location: &'a Location,
    pub(crate) address: Address<'a>,
    /// What the file must be, if that is known.
    pub(crate) expected: Option<&'a Digest>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancellationToken,
}

impl Download<'_> {
    /// Fetches.
    pub(crate) async fn run(&self) -> Result<Fetched, Failed> {
        let url = self.address.identity();
        if let Some(blob) = self.blob_by_checksum().await? {
            return Ok(self.cached(blob, None));
        }
        let before = self.cache.url_entry(url);
        let digest_lock = match self.expected {
            Some(digest) => Some(
                self.unless_cancelled(self.cache.lock_digest(digest, self.progress))
                    .await??,
            ),
            None => None,
        };
        let lock = self
            .unless_cancelled(self.cache.lock_url(url, self.progress))
            .await??;
        let waited = lock.waited || digest_lock.as_ref().is_some_and(|lock| lock.waited);
        if waited && let Some(blob) = self.blob_by_checksum().await? {
            return Ok(self.cached(blob, None));
        }
        let known = if self.expected.is_none() {
            self.known_blob().await?
        } else {
            None
        };
        match known {
            // Downloaded after we had asked for it: nothing can be fresher, validators or not.
            Some((entry, blob)) if waited && Some(&entry) != before.as_ref() => {
                Ok(self.cached(blob, entry.etag))
            }
            known => self.receive(known, Arc::new(lock)).await,
        }
    }

    /// The blob that has the wanted checksum.
    async fn blob_by_checksum(&self) -> Result<Option<Blob>, Failed> {
        let sha256 = self
            .expected
            .and_then(|digest| self.cache.sha256_of(digest));
        match sha256 {
            Some(sha256) => self.blob(&sha256).await,
            None => Ok(None),
        }
    }

    /// What is known about the URL, with the blob.
    async fn known_blob(&self) -> Result<Option<(UrlEntry, Blob)>, Failed> {
        let Some(entry) = self.cache.url_entry(self.address.identity()) else {
            return Ok(None);
        };
        let Some(sha256) = entry.sha256() else {
            return Ok(None);
        };
        Ok(self.blob(&sha256).await?.map(|blob| (entry, blob)))
    }

    async fn blob(&self, sha256: &Digest) -> Result<Option<Blob>, Failed> {
        let blob = self.cache.blob(sha256, self.progress, self.cancel).await?;
        if self.cancel.is_cancelled() {
            Err(Failed::Cancelled)
        } else {
            Ok(blob)
        }
    }

    fn cached(&self, blob: Blob, etag: Option<String>) -> Fetched {
        self.fetched(blob, etag, true)
    }

    fn fetched(&self, blob: Blob, etag: Option<String>, from_cache: bool) -> Fetched {
        Fetched {
            file: blob.file,
            length: blob.length,
            sha256: Some(blob.sha256),
            name: self.location.file_name().map(str::to_owned),
            origin: self.location.clone(),
            from_cache,
            etag,
        }
    }

    async fn unless_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Failed> {
        self.cancel
            .run_until_cancelled(future)
            .await
            .ok_or(Failed::Cancelled)
    }

    /// Attempts until one succeeds or it makes no sense to go on.
    async fn receive(
        &self,
        known: Option<(UrlEntry, Blob)>,
        lock: Arc<Lock>,
    ) -> Result<Fetched, Failed> {
        let partial = self.cache.partial(self.address.identity());
        let mut sink = self.open_sink(&partial, &lock).await?;
        let mut retry = Retry::new(self.settings.retry_delay, sink.position());
        let mut patience = Patience::new(self.settings);
        loop {
            let entry = known.as_ref().map(|(entry, _)| entry);
            let error = match (
                self.attempt(&mut sink, entry, &mut patience).await,
                known.as_ref(),
            ) {
                (Ok(Outcome::Complete(validators)), _) => {
                    let announced = sink.announced();
                    let finished = sink.finish().await;
                    let finished = finished.map_err(|error| self.unwritten(error, announced))?;
                    return self.complete(finished, &partial, validators);
                }
                (Ok(Outcome::NotModified), Some(_)) => {
                    self.suspend(sink).await?;
                    break;
                }
                (Ok(Outcome::NotModified), None) => {
                    LocationError::Protocol("304 without having been asked for changes")
                }
                (Err(Broken::Cancelled), _) => {
                    self.suspend(sink).await?;
                    return Err(Failed::Cancelled);
                }
                (Err(Broken::Closed), _) => {
                    self.suspend(sink).await?;
                    let early = std::io::Error::other("writing ended early");
                    return Err(partial.error(early).into());
                }
                (Err(Broken::NoRoom(needed)), _) => {
                    self.suspend(sink).await?;
                    return Err(self.no_space(Some(needed)));
                }
                (Err(Broken::Location(error)), _) => error,
            };
            let kept = if sink.etag().is_some() {
                sink.position()
            } else {
                0
            };
            let Some(delay) = retry.after(&error, kept) else {
                self.suspend(sink).await?;
                return Err(error.into());
            };
            if let Err(error) = patience.pause(delay) {
                self.suspend(sink).await?;
                return Err(error.into());
            }
            self.progress.note(&format!(
                "{}: {error}; next attempt in {delay:.1?}",
                self.location
            ));
            if self
                .unless_cancelled(tokio::time::sleep(delay))
                .await
                .is_err()
            {
                self.suspend(sink).await?;
                return Err(Failed::Cancelled);
            }
        }
        let (entry, blob) = known.ok_or(LocationError::Protocol("304 for nothing"))?;
        Ok(self.cached(blob, entry.etag))
    }

    async fn suspend(&self, sink: Sink) -> Result<(), Failed> {
        let announced = sink.announced();
        let suspended = sink.suspend().await;
        suspended.map_err(|error| self.unwritten(error, announced))
    }

    /// Why writing failed. What was written is gone by now.
    fn unwritten(&self, error: CacheError, announced: Option<u64>) -> Failed {
        if disk::is_full(&error.source) {
            self.no_space(announced)
        } else {
            Failed::Cache(error)
        }
    }

    fn no_space(&self, needed: Option<u64>) -> Failed {
        Failed::NoSpace(NoSpace {
            file: self.location.to_string(),
            needed,
            free: disk::free(&self.settings.cache_directory).unwrap_or_default(),
            directory: self.settings.cache_directory.clone(),
        })
    }

    /// Checks a complete file and makes it a blob.
    fn complete(
        &self,
        finished: Finished,
        partial: &Partial,
        validators: Validators,
    ) -> Result<Fetched, Failed> {
        let Finished { sha256, wanted } = finished;
        let actual = wanted.unwrap_or_else(|| sha256.clone());
        if let Some(expected) = self.expected
            && *expected != actual
        {
            partial.discard()?;
            let expected = expected.clone();
            return Err(LocationError::ChecksumMismatch { expected, actual }.into());
        }
        let blob = self.cache.adopt(partial, sha256)?;
        self.cache.store_digest(&actual, &blob.sha256)?;
        let Validators {
            etag,
            last_modified,
        } = validators;
        let url = self.address.identity();
        let entry = UrlEntry::new(url, etag.clone(), last_modified, &blob.sha256, blob.length);
        self.cache.store_url(url, &entry)?;
        self.progress.finished();
        Ok(self.fetched(blob, etag, false))
    }
}
