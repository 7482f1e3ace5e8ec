//! What a [`Fetcher`](crate::Fetcher) must be told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use thiserror::Error;

use crate::{AwsSettings, HostHeader, Netrc, SafeUrl};

/// Two silences of the longest kind. A store that has to fetch the file first says nothing for some tens of
/// seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes per second. At this rate an image of 500 MB takes almost six days: nobody waits for that, and a
/// modem of 1998 was faster.
const LEAST_RATE: u64 = 1024;

/// An image of 100 GB by a line of 10 Mbit/s takes 22 hours.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes. Servers of images say how long they are; what is made while it is sent is smaller than this.
const UNANNOUNCED_LIMIT: u64 = 64 << 30;

/// Everything that steers a fetcher; nothing is read from the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where blobs, index, partial downloads and locks live. Made if missing, for its owner only.
    pub cache_directory: PathBuf,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Until a connection stands, TLS included. Half of it is for finding out where the server is.
    pub connect_timeout: Duration,
    /// The longest silence of a server: before its first byte, and between any two.
    pub read_timeout: Duration,
    /// How long a server is waited for in sum, over all attempts at a location and all that leads there,
    /// while it sends less of the file than [`Self::least_rate`].
    pub patience: Duration,
    /// Bytes per second that a server must send in the long run.
    pub least_rate: u64,
    /// The longest time for one location, whatever comes.
    pub longest_download: Duration,
    /// The most bytes of a file whose length no server has said. It takes no more than half of the room
    /// on the disk, either.
    pub unannounced_limit: u64,
    /// The wait before the second attempt at a location; each further one doubles it.
    pub retry_delay: Duration,
    /// Proxies.
    pub proxy: ProxySettings,
    /// Certificate authorities to trust beside those of the operating system, each in DER.
    pub certificate_authorities: Vec<Vec<u8>>,
    /// Headers for single hosts, such as tokens.
    pub headers: Vec<HostHeader>,
    /// Names and passwords by host.
    pub netrc: Option<Netrc>,
    /// Keys and region for S3.
    pub aws: AwsSettings,
}

impl Settings {
    /// Settings with this cache and the usual limits: 30 s to connect, 60 s of silence, [`PATIENCE`] in
    /// sum, retries after 0.5 s, 1 s, 2 s and so on; no proxy.
    pub fn new(cache_directory: impl Into<PathBuf>) -> Self {
        Self {
            cache_directory: cache_directory.into(),
            user_agent: concat!("lvhost/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(60),
            patience: PATIENCE,
            least_rate: LEAST_RATE,
            longest_download: LONGEST_DOWNLOAD,
            unannounced_limit: UNANNOUNCED_LIMIT,
            retry_delay: Duration::from_millis(500),
            proxy: ProxySettings::default(),
            certificate_authorities: Vec::new(),
            headers: Vec::new(),
            netrc: None,
            aws: AwsSettings::default(),
        }
    }

    /// How long a name is looked up for a connection: half of its time, so that it is known who has not answered.
    pub(crate) fn name_limit(&self) -> Duration {
        self.connect_timeout / 2
    }

    /// Trusts the certificates of a bundle in PEM, beside those of the operating system.
    ///
    /// # Errors
    /// A bundle with something broken in it, or with no certificate at all.
    pub fn trust_bundle(&mut self, pem: &[u8]) -> Result<(), BundleError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(BundleError::Pem)?;
        if certificates.is_empty() {
            return Err(BundleError::Empty);
        }
        self.certificate_authorities.extend(certificates);
        Ok(())
    }
}

/// Why a bundle of certificates can't be used.
#[derive(Debug, Error)]
pub enum BundleError {
    /// It is not in PEM, or cut off.
    #[error("a certificate in it is damaged")]
    Pem(#[source] pem::Error),
    /// There is none in it.
    #[error("there is no certificate in it; it must be in PEM: -----BEGIN CERTIFICATE-----")]
    Empty,
}

/// Which proxy carries which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `http://` addresses.
    pub http: Option<SafeUrl>,
    /// For `https://` addresses.
    pub https: Option<SafeUrl>,
    /// Hosts, domains, addresses and networks that are reached directly, separated by commas.
    pub bypass: Option<String>,
}

impl ProxySettings {
    /// Whether requests for URLs of this scheme may go by a proxy.
    pub(crate) fn is_for(&self, scheme: &str) -> bool {
        match scheme {
            "http" => self.http.is_some(),
            "https" => self.https.is_some(),
            _ => false,
        }
    }

    /// Reads the customary variables out of a map: `http_proxy`, `https_proxy`, `all_proxy` and
    /// `no_proxy`, in lower or, failing that, upper case. A proxy without scheme is an HTTP one.
    ///
    /// `HTTP_PROXY` doesn't count where `REQUEST_METHOD` is set: there a client's header could
    /// have set it (<https://httpoxy.org>).
    ///
    /// # Errors
    /// A proxy that is no URL: the name of the variable and what is wrong.
    pub fn from_variables(
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, (String, url::ParseError)> {
        let find = |name: &str| {
            let upper = name.to_ascii_uppercase();
            let suspect = name == "http_proxy" && variables.contains_key("REQUEST_METHOD");
            let mut names = vec![name.to_owned()];
            if !suspect {
                names.push(upper);
            }
            names.into_iter().find_map(|name| {
                let value = variables.get(&name)?.trim();
                (!value.is_empty()).then(|| (name, value.to_owned()))
            })
        };
        let proxy = |name: &str| match find(name).or_else(|| find("all_proxy")) {
            None => Ok(None),
            Some((name, value)) => {
                let text = if value.contains("://") {
                    value
                } else {
                    format!("http://{value}")
                };
                SafeUrl::parse(&text)
                    .map(Some)
                    .map_err(|error| (name, error))
            }
        };
        Ok(Self {
            http: proxy("http_proxy")?,
            https: proxy("https_proxy")?,
            bypass: find("no_proxy").map(|(_, value)| value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> ProxySettings {
        let variables = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        ProxySettings::from_variables(&variables).unwrap()
    }

    #[test]
    fn variables_in_both_cases_and_the_general_one() {
        let url = |text: &str| Some(SafeUrl::parse(text).unwrap());
        assert_eq!(read(&[]), ProxySettings::default());
        let both = read(&[
            ("http_proxy", "p:3128"),
            ("HTTP_PROXY", "q"),
            ("NO_PROXY", "a,b"),
        ]);
        assert_eq!(both.http, url("http://p:3128"));
        assert_eq!(both.https, None);
        assert_eq!(both.bypass.as_deref(), Some("a,b"));
        let general = read(&[("ALL_PROXY", "http://p"), ("https_proxy", "http://q")]);
        assert_eq!(
            (general.http, general.https),
            (url("http://p"), url("http://q"))
        );
        assert_eq!(read(&[("http_proxy", "")]).http, None);
    }

    #[test]
    fn a_header_cannot_set_the_proxy() {
        let under_cgi = read(&[("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(under_cgi.http, None);
    }
}
