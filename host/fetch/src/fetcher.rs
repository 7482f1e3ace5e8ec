//! The way in: a request, tried location by location.
//!
//! ```text
//! for each location: what must the file be? ─► get it ─► an archive? ─► unpack the one file in it
//! ```

mod expected;
mod held;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::archive::unpack;
pub use crate::archive::unpack::Unpacked;
use crate::cache::{Cache, CacheError};
use crate::client::Clients;
use crate::digest::Digest;
use crate::disk::{self, NoSpace};
use crate::download::{Download, Failed};
use crate::exchange::Exchange;
use crate::metered::metered;
use crate::{
    Author, Checksum, Endpoint, Failure, FetchError, HeldFolder, Location, LocationError, Packing,
    RequestHeaders, UnpackError,
};
use crate::{Progress, Reach, Settings, local};

use expected::Lists;
pub use held::Held;

/// What becomes of a file that is an archive by its name, or by what its URL says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packed {
    /// The one file in it is taken in its place.
    #[default]
    Unpacked,
    /// It stays what it is.
    Kept,
}

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where it can be had, in the order to try.
    pub locations: Vec<Location>,
    /// What the file must be.
    pub checksum: Checksum,
    /// Hosts that the user has named, each by the port it was named with. Only these may have
    /// loopback, link-local or metadata addresses; for every other host or port, redirect targets
    /// included, such an address is refused.
    pub named: BTreeSet<Endpoint>,
    /// Who has chosen the locations.
    pub author: Author,
    /// Which URLs may be asked for at all, redirect targets included. A request with bounds gets
    /// no list of checksums from a local file.
    pub reach: Reach,
    /// What is sent to web locations beside lvhost's own headers. Lists of checksums are asked for without.
    pub headers: RequestHeaders,
    /// What becomes of a file that is an archive.
    pub packed: Packed,
    /// By the paths of local locations: the folder that such a file must be beneath, whatever links there
    /// are. One that is not here is opened by its path.
    pub held: BTreeMap<PathBuf, HeldFolder>,
}

impl Request {
    /// What the file at one of the locations is checked by: what its URL says, or else what holds for all;
    /// `None` if these two are not the same.
    pub fn checksum_of<'a>(&'a self, location: &'a Location) -> Option<&'a Checksum> {
        expected::wanted(location, &self.checksum).ok()
    }

    /// A request whose locations and checksum the user wrote: their hosts are the named ones.
    pub fn named_by_user(locations: Vec<Location>, checksum: Checksum) -> Self {
        let own = locations.iter().filter_map(|it| it.steering().checksum());
        let lists = own
            .chain([&checksum])
            .filter_map(|checksum| match checksum {
                Checksum::File(list) => Some(list.as_ref()),
                Checksum::None | Checksum::Digest(_) => None,
            });
        let named = locations
            .iter()
            .chain(lists)
            .filter_map(|location| match location {
                Location::Web(web) => Endpoint::of(web.url()),
                Location::Path(_) => None,
            })
            .collect();
        Self {
            locations,
            checksum,
            named,
            author: Author::User,
            reach: Reach::default(),
            headers: RequestHeaders::default(),
            packed: Packed::Unpacked,
            held: BTreeMap::new(),
        }
    }
}

