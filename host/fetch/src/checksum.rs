//! What a template says about a download's integrity.

pub(crate) mod list;

use std::fmt;
use std::path::Path;

use crate::digest::Digest;
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

impl Checksum {
    /// Parses what a template says, by the grammar of `lvhost-location`.
    ///
    /// # Errors
    /// A text that is none.
    pub fn parse(text: &str) -> Result<Self, LocationParseError> {
        lvhost_location::Checksum::parse(text)?.try_into()
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

impl TryFrom<lvhost_location::Checksum> for Checksum {
    type Error = LocationParseError;

    fn try_from(written: lvhost_location::Checksum) -> Result<Self, LocationParseError> {
        use lvhost_location::Checksum as Written;
        match written {
            Written::None => Ok(Self::None),
            Written::Digest(digest) => Ok(Self::Digest(digest)),
            Written::List(list) => Ok(Self::File(Box::new(Location::try_from(*list)?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let error = Checksum::parse("file:https://[::/a").unwrap_err();
        assert!(error.to_string().contains("not a valid URL"), "{error}");
    }
}
