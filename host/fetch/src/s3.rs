//! Objects of S3 and of stores that speak its protocol: how they are written, and the signed
//! addresses they are asked for by.
//!
//! ```text
//! s3::https://s3.REGION.amazonaws.com/BUCKET/KEY      Amazon's, by path …
//! s3::https://BUCKET.s3.REGION.amazonaws.com/KEY      … and by host
//! s3::https://minio.example.org:9000/BUCKET/KEY       another store, always by path
//! s3://BUCKET/KEY                                     Amazon's, as its own tools write it
//! …?version=…&region=…&aws_profile=…&aws_access_key_id=…&aws_access_key_secret=…&aws_access_token=…
//! ```
//!
//! go-getter takes the host of `s3://HOST/BUCKET/KEY` for a store's. It does so here where it can't
//! be a bucket's name: Amazon's hosts, a host with a port, and with keys in the query.

mod credentials;
mod settings;

use std::time::Duration;

use rusty_s3::actions::GetObject;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use thiserror::Error;
use url::Url;

use crate::SafeUrl;
use crate::endpoint::is_same_origin;

pub(crate) use credentials::{Access, Withheld};
pub use settings::{AwsSettings, ProfileError};

/// How long a signed address can be used. It is asked for at once; a clock may be off.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Where a bucket is if nobody says so.
const DEFAULT_REGION: &str = "us-east-1";

/// Characters of one label of a host's name (RFC 1035 §2.3.4).
const LABEL_LENGTH: usize = 63;

/// Amazon's domains.
const AMAZON: [&str; 2] = ["amazonaws.com", "amazonaws.com.cn"];

/// An object in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    store: Store,
    bucket: String,
    /// Not percent-encoded.
    key: String,
    version: Option<String>,
    /// `region=`.
    region: Option<String>,
    /// `aws_profile=`.
    profile: Option<String>,
    /// The address as it was written: it may have the keys in it.
    written: SafeUrl,
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Store {
    /// Amazon's, of a domain and perhaps a region.
    Amazon {
        domain: &'static str,
        region: Option<String>,
    },
    /// The one at this address.
    Other(SafeUrl),
}