/// A file that is there, whole, and verified if a checksum was given.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Open for reading, at offset 0. Read it with positioned reads, since clones share the
    /// offset. As long as it is open, nobody prunes the cached file that it may be.
    pub file: Arc<File>,
    /// Bytes.
    pub length: u64,
    /// What the file is called: by `filename=` in the URL, by the archive that it was in, or by
    /// the end of its address.
    pub name: Option<String>,
    /// The SHA-256 of what the location has (the archive, if it is one); known for everything
    /// but local files that had no SHA-256 to be checked.
    pub sha256: Option<Digest>,
    /// The location it came from; for a hit by checksum, the first one.
    pub origin: Location,
    /// Whether no byte of it had to be transferred.
    pub from_cache: bool,
    /// The server's entity tag, if it gave one; for a file on a share what does the same.
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

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
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
        let exchange = Exchange {
            clients: &self.clients,
            settings: &self.settings,
        };
        let mut lists = Lists {
            exchange: &exchange,
            request,
            progress,
            cancel,
            read: HashMap::new(),
        };
        let mut failures = Vec::new();
        for location in &request.locations {
            match self.fetch_from(location, &mut lists).await {
                Ok(fetched) => return Ok(fetched),
                Err(Failed::Cancelled) => return Err(FetchError::Cancelled),
                Err(Failed::Cache(error)) => return Err(FetchError::Cache(error)),
                Err(Failed::NoSpace(error)) => return Err(FetchError::NoSpace(error)),
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

    async fn fetch_from(
        &self,
        location: &Location,
        lists: &mut Lists<'_>,
    ) -> Result<Fetched, Failed> {
        let (request, progress, cancel) = (lists.request, lists.progress, lists.cancel);
        let expected = lists.expected(location).await?;
        let fetched = match location {
            Location::Path(path) => {
                let held = request.held.get(&**path);
                let file = local::open_regular(path, held)?;
                local::checked(file, path, location, expected.as_ref(), progress, cancel).await
            }
            Location::Web(web) => {
                let address = Address::new(web, request, &self.settings);
                let address = address.map_err(LocationError::S3)?;
                if address.has_headers_in_vain() {
                    return Err(LocationError::NoHeaders.into());
                }
                let download = Download {
                    settings: &self.settings,
                    exchange: lists.exchange,
                    cache: Cache::open(&self.settings.cache_directory)?.part_of(request),
                    location,
                    address,
                    expected: expected.as_ref(),
                    progress,
                    cancel,
                };
                download.run().await
            }
        }?;
        let name = location.file_name().unwrap_or_default();
        match location.steering().archive().packing(name) {
            Some(packing) if packing.is_archive() && request.packed == Packed::Unpacked => {
                self.unpack_fetched(fetched, packing, progress, cancel)
                    .await
            }
            _ => Ok(fetched),
        }
    }

    /// The one file in a fetched archive.
    async fn unpack_fetched(
        &self,
        archive: Fetched,
        packing: Packing,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Fetched, Failed> {
        let name = archive.origin.to_string();
        let member = archive.origin.steering().member().map(str::to_owned);
        let file = Arc::clone(&archive.file);
        let unpacked = self
            .unpack_file(file, &name, packing, member, progress, cancel)
            .await?;
        Ok(Fetched {
            file: Arc::new(unpacked.file),
            length: unpacked.length,
            name: Some(unpacked.name),
            ..archive
        })
    }

    /// A file in an archive that is here: that of the name `member`, or the only one. `name` is what the archive is
    /// called in what is said of it.
    ///
    /// # Errors
    /// There is no such file, the archive can't be read, the cache can't be written to, or `cancel` was triggered.
    pub async fn unpack(
        &self,
        archive: Arc<File>,
        name: &str,
        packing: Packing,
        member: Option<String>,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Unpacked, UnpackError> {
        let unpacking = self.unpack_file(archive, name, packing, member, progress, cancel);
        unpacking.await.map_err(|error| match error {
            Failed::Cancelled => UnpackError::Cancelled,
            Failed::Cache(error) => UnpackError::Cache(error),
            Failed::NoSpace(error) => UnpackError::NoSpace(error),
            Failed::Location(source) => UnpackError::Archive {
                archive: name.to_owned(),
                source,
            },
        })
    }

    async fn unpack_file(
        &self,
        file: Arc<File>,
        name: &str,
        packing: Packing,
        member: Option<String>,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Unpacked, Failed> {
        let cache = Cache::open(&self.settings.cache_directory)?;
        progress.note(&format!("unpacking {name}"));
        // It ends with whoever waits for it.
        let stop = cancel.child_token();
        let _stopped = stop.clone().drop_guard();
        let unpacking = metered(progress, move |meter| {
            let folder = cache.root();
            unpack::unpack(file, packing, member.as_deref(), folder, meter, &stop)
        });
        let folder = &self.settings.cache_directory;
        let written = |source| CacheError::new("unpack into", folder, source);
        let unpacked = unpacking.await.map_err(|error| written(error.into()))?;
        unpacked.map_err(|error| match error {
            unpack::Failed::Cancelled => Failed::Cancelled,
            unpack::Failed::Archive(error) => LocationError::Archive(error).into(),
            unpack::Failed::Write { needed, source } if disk::is_full(&source) => {
                Failed::NoSpace(NoSpace {
                    file: name.to_owned(),
                    needed: Some(needed),
                    free: disk::free(folder).unwrap_or_default(),
                    directory: folder.clone(),
                })
            }
            unpack::Failed::Write { source, .. } => written(source).into(),
        })
    }
}

#[cfg(test)]
mod tests;
