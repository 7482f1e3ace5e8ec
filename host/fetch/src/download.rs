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

mod retry;
mod version;

use std::sync::Arc;

use reqwest::header::{
    ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use reqwest::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::cache::{Blob, Cache, CacheError, Lock, Partial, UrlEntry};
use crate::client::Clients;
use crate::digest::{Algorithm, Digest};
use crate::sink::{Closed, Finished, Hashers, Sink, Start};
use crate::{
    Fetched, Location, LocationError, Progress, Request, SafeUrl, Settings, exchange, local,
};

use retry::Retry;
use version::{Validators, continued};

/// The longest file received, in bytes: ext4's limit for one file. Stops a server that sends
/// for ever only where the disk is larger still.
const MAXIMUM_LENGTH: u64 = 16 << 40;

/// Why there is no file.
pub(crate) enum Failed {
    /// From outside.
    Cancelled,
    /// The cache's fault: other locations would fare no better.
    Cache(CacheError),
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

/// Why one attempt ended early.
enum Broken {
    Cancelled,
    Closed,
    Location(LocationError),
}

impl From<Closed> for Broken {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<LocationError> for Broken {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

/// What one attempt came to.
enum Outcome {
    /// The known blob is what the server has.
    NotModified,
    /// All bytes are in the sink; the server's validators.
    Complete(Validators),
}

/// One download's surroundings.
pub(crate) struct Download<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) clients: &'a Clients,
    pub(crate) cache: Cache,
    pub(crate) url: &'a SafeUrl,
    pub(crate) request: &'a Request,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancellationToken,
}

impl Download<'_> {
    /// Fetches.
    pub(crate) async fn run(&self) -> Result<Fetched, Failed> {
        let digest = self.request.checksum.digest();
        if let Some(blob) = self.blob_by_checksum().await? {
            return Ok(self.cached(blob, None));
        }
        let before = self.cache.url_entry(self.url);
        let digest_lock = match digest {
            Some(digest) => Some(
                self.unless_cancelled(self.cache.lock_digest(digest, self.progress))
                    .await??,
            ),
            None => None,
        };
        let lock = self
            .unless_cancelled(self.cache.lock_url(self.url, self.progress))
            .await??;
        let waited = lock.waited || digest_lock.as_ref().is_some_and(|lock| lock.waited);
        if waited && let Some(blob) = self.blob_by_checksum().await? {
            return Ok(self.cached(blob, None));
        }
        let known = if digest.is_none() {
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
            .request
            .checksum
            .digest()
            .and_then(|digest| self.cache.sha256_of(digest));
        match sha256 {
            Some(sha256) => self.blob(&sha256).await,
            None => Ok(None),
        }
    }

    /// What is known about the URL, with the blob.
    async fn known_blob(&self) -> Result<Option<(UrlEntry, Blob)>, Failed> {
        let Some(entry) = self.cache.url_entry(self.url) else {
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
            origin: Location::Web(self.url.clone()),
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
        let partial = self.cache.partial(self.url);
        let mut sink = self.open_sink(&partial, &lock).await?;
        let mut retry = Retry::new(self.settings.retry_delay, sink.position());
        loop {
            let entry = known.as_ref().map(|(entry, _)| entry);
            let error = match (self.attempt(&mut sink, entry).await, known.as_ref()) {
                (Ok(Outcome::Complete(validators)), _) => {
                    return self.complete(sink.finish().await?, &partial, validators);
                }
                (Ok(Outcome::NotModified), Some(_)) => {
                    sink.suspend().await?;
                    break;
                }
                (Ok(Outcome::NotModified), None) => {
                    LocationError::Protocol("304 without having been asked for changes")
                }
                (Err(Broken::Cancelled), _) => {
                    sink.suspend().await?;
                    return Err(Failed::Cancelled);
                }
                (Err(Broken::Closed), _) => {
                    sink.suspend().await?;
                    let early = std::io::Error::other("writing ended early");
                    return Err(partial.error(early).into());
                }
                (Err(Broken::Location(error)), _) => error,
            };
            let kept = if sink.etag().is_some() {
                sink.position()
            } else {
                0
            };
            let Some(delay) = retry.after(&error, kept) else {
                sink.suspend().await?;
                return Err(error.into());
            };
            self.progress
                .note(&format!("{}: {error}; next attempt in {delay:?}", self.url));
            if self
                .unless_cancelled(tokio::time::sleep(delay))
                .await
                .is_err()
            {
                sink.suspend().await?;
                return Err(Failed::Cancelled);
            }
        }
        let (entry, blob) = known.ok_or(LocationError::Protocol("304 for nothing"))?;
        Ok(self.cached(blob, entry.etag))
    }

    /// Opens the partial file after its last checkpoint, or empty.
    async fn open_sink(&self, partial: &Partial, lock: &Arc<Lock>) -> Result<Sink, Failed> {
        let file = partial.open()?;
        let wanted = self.request.checksum.digest().map(Digest::algorithm);
        let (cancel, place) = (self.cancel.clone(), partial.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let start = resume_point(&place, &file, wanted, &cancel)?;
            file.set_len(start.offset)
                .map_err(|source| place.error(source))?;
            Ok::<_, Failed>((file, start))
        });
        let (file, start) = opened
            .await
            .map_err(|error| partial.error(error.into()))??;
        Ok(Sink::new(file, partial.clone(), start, lock))
    }

    /// Asks once and receives what comes.
    async fn attempt(&self, sink: &mut Sink, known: Option<&UrlEntry>) -> Result<Outcome, Broken> {
        let mut response = self.ask(&self.conditions(sink, known)).await?;
        let (resumed, total) = match continued(&response, sink) {
            Some(total) => (sink.position(), total),
            None => {
                if matches!(response.status().as_u16(), 206 | 416) {
                    // Not the part that was asked for, or there is none: all of it, then.
                    sink.restart(None).await?;
                    response = self.ask(&self.conditions(sink, None)).await?;
                }
                match response.status() {
                    StatusCode::OK => {}
                    StatusCode::NOT_MODIFIED => return Ok(Outcome::NotModified),
                    status => return Err(LocationError::Status { status }.into()),
                }
                sink.restart(Validators::of(response.headers()).strong_etag())
                    .await?;
                (0, response.content_length())
            }
        };
        let limit = total.unwrap_or(MAXIMUM_LENGTH);
        if limit > MAXIMUM_LENGTH {
            return Err(LocationError::TooLong {
                limit: MAXIMUM_LENGTH,
            }
            .into());
        }
        self.progress
            .started(&Location::Web(self.url.clone()), total, resumed);
        let validators = Validators::of(response.headers());
        loop {
            let chunk = self.cancel.run_until_cancelled(response.chunk()).await;
            match chunk.ok_or(Broken::Cancelled)? {
                Ok(Some(bytes)) => {
                    let length = bytes.len() as u64;
                    if sink.position() + length > limit {
                        return Err(LocationError::TooLong { limit }.into());
                    }
                    sink.push(bytes).await?;
                    self.progress.advanced(length);
                }
                Ok(None) => break,
                Err(error) => return Err(body_error(error, sink.position(), total).into()),
            }
        }
        match total {
            Some(announced) if sink.position() < announced => {
                let received = sink.position();
                Err(LocationError::Short {
                    received,
                    announced,
                    source: None,
                }
                .into())
            }
            _ => Ok(Outcome::Complete(validators)),
        }
    }

    async fn ask(&self, headers: &HeaderMap) -> Result<Response, Broken> {
        let asking = exchange::get(self.clients, self.request, self.url, headers);
        let answer = self.cancel.run_until_cancelled(asking).await;
        Ok(answer.ok_or(Broken::Cancelled)??)
    }

    /// The rest of a version, or a version other than the known one, or anything.
    fn conditions(&self, sink: &Sink, known: Option<&UrlEntry>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // A file's bytes as they are stored: offsets and digests are about these.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        match (sink.etag(), known) {
            (Some(etag), _) if sink.position() > 0 => {
                set(RANGE, &format!("bytes={}-", sink.position()));
                set(IF_RANGE, etag);
            }
            (_, Some(entry)) => {
                if let Some(etag) = &entry.etag {
                    set(IF_NONE_MATCH, etag);
                }
                if let Some(date) = &entry.last_modified {
                    set(IF_MODIFIED_SINCE, date);
                }
            }
            _ => {}
        }
        headers
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
        if let Some(expected) = self.request.checksum.digest()
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
        let entry = UrlEntry::new(
            self.url,
            etag.clone(),
            last_modified,
            &blob.sha256,
            blob.length,
        );
        self.cache.store_url(self.url, &entry)?;
        self.progress.finished();
        Ok(self.fetched(blob, etag, false))
    }
}

/// Where a partial file can be continued: after its checkpoint, if the bytes before it are what
/// they were then; else at the start.
fn resume_point(
    partial: &Partial,
    file: &std::fs::File,
    wanted: Option<Algorithm>,
    cancel: &CancellationToken,
) -> Result<Start, Failed> {
    if let Some(checkpoint) = partial.checkpoint() {
        let mut hashers = Hashers::new(wanted);
        let mut hashed = 0;
        let whole = local::visit(file, checkpoint.offset, |bytes| {
            hashers.update(bytes);
            hashed += bytes.len() as u64;
            !cancel.is_cancelled()
        });
        if !whole.map_err(|source| partial.error(source))? {
            return Err(Failed::Cancelled);
        }
        if hashed == checkpoint.offset && checkpoint.sha256() == Some(hashers.sha256()) {
            return Ok(Start {
                offset: hashed,
                etag: Some(checkpoint.etag),
                hashers,
            });
        }
        partial.forget()?;
    }
    Ok(Start {
        offset: 0,
        etag: None,
        hashers: Hashers::new(wanted),
    })
}

fn body_error(error: reqwest::Error, received: u64, total: Option<u64>) -> LocationError {
    let error = error.without_url();
    match total {
        _ if error.is_timeout() => LocationError::Timeout(error),
        Some(announced) => LocationError::Short {
            received,
            announced,
            source: Some(error),
        },
        None => LocationError::Transfer(error),
    }
}
