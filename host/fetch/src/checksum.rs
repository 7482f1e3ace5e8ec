//! What a template says about a download's integrity.

pub(crate) mod list;

use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::digest::{Algorithm, Digest};
use crate::location::is_plain;
use crate::{Location, LocationParseError};

/// The option `checksum`, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Nothing is known: the server is asked each time whether its file has changed.
    None,
    /// The whole file must have this digest.
    Digest(Digest),
    /// The file's digest stands in a list, such as `SHA256SUMS`, that is fetched anew each time.
    File(Box<Location>),
}

/// Why a text is not a [`Checksum`].
#[derive(Debug, Error)]
pub enum ChecksumError {
    /// `file:` before something that is no location.
    #[error("where the checksums are: {0}")]
    File(Box<LocationParseError>),
    /// `file:` with a location that says how to unpack or check it.
    #[error("where the checksums are: `archive=`, `checksum=` and `//` mean nothing there")]
    Steered,
    /// A prefix that names no algorithm.
    #[error("`{0}` is not a checksum algorithm; use md5, sha1, sha256, sha512 or file")]
    Algorithm(String),
    /// The digits don't make a digest of that algorithm.
    #[error("a {algorithm} checksum has {} hex digits; this one is {found}", algorithm.length() * 2)]
    Digits {
        /// The algorithm it was to be of.
        algorithm: Algorithm,
        /// What was found instead: a length or the first bad character.
        found: String,
    },
    /// Without prefix the length names the algorithm, and no algorithm has this one.
    #[error(
        "the checksum is {0}; without a prefix it must have 32 (md5), 40 (sha1), 64 (sha256) or \
         128 (sha512) hex digits"
    )]
    Length(String),
}

impl Checksum {
    /// Parses `md5:…`, `sha1:…`, `sha256:…`, `sha512:…`, bare hex digits (the algorithm follows
    /// from their number), `file:` and the URL or path of a list of checksums, `none`, or nothing
    /// at all, which is the same as `none`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        let (algorithm, digits) = match text.split_once(':') {
            Some((prefix, list)) if prefix.eq_ignore_ascii_case("file") => {
                let list =
                    Location::parse(list).map_err(|error| ChecksumError::File(Box::new(error)))?;
                return if is_plain(&list) {
                    Ok(Self::File(Box::new(list)))
                } else {
                    Err(ChecksumError::Steered)
                };
            }
            Some((prefix, digits)) => {
                let algorithm = Algorithm::from_name(prefix)
                    .ok_or_else(|| ChecksumError::Algorithm(prefix.to_owned()))?;
                (algorithm, digits)
            }
            None => {
                let algorithm = Algorithm::ALL
                    .into_iter()
                    .find(|algorithm| algorithm.length() * 2 == text.chars().count())
                    .ok_or_else(|| ChecksumError::Length(describe(text)))?;
                (algorithm, text)
            }
        };
        Digest::from_hex(algorithm, digits)
            .map(Self::Digest)
            .ok_or_else(|| ChecksumError::Digits {
                algorithm,
                found: describe(digits),
            })
    }

    /// The digest, if it stands here.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::None | Self::File(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }

    /// The checksum with the path of a list taken from `base` if it is relative.
    #[must_use]
    pub fn resolved_in(self, base: &Path) -> Self {
        match self {
            Self::File(list) => Self::File(Box::new(list.resolved_in(base))),
            other => other,
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Digest(digest) => write!(f, "{}:{digest}", digest.algorithm()),
            Self::File(list) => write!(f, "file:{list}"),
        }
    }
}

/// What is wrong with a row of digits.
fn describe(digits: &str) -> String {
    match digits.chars().find(|digit| !digit.is_ascii_hexdigit()) {
        Some(bad) => format!("not hexadecimal (it contains {bad:?})"),
        None => format!("{} digits long", digits.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refused_texts_say_why() {
        let cases = [
            ("file:", "where the checksums are: the location is empty"),
            ("file:git::https://h/a", "would run `git`"),
            ("file:https://h/a?checksum=none", "mean nothing there"),
            ("file:/srv/sums.zip//a", "mean nothing there"),
            ("crc32:00", "`crc32` is not a checksum algorithm"),
            (
                "md5:00",
                "a md5 checksum has 32 hex digits; this one is 2 digits long",
            ),
            ("abcd", "the checksum is 4 digits long"),
            ("sha256:xyz", "not hexadecimal (it contains 'x')"),
            ("hello", "not hexadecimal (it contains 'h')"),
        ];
        for (text, part) in cases {
            let error = Checksum::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_is_none() {
        for text in ["", "  ", "none", "NONE"] {
            assert_eq!(Checksum::parse(text).unwrap(), Checksum::None);
        }
    }

    #[test]
    fn a_list_is_a_url_or_a_path() {
        let cases = [
            ("file:https://h/SHA256SUMS", "https://h/SHA256SUMS"),
            ("FILE:SHA256SUMS", "/base/SHA256SUMS"),
            ("file:./a/SHA256SUMS", "/base/./a/SHA256SUMS"),
            ("file:///srv/SHA256SUMS", "///srv/SHA256SUMS"),
            ("file:file:///srv/a%20b", "/srv/a b"),
        ];
        for (text, shown) in cases {
            let checksum = Checksum::parse(text).unwrap();
            match checksum.resolved_in(Path::new("/base")) {
                Checksum::File(list) => assert_eq!(list.to_string(), shown),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = Checksum::parse(&text);
        }

        #[test]
        fn bare_and_prefixed_digits_mean_the_same(
            algorithm in proptest::sample::select(&Algorithm::ALL[..]),
            seed in proptest::collection::vec(any::<u8>(), 64),
            upper in any::<bool>(),
        ) {
            let mut hex: String =
                seed[..algorithm.length()].iter().map(|byte| format!("{byte:02x}")).collect();
            if upper {
                hex = hex.to_uppercase();
            }
            let bare = Checksum::parse(&hex).unwrap();
            prop_assert_eq!(&bare, &Checksum::parse(&format!(" {algorithm}:{hex} ")).unwrap());
            let digest = bare.digest().unwrap();
            prop_assert_eq!(digest.algorithm(), algorithm);
            prop_assert_eq!(digest.to_string(), hex.to_lowercase());
        }
    }
}
