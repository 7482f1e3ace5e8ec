//! Where bytes can come from: a web address or a local path, in the forms of go-getter.
//!
//! ```text
//! https://host/path            http and https, also as `https::https://…`
//! path  ./path  /path          a local file, used in place; also `file:path`, `file:///path`,
//!                              `file::path`
//! s3::https://host/bucket/key  an object store; also `s3://bucket/key`
//! smb://host/share/path        a file on a share, with the feature `smb`; also as
//!                              `smb::smb://…`
//! …?archive=…&checksum=…&filename=…   taken out of the query before the server is asked
//! …/disks.zip//disk.img        a file inside of an archive
//! ```
//!
//! What would run a program on this host (`git::`, `hg::`, and what is recognised as a repository)
//! is refused.

mod refusal;
mod steering;

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use thiserror::Error;
use url::Url;

use crate::s3::{self, Object};
#[cfg(feature = "smb")]
use crate::share::Place;
use crate::{ChecksumError, SafeUrl};

pub use steering::Steering;
pub(crate) use steering::is_plain;

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
    /// Nothing was written.
    #[error("the location is empty; give a URL or a path")]
    Empty,
    /// The form works by running a version control program on this host.
    #[error(
        "`{form}` is not supported: it would run `{program}` on this host; \
         check the repository out first and give the path of the file"
    )]
    RunsProgram {
        /// The form as it was written, such as `git::`.
        form: String,
        /// The program it stands for.
        program: &'static str,
    },
    /// A form that is not supported, and what to do instead.
    #[error("`{form}` is not supported; {instead}")]
    UnsupportedForm {
        /// The form as it was written, such as `ftp:`.
        form: String,
        /// What to do.
        instead: &'static str,
    },
    /// `x::` before something that is no `x`.
    #[error("`{form}::` must be followed by {expected}")]
    Forced {
        /// The form as it was written.
        form: String,
        /// What it wants.
        expected: &'static str,
    },
    /// `archive=` with an unknown word.
    #[error(
        "`archive={0}` is not supported; use gz, bz2, xz, zst, zip, tar, tar.gz, tar.bz2, tar.xz, \
         tar.zst or false"
    )]
    Archive(String),
    /// `checksum=` with something that is none.
    #[error("`checksum=` in the query: {0}")]
    Checksum(Box<ChecksumError>),
    /// `filename=` with something that can't be a file's name.
    #[error("`filename={0}` is not the name of a file")]
    FileName(String),
    /// One of these keys more than once.
    #[error("`{0}=` stands more than once in the query")]
    Twice(&'static str),
    /// `s3::` or `s3://` with an address that has no object.
    #[error("the S3 address {0}")]
    Object(&'static str),
    /// `smb://` with an address that can't be a file on a share.
    #[cfg(feature = "smb")]
    #[error("the SMB address {0}")]
    Share(&'static str),
    /// `file://HOST/…` names a file of another machine.
    #[error("`file://{0}/…` names another host; a local file is `file:///path`")]
    RemoteFile(String),
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
    /// Parses what a template says; see the module for the forms.
    ///
    /// # Errors
    /// A form that is not supported, by its name, or one that is written wrongly.
    pub fn parse(text: &str) -> Result<Self, LocationParseError> {
        if text.trim().is_empty() {
            return Err(LocationParseError::Empty);
        }
        if let Some((form, rest)) = forced_form(text) {
            return parse_forced(form, rest);
        }
        if let Some(refused) = refusal::repository(text) {
            return Err(refused);
        }
        let Some((scheme, rest)) = scheme(text) else {
            return parse_path(text);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => parse_web(text, rest),
            "file" => parse_file(text, rest),
            "s3" => parse_object(text, rest),
            #[cfg(feature = "smb")]
            "smb" => parse_share(text, rest),
            other => Err(refusal::form(&format!("{other}:"), other)),
        }
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

/// Splits `x::rest`, go-getter's way to force a getter.
fn forced_form(text: &str) -> Option<(&str, &str)> {
    let (form, rest) = text.split_once("::")?;
    let plain = form
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (!form.is_empty() && plain).then_some((form, rest))
}

fn parse_forced(form: &str, rest: &str) -> Result<Location, LocationParseError> {
    let forced = |expected| LocationParseError::Forced {
        form: form.to_owned(),
        expected,
    };
    let known = form.to_ascii_lowercase();
    let web = scheme(rest).filter(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    match (known.as_str(), scheme(rest)) {
        ("http" | "https", _) => match web {
            Some((_, after)) => parse_web(rest, after),
            None => Err(forced("an http:// or https:// address")),
        },
        ("s3", Some((scheme, after))) if web.is_some() || scheme.eq_ignore_ascii_case("s3") => {
            parse_object(rest, after)
        }
        ("s3", _) => Err(forced("an http:// or https:// address")),
        #[cfg(feature = "smb")]
        ("smb", Some((scheme, after))) if scheme.eq_ignore_ascii_case("smb") => {
            parse_share(rest, after)
        }
        #[cfg(feature = "smb")]
        ("smb", _) => Err(forced("an smb:// address")),
        ("file", None) if rest.trim().is_empty() => Err(LocationParseError::Empty),
        ("file", None) => parse_path(rest),
        ("file", Some((scheme, after))) if scheme.eq_ignore_ascii_case("file") => {
            parse_file(rest, after)
        }
        ("file", Some(_)) => Err(forced("a path or a file:// address")),
        _ => Err(refusal::form(&format!("{form}::"), &known)),
    }
}

/// Splits `scheme:rest` where the scheme is one by RFC 3986 §3.1 and either a `//` follows or
/// it is `file`, so that a path with a colon in it stays a path.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let well_formed = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let marked = rest.starts_with("//")
        || ["file", "http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
    (well_formed && marked).then_some((scheme, rest))
}

/// Parses an absolute URL. One that is none is shown up to where credentials may stand.
fn parse_url(text: &str, rest: &str) -> Result<Url, LocationParseError> {
    let error = |source| {
        let scheme = &text[..text.len() - rest.len()];
        let shown = if rest.contains('@') || rest.contains('?') {
            format!("{scheme}//…")
        } else {
            text.to_owned()
        };
        LocationParseError::Url { shown, source }
    };
    if !rest.starts_with("//") {
        // `http:host` parses as `http://host`; nobody means that.
        return Err(error(url::ParseError::EmptyHost));
    }
    Url::parse(text).map_err(error)
}

fn parse_web(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let mut url = parse_url(text, rest)?;
    let steering = Steering::from_url(&mut url)?;
    Ok(Location::Web(WebAddress {
        url: SafeUrl::new(url),
        object: None,
        steering,
    }))
}

fn parse_object(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let mut url = parse_url(text, rest)?;
    let steering = Steering::from_url(&mut url)?;
    let object = Object::parse(&SafeUrl::new(url)).map_err(LocationParseError::Object)?;
    Ok(Location::Web(WebAddress {
        url: s3::plain_url(&object).map_err(LocationParseError::Object)?,
        object: Some(Box::new(object)),
        steering,
    }))
}

#[cfg(feature = "smb")]
fn parse_share(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let mut url = parse_url(text, rest)?;
    let steering = Steering::from_url(&mut url)?;
    Place::of(&url).map_err(LocationParseError::Share)?;
    Ok(Location::Web(WebAddress {
        url: SafeUrl::new(url),
        object: None,
        steering,
    }))
}

/// `file:///absolute` is a URL, percent-encoding included; `file:path` is a plain path.
fn parse_file(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let Some(authority) = rest.strip_prefix("//") else {
        return match rest {
            "" => Err(LocationParseError::Empty),
            path => parse_path(path),
        };
    };
    let mut url = Url::parse(text).map_err(|source| LocationParseError::Url {
        shown: text.to_owned(),
        source,
    })?;
    let steering = Steering::from_url(&mut url)?;
    match url.to_file_path() {
        Ok(path) => Ok(Location::Path(LocalFile { path, steering })),
        Err(()) => {
            let host = authority.split('/').next().unwrap_or_default();
            Err(LocationParseError::RemoteFile(host.to_owned()))
        }
    }
}

/// A path, with what steers after a `?`. Without a key that steers, a question mark is part of
/// the file's name.
fn parse_path(text: &str) -> Result<Location, LocationParseError> {
    let (path, mut steering) = match text.rsplit_once('?') {
        Some((path, query)) if steering::steers(query) => (path, Steering::from_query(query)?.0),
        _ => (text, Steering::default()),
    };
    let member = steering.split_member(path);
    let (path, member) = match member {
        Some((archive, member)) => (archive, Some(member.to_owned())),
        None => (path, None),
    };
    steering.member = member;
    Ok(Location::Path(LocalFile {
        path: PathBuf::from(path),
        steering,
    }))
}

#[cfg(test)]
mod tests;
