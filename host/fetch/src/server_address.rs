//! Scheme, host and port of a server that something of the user's is meant for.

use url::{Origin, Url};

use crate::{HostHeaderError, SafeUrl};

/// A server by http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress(Origin);

impl ServerAddress {
    /// `https://HOST`, `http://HOST:8080`, or `HOST`, which means https.
    ///
    /// # Errors
    /// Something that is no address, or has a name and password in it.
    pub fn parse(address: &str) -> Result<Self, HostHeaderError> {
        let text = if address.contains("://") {
            address.to_owned()
        } else {
            format!("https://{address}")
        };
        // A name and password in front of the host are not repeated.
        let shown = address.rsplit('@').next().unwrap_or_default();
        let wrong = || HostHeaderError::Address(shown.to_owned());
        let url = Url::parse(&text).map_err(|_| wrong())?;
        let bare = url.username().is_empty() && url.password().is_none();
        // A path would look like a bound, and is none.
        let is_whole = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !is_whole {
            return Err(wrong());
        }
        Ok(Self(url.origin()))
    }

    /// Whether a URL has its scheme, host and port.
    pub fn covers(&self, url: &SafeUrl) -> bool {
        self.is(&url.expose().origin())
    }

    pub(crate) fn is(&self, origin: &Origin) -> bool {
        self.0 == *origin
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        for (address, url, covers) in [
            ("h", "https://h/a?b#c", true),
            ("h", "https://u:p@H:443/", true),
            ("h", "http://h/", false),
            ("h", "https://h:8443/", false),
            ("h", "https://g.h/", false),
            ("h:8443", "https://h:8443/", true),
            ("http://h:80", "http://h/", true),
            ("http://h", "https://h/", false),
            ("https://[::1]:5000", "https://[0::1]:5000/a", true),
        ] {
            let parsed = ServerAddress::parse(address).unwrap();
            let url_parsed = SafeUrl::parse(url).unwrap();
            assert_eq!(parsed.covers(&url_parsed), covers, "{address} {url}");
        }
        for address in [
            "",
            "ftp://h",
            "https://u:hunter2@h",
            "h/a",
            "h?a",
            "h#a",
            "file:///",
        ] {
            let error = ServerAddress::parse(address);
            let text = format!("{error:?}");
            assert!(
                error.is_err() && !text.contains("hunter2"),
                "{address}: {text}"
            );
        }
    }
}
