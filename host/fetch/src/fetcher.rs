//! The way in: a request, tried location by location.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::client::Clients;
use crate::digest::Digest;
use crate::download::{Download, Failed};
use crate::{Checksum, Failure, FetchError, Location, Progress, Reach, Settings, local};

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it can be had, in the order to try.
    pub locations: Vec<Location>,
    /// What the file must be.
    pub checksum: Checksum,
    /// Hosts that the user has named, as they stand in a URL. Only these may have loopback,
    /// link-local or metadata addresses; for every other host, redirect targets included, such
    /// an address is refused.
    pub named_hosts: BTreeSet<String>,
    /// Which URLs may be asked for at all, redirect targets included.
    pub reach: Reach,
}

impl Request {
    /// A request whose locations the user wrote: their hosts are the named ones.
    pub fn named_by_user(locations: Vec<Location>, checksum: Checksum) -> Self {
        let named_hosts = locations
            .iter()
            .filter_map(|location| match location {
                Location::Web(url) => url.host().map(str::to_owned),
                Location::Path(_) => None,
            })
            .collect();
        Self {
            locations,
            checksum,
            named_hosts,
            reach: Reach::default(),
        }
    }
}

/// A file that is there, whole, and verified if a checksum was given.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Open for reading, at offset 0. Read it with positioned reads, since clones share the
    /// offset. A cached file may be removed from the cache at any time; this handle keeps it.
    pub file: Arc<File>,
    /// Bytes.
    pub length: u64,
    /// The SHA-256, known for everything but local files that had no SHA-256 to be checked.
    pub sha256: Option<Digest>,
    /// The location it came from; for a hit by checksum, the first one.
    pub origin: Location,
    /// Whether no byte of it had to be transferred.
    pub from_cache: bool,
    /// The server's entity tag, if it gave one.
    pub etag: Option<String>,
}

/// Fetches files. Cheap to clone; clones share connections and cache.
#[derive(Clone, Debug)]
pub struct Fetcher {
    settings: Arc<Settings>,
    clients: Arc<Clients>,
}

impl Fetcher {
    /// A fetcher. Nothing is touched until the first fetch: no folder made, no certificate read.
    pub fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self {
            clients: Arc::new(Clients::new(Arc::clone(&settings))),
            settings,
        }
    }

    /// Fetches the first location that works. Must run on a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// No location works (each one's reason is in the error), the cache can't be used, or
    /// `cancel` was triggered. What was received of an interrupted download stays for a later
    /// fetch to resume; what failed its checksum does not.
    pub async fn fetch(
        &self,
        request: &Request,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Fetched, FetchError> {
        if request.locations.is_empty() {
            return Err(FetchError::NoLocation);
        }
        let mut failures = Vec::new();
        for location in &request.locations {
            let result = match location {
                Location::Path(path) => {
                    local::open(path, &request.checksum, progress, cancel).await
                }
                Location::Web(url) => {
                    let download = Download {
                        settings: &self.settings,
                        clients: &self.clients,
                        cache: Cache::open(&self.settings.cache_directory)?,
                        url,
                        request,
                        progress,
                        cancel,
                    };
                    download.run().await
                }
            };
            match result {
                Ok(fetched) => return Ok(fetched),
                Err(Failed::Cancelled) => return Err(FetchError::Cancelled),
                Err(Failed::Cache(error)) => return Err(FetchError::Cache(error)),
                Err(Failed::Location(error)) => {
                    failures.push(Failure {
                        location: location.clone(),
                        error,
                    });
                }
            }
        }
        Err(FetchError::AllFailed(failures))
    }
}

#[cfg(test)]
mod tests;
