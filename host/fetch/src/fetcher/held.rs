//! What of a request is in the cache, told without a network: by the look-up that a download begins with.

use super::expected::{listed_here, wanted};
use super::{Fetcher, Request};
use crate::address::Address;
use crate::cache::{Cache, CacheError};
use crate::digest::Digest;
use crate::location::WebAddress;
use crate::{Checksum, Location};

/// What the cache has of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing that would do: it is fetched.
    Nothing,
    /// The very file, by its checksum. No server is asked for anything.
    Verified,
    /// What came from its first location before: the server is asked whether it is still the same.
    Former,
    /// That depends on a list of checksums, which has to be fetched first.
    Unknown,
}

impl Fetcher {
    /// What there is of `request` already. Nothing is fetched, and no cache is made where there is none.
    ///
    /// # Errors
    /// The cache can't be used.
    pub fn held(&self, request: &Request) -> Result<Held, CacheError> {
        let folder = &self.settings.cache_directory;
        if !folder.is_dir() {
            return Ok(Held::Nothing);
        }
        let cache = Cache::open(folder)?.part_of(request);
        let mut found = Held::Nothing;
        for (index, location) in request.locations.iter().enumerate() {
            let Location::Web(web) = location else {
                continue;
            };
            let held = match Self::expected_here(location, request) {
                // A fetch of it says what is wrong.
                Err(NotTold::Wrong) => Held::Nothing,
                Err(NotTold::Elsewhere) => Held::Unknown,
                Ok(Some(digest)) => match cache.known_by_digest(&digest) {
                    Some(_) => Held::Verified,
                    None => Held::Nothing,
                },
                // What is not checked is taken from the first location that answers.
                Ok(None) if index > 0 => Held::Nothing,
                Ok(None) => match self.came_before(&cache, web, request) {
                    true => Held::Former,
                    false => Held::Nothing,
                },
            };
            match held {
                Held::Verified | Held::Former => return Ok(held),
                Held::Unknown => found = Held::Unknown,
                Held::Nothing => {}
            }
        }
        Ok(found)
    }

    fn came_before(&self, cache: &Cache, web: &WebAddress, request: &Request) -> bool {
        let address = Address::new(web, request, &self.settings);
        address.is_ok_and(|address| cache.known_by_url(address.identity()).is_some())
    }

    /// The digest that the file at a location must have, as far as it can be told here.
    fn expected_here(location: &Location, request: &Request) -> Result<Option<Digest>, NotTold> {
        match wanted(location, &request.checksum).map_err(|_| NotTold::Wrong)? {
            Checksum::None => Ok(None),
            Checksum::Digest(digest) => Ok(Some(digest.clone())),
            Checksum::File(list) => match list.as_ref() {
                Location::Web(_) => Err(NotTold::Elsewhere),
                Location::Path(_) if request.reach.is_bounded() => Err(NotTold::Wrong),
                Location::Path(path) => match listed_here(location, list, path) {
                    Some(digest) => Ok(Some(digest)),
                    None => Err(NotTold::Wrong),
                },
            },
        }
    }
}

/// Why a digest is not known.
enum NotTold {
    /// It stands in a list that has to be fetched.
    Elsewhere,
    /// There is something wrong with what is written.
    Wrong,
}
