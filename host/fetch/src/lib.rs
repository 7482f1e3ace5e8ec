//! Downloads, checksums, decompression and the content-addressed cache.
//!
//! A [`Fetcher`] turns a list of [`Location`]s and a [`Checksum`] into an open file. Local files
//! are used where they are; what comes over HTTP, from S3 or over SMB (with the feature `smb`) goes
//! through a cache that is never stale and never half ([`Cache`] shows and prunes it), and archives
//! are unpacked:
//!
//! ```text
//! request ──► checksum in the cache? ──yes──► blob (no network)
//!                  │ no
//!                  ▼ for each location in turn
//!             lock ──► known URL? ──304──► blob
//!                  │ 200 / 206
//!                  ▼
//!             partial file ◄── receive ──► write and hash, each on its own thread
//!                  │ complete and checksum right
//!                  ▼ rename
//!                blob
//! ```
//!
//! The crate takes values: it reads no environment, prints nothing and knows no default folders.

#![forbid(unsafe_code)]

mod address;
mod archive;
mod ask;
mod author;
mod authorization;
mod cache;
mod checksum;
mod client;
pub mod decode;
pub mod digest;
mod disk;
mod download;
mod endpoint;
mod error;
mod exchange;
mod fetcher;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod held_folder;
mod local;
mod location;
mod metered;
mod netrc;
mod patience;
mod progress;
mod put_aside;
mod reach;
mod request_headers;
mod s3;
mod safe_url;
mod server_address;
mod settings;
#[cfg(feature = "smb")]
mod share;
mod sink;

pub use archive::unpack::ArchiveError;
pub use archive::{Archive, Packing};
pub use ask::{Method, Question, Reply};
pub use author::Author;
pub use authorization::{HostHeader, HostHeaderError, HostHeaderLineError, read_host_headers};
pub use cache::{Cache, CacheEntry, CacheError, Content, Prune, Pruned};
pub use checksum::Checksum;
pub use checksum::list::ChecksumListError;
pub use disk::NoSpace;
pub use endpoint::Endpoint;
pub use error::{ClientError, Failure, FetchError, LocationError, UnpackError};
pub use fetcher::{Fetched, Fetcher, Held, Packed, Request, Unpacked};
pub use guard::NoNameServer;
pub use held_folder::{HeldFolder, leads_out, open_regular};
pub use location::{LocalFile, Location, LocationParseError, Steering, WebAddress};
pub use netrc::{Netrc, NetrcError};
pub use progress::{Progress, Silent};
pub use put_aside::{PutAside, PutAsideError};
pub use reach::Reach;
pub use request_headers::{RequestHeaderError, RequestHeaders};
pub use s3::{AwsSettings, ProfileError, S3Error};
pub use safe_url::SafeUrl;
pub use server_address::ServerAddress;
pub use settings::{BundleError, ProxySettings, Settings};
#[cfg(feature = "smb")]
pub use share::ShareError;

/// Stops a fetch from outside; a clone of one token cancels with it.
pub use tokio_util::sync::CancellationToken;
