//! Who is spoken to: a host and a port.

use std::fmt;

use url::Url;

use crate::SafeUrl;
use crate::safe_url::{SMB, SMB_PORT};

/// A host and a port of it. What somebody says of one port of a host says nothing of the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// The one that a URL leads to, by the usual port of its scheme if it names none. `None` for a URL
    /// without host, or of a scheme that has no usual port here.
    pub fn of(url: &SafeUrl) -> Option<Self> {
        Self::of_hop(url.expose())
    }

    pub(crate) fn of_hop(url: &Url) -> Option<Self> {
        Some(Self {
            host: url.host_str()?.to_ascii_lowercase(),
            port: port(url)?,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether two URLs have the same scheme, host and port. The URL standard's own comparison takes two
/// addresses of a share for different, whatever they are.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    let endpoint = Endpoint::of_hop(one);
    one.scheme() == other.scheme() && endpoint.is_some() && endpoint == Endpoint::of_hop(other)
}

fn port(url: &Url) -> Option<u16> {
    let usual = (url.scheme() == SMB).then_some(SMB_PORT);
    url.port_or_known_default().or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_the_same_as_none() {
        let shown = |text: &str| {
            let endpoint = Endpoint::of(&SafeUrl::parse(text).unwrap());
            endpoint.map(|endpoint| endpoint.to_string())
        };
        for (text, expected) in [
            ("http://Host/a", Some("host:80")),
            ("http://host:80/a", Some("host:80")),
            ("https://host", Some("host:443")),
            ("https://host:8443/", Some("host:8443")),
            ("smb://HOST/s/a", Some("host:445")),
            ("smb://host:1445/s/a", Some("host:1445")),
            ("http://[::1]/", Some("[::1]:80")),
            ("file:///a", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same =
            |one, other| is_same_origin(&Url::parse(one).unwrap(), &Url::parse(other).unwrap());
        assert!(same("https://u:p@h/a", "https://h:443/b"));
        assert!(same("smb://h/s/a", "smb://h:445/s/b"));
        for other in ["http://h/", "https://h:444/", "https://g/", "https://h.g/"] {
            assert!(!same("https://h/", other), "{other}");
        }
        assert!(!same("file:///a", "file:///a"));
    }
}
