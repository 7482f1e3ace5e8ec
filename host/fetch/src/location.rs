//! Where bytes can come from: a web address or a local path. `lvhost-location` has the grammar; here a
//! URL becomes one.

mod steering;

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use lvhost_location::{Fault, Form};
use thiserror::Error;
use url::Url;

use crate::SafeUrl;
use crate::s3::{self, Object};
#[cfg(feature = "smb")]
use crate::share::Place;

pub use steering::Steering;

/// One place a file can be had from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// An address on the web or of a share, or an object of a store that is spoken to over the web.
    Web(WebAddress),
    /// A local file, used in place.
    Path(LocalFile),
}

/// An `http://`, `https://` or `smb://` address, or an object that one leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebAddress {
    url: SafeUrl,
    object: Option<Box<Object>>,
    steering: Steering,
}

impl WebAddress {
    /// The address without what steers: what the server is asked for. For an object it is asked
    /// for by a signed form of it.
    pub fn url(&self) -> &SafeUrl {
        &self.url
    }

    /// The object of a store, if it is one.
    pub(crate) fn object(&self) -> Option<&Object> {
        self.object.as_deref()
    }
}

impl Deref for WebAddress {
    type Target = SafeUrl;

    fn deref(&self) -> &SafeUrl {
        &self.url
    }
}

/// The path of a local file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalFile {
    path: PathBuf,
    steering: Steering,
}

impl Deref for LocalFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// Why a text is not a [`Location`].
#[derive(Debug, Error)]
pub enum LocationParseError {
    /// It is written wrongly, or in a form that is not supported.
    #[error(transparent)]
    Written(#[from] Fault),
    /// An address of a share, in a build that can't reach any.
    #[cfg(not(feature = "smb"))]
    #[error(
        "`smb://` is not supported; this build of lvhost has no SMB (its feature `smb` is off): mount \
         the share, for instance by `mount -t cifs //HOST/SHARE DIRECTORY`, and give the path of the \
         file in it"
    )]
    NoShares,
    /// `s3::` or `s3://` with an address that has no object.
    #[error("the S3 address {0}")]
    Object(&'static str),
    /// `smb://` with an address that can't be a file on a share.
    #[cfg(feature = "smb")]
    #[error("the SMB address {0}")]
    Share(&'static str),
    /// `file://` with an address that is no path.
    #[error("the address of a local file is `file:///` and its absolute path")]
    File,
    /// The text looks like a URL and isn't one.
    #[error("`{shown}` is not a valid URL")]
    Url {
        /// The text up to the first character that can come after a secret.
        shown: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
}

impl Location {
    /// Parses what a template says, by the grammar of `lvhost-location`.
    ///
    /// # Errors
    /// A form that is not supported, by its name, or one that is written wrongly.
    pub fn parse(text: &str) -> Result<Self, LocationParseError> {
        lvhost_location::Location::parse(text)?.try_into()
    }

    /// The location with relative paths taken from `base`; a web address stays as it is, but for
    /// the path of a list of checksums.
    #[must_use]
    pub fn resolved_in(self, base: &Path) -> Self {
        match self {
            Self::Path(LocalFile { path, steering }) => Self::Path(LocalFile {
                path: base.join(path),
                steering: steering.resolved_in(base),
            }),
            Self::Web(web) => Self::Web(WebAddress {
                steering: web.steering.resolved_in(base),
                ..web
            }),
        }
    }

    /// The name of the file, for choosing a codec by extension or naming a volume.
    pub fn file_name(&self) -> Option<&str> {
        if let Some(name) = self.steering().file_name() {
            return Some(name);
        }
        match self {
            Self::Web(web) => web.url.file_name(),
            Self::Path(file) => Path::file_name(file)?.to_str(),
        }
    }

    /// What was said of it beside where it is.
    pub fn steering(&self) -> &Steering {
        match self {
            Self::Web(web) => &web.steering,
            Self::Path(file) => &file.steering,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(web) => web.fmt(f),
            Self::Path(file) => file.display().fmt(f),
        }
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.object.is_some() {
            f.write_str("s3::")?;
        }
        self.url.fmt(f)
    }
}

impl TryFrom<lvhost_location::Location> for Location {
    type Error = LocationParseError;

    fn try_from(written: lvhost_location::Location) -> Result<Self, LocationParseError> {
        let steering = Steering::try_from(written.steering)?;
        let address = written.address;
        match written.form {
            Form::Path => Ok(Self::Path(LocalFile {
                path: PathBuf::from(address),
                steering,
            })),
            Form::FileUrl => {
                let path = parse_url(&address)?.to_file_path();
                let path = path.map_err(|()| LocationParseError::File)?;
                Ok(Self::Path(LocalFile { path, steering }))
            }
            Form::Web => Ok(Self::Web(WebAddress {
                url: SafeUrl::new(parse_url(&address)?),
                object: None,
                steering,
            })),
            Form::Object => {
                let url = SafeUrl::new(parse_url(&address)?);
                let object = Object::parse(&url).map_err(LocationParseError::Object)?;
                Ok(Self::Web(WebAddress {
                    url: s3::plain_url(&object).map_err(LocationParseError::Object)?,
                    object: Some(Box::new(object)),
                    steering,
                }))
            }
            #[cfg(feature = "smb")]
            Form::Share => {
                let url = parse_url(&address)?;
                Place::of(&url).map_err(LocationParseError::Share)?;
                Ok(Self::Web(WebAddress {
                    url: SafeUrl::new(url),
                    object: None,
                    steering,
                }))
            }
            #[cfg(not(feature = "smb"))]
            Form::Share => Err(LocationParseError::NoShares),
        }
    }
}

/// Parses an absolute URL. One that is none is shown up to where credentials may stand.
fn parse_url(address: &str) -> Result<Url, LocationParseError> {
    Url::parse(address).map_err(|source| {
        let shown = match address.split_once("//") {
            Some((scheme, rest)) if rest.contains(['@', '?']) => format!("{scheme}//…"),
            _ => address.to_owned(),
        };
        LocationParseError::Url { shown, source }
    })
}

#[cfg(test)]
mod tests;
