//! Headers that a component adds to what it asks for, beside those that are lvhost's own.
//!
//! What they say of the bytes that are wanted goes along with every redirect. All others may be a log-in, whatever
//! they are called, and go to scheme, host and port of the URL that they were meant for.

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::digest::{Algorithm, Hasher};

/// Headers of one request, at most.
const MOST: usize = 32;

/// Bytes of all names and values, at most: servers take 8 KiB and more.
const MOST_BYTES: usize = 16 << 10;

/// Headers that say what is wanted, and nothing of who wants it.
const OF_CONTENT: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];

/// Headers by which whoever sets them decides where a request goes, where it ends, or which part of a file it is
/// about. Those that begin with `proxy-` or `sec-` are like them.
const OWN: [&str; 18] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that a component adds to a request. Shows names alone.
#[derive(Clone, Default)]
pub struct RequestHeaders {
    headers: HeaderMap,
    bytes: usize,
}

/// Why a header can't be sent. Values are not repeated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RequestHeaderError {
    /// The name is none that HTTP allows.
    #[error("`{0}` is not the name of a header")]
    Name(String),
    /// Only lvhost itself may set it.
    #[error("the header `{0}` is set by lvhost alone")]
    Own(String),
    /// The value has characters that HTTP does not allow.
    #[error("the value of the header `{0}` has characters that a header can't have")]
    Value(String),
    /// There are too many, or they are too long.
    #[error("a request has at most {MOST} headers with {MOST_BYTES} bytes in all")]
    TooMuch,
}

impl RequestHeaders {
    /// Adds a header; one that is there already stays.
    ///
    /// # Errors
    /// Something that is no header, that is not the component's to set, or too much of it.
    pub fn add(&mut self, name: &str, value: &SecretString) -> Result<(), RequestHeaderError> {
        // No name that HTTP allows has more.
        let shown = || {
            name.chars()
                .filter(|it| !it.is_control())
                .take(64)
                .collect()
        };
        let parsed: HeaderName = name
            .parse()
            .map_err(|_| RequestHeaderError::Name(shown()))?;
        let is_own = OWN.contains(&parsed.as_str())
            || ["proxy-", "sec-"]
                .iter()
                .any(|it| parsed.as_str().starts_with(it));
        if is_own {
            return Err(RequestHeaderError::Own(parsed.to_string()));
        }
        let value = value.expose_secret();
        let bytes = self.bytes + parsed.as_str().len() + value.len();
        if self.headers.len() == MOST || bytes > MOST_BYTES {
            return Err(RequestHeaderError::TooMuch);
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| RequestHeaderError::Value(parsed.to_string()))?;
        value.set_sensitive(true);
        self.bytes = bytes;
        self.headers.append(parsed, value);
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Whether the component says itself who asks, so that nobody else must.
    pub(crate) fn say_who_asks(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Those for a hop, which has the scheme, host and port that they were meant for or has not.
    pub(crate) fn of_hop(&self, is_meant: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if !is_meant {
            let names: Vec<_> = headers.keys().cloned().collect();
            for name in names.iter().filter(|name| !OF_CONTENT.contains(name)) {
                headers.remove(name);
            }
        }
        headers
    }

    /// What tells an answer from those to other headers; `None` if there are none. Of what may be a log-in it
    /// has the name alone, since it is told on disk.
    pub(crate) fn identity(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut all: Vec<_> = self.headers.iter().collect();
        all.sort_by(|(a, b), (c, d)| (a.as_str(), b.as_bytes()).cmp(&(c.as_str(), d.as_bytes())));
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (name, value) in all {
            let told = match OF_CONTENT.contains(name) {
                true => value.as_bytes(),
                false => b"",
            };
            for part in [name.as_str().as_bytes(), told] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Some(hasher.finish().to_string())
    }
}

impl std::fmt::Debug for RequestHeaders {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.headers.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(headers: &[(&str, &str)]) -> Result<RequestHeaders, RequestHeaderError> {
        let mut added = RequestHeaders::default();
        for (name, value) in headers {
            added.add(name, &(*value).into())?;
        }
        Ok(added)
    }

    #[test]
    fn what_decides_where_a_request_goes_is_not_a_components_to_set() {
        for name in OWN {
            let upper = name.to_ascii_uppercase();
            for name in [name, &upper] {
                let error = added(&[(name, "x")]).unwrap_err();
                assert!(matches!(error, RequestHeaderError::Own(_)), "{name}");
            }
        }
        for name in ["Proxy-Authorization", "proxy-connection", "Sec-Fetch-Site"] {
            let error = added(&[(name, "x")]).unwrap_err();
            assert!(matches!(error, RequestHeaderError::Own(_)), "{name}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_without_its_value() {
        for (name, value) in [
            ("", "hunter2"),
            ("a b", "hunter2"),
            ("a\r\nHost", "hunter2"),
            ("a:", "hunter2"),
            ("x", "hunter2\r\nHost: h"),
            ("x", "hunter2\0"),
        ] {
            let error = added(&[(name, value)]).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2") && !text.contains('\r'), "{text}");
        }
        let headers = added(&[("authorization", "hunter2"), ("x-token", "hunter2")]).unwrap();
        assert!(!format!("{headers:?}").contains("hunter2"));
    }

    #[test]
    fn headers_are_bounded_in_sum() {
        let mut headers = RequestHeaders::default();
        let mut added = 0;
        while headers.add("x", &"y".into()).is_ok() {
            added += 1;
        }
        assert_eq!(added, MOST);
        let long = "y".repeat(MOST_BYTES / 2);
        let mut headers = RequestHeaders::default();
        assert!(headers.add("x", &long.as_str().into()).is_ok());
        let error = headers.add("x", &long.as_str().into());
        assert_eq!(error, Err(RequestHeaderError::TooMuch));
    }

    #[test]
    fn only_what_is_wanted_goes_along_to_others() {
        let headers = added(&[
            ("Accept", "a/b"),
            ("Accept", "c/d"),
            ("Authorization", "Bearer x"),
            ("Cookie", "x"),
            ("X-Anything", "x"),
            ("User-Agent", "x"),
        ])
        .unwrap();
        assert_eq!(headers.of_hop(true).len(), 6);
        let elsewhere = headers.of_hop(false);
        let mut names: Vec<_> = elsewhere.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "user-agent"]);
        assert_eq!(elsewhere.get_all(ACCEPT).iter().count(), 2);
    }

    #[test]
    fn other_headers_are_another_identity() {
        let identity = |headers: &[_]| added(headers).unwrap().identity();
        assert_eq!(identity(&[]), None);
        let one = identity(&[("accept", "a"), ("x", "b")]);
        assert_eq!(one, identity(&[("x", "b"), ("Accept", "a")]));
        for other in [
            vec![("accept", "a")],
            vec![("accept", "a"), ("y", "b")],
            vec![("accept", "ax"), ("x", "b")],
            vec![("accept", "a"), ("accept", ""), ("x", "b")],
            vec![("acceptx", "ab")],
        ] {
            assert_ne!(one, identity(&other), "{other:?}");
        }
        let renewed = identity(&[("accept", "a"), ("x", "another token")]);
        assert_eq!(one, renewed, "a token is told nowhere");
    }
}
