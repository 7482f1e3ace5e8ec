//! One request, its redirects followed under our own rules.

mod refused;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};
use url::{Host, Url};

use crate::address::Address;
use crate::authorization::{authorize, take_login};
use crate::client::{Clients, Kind};
use crate::endpoint::is_same_origin;
use crate::guard::{self, NoNameServer, OutOfScope, Scope, scope_of_peer};
use crate::patience::Patience;
use crate::{LocationError, Method, SafeUrl, Settings};

use refused::BUCKET_REGION;
pub(crate) use refused::refusal;

/// Redirects followed; browsers take about twenty, curl's documentation speaks of fifty, real
/// mirror networks need two or three.
const MAXIMUM_REDIRECTS: usize = 10;

/// How long a name is looked up that a proxy is going to resolve. Where only the proxy has names, the system's
/// resolver may wait for a server that never answers, at each redirect; who owns a name and wants it not to
/// be known here needs no delay for that.
const PROXIED_NAME_LIMIT: Duration = Duration::from_secs(5);

/// What is sent to an address.
pub(crate) struct Message<'a> {
    pub(crate) method: Method,
    /// Those that go to each hop.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
}

/// What requests are made with.
pub(crate) struct Exchange<'a> {
    pub(crate) clients: &'a Clients,
    pub(crate) settings: &'a Settings,
}

impl Exchange<'_> {
    /// Asks for an address and gives the first answer that is not a redirect, whatever its status.
    pub(crate) async fn get(
        &self,
        address: &Address<'_>,
        headers: &HeaderMap,
        patience: &mut Patience,
    ) -> Result<Response, LocationError> {
        let get = Message {
            method: Method::Get,
            headers,
            body: Bytes::new(),
        };
        self.send(address, &get, patience).await
    }

    /// Sends a message to an address. Where a redirect leads nothing is sent but what asks for something: the
    /// redirect itself is the answer to all others.
    pub(crate) async fn send(
        &self,
        address: &Address<'_>,
        message: &Message<'_>,
        patience: &mut Patience,
    ) -> Result<Response, LocationError> {
        let request = address.request().map_err(LocationError::S3)?;
        let mut url = request.expose().clone();
        let mut led_by = None;
        for _ in 0..=MAXIMUM_REDIRECTS {
            let least = address.admit(&url, led_by)?;
            let is_proxied = self.settings.proxy.is_for(url.scheme());
            if is_proxied {
                self.judge_name(&url, least, address).await?;
            }
            let kind = Kind {
                secure: url.scheme() == "https",
                least,
            };
            let client = self.clients.get(kind).map_err(LocationError::Client)?;
            let mut bare = url.clone();
            let login = take_login(&mut bare);
            let (mut headers, say_who_asks) = address.headers(&bare);
            headers.extend(message.headers.clone());
            let request = client.request(message.method.http(), bare.clone());
            let request = request.headers(headers).body(message.body.clone());
            let is_authorized = say_who_asks || address.is_object();
            let log_ins = address.log_ins(&bare);
            let request = authorize(request, &bare, login, is_authorized, log_ins, self.settings);
            let response = patience.wait(request.send()).await?;
            let response = response.map_err(|error| send_error(error, &url))?;
            let wrong_region =
                address.is_object() && response.headers().contains_key(BUCKET_REGION);
            let is_followed = is_redirect(response.status()) && !message.method.changes_things();
            if !is_followed || wrong_region {
                return Ok(response);
            }
            // Of a server behind a proxy it is not known where it is.
            let peer = response.remote_addr().filter(|_| !is_proxied);
            led_by = peer
                .map(scope_of_peer)
                .transpose()
                .map_err(LocationError::OwnAddresses)?;
            url = next_hop(&url, response.headers())?;
        }
        Err(LocationError::TooManyRedirects(MAXIMUM_REDIRECTS))
    }

    /// Judges the name in a URL which a proxy is going to resolve once more.
    async fn judge_name(
        &self,
        url: &Url,
        least: Scope,
        address: &Address<'_>,
    ) -> Result<(), LocationError> {
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        if least == Scope::Inward {
            return Ok(());
        }
        let limit = PROXIED_NAME_LIMIT.min(self.settings.connect_timeout);
        match guard::resolve(name, 0, least, limit).await {
            Ok(_) => Ok(()),
            Err(error) if guard::is_out_of_scope(&error) => Err(LocationError::forbidden(url)),
            // Where all of the internet is behind a proxy, its names may be known to the proxy only.
            Err(_) if address.is_of_user() => Ok(()),
            Err(source) => Err(LocationError::Unresolved {
                host: name.to_owned(),
                source,
            }),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if it may be followed at all. Credentials go along only within the
/// same scheme, host and port.
fn next_hop(from: &Url, headers: &HeaderMap) -> Result<Url, LocationError> {
    let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let mut next = target
        .and_then(|target| from.join(target).ok())
        .ok_or(LocationError::BadRedirect)?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") => return Err(LocationError::Downgrade(SafeUrl::new(next))),
        (_, other) => return Err(LocationError::RedirectScheme(other.to_owned())),
    }
    if is_same_origin(from, &next) && next.username().is_empty() && next.password().is_none() {
        // Refused only for URLs without a host, and http always has one.
        let _ = next.set_username(from.username());
        let _ = next.set_password(from.password());
    }
    Ok(next)
}

/// Sorts a client error. The URL is taken out of it: it would show its secrets.
fn send_error(error: reqwest::Error, url: &Url) -> LocationError {
    let error = error.without_url();
    if cause::<OutOfScope>(&error).is_some() {
        LocationError::forbidden(url)
    } else if let Some(silent) = cause::<NoNameServer>(&error) {
        LocationError::NoNameServer(silent.clone())
    } else if let Some(tls) = cause::<rustls::Error>(&error) {
        LocationError::Tls(tls.clone())
    } else if error.is_timeout() {
        LocationError::Timeout(error)
    } else if error.is_connect() {
        LocationError::Connect(error)
    } else {
        LocationError::Transfer(error)
    }
}

/// The first cause of that type. I/O errors carry theirs where `source` doesn't lead.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(from: &str, target: &str) -> Result<String, LocationError> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, target.parse().unwrap());
        next_hop(&Url::parse(from).unwrap(), &headers).map(String::from)
    }

    #[test]
    fn hops_that_are_followed() {
        let cases = [
            ("http://h/a", "/b", "http://h/b"),
            ("http://h/a", "https://h/a", "https://h/a"),
            ("https://u:p@h/a", "b", "https://u:p@h/b"),
            ("https://u:p@h/a", "https://other/b", "https://other/b"),
            ("https://u:p@h/a", "https://h:444/b", "https://h:444/b"),
            ("http://u:p@h/a", "https://h/b", "https://h/b"),
        ];
        for (from, target, expected) in cases {
            assert_eq!(hop(from, target).unwrap(), expected, "{from} → {target}");
        }
    }

    #[test]
    fn hops_that_are_refused() {
        let cases = [
            ("https://h/a", "http://h/b", "from https to http://h/b"),
            (
                "https://h/a",
                "http://u:p@h/b",
                "from https to http://***@h/b",
            ),
            ("http://h/a", "file:///etc/passwd", "redirect to `file:`"),
            ("http://h/a", "http://", "without saying where to"),
        ];
        for (from, target, part) in cases {
            let error = hop(from, target).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(matches!(
            next_hop(&Url::parse("http://h/").unwrap(), &HeaderMap::new()),
            Err(LocationError::BadRedirect)
        ));
    }
}
