//! Why a fetch failed.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::cache::CacheError;
use crate::digest::Digest;
use crate::{Location, SafeUrl};

/// A fetch that brought nothing.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The request has no locations.
    #[error("there is no location to fetch from")]
    NoLocation,
    /// It was cancelled from outside.
    #[error("the download was cancelled")]
    Cancelled,
    /// The cache itself does not work, so no other location would help.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Every location failed, each for its own reason, in the order they were tried.
    #[error("{}", list(.0))]
    AllFailed(Vec<Failure>),
}

/// What keeps the HTTP client from being set up.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Only HTTP proxies are spoken to.
    #[error("`{0}` is not supported as a proxy; use an http:// one")]
    Proxy(SafeUrl),
    /// A certificate or the operating system's trust store can't be used.
    #[error("the trusted certificates can't be loaded")]
    Certificates(#[source] rustls::Error),
    /// Anything else.
    #[error("a setting was refused")]
    Build(#[source] reqwest::Error),
}

/// One location and why it failed.
#[derive(Debug)]
pub struct Failure {
    /// The location.
    pub location: Location,
    /// Why.
    pub error: LocationError,
}

/// Why one location failed.
#[derive(Debug, Error)]
pub enum LocationError {
    /// The server's answer is not a success.
    #[error("the server answered {status}{}", hint(*.status))]
    Status {
        /// Status code and reason, such as `404 Not Found`.
        status: reqwest::StatusCode,
    },
    /// The file has another digest than the template says; it was discarded.
    #[error(
        "checksum mismatch: expected {} {expected}, got {actual}; the file was discarded",
        expected.algorithm()
    )]
    ChecksumMismatch {
        /// What the template says.
        expected: Digest,
        /// What the file has.
        actual: Digest,
    },
    /// A local file has another digest than the template says; it is left as it is.
    #[error("checksum mismatch: expected {} {expected}, got {actual}", expected.algorithm())]
    LocalMismatch {
        /// What the template says.
        expected: Digest,
        /// What the file has.
        actual: Digest,
    },
    /// The body ended before the length the server had announced.
    #[error("the connection ended after {received} of {announced} bytes")]
    Short {
        /// Bytes of the whole file that arrived.
        received: u64,
        /// Bytes of the whole file as announced.
        announced: u64,
        /// What broke it, if it was not simply closed.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The server sent more than it had announced, or more than is sane.
    #[error("the server sent more than {limit} bytes")]
    TooLong {
        /// The bound that was passed, in bytes.
        limit: u64,
    },
    /// A setting can't be used.
    #[error("the HTTP client can't be set up")]
    Client(#[source] ClientError),
    /// The server's certificate or its TLS is not acceptable.
    #[error("no secure connection")]
    Tls(#[source] rustls::Error),
    /// No connection came about.
    #[error("can't connect")]
    Connect(#[source] reqwest::Error),
    /// The server was silent for too long.
    #[error("the server did not answer in time")]
    Timeout(#[source] reqwest::Error),
    /// The exchange broke off.
    #[error("the transfer failed")]
    Transfer(#[source] reqwest::Error),
    /// More redirects than are followed.
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    /// A redirect without a usable target.
    #[error("the server redirects without saying where to")]
    BadRedirect,
    /// A redirect to something else than http or https.
    #[error("refused to follow a redirect to `{0}:`")]
    RedirectScheme(String),
    /// A redirect that would give up encryption.
    #[error("refused to follow a redirect from https to {0}")]
    Downgrade(SafeUrl),
    /// A host inside this machine or its link, which the template did not name.
    #[error(
        "refused to connect to {host}: it is a loopback, link-local or metadata address; \
         name this host in the template if it is meant"
    )]
    ForbiddenAddress {
        /// The host, as it stands in the URL.
        host: String,
    },
    /// A URL, of a redirect mostly, that whoever asked must not reach.
    #[error("{0} may not be reached")]
    OutOfReach(SafeUrl),
    /// The answer contradicts what was asked for.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
    /// A local file can't be opened or read.
    #[error("can't read {}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A local path that is a folder, a device or a pipe.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
}

fn hint(status: reqwest::StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 407 => "; put the credentials into the URL: https://USER:PASSWORD@HOST/",
        _ => "",
    }
}

/// Lists failures with their causes, since an error can name only one source.
fn list(failures: &[Failure]) -> String {
    let mut text = match failures {
        [_] => "can't fetch".to_owned(),
        _ => format!("none of the {} locations works:", failures.len()),
    };
    for Failure { location, error } in failures {
        let lead = if failures.len() == 1 { " " } else { "\n  " };
        let _ = write!(text, "{lead}{location}: {error}");
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
    }
    text
}
