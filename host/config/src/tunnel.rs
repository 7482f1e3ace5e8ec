//! Ports that are carried through an SSH connection, as Packer and OpenSSH write them:
//! `8080:localhost:80`.

use lvhost_hcl::Value;

use crate::schema::Kind;
use crate::setting::{Element, Mismatch, Setting, unfit};

/// A port at one end of an SSH connection that leads to a port beyond the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// The port that is listened on; `0` for a free one.
    pub listen_port: u16,
    /// The host that is connected to, as the other end of the connection sees it.
    pub host: String,
    /// The port of that host.
    pub port: u16,
}

/// Reads `port:host:port`, where the host may be an IPv6 address in brackets.
fn parse(text: &str) -> Option<Tunnel> {
    let (listen_port, rest) = text.split_once(':')?;
    let (host, port) = rest.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let plain = !host.is_empty() && !host.contains(['[', ']', ' ']);
    let port: u16 = port.parse().ok()?;
    (plain && (bare.is_some() || !host.contains(':')) && port > 0).then_some(Tunnel {
        listen_port: listen_port.parse().ok()?,
        host: host.to_string(),
        port,
    })
}

impl Setting for Tunnel {
    const KIND: Kind = Kind::Text;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        let Some(text) = value.to_text() else {
            return unfit(Self::KIND, value);
        };
        parse(&text).ok_or_else(|| {
            Mismatch::new(format!(
                "`{text}` is not a tunnel; write it like `8080:localhost:80`: the port to listen \
                 on, the host to connect to and its port"
            ))
        })
    }
}

impl Element for Tunnel {
    const LIST: Kind = Kind::TextList;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tunnels_are_port_host_port() {
        for (text, expected) in [
            ("8080:localhost:80", Some((8080, "localhost", 80))),
            ("0:10.0.0.1:1", Some((0, "10.0.0.1", 1))),
            ("1:[::1]:65535", Some((1, "::1", 65535))),
            ("", None),
            ("8080", None),
            ("8080:localhost", None),
            ("8080::80", None),
            ("8080:localhost:0", None),
            ("8080:localhost:65536", None),
            ("port:localhost:80", None),
            ("1:::1:2", None),
            ("1:a b:2", None),
            ("127.0.0.1:8080:localhost:80", None),
        ] {
            let tunnel = parse(text);
            let parts = tunnel
                .as_ref()
                .map(|tunnel| (tunnel.listen_port, tunnel.host.as_str(), tunnel.port));
            assert_eq!(parts, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_tunnel_or_none(text in "[0-9:\\[\\]a-z]{0,24}") {
            if let Some(tunnel) = parse(&text) {
                prop_assert!(tunnel.port > 0 && !tunnel.host.is_empty());
            }
        }
    }
}
