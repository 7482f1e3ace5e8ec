//! Who a request says it is from, decided anew for every hop: what the user gave for one host never
//! goes to another, wherever a redirect leads.
//!
//! In this order, and each only to whom it is for:
//!
//! | what | goes to |
//! |---|---|
//! | name and password in the URL | scheme, host and port of that URL |
//! | headers set for an address | scheme, host and port of that address |
//! | `machine` of the netrc file | that host by https; by http and smb only where the URL of the location says so itself |
//! | `default` of the netrc file | scheme, host and port of the location's URL, if the user wrote it |
//!
//! To a hop that a component chose, headers and `machine` only go if the user has named its host for
//! that component.

use percent_encoding::percent_decode_str;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

use crate::{Netrc, ServerAddress, Settings, netrc};

/// A header that goes to one address, such as `Authorization: Bearer …` or `PRIVATE-TOKEN: …`.
#[derive(Clone, Debug)]
pub struct HostHeader {
    address: ServerAddress,
    name: HeaderName,
    value: SecretString,
}

/// Why a header can't be sent.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HostHeaderError {
    /// The address is none.
    #[error("`{0}` is neither a host nor an http or https address")]
    Address(String),
    /// The name is none that HTTP allows.
    #[error("`{0}` is not the name of a header")]
    Name(String),
    /// The value has characters that HTTP does not allow; it is not repeated here.
    #[error("the value of the header `{0}` has characters that a header can't have")]
    Value(String),
}

impl HostHeader {
    /// A header for an address: `https://HOST`, `http://HOST:8080`, or `HOST`, which means https.
    /// It goes to that scheme, host and port and to no other.
    ///
    /// # Errors
    /// Something that is no address, no header's name, or no header's value.
    pub fn new(address: &str, name: &str, value: SecretString) -> Result<Self, HostHeaderError> {
        let address = ServerAddress::parse(address)?;
        let name: HeaderName = name
            .parse()
            .map_err(|_| HostHeaderError::Name(name.to_owned()))?;
        if HeaderValue::from_str(value.expose_secret()).is_err() {
            return Err(HostHeaderError::Value(name.to_string()));
        }
        Ok(Self {
            address,
            name,
            value,
        })
    }
}

/// Reads headers from lines of `ADDRESS NAME: VALUE`, such as `https://example.org Authorization:
/// Bearer …`. Empty lines and those that begin with `#` say nothing.
///
/// # Errors
/// The first line that can't be read.
pub fn read_host_headers(text: &str) -> Result<Vec<HostHeader>, HostHeaderLineError> {
    let mut headers = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line
            .split_once(char::is_whitespace)
            .and_then(|(address, header)| {
                let (name, value) = header.split_once(':')?;
                Some((address, name.trim(), value.trim()))
            });
        let Some((address, name, value)) = parts else {
            return Err(HostHeaderLineError::Form { line: number });
        };
        let header = HostHeader::new(address, name, value.into());
        headers.push(header.map_err(|source| HostHeaderLineError::Header {
            line: number,
            source,
        })?);
    }
    Ok(headers)
}

/// A line of headers that can't be read. What stands in it is not repeated: it may be a secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HostHeaderLineError {
    /// It has another form.
    #[error("line {line} is not of the form `https://HOST NAME: VALUE`")]
    Form {
        /// From 1.
        line: usize,
    },
    /// A part of it is wrong.
    #[error("line {line}")]
    Header {
        /// From 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: HostHeaderError,
    },
}

/// Takes name and password out of the URL of a hop: they travel in a header.
pub(crate) fn take_login(url: &mut Url) -> Option<(String, Option<SecretString>)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let name = decoded(url.username());
    let password = url.password().map(|password| decoded(password).into());
    // Refused only for URLs without a host, which have no login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some((name, password))
}

/// Which of the user's log-ins may go to one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogIns {
    /// Headers that are set for its address.
    pub(crate) headers: bool,
    /// The netrc file's for its host.
    pub(crate) machine: bool,
    /// The netrc file's for every host that has none of its own.
    pub(crate) default: bool,
}

