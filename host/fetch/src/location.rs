//! Where bytes can come from: a web address or a local path.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use url::Url;

use crate::SafeUrl;

/// Query keys by which go-getter steers itself; it strips them before it asks the server.
/// <https://pkg.go.dev/github.com/hashicorp/go-getter/v2> documents them.
const STEERING_KEYS: [&str; 3] = ["archive", "checksum", "filename"];

/// One place a file can be had from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// An `http://` or `https://` address.
    Web(SafeUrl),
    /// A local file, used in place.
    Path(PathBuf),
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
    /// A form of go-getter that is not among those supported.
    #[error("`{0}` is not supported; use an http or https URL, or the path of a local file")]
    UnsupportedForm(String),
    /// A query key that go-getter would take for itself.
    #[error("`{0}=` in a URL's query is not supported; {hint}", hint = steering_hint(.0))]
    SteeringKey(&'static str),
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

fn steering_hint(key: &str) -> &'static str {
    match key {
        "checksum" => "use the option `checksum`",
        "archive" => "compressed images are recognised by themselves",
        _ => "leave it out",
    }
}

impl Location {
    /// Parses what a template says: an `http(s)://` URL, `file:///path`, `file:path`, or a path.
    ///
    /// # Errors
    /// The other forms go-getter knows (`s3://`, `git::…`, `x::…`) are refused by name.
    pub fn parse(text: &str) -> Result<Self, LocationParseError> {
        if text.trim().is_empty() {
            return Err(LocationParseError::Empty);
        }
        if let Some(form) = forced_form(text) {
            return Err(refuse(&format!("{form}::"), form));
        }
        if text.starts_with("git@") && text.contains(':') {
            return Err(refuse("git@", "git"));
        }
        let Some((scheme, rest)) = scheme(text) else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => parse_web(text, rest),
            "file" => parse_file(text, rest),
            other => Err(refuse(&format!("{other}:"), other)),
        }
    }

    /// The location with a relative path taken from `base`; a web address stays as it is.
    #[must_use]
    pub fn resolved_in(self, base: &Path) -> Self {
        match self {
            Self::Path(path) => Self::Path(base.join(path)),
            web @ Self::Web(_) => web,
        }
    }

    /// The name of the file, for choosing a codec by extension or naming a volume.
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Web(url) => url.file_name(),
            Self::Path(path) => path.file_name()?.to_str(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => url.fmt(f),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// The `x` of `x::rest`, go-getter's way to force a getter.
fn forced_form(text: &str) -> Option<&str> {
    let (form, _) = text.split_once("::")?;
    let plain = form
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (!form.is_empty() && plain).then_some(form)
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

fn refuse(written: &str, form: &str) -> LocationParseError {
    match form.to_ascii_lowercase().split('+').next() {
        Some("git") => LocationParseError::RunsProgram {
            form: written.to_owned(),
            program: "git",
        },
        Some("hg") => LocationParseError::RunsProgram {
            form: written.to_owned(),
            program: "hg",
        },
        _ => LocationParseError::UnsupportedForm(written.to_owned()),
    }
}

fn parse_web(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let shown = || {
        // Credentials come after the slashes, so a URL that can't be parsed is shown up to there.
        let scheme = &text[..text.len() - rest.len()];
        if rest.contains('@') || rest.contains('?') {
            format!("{scheme}//…")
        } else {
            text.to_owned()
        }
    };
    let error = |source| LocationParseError::Url {
        shown: shown(),
        source,
    };
    if !rest.starts_with("//") {
        // `http:host` parses as `http://host`; nobody means that.
        return Err(error(url::ParseError::EmptyHost));
    }
    let url = Url::parse(text).map_err(error)?;
    let steering = url.query_pairs().find_map(|(key, _)| {
        STEERING_KEYS
            .into_iter()
            .find(|known| *known == key.as_ref())
    });
    match steering {
        Some(key) => Err(LocationParseError::SteeringKey(key)),
        None => Ok(Location::Web(SafeUrl::new(url))),
    }
}

/// `file:///absolute` is a URL, percent-encoding included; `file:path` is a plain path.
fn parse_file(text: &str, rest: &str) -> Result<Location, LocationParseError> {
    let Some(authority) = rest.strip_prefix("//") else {
        return match rest {
            "" => Err(LocationParseError::Empty),
            path => Ok(Location::Path(PathBuf::from(path))),
        };
    };
    let error = |source| LocationParseError::Url {
        shown: text.to_owned(),
        source,
    };
    let url = Url::parse(text).map_err(error)?;
    match url.to_file_path() {
        Ok(path) => Ok(Location::Path(path)),
        Err(()) => {
            let host = authority.split('/').next().unwrap_or_default();
            Err(LocationParseError::RemoteFile(host.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn supported_forms() {
        let cases = [
            ("http://h/image.qcow2", "http://h/image.qcow2"),
            ("HTTPS://h:8443/a?x=1", "https://h:8443/a?x=1"),
            ("https://u:p@h/a", "https://***@h/a"),
            ("file:///srv/a%20b.img", "/srv/a b.img"),
            ("file://localhost/srv/a.img", "/srv/a.img"),
            ("file:images/a.img", "images/a.img"),
            ("file:/srv/a.img", "/srv/a.img"),
            ("/srv/a.img", "/srv/a.img"),
            ("./a.img", "./a.img"),
            ("a:b.img", "a:b.img"),
            ("/srv/a::b.img", "/srv/a::b.img"),
        ];
        for (text, shown) in cases {
            assert_eq!(Location::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refused_forms_are_named() {
        let cases = [
            ("", "empty"),
            ("  ", "empty"),
            ("file:", "empty"),
            (
                "git::https://h/repo",
                "`git::` is not supported: it would run `git` on this host",
            ),
            (
                "hg::http://h/repo",
                "`hg::` is not supported: it would run `hg` on this host",
            ),
            ("git@github.com:a/b", "would run `git`"),
            ("git+ssh://h/a", "would run `git`"),
            (
                "s3::https://s3.amazonaws.com/b/k",
                "`s3::` is not supported",
            ),
            ("s3://bucket/key", "`s3:` is not supported"),
            ("gcs::https://x/y", "`gcs::`"),
            ("smb://h/share/a", "`smb:`"),
            ("ftp://h/a", "`ftp:`"),
            ("http::http://h/a", "`http::`"),
            ("https://h/a?checksum=md5:00", "use the option `checksum`"),
            ("https://h/a?archive=false", "`archive=`"),
            ("file://server/a", "another host"),
            ("http:h/a", "not a valid URL"),
            ("http://", "not a valid URL"),
        ];
        for (text, part) in cases {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn an_invalid_url_shows_no_password() {
        let error = Location::parse("http://user:hunter2@[::/a")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "`http://…` is not a valid URL");
    }

    #[test]
    fn relative_paths_are_taken_from_the_base() {
        let base = Path::new("/base");
        let path = Location::parse("a/b.img").unwrap().resolved_in(base);
        assert_eq!(path, Location::Path("/base/a/b.img".into()));
        let absolute = Location::parse("file:///x").unwrap().resolved_in(base);
        assert_eq!(absolute, Location::Path("/x".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = Location::parse(&text);
        }

        #[test]
        fn a_password_never_shows(password in "[a-z]{12}", tail in "[a-zA-Z0-9/?&=:@%.\\[\\]]{0,20}") {
            let shown = match Location::parse(&format!("https://user:{password}@host/{tail}")) {
                Ok(location) => format!("{location} {location:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
