//! What go-getter takes out of a URL's query for itself, before it asks the server.
//! <https://pkg.go.dev/github.com/hashicorp/go-getter/v2> documents the keys.

use url::{Url, form_urlencoded};

use super::LocationParseError;
use crate::archive::Archive;
use crate::{Checksum, Location, Packing};

/// The keys that steer.
const KEYS: [&str; 3] = ["archive", "checksum", "filename"];

/// What a location says beside where the file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Steering {
    pub(super) archive: Archive,
    pub(super) checksum: Option<Checksum>,
    pub(super) file_name: Option<String>,
    pub(super) member: Option<String>,
}

impl Steering {
    /// `archive=`: how the file is packed.
    pub fn archive(&self) -> Archive {
        self.archive
    }

    /// `checksum=`: what the file must be.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// `filename=`: what the file is called, whatever its address ends in.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// What stood after `//`: the file meant, or its folder, inside of an archive.
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }

    /// Takes the steering keys out of a query; the other pairs stay as they were written.
    pub(super) fn from_query(query: &str) -> Result<(Self, Option<String>), LocationParseError> {
        let mut steering = Self::default();
        let mut rest = Vec::new();
        let mut seen = Vec::new();
        for pair in query.split('&') {
            let Some((key, value)) = steering_pair(pair) else {
                rest.push(pair);
                continue;
            };
            if seen.contains(&key) {
                return Err(LocationParseError::Twice(key));
            }
            seen.push(key);
            steering.set(key, &value)?;
        }
        let rest = rest.join("&");
        Ok((steering, (!rest.is_empty()).then_some(rest)))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), LocationParseError> {
        match key {
            "archive" => {
                self.archive = Archive::parse(value)
                    .ok_or_else(|| LocationParseError::Archive(value.to_owned()))?;
            }
            "checksum" => {
                let checksum = Checksum::parse(value);
                self.checksum =
                    Some(checksum.map_err(|error| LocationParseError::Checksum(Box::new(error)))?);
            }
            _ => {
                if value.is_empty() || value.contains(['/', '\0']) || [".", ".."].contains(&value) {
                    return Err(LocationParseError::FileName(value.to_owned()));
                }
                self.file_name = Some(value.to_owned());
            }
        }
        Ok(())
    }

    /// Takes them out of a URL's query, and what follows `//` out of its path.
    pub(super) fn from_url(url: &mut Url) -> Result<Self, LocationParseError> {
        let mut steering = match url.query() {
            Some(query) => {
                let (steering, rest) = Self::from_query(query)?;
                url.set_query(rest.as_deref());
                steering
            }
            None => Self::default(),
        };
        let path = url.path().to_owned();
        if let Some((archive, member)) = steering.split_member(&path) {
            url.set_path(archive);
            let member = percent_encoding::percent_decode_str(member).decode_utf8_lossy();
            steering.member = Some(member.into_owned());
        }
        Ok(steering)
    }

    /// Splits `archive//member`. Two slashes after anything but an archive mean nothing special:
    /// servers and file systems take them for one.
    pub(super) fn split_member<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        for (at, _) in path.match_indices("//") {
            let (archive, member) = (&path[..at], path[at..].trim_matches('/'));
            let name = archive.rsplit('/').next().unwrap_or_default();
            let packed = self.archive.packing(name);
            if !name.is_empty() && !member.is_empty() && packed.is_some_and(Packing::is_archive) {
                return Some((archive, member));
            }
        }
        None
    }

    /// A relative path in `checksum=file:` is taken from `base`.
    pub(super) fn resolved_in(self, base: &std::path::Path) -> Self {
        Self {
            checksum: self.checksum.map(|checksum| checksum.resolved_in(base)),
            ..self
        }
    }
}

/// The key and decoded value of a pair that steers.
fn steering_pair(pair: &str) -> Option<(&'static str, String)> {
    let (key, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
    let key = KEYS.into_iter().find(|known| *known == key)?;
    Some((key, value.into_owned()))
}

/// Whether a query has a key that steers.
pub(super) fn steers(query: &str) -> bool {
    query.split('&').any(|pair| steering_pair(pair).is_some())
}

/// The location of a list of checksums: a plain file.
pub(crate) fn is_plain(location: &Location) -> bool {
    let steering = location.steering();
    steering.checksum.is_none()
        && steering.member.is_none()
        && steering.archive == Archive::default()
}
