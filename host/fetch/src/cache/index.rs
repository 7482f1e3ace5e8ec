//! What is known about URLs, and about digests other than SHA-256.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, read_json, write_json};
use crate::SafeUrl;
use crate::digest::{Algorithm, Digest, Hasher};

/// What a server last said about a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UrlEntry {
    /// For people who look into the cache; without secrets.
    pub(super) url: String,
    /// The entity tag, weak or strong.
    pub(crate) etag: Option<String>,
    /// The `Last-Modified` header as it was.
    pub(crate) last_modified: Option<String>,
    sha256: String,
    length: u64,
    /// When it was stored, in nanoseconds since 1970: tells one download from the next.
    stored: u64,
}

impl UrlEntry {
    pub(crate) fn new(
        url: &SafeUrl,
        etag: Option<String>,
        last_modified: Option<String>,
        sha256: &Digest,
        length: u64,
    ) -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            url: url.to_string(),
            etag,
            last_modified,
            sha256: sha256.to_string(),
            length,
            stored: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// The blob's digest; `None` if the entry is damaged.
    pub(crate) fn sha256(&self) -> Option<Digest> {
        Digest::from_hex(Algorithm::Sha256, &self.sha256)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct DigestEntry {
    pub(super) sha256: String,
}

impl Cache {
    /// What is known about a URL.
    pub(crate) fn url_entry(&self, url: &SafeUrl) -> Option<UrlEntry> {
        read_json(&self.folders.urls, &self.url_key(url))
    }

    /// Remembers what a server said.
    pub(crate) fn store_url(&self, url: &SafeUrl, entry: &UrlEntry) -> Result<(), CacheError> {
        write_json(&self.folders.urls, &self.url_key(url), entry)
    }

    /// The SHA-256 of the blob that has this digest, if one ever had that was fetched for this part of the
    /// cache; it may be gone.
    pub(crate) fn sha256_of(&self, digest: &Digest) -> Option<Digest> {
        if digest.algorithm() == Algorithm::Sha256 && self.part.is_none() {
            return Some(digest.clone());
        }
        let name = self.digest_name(digest);
        let entry: DigestEntry = read_json(&self.folders.digests, &name)?;
        Digest::from_hex(Algorithm::Sha256, &entry.sha256)
    }

    /// Remembers which blob has a digest, and in a part of the cache that it was fetched for it.
    pub(crate) fn store_digest(&self, digest: &Digest, sha256: &Digest) -> Result<(), CacheError> {
        let entry = DigestEntry {
            sha256: sha256.to_string(),
        };
        if self.part.is_some() {
            write_json(&self.folders.digests, &self.digest_name(sha256), &entry)?;
        }
        if digest.algorithm() == Algorithm::Sha256 {
            return Ok(());
        }
        write_json(&self.folders.digests, &self.digest_name(digest), &entry)
    }

    /// What a digest is called in this part.
    pub(super) fn digest_name(&self, digest: &Digest) -> String {
        let name = format!("{}-{digest}", digest.algorithm());
        match &self.part {
            None => name,
            Some(part) => {
                let mut hasher = Hasher::new(Algorithm::Sha256);
                hasher.update(part.as_bytes());
                format!("{}-{name}", hasher.finish())
            }
        }
    }
}
