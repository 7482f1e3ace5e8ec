//! Lists of checksums, as `sha256sum`, `shasum`, BSD's `md5` and `openssl` write them, and which of
//! their lines is about a file.
//!
//! ```text
//! DIGEST  name            GNU; also `DIGEST *name` (binary) and `DIGEST ?name` (portable)
//! SHA256 (name) = DIGEST  BSD; also `SHA2-256(name)= DIGEST`
//! DIGEST                  a file with nothing else in it
//! ```
//!
//! Everything else, such as a signature around the list, is passed over.

use thiserror::Error;

use crate::Location;
use crate::digest::{Algorithm, Digest};

/// Names shown of a list that doesn't have the one looked for; more would bury the message.
const SHOWN_NAMES: usize = 8;

/// The fewest digits taken for a digest: those of MD5.
const FEWEST_DIGITS: usize = 32;

/// A list of checksums.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChecksumList {
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// `None` for a digest that stands alone.
    name: Option<String>,
    /// Or the name of the algorithm, if it is none that can be computed here.
    digest: Result<Digest, String>,
}

/// Why a list says nothing about a file.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChecksumListError {
    /// It has no line about a file of that name.
    #[error("it does not list `{name}`; {listed}")]
    NotListed {
        /// The file's name.
        name: String,
        /// What it lists instead, in words.
        listed: String,
    },
    /// It has several, which contradict each other.
    #[error("it has different {algorithm} checksums for `{name}`")]
    Contradicting {
        /// The file's name.
        name: String,
        /// Of that algorithm.
        algorithm: Algorithm,
    },
    /// It has only checksums of algorithms that are not supported.
    #[error(
        "it has only a {algorithm} checksum for `{name}`; md5, sha1, sha256 and sha512 are supported"
    )]
    Algorithm {
        /// The file's name.
        name: String,
        /// The algorithm, as the list calls it.
        algorithm: String,
    },
}

impl ChecksumList {
    /// Reads a list. Any text is one, if perhaps an empty one.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let entries = text
            .lines()
            .filter_map(|line| bsd_line(line.trim()).or_else(|| gnu_line(line.trim())))
            .collect();
        Self { entries }
    }

    /// The digest of a file, by the strongest algorithm there is for it.
    ///
    /// `names` are what the list may call it, the most exact one first. If it has none of them,
    /// a line counts whose name is the last one's in some folder, and in the end a digest without
    /// a name.
    pub(crate) fn find(&self, names: &[String]) -> Result<Digest, ChecksumListError> {
        let name = names.last().map_or("", String::as_str);
        for wanted in names {
            if let Some(digest) = self.select(name, |listed| listed == Some(wanted.as_str()))? {
                return Ok(digest);
            }
        }
        let in_a_folder = |listed: Option<&str>| {
            listed
                .and_then(|listed| listed.rsplit_once('/'))
                .map(|(_, base)| base)
                == Some(name)
        };
        if let Some(digest) = self.select(name, in_a_folder)? {
            return Ok(digest);
        }
        if self.entries.iter().all(|entry| entry.name.is_none())
            && let Some(digest) = self.select(name, |listed| listed.is_none())?
        {
            return Ok(digest);
        }
        Err(ChecksumListError::NotListed {
            name: name.to_owned(),
            listed: self.listed(),
        })
    }

    /// The strongest digest among the entries with a fitting name.
    fn select(
        &self,
        name: &str,
        fits: impl Fn(Option<&str>) -> bool,
    ) -> Result<Option<Digest>, ChecksumListError> {
        let fitting: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| fits(entry.name.as_deref()))
            .map(|entry| &entry.digest)
            .collect();
        let usable = fitting.iter().filter_map(|digest| digest.as_ref().ok());
        let Some(best) = usable.clone().max_by_key(|digest| digest.algorithm()) else {
            return match fitting.first() {
                Some(Err(algorithm)) => Err(ChecksumListError::Algorithm {
                    name: name.to_owned(),
                    algorithm: algorithm.clone(),
                }),
                _ => Ok(None),
            };
        };
        let algorithm = best.algorithm();
        if usable
            .clone()
            .any(|other| other.algorithm() == algorithm && other != best)
        {
            return Err(ChecksumListError::Contradicting {
                name: name.to_owned(),
                algorithm,
            });
        }
        Ok(Some(best.clone()))
    }

    fn listed(&self) -> String {
        let mut names: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| entry.name.as_deref())
            .collect();
        names.dedup();
        match names.len() {
            0 => "there is no checksum in it".to_owned(),
            all @ 1..=SHOWN_NAMES => format!("it lists {}", quoted(&names[..all])),
            all => format!(
                "it lists {} and {} more",
                quoted(&names[..SHOWN_NAMES]),
                all - SHOWN_NAMES
            ),
        }
    }
}

