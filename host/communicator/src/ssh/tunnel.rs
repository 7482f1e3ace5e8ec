//! A tunnel as a value: a port that is listened on at one end, and where it leads from the other.

use std::fmt;
use std::str::FromStr;

use super::settings::join_address;

/// One port that leads to another through the SSH connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The TCP port that is listened on, on the loopback interface.
    pub listen_port: u16,
    /// The host to connect to, as the other end of the tunnel calls it.
    pub host: String,
    /// The TCP port to connect to.
    pub port: u16,
}

/// A tunnel that is not written as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a tunnel: write it as PORT:HOST:PORT, such as 8080:localhost:80")]
pub struct TunnelError(
    /// The text.
    pub String,
);

impl FromStr for Tunnel {
    type Err = TunnelError;

    /// Reads Packer's `port:host:port`; an IPv6 address as the host stands in brackets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| TunnelError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Tunnel> {
    let port = |text: &str| text.parse().ok().filter(|port: &u16| *port != 0);
    let (listen, rest) = text.split_once(':')?;
    let (host, target) = rest.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if bare.is_none() && host.contains(':') {
        return None;
    }
    let host = bare.unwrap_or(host);
    if host.is_empty() || host.contains(['[', ']', '/']) || host.contains(char::is_whitespace) {
        return None;
    }
    Some(Tunnel {
        listen_port: port(listen)?,
        host: host.to_owned(),
        port: port(target)?,
    })
}

impl fmt::Display for Tunnel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target();
        write!(formatter, "{}:{target}", self.listen_port)
    }
}

impl Tunnel {
    /// Where it leads, host and port.
    pub(super) fn target(&self) -> String {
        join_address(&self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_tunnel() {
        for (text, expected) in [
            ("8080:localhost:80", Some((8080, "localhost", 80))),
            ("1:10.0.0.1:65535", Some((1, "10.0.0.1", 65535))),
            ("22:[fe80::1]:22", Some((22, "fe80::1", 22))),
            ("", None),
            ("8080", None),
            ("8080:80", None),
            ("8080::80", None),
            ("0:localhost:80", None),
            ("8080:localhost:0", None),
            ("65536:localhost:80", None),
            ("a:localhost:80", None),
            ("8080:fe80::1:80", None),
            ("8080:[]:80", None),
            ("8080:[a:80", None),
            ("127.0.0.1:8080:localhost:80", None),
            ("8080:local host:80", None),
        ] {
            let expected = expected.map(|(listen_port, host, port): (u16, &str, u16)| Tunnel {
                listen_port,
                host: host.to_owned(),
                port,
            });
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
        let error = "8080".parse::<Tunnel>().unwrap_err();
        assert!(error.to_string().starts_with("\"8080\" is not a tunnel"));
    }

    proptest! {
        #[test]
        fn a_tunnel_is_written_as_it_is_read(text in "[0-9a-z:\\[\\].]{0,24}") {
            if let Ok(tunnel) = text.parse::<Tunnel>() {
                prop_assert_eq!(tunnel.to_string().parse(), Ok(tunnel));
            }
        }
    }
}
