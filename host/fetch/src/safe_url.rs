//! A URL that doesn't show its secrets.

use std::fmt;

use url::{Host, Url};

/// The scheme of addresses of shares.
pub(crate) const SMB: &str = "smb";

/// The port of SMB over TCP: <https://www.iana.org/assignments/service-names-port-numbers>.
pub(crate) const SMB_PORT: u16 = 445;

/// What stands in place of a secret.
const MASK: &str = "***";

/// Words that make a query key a secret's, wherever they stand in the key. They cover the
/// pre-signed forms of S3 (`X-Amz-Signature`, `-Credential`, `-Security-Token`), Google Cloud
/// Storage (`X-Goog-…`), go-getter's `aws_access_key_id` and its kin, and the usual tokens.
const SECRET_WORDS: [&str; 11] = [
    "signature",
    "credential",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
];

/// Query keys that are secret as a whole; as parts of a word they would be too common.
/// `sig` is Azure's shared access signature.
const SECRET_KEYS: [&str; 7] = [
    "sig",
    "key",
    "auth",
    "authorization",
    "pass",
    "pwd",
    "accesskey",
];

/// An absolute URL whose `Display` and `Debug` mask user name, password and the values of query
/// keys that look like signatures or tokens.
///
/// The fragment is dropped: it never reaches a server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// Wraps a URL.
    pub fn new(mut url: Url) -> Self {
        url.set_fragment(None);
        if url.scheme() == SMB {
            settle_host(&mut url);
        }
        Self(url)
    }

    /// Parses an absolute URL.
    ///
    /// # Errors
    /// The text is not an absolute URL.
    pub fn parse(text: &str) -> Result<Self, url::ParseError> {
        Url::parse(text).map(Self::new)
    }

    /// The URL with its secrets in the clear: for the wire, never for people.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The host as it stands in the URL: a name, or an address in its canonical form.
    pub fn host(&self) -> Option<&str> {
        self.0.host_str()
    }

    /// The last part of the path, percent-decoding not applied; `None` when the path ends in `/`.
    pub fn file_name(&self) -> Option<&str> {
        self.0
            .path_segments()?
            .next_back()
            .filter(|name| !name.is_empty())
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if !shown.username().is_empty() || shown.password().is_some() {
            // Refused only for URLs without a host, and those have no credentials.
            let _ = shown.set_password(None);
            let _ = shown.set_username(MASK);
        }
        if shown.query_pairs().any(|(key, _)| is_secret(&key)) {
            let masked: Vec<_> = shown
                .query()
                .unwrap_or_default()
                .split('&')
                .map(mask_pair)
                .collect();
            shown.set_query(Some(&masked.join("&")));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeUrl({self})")
    }
}

/// Writes host and port as they are written in a web address, which the URL of another scheme leaves
/// as they stand: in lower case, IPv4 in four numbers, the usual port left out. A host that can be
/// none stays.
fn settle_host(url: &mut Url) {
    if let Some(Ok(host)) = url.host_str().map(Host::parse) {
        // Refused only for URLs that can't have a host.
        let _ = url.set_host(Some(&host.to_string()));
    }
    if url.port() == Some(SMB_PORT) {
        let _ = url.set_port(None);
    }
}

/// Masks one `key=value` of a query if its (decoded) key is a secret's.
fn mask_pair(pair: &str) -> String {
    let secret = url::form_urlencoded::parse(pair.as_bytes()).any(|(key, _)| is_secret(&key));
    match pair.split_once('=') {
        Some((key, _)) if secret => format!("{key}={MASK}"),
        _ => pair.to_owned(),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str()) || SECRET_WORDS.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_is_not() {
        let cases = [
            ("http://h/a?b=c&d", "http://h/a?b=c&d"),
            ("https://user:pw@h:8443/a", "https://***@h:8443/a"),
            ("https://ghp_token@h/a", "https://***@h/a"),
            ("https://:pw@h/a", "https://***@h/a"),
            (
                "http://h/a?X-Amz-Signature=abc&X-Amz-Date=1",
                "http://h/a?X-Amz-Signature=***&X-Amz-Date=1",
            ),
            ("http://h/a?sig=abc%3D&sv=2", "http://h/a?sig=***&sv=2"),
            (
                "http://h/a?design=1&keyboard=us",
                "http://h/a?design=1&keyboard=us",
            ),
            ("http://h/a?%73ig=abc", "http://h/a?%73ig=***"),
            (
                "http://h/a?aws_access_key_secret=x&region=eu",
                "http://h/a?aws_access_key_secret=***&region=eu",
            ),
            ("http://h/a#token", "http://h/a"),
            ("smb://dom;user:pw@h/s/a", "smb://***@h/s/a"),
            ("SMB://NAS.Example.Org:445/S/a", "smb://nas.example.org/S/a"),
            ("smb://0x7f.1:446/s/a", "smb://127.0.0.1:446/s/a"),
            ("smb://[::0001]:445/s", "smb://[::1]/s"),
        ];
        for (text, shown) in cases {
            let url = SafeUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("SafeUrl({shown})"));
        }
    }

    #[test]
    fn the_secret_can_be_had_explicitly() {
        let url = SafeUrl::parse("https://user:pw@h/dir/image.qcow2?sig=a").unwrap();
        assert_eq!(
            url.expose().as_str(),
            "https://user:pw@h/dir/image.qcow2?sig=a"
        );
        assert_eq!(url.file_name(), Some("image.qcow2"));
        assert_eq!(url.host(), Some("h"));
    }
}