/// What a list may call the file at a location, the plain name last.
pub(crate) fn names_of(file: &Location, list: &Location) -> Vec<String> {
    let mut names = Vec::new();
    match (file, list) {
        (Location::Web(file), Location::Web(list)) => {
            let relative = list.url().expose().make_relative(file.url().expose());
            names.extend(relative.map(|path| {
                let path = path.split('?').next().unwrap_or_default();
                decoded(path)
            }));
        }
        (Location::Path(file), Location::Path(list)) => {
            let relative = list
                .parent()
                .and_then(|folder| file.strip_prefix(folder).ok());
            names.extend(relative.map(|path| path.display().to_string()));
            names.push(file.display().to_string());
        }
        _ => {}
    }
    names.extend(file.steering().file_name().map(str::to_owned));
    names.extend(match file {
        Location::Web(web) => web.url().file_name().map(decoded),
        Location::Path(path) => path
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned),
    });
    names
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `ALGORITHM (name) = DIGEST`.
fn bsd_line(line: &str) -> Option<Entry> {
    let (left, digits) = line.rsplit_once('=')?;
    let digits = digits.trim();
    let (algorithm, name) = left.trim_end().strip_suffix(')')?.split_once('(')?;
    let algorithm = algorithm.trim_end();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    if algorithm.is_empty() || !algorithm.bytes().all(plain) || !is_hex(digits) {
        return None;
    }
    let short = algorithm
        .to_ascii_lowercase()
        .replace("sha2-", "sha")
        .replace('-', "");
    let digest = Algorithm::from_name(&short)
        .and_then(|algorithm| Digest::from_hex(algorithm, digits))
        .ok_or_else(|| algorithm.to_owned());
    Some(Entry {
        name: given(name),
        digest,
    })
}

/// `DIGEST  name`, or a digest alone.
fn gnu_line(line: &str) -> Option<Entry> {
    // A line whose name has escapes begins with a backslash (coreutils, "md5sum invocation").
    let (line, is_escaped) = match line.strip_prefix('\\') {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (digits, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if digits.len() < FEWEST_DIGITS || !is_hex(digits) {
        return None;
    }
    let name = rest.trim_start();
    let name = name.strip_prefix(['*', '?']).unwrap_or(name);
    let name = if is_escaped {
        name.replace("\\n", "\n").replace("\\\\", "\\")
    } else {
        name.to_owned()
    };
    let digest = Algorithm::ALL
        .into_iter()
        .find_map(|algorithm| Digest::from_hex(algorithm, digits))
        .ok_or_else(|| format!("{}-bit", digits.len() * 4));
    Some(Entry {
        name: given(&name),
        digest,
    })
}

/// A name in a list; `-` is what the tools write for what they read from a pipe.
fn given(name: &str) -> Option<String> {
    let name = name.strip_prefix("./").unwrap_or(name);
    (!name.is_empty() && name != "-").then(|| name.to_owned())
}

fn is_hex(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
