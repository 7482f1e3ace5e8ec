//! Asking a proxy for a connection to the guest: SOCKS5 (RFC 1928, 1929) and HTTP's `CONNECT`
//! (RFC 9110, section 9.3.6).
//!
//! The answer to `CONNECT` is read byte by byte. The guest's SSH server speaks first, so what
//! follows the proxy's headers may already be there and is not ours to read; clients made for TLS,
//! where the client speaks first, lose it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use super::route::Proxy;
use super::session::readable;
use super::settings::join_address;

/// Bytes of an HTTP proxy's answer that are read: servers commonly send and take 8 KiB of headers.
const ANSWER_MAXIMUM: usize = 8 * 1024;
/// Header fields of that answer that are parsed.
const FIELDS_MAXIMUM: usize = 64;

/// Why a proxy gave no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Declined {
    /// It would not do it: asking again gives the same answer.
    Refused(String),
    /// It could not reach the guest.
    Unreachable(String),
    /// The proxy itself failed.
    Broken(String),
}

/// Asks the SOCKS5 proxy at the other end of `stream` for a connection to the guest.
pub(super) async fn socks5(
    stream: TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<TcpStream, Declined> {
    use tokio_socks::Error;

    let asked = match &proxy.credentials {
        Some(known) => {
            let password = known.password.expose_secret();
            Socks5Stream::connect_with_password_and_socket(
                stream,
                (host, port),
                &known.username,
                password,
            )
            .await
        }
        None => Socks5Stream::connect_with_socket(stream, (host, port)).await,
    };
    let error = match asked {
        Ok(stream) => return Ok(stream.into_inner()),
        Err(error) => error,
    };
    Err(match error {
        Error::PasswordAuthFailure(_) => {
            Declined::Refused("it does not take the user and password".to_owned())
        }
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired
            if proxy.credentials.is_none() =>
        {
            Declined::Refused("it wants a user and a password".to_owned())
        }
        Error::NoAcceptableAuthMethods => {
            Declined::Refused("it takes no user and password".to_owned())
        }
        Error::ConnectionNotAllowedByRuleset => {
            Declined::Refused("its rules forbid connections to the guest".to_owned())
        }
        Error::InvalidAuthValues(reason) | Error::InvalidTargetAddress(reason) => {
            Declined::Refused(reason.to_owned())
        }
        Error::InvalidResponseVersion => {
            Declined::Refused("what answers there is no SOCKS5 proxy".to_owned())
        }
        Error::CommandNotSupported | Error::AddressTypeNotSupported => {
            Declined::Refused(readable(&error.to_string()))
        }
        Error::NetworkUnreachable
        | Error::HostUnreachable
        | Error::ConnectionRefused
        | Error::TtlExpired
        | Error::GeneralSocksServerFailure => {
            Declined::Unreachable(readable(&error.to_string()).to_lowercase())
        }
        other => Declined::Broken(readable(&other.to_string())),
    })
}

/// Asks the HTTP proxy at the other end of `stream` for a connection to the guest.
pub(super) async fn http_connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<S, Declined> {
    let request = request(proxy, host, port)?;
    let broken = |error: std::io::Error| Declined::Broken(error.to_string());
    stream
        .write_all(request.expose_secret().as_bytes())
        .await
        .map_err(broken)?;
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_MAXIMUM {
            return Err(Declined::Refused(format!(
                "its answer is longer than {ANSWER_MAXIMUM} bytes"
            )));
        }
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(Declined::Broken("it closed the connection".to_owned()));
            }
            Err(error) => return Err(broken(error)),
        }
    }
    judge(&answer, proxy.credentials.is_some())?;
    Ok(stream)
}

fn request(proxy: &Proxy, host: &str, port: u16) -> Result<SecretString, Declined> {
    let odd = |character: char| character.is_control() || character.is_whitespace();
    if host.contains(odd) {
        return Err(Declined::Refused(format!("{host:?} is no host name")));
    }
    let target = join_address(host, port);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(known) = &proxy.credentials {
        if known.username.contains(':') {
            return Err(Declined::Refused(
                "HTTP does not allow a colon in the user's name".to_owned(),
            ));
        }
        let both = format!("{}:{}", known.username, known.password.expose_secret());
        let encoded = BASE64_STANDARD.encode(both);
        request.push_str(&format!("Proxy-Authorization: Basic {encoded}\r\n"));
    }
    request.push_str("\r\n");
    Ok(SecretString::from(request))
}

