//! What a file must be: the option `checksum`, the location's own, or a line of a list that is
//! fetched for it.
//!
//! A list is never cached: it is small, and a stale one would make a fresh file look wrong. One
//! request fetches it once, however many locations it is about.

use std::collections::HashMap;
use std::io::Read;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::checksum::list::{ChecksumList, names_of};
use crate::digest::Digest;
use crate::download::{Failed, Retry};
use crate::exchange::{self, Exchange};
use crate::location::{LocalFile, WebAddress};
use crate::patience::Patience;
use crate::{Checksum, Location, LocationError, Progress, Request, local};

/// The longest list of checksums, in bytes. The longest ones that distributions publish, for
/// whole archives, have some hundred KiB.
const LIST_LIMIT: usize = 4 << 20;

/// The lists of one request.
pub(super) struct Lists<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) request: &'a Request,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
    pub(super) read: HashMap<Location, ChecksumList>,
}

impl Lists<'_> {
    /// The digest that the file at a location must have, if any is known.
    pub(super) async fn expected(&mut self, location: &Location) -> Result<Option<Digest>, Failed> {
        match wanted(location, &self.request.checksum)? {
            Checksum::None => Ok(None),
            Checksum::Digest(digest) => Ok(Some(digest.clone())),
            Checksum::File(list) => self.listed(location, list).await.map(Some),
        }
    }

    async fn listed(&mut self, location: &Location, list: &Location) -> Result<Digest, Failed> {
        if !self.read.contains_key(list) {
            let text = match self.text(list).await {
                Ok(text) => text,
                Err(Failed::Location(source)) => {
                    return Err(LocationError::ChecksumFile {
                        list: Box::new(list.clone()),
                        source: Box::new(source),
                    }
                    .into());
                }
                Err(other) => return Err(other),
            };
            let parsed = ChecksumList::parse(&String::from_utf8_lossy(&text));
            self.read.insert(list.clone(), parsed);
        }
        let found = self
            .read
            .get(list)
            .map(|parsed| parsed.find(&names_of(location, list)));
        match found {
            Some(Ok(digest)) => Ok(digest),
            Some(Err(source)) => Err(LocationError::ChecksumList {
                list: Box::new(list.clone()),
                source,
            }
            .into()),
            None => Err(LocationError::Protocol("a list that was read and is gone").into()),
        }
    }

    async fn text(&self, list: &Location) -> Result<Vec<u8>, Failed> {
        match list {
            Location::Path(_) if self.request.reach.is_bounded() => {
                Err(LocationError::FileOutOfReach.into())
            }
            Location::Path(path) => Ok(read_file(path)?),
            Location::Web(web) => {
                let getting = self.get(web);
                let text = self.cancel.run_until_cancelled(getting).await;
                Ok(text.ok_or(Failed::Cancelled)??)
            }
        }
    }

    async fn get(&self, web: &WebAddress) -> Result<Vec<u8>, LocationError> {
        let settings = self.exchange.settings;
        let address = Address::new(web, self.request, settings);
        let address = address.map_err(LocationError::S3)?.without_headers();
        let mut retry = Retry::new(settings.retry_delay, 0);
        let mut patience = Patience::new(settings);
        loop {
            let error = match self.attempt(&address, &mut patience).await {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            let Some(delay) = retry.after(&error, 0) else {
                return Err(error);
            };
            patience.pause(delay)?;
            let note = format!("{web}: {error}; next attempt in {delay:.1?}");
            self.progress.note(&note);
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(
        &self,
        address: &Address<'_>,
        patience: &mut Patience,
    ) -> Result<Vec<u8>, LocationError> {
        #[cfg(feature = "smb")]
        if address.is_share() {
            let reading = crate::share::read(address, self.exchange.settings, LIST_LIMIT);
            return patience.wait(reading).await?;
        }
        let headers = HeaderMap::new();
        let mut response = self.exchange.get(address, &headers, patience).await?;
        if response.status() != StatusCode::OK {
            return Err(patience.wait(exchange::refusal(response, address)).await?);
        }
        let mut text = Vec::new();
        while let Some(bytes) = patience
            .wait(response.chunk())
            .await?
            .map_err(|error| LocationError::Transfer(error.without_url()))?
        {
            patience.received(bytes.len() as u64);
            if text.len() + bytes.len() > LIST_LIMIT {
                return Err(LocationError::TooLong {
                    limit: LIST_LIMIT as u64,
                });
            }
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    }
}

/// What the file at a location is checked by: its own checksum, or the one that is `given` for all.
pub(super) fn wanted<'a>(
    location: &'a Location,
    given: &'a Checksum,
) -> Result<&'a Checksum, LocationError> {
    match (location.steering().checksum(), given) {
        (None, given) => Ok(given),
        (Some(own), Checksum::None) => Ok(own),
        (Some(own), given) if own == given => Ok(own),
        (Some(own), given) => Err(LocationError::TwoChecksums {
            own: Box::new(own.clone()),
            given: Box::new(given.clone()),
        }),
    }
}

/// What a list on this machine says of the file at a location, if it can be read and says something.
pub(super) fn listed_here(
    location: &Location,
    list: &Location,
    path: &LocalFile,
) -> Option<Digest> {
    let text = read_file(path).ok()?;
    let parsed = ChecksumList::parse(&String::from_utf8_lossy(&text));
    parsed.find(&names_of(location, list)).ok()
}

fn read_file(path: &LocalFile) -> Result<Vec<u8>, LocationError> {
    let (file, _) = local::open_regular(path, None)?;
    let mut text = Vec::new();
    let read = file.take(LIST_LIMIT as u64 + 1).read_to_end(&mut text);
    read.map_err(|source| LocationError::Local {
        path: path.to_path_buf(),
        source,
    })?;
    if text.len() > LIST_LIMIT {
        return Err(LocationError::TooLong {
            limit: LIST_LIMIT as u64,
        });
    }
    Ok(text)
}
