//! Why a fetch failed.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::archive::unpack::ArchiveError;
use crate::cache::CacheError;
use crate::checksum::list::ChecksumListError;
use crate::digest::Digest;
use crate::disk::NoSpace;
use crate::guard::NoNameServer;
use crate::s3::S3Error;
#[cfg(feature = "smb")]
use crate::share::ShareError;
use crate::{Checksum, Location, SafeUrl};

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
    /// The file does not fit on the disk with the cache.
    #[error(transparent)]
    NoSpace(NoSpace),
    /// Every location failed, each for its own reason, in the order they were tried.
    #[error("{}", list(.0))]
    AllFailed(Vec<Failure>),
}

/// Why nothing came out of an archive.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// It was cancelled from outside.
    #[error("the unpacking was cancelled")]
    Cancelled,
    /// What comes out can't be written.
    #[error(transparent)]
    Cache(CacheError),
    /// It does not fit on the disk with the cache.
    #[error(transparent)]
    NoSpace(NoSpace),
    /// It is no archive, or has not what is wanted.
    #[error("`{archive}`")]
    Archive {
        /// What it is called.
        archive: String,
        /// What is wrong with it.
        #[source]
        source: LocationError,
    },
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
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// An object store's answer is not a success.
    #[error("the store answered {explanation}{hint}")]
    Store {
        /// Status code and reason.
        status: reqwest::StatusCode,
        /// What the store says about it.
        explanation: String,
        /// What may be the reason; empty, or beginning with `; `.
        hint: String,
        /// How long the store wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The bucket is in another region than it was asked for in.
    #[error("the bucket is in the region `{region}`; add `region={region}` to the URL's query")]
    Region {
        /// Where it is.
        region: String,
    },
    /// An object can't be asked for.
    #[error("the object can't be asked for")]
    S3(#[source] S3Error),
    /// A file on a share can't be had.
    #[cfg(feature = "smb")]
    #[error(transparent)]
    Share(Box<ShareError>),
    /// Headers for what takes none.
    #[error("headers are sent to http and https URLs only")]
    NoHeaders,
    /// Something is asked of what is no server of HTTP.
    #[error("only http and https URLs can be asked")]
    NoServer,
    /// The list of checksums can't be had.
    #[error("the checksums can't be had from {list}")]
    ChecksumFile {
        /// Where it should be.
        list: Box<Location>,
        /// Why.
        #[source]
        source: Box<LocationError>,
    },
    /// The list of checksums says nothing about the file.
    #[error("no checksum in {list}")]
    ChecksumList {
        /// The list.
        list: Box<Location>,
        /// Why.
        #[source]
        source: ChecksumListError,
    },
    /// The URL's own `checksum=` and the option `checksum` differ.
    #[error("the URL says that its checksum is {own}, and the option `checksum` says {given}")]
    TwoChecksums {
        /// In the URL.
        own: Box<Checksum>,
        /// In the option.
        given: Box<Checksum>,
    },
    /// The archive has not the one file in it.
    #[error("nothing was unpacked")]
    Archive(#[source] ArchiveError),
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
    /// The server sent for ever, without having said how much there is.
    #[error(
        "the server sent more than {limit} bytes without having said how many there are; download the \
         file by other means and give its path"
    )]
    Unannounced {
        /// The bound that was passed, in bytes.
        limit: u64,
    },
    /// The server kept us waiting for too long in sum.
    #[error(
        "the server is too slow: it kept us waiting for {} s, over all attempts, and sent less than \
         {least_rate} bytes of the file per second",
        patience.as_secs_f64()
    )]
    TooSlow {
        /// How long it was waited for.
        patience: Duration,
        /// Bytes per second.
        least_rate: u64,
    },
    /// The transfer took longer than any may.
    #[error("the download took longer than {} s", longest.as_secs_f64())]
    OverTime {
        /// How long any may take.
        longest: Duration,
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
    /// Nobody says where the server is.
    #[error(transparent)]
    NoNameServer(NoNameServer),
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
    /// A host inside this machine, its link, its cloud or its network, which nobody named.
    #[error(
        "refused to connect to {host}: it is an address of this machine, its link, its cloud or its \
         network; if it is meant, name this host with its port in the template, or for a component in its \
         `allow` block"
    )]
    ForbiddenAddress {
        /// The host, as it stands in the URL.
        host: String,
    },
    /// A host that only a proxy can resolve, for a component: where it is can't be judged.
    #[error(
        "{host} can't be resolved here, and a component may have the proxy resolve it only if the host is \
         named in full in its `allow` block"
    )]
    Unresolved {
        /// The host, as it stands in the URL.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Which addresses this machine has itself can't be found out.
    #[error("the addresses of this machine can't be listed, which no download may be led to")]
    OwnAddresses(#[source] io::Error),
    /// A URL, of a redirect mostly, that whoever asked must not reach.
    #[error("{0} may not be reached")]
    OutOfReach(SafeUrl),
    /// A local list of checksums, for somebody who may reach only some addresses.
    #[error("files of this machine may not be read")]
    FileOutOfReach,
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
    /// A link leads to a file out of the folder by which it is allowed.
    #[error("{} is not in the folder by which it is allowed: a link leads out of it", .0.display())]
    LeadsOut(PathBuf),
    /// A local path that is a folder, a device or a pipe.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
}

impl LocationError {
    /// The host of a URL may be this machine or its link, and nobody named it.
    pub(crate) fn forbidden(url: &Url) -> Self {
        Self::ForbiddenAddress {
            host: url.host_str().unwrap_or_default().to_owned(),
        }
    }

    /// How long the server wants to be left alone, if it said so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Store { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn hint(status: reqwest::StatusCode) -> &'static str {
    match status.as_u16() {
        401 => {
            "; give name and password in the netrc file, or in the URL: https://USER:PASSWORD@HOST/; \
             those of the netrc file go to no other host that a redirect leads to by http, and its \
             `default` to none"
        }
        407 => "; put the proxy's credentials into its URL: http://USER:PASSWORD@HOST:PORT",
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