impl LogIns {
    /// The netrc file's login for the host, if it may go there. A host that has one of its own never
    /// gets the one for all others.
    pub(crate) fn of_netrc<'a>(self, netrc: &'a Netrc, host: &str) -> Option<&'a netrc::Login> {
        match netrc.machine(host) {
            Some(own) => Some(own).filter(|_| self.machine),
            None => netrc.for_all_others().filter(|_| self.default),
        }
        .filter(|login| !login.is_empty())
    }
}

/// Adds to a request for `url` what goes to that address. `login` stood in the URL. A request
/// that `is_authorized` says who asks already: in its address, or in a header of its own.
pub(crate) fn authorize(
    mut request: RequestBuilder,
    url: &Url,
    login: Option<(String, Option<SecretString>)>,
    is_authorized: bool,
    log_ins: LogIns,
    settings: &Settings,
) -> RequestBuilder {
    let mut is_authorized = is_authorized;
    if let Some((name, password)) = login {
        request = request.basic_auth(name, password.as_ref().map(|it| it.expose_secret()));
        is_authorized = true;
    }
    let origin = url.origin();
    let mut authorized_by_header = false;
    let headers = settings.headers.iter();
    for header in headers.filter(|it| log_ins.headers && it.address.is(&origin)) {
        let is_authorization = header.name == AUTHORIZATION;
        if is_authorization && is_authorized {
            continue;
        }
        if let Ok(mut value) = HeaderValue::from_str(header.value.expose_secret()) {
            value.set_sensitive(true);
            request = request.header(&header.name, value);
            authorized_by_header |= is_authorization;
        }
    }
    let netrc = settings.netrc.as_ref().zip(url.host_str());
    if !is_authorized
        && !authorized_by_header
        && let Some(login) = netrc.and_then(|(netrc, host)| log_ins.of_netrc(netrc, host))
    {
        let password = login.password.as_ref().map(|it| it.expose_secret());
        request = request.basic_auth(&login.name, password);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, name: &str, value: &str) -> String {
        let error = HostHeader::new(address, name, value.into()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn headers_that_can_be_none_are_refused_without_showing_the_value() {
        assert!(refused("", "A", "b").contains("neither a host"));
        assert!(refused("ftp://h", "A", "b").contains("neither a host"));
        assert!(refused("https://me:hunter2@h", "A", "b").contains("`h` is neither a host"));
        assert!(refused("h", "a b", "b").contains("`a b` is not the name"));
        assert_eq!(
            refused("h", "A", "hunter2\n"),
            "the value of the header `a` has characters that a header can't have"
        );
        let header = HostHeader::new("h", "A", "hunter2".into()).unwrap();
        assert!(!format!("{header:?}").contains("hunter2"));
    }

    #[test]
    fn headers_are_read_line_by_line() {
        let text = "# tokens\n\nhttps://a:8443  Authorization: Bearer x:y\nb PRIVATE-TOKEN:z\n";
        let headers = read_host_headers(text).unwrap();
        let told: Vec<_> = headers
            .iter()
            .map(|it| {
                let origin = it.address.to_string();
                (origin, it.name.as_str(), it.value.expose_secret())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("https://a:8443".to_owned(), "authorization", "Bearer x:y"),
                ("https://b".to_owned(), "private-token", "z"),
            ]
        );
        for (text, problem) in [
            ("\nhunter2", "line 2 is not of the form"),
            ("https://a hunter2", "line 1 is not of the form"),
            ("https://a A: b\nftp://a A: hunter2", "line 2"),
        ] {
            let error = read_host_headers(text).unwrap_err();
            assert!(error.to_string().starts_with(problem), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_login_leaves_the_url_decoded() {
        let mut url = Url::parse("https://me:p%40ss@h/a").unwrap();
        let (name, password) = take_login(&mut url).unwrap();
        assert_eq!((name.as_str(), url.as_str()), ("me", "https://h/a"));
        assert_eq!(password.unwrap().expose_secret(), "p@ss");
        assert!(take_login(&mut url).is_none());
    }
}