/// Why an object can't be asked for.
#[derive(Debug, Error)]
pub enum S3Error {
    /// The profile named in the URL or by the user's settings can't be used.
    #[error("no AWS credentials")]
    Profile(#[source] ProfileError),
    /// Half of a pair of keys.
    #[error("`{0}` is not set beside the other AWS key")]
    HalfAPair(&'static str),
    /// The text would lead to another host than the store's.
    #[error("`{0}` is not the name of a region")]
    NoRegion(String),
    /// The bucket's name makes no address.
    #[error("the bucket `{bucket}` has no usable address")]
    Address {
        /// The bucket.
        bucket: String,
    },
}

impl Object {
    /// Reads an address whose scheme is `http`, `https` or `s3`.
    pub(crate) fn parse(written: &SafeUrl) -> Result<Self, &'static str> {
        const NO_OBJECT: &str = "names no object; write s3::https://HOST/BUCKET/KEY";
        let url = written.expose();
        let pair = |name: &str| {
            url.query_pairs()
                .find(|(key, value)| key == name && !value.is_empty())
                .map(|(_, value)| value.into_owned())
        };
        let host = url.host_str().ok_or(NO_OBJECT)?.to_ascii_lowercase();
        let path = percent_encoding::percent_decode_str(url.path().trim_start_matches('/'))
            .decode_utf8()
            .map_err(|_| "is not UTF-8")?
            .into_owned();
        let by_path = || {
            path.split_once('/')
                .map(|(bucket, key)| (bucket.to_owned(), key.to_owned()))
                .ok_or(NO_OBJECT)
        };
        let has_keys = pair("aws_access_key_id").is_some();
        let (store, (bucket, key)) = if let Some((bucket, domain, region)) = amazon(&host) {
            let store = Store::Amazon { domain, region };
            match bucket {
                Some(bucket) => (store, (bucket, path.clone())),
                None => (store, by_path()?),
            }
        } else if url.scheme() == "s3" && url.port().is_none() && !has_keys {
            let store = Store::Amazon {
                domain: AMAZON[0],
                region: None,
            };
            // As it was written: old buckets have capital letters, and this is no real host.
            let bucket = url.host_str().unwrap_or_default().to_owned();
            (store, (bucket, path.clone()))
        } else {
            (Store::Other(endpoint(url)?), by_path()?)
        };
        if bucket.is_empty() || key.is_empty() {
            return Err(NO_OBJECT);
        }
        Ok(Self {
            store,
            bucket,
            key,
            version: pair("version"),
            region: pair("region"),
            profile: pair("aws_profile"),
            written: written.clone(),
        })
    }

    /// Whether it was written as `s3://BUCKET/KEY`.
    fn is_without_host(&self) -> bool {
        self.written.expose().scheme() == "s3"
            && matches!(&self.store, Store::Amazon { region: None, .. })
    }

    /// The address to ask for now: signed, if there are keys. Made anew for each request.
    pub(crate) fn request(&self, access: &Access) -> Result<SafeUrl, S3Error> {
        self.address(access, access.credentials())
    }

    /// The same address without a signature: what the cache knows the object by.
    pub(crate) fn identity(&self, access: &Access) -> Result<SafeUrl, S3Error> {
        self.address(access, None)
    }

    /// Whether the user's own settings name the store, so that their keys are meant for it: Amazon's, which
    /// is always spoken to by https, or the one that stands in for it or is named beside it. Scheme, host
    /// and port must be the same.
    fn is_for_keys_of(&self, settings: &AwsSettings) -> bool {
        match &self.store {
            Store::Amazon { .. } => true,
            Store::Other(endpoint) => settings
                .endpoint
                .as_ref()
                .is_some_and(|own| is_same_origin(own.expose(), endpoint.expose())),
        }
    }

    fn address(
        &self,
        access: &Access,
        credentials: Option<&Credentials>,
    ) -> Result<SafeUrl, S3Error> {
        let error = || S3Error::Address {
            bucket: self.bucket.clone(),
        };
        let region = access.region();
        let (endpoint, style) = match (&self.store, access.endpoint()) {
            (Store::Other(endpoint), _) => (endpoint.expose().clone(), UrlStyle::Path),
            (Store::Amazon { .. }, Some(endpoint)) => (endpoint.expose().clone(), UrlStyle::Path),
            (Store::Amazon { domain, .. }, None) => {
                if !is_region(region) {
                    return Err(S3Error::NoRegion(region.to_owned()));
                }
                let endpoint = Url::parse(&format!("https://s3.{region}.{domain}"));
                (endpoint.map_err(|_| error())?, style_of(&self.bucket))
            }
        };
        let bucket = Bucket::new(endpoint, style, self.bucket.clone(), region.to_owned())
            .map_err(|_| error())?;
        let mut action = GetObject::new(&bucket, credentials, &self.key);
        if let Some(version) = &self.version {
            action.query_mut().insert("versionId", version.clone());
        }
        Ok(SafeUrl::new(action.sign(SIGNATURE_LIFETIME)))
    }
}

/// The object's address without keys and signature, for people and for the cache.
pub(crate) fn plain_url(object: &Object) -> Result<SafeUrl, &'static str> {
    let mut url = match &object.store {
        Store::Other(endpoint) => endpoint.expose().clone(),
        Store::Amazon { domain, region } => {
            let region = region.as_ref().or(object.region.as_ref());
            let host = match region {
                Some(region) if !is_region(region) => return Err("names no region that can be"),
                Some(region) => format!("https://s3.{region}.{domain}"),
                None => format!("https://s3.{domain}"),
            };
            Url::parse(&host).map_err(|_| "names no region that can be")?
        }
    };
    url.path_segments_mut()
        .map_err(|()| "has no path")?
        .pop_if_empty()
        .push(&object.bucket)
        .extend(object.key.split('/'));
    if let Some(version) = &object.version {
        url.query_pairs_mut().append_pair("version", version);
    }
    Ok(SafeUrl::new(url))
}

/// Whether a text can be a region: one label of a host's name, and nothing that ends it.
fn is_region(text: &str) -> bool {
    let in_a_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= LABEL_LENGTH && text.bytes().all(in_a_label)
}

/// Amazon's certificates are for one label before `s3`, and hosts are in lower case.
fn style_of(bucket: &str) -> UrlStyle {
    let in_a_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if bucket.bytes().all(in_a_host) {
        UrlStyle::VirtualHost
    } else {
        UrlStyle::Path
    }
}

/// Another store's address: where the paths begin with a bucket.
fn endpoint(url: &Url) -> Result<SafeUrl, &'static str> {
    const BAD: &str = "has no usable host";
    let scheme = if url.scheme() == "http" {
        "http"
    } else {
        "https"
    };
    let host = url.host_str().ok_or(BAD)?;
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    SafeUrl::parse(&format!("{scheme}://{host}{port}/")).map_err(|_| BAD)
}

/// Takes one of Amazon's hosts apart: bucket, domain, region.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
fn amazon(host: &str) -> Option<(Option<String>, &'static str, Option<String>)> {
    let (domain, rest) = AMAZON
        .into_iter()
        .find_map(|domain| Some((domain, host.strip_suffix(domain)?.strip_suffix('.')?)))?;
    let labels: Vec<_> = rest.split('.').collect();
    let at = labels
        .iter()
        .rposition(|label| *label == "s3" || label.starts_with("s3-"))?;
    let region = match (labels[at].strip_prefix("s3-"), &labels[at + 1..]) {
        // The old name of the first region.
        (Some("external-1"), []) => Some(DEFAULT_REGION.to_owned()),
        (Some(region), []) => Some(region.to_owned()),
        (None, []) => None,
        (None, [region] | ["dualstack", region]) => Some((*region).to_owned()),
        _ => return None,
    };
    let bucket = labels[..at].join(".");
    Some(((!bucket.is_empty()).then_some(bucket), domain, region))
}

#[cfg(test)]
mod tests;