/// What an answer, complete with its last empty line, comes to.
fn judge(answer: &[u8], has_credentials: bool) -> Result<(), Declined> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAXIMUM];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(answer);
    let (Ok(httparse::Status::Complete(_)), Some(code)) = (parsed, response.code) else {
        return Err(Declined::Refused(
            "what answers there is no HTTP proxy".to_owned(),
        ));
    };
    let reason = response.reason.map(readable).unwrap_or_default();
    let said = format!("{code} {reason}").trim_end().to_owned();
    match code {
        200..=299 => Ok(()),
        407 if has_credentials => Err(Declined::Refused(
            "it does not take the user and password".to_owned(),
        )),
        407 => Err(Declined::Refused(
            "it wants a user and a password".to_owned(),
        )),
        500..=599 => Err(Declined::Unreachable(said)),
        _ => Err(Declined::Refused(format!("it answered {said}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ssh::route::ProxyCredentials;

    fn proxy(username: Option<&str>) -> Proxy {
        Proxy {
            host: "proxy".to_owned(),
            port: 3128,
            credentials: username.map(|username| ProxyCredentials {
                username: username.to_owned(),
                password: SecretString::from("pass:word"),
            }),
        }
    }

    #[test]
    fn the_request_names_the_guest_and_who_asks() {
        let request = |user, host| {
            request(&proxy(user), host, 22).map(|text| text.expose_secret().to_owned())
        };
        assert_eq!(
            request(None, "fe80::1").unwrap(),
            "CONNECT [fe80::1]:22 HTTP/1.1\r\nHost: [fe80::1]:22\r\n\r\n"
        );
        assert_eq!(
            request(Some("me"), "guest").unwrap(),
            "CONNECT guest:22 HTTP/1.1\r\nHost: guest:22\r\n\
             Proxy-Authorization: Basic bWU6cGFzczp3b3Jk\r\n\r\n"
        );
        for (user, host) in [(Some("a:b"), "guest"), (None, "a\r\nb"), (None, "a b")] {
            let refused = request(user, host).unwrap_err();
            assert!(matches!(refused, Declined::Refused(_)), "{refused:?}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let refused = |text: &str| Err(Declined::Refused(text.to_owned()));
        let unreachable = |text: &str| Err(Declined::Unreachable(text.to_owned()));
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Ok(())),
            ("HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", Ok(())),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                refused("it wants a user and a password"),
            ),
            (
                "HTTP/1.1 403 Forbidden\r\n\r\n",
                refused("it answered 403 Forbidden"),
            ),
            (
                "HTTP/1.1 302\r\nLocation: x\r\n\r\n",
                refused("it answered 302"),
            ),
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n",
                unreachable("503 Service Unavailable"),
            ),
            (
                "SSH-2.0-OpenSSH\r\n\r\n",
                refused("what answers there is no HTTP proxy"),
            ),
        ] {
            assert_eq!(judge(answer.as_bytes(), false), expected, "{answer}");
        }
        assert_eq!(
            judge(b"HTTP/1.1 407 No\r\n\r\n", true),
            refused("it does not take the user and password")
        );
    }

    #[tokio::test]
    async fn what_follows_the_answer_is_left_and_no_answer_is_endless() {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-guest\r\n")
            .await
            .unwrap();
        let mut near = http_connect(near, &proxy(None), "guest", 22).await.unwrap();
        let mut first = [0; 15];
        near.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"SSH-2.0-guest\r\n");

        let (near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(&[b'x'; ANSWER_MAXIMUM + 1]).await.unwrap();
        let declined = http_connect(near, &proxy(None), "guest", 22)
            .await
            .unwrap_err();
        assert!(
            matches!(&declined, Declined::Refused(reason) if reason.contains("longer than")),
            "{declined:?}"
        );

        let (near, far) = tokio::io::duplex(64 * 1024);
        drop(far);
        let declined = http_connect(near, &proxy(None), "guest", 22)
            .await
            .unwrap_err();
        assert!(matches!(declined, Declined::Broken(_)), "{declined:?}");
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(answer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let accepted = judge(&answer, false).is_ok();
            prop_assert!(!accepted || answer.starts_with(b"HTTP/") || answer.starts_with(b"\r\n"));
        }
    }
}
