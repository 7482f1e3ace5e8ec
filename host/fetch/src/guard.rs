//! Keeps downloads from being led to addresses inside this machine or its link.
//!
//! A server answers with redirects, and a name's owner decides what it resolves to; neither may
//! reach what only this host can reach (a local daemon, a cloud's metadata service) unless the
//! user named that host. Addresses are checked as they stand in a URL, and names where they are
//! resolved, so that what was checked is what is connected to. Behind a proxy it is the proxy
//! that resolves names; there only literal addresses and `localhost` are checked.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// A name that resolved to an inward address.
#[derive(Debug, Error)]
#[error("{host} resolves to {address}")]
pub(crate) struct InwardAddress {
    /// The name.
    pub(crate) host: String,
    /// What it resolved to.
    pub(crate) address: IpAddr,
}

/// Whether the URL's host, as written, is an inward address.
pub(crate) fn is_inward_host(url: &Url) -> bool {
    // Parsed here: of what is no web scheme, a URL takes every host but IPv6 for a name.
    match url.host_str().and_then(|host| Host::parse(host).ok()) {
        Some(Host::Ipv4(address)) => is_inward(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_inward(IpAddr::V6(address)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Whether an address is loopback, link-local, unspecified or a cloud's metadata service.
pub(crate) fn is_inward(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inward_v4(address),
        IpAddr::V6(address) => is_inward_v6(address),
    }
}

fn is_inward_v4(address: Ipv4Addr) -> bool {
    /// Alibaba Cloud's metadata service; most others are link-local.
    const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        // "This network", RFC 1122 §3.2.1.3: Linux connects 0.0.0.0 to itself.
        || address.octets()[0] == 0
        || address == ALIBABA_METADATA
}

fn is_inward_v6(address: Ipv6Addr) -> bool {
    /// Amazon's metadata service over IPv6.
    const AMAZON_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let segments = address.segments();
    // An IPv4 address in its IPv4-mapped (::ffff:0:0/96), IPv4-compatible (::/96) or NAT64
    // (64:ff9b::/96, RFC 6052) form.
    let embedded = matches!(
        segments,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..]
    );
    let [.., a, b, c, d] = address.octets();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unicast_link_local()
        || address == AMAZON_METADATA
        || (embedded && is_inward_v4(Ipv4Addr::new(a, b, c, d)))
}

/// Refuses a name that resolved to an inward address. One is enough: which of them is connected to
/// may be somebody else's choice.
pub(crate) fn outward(host: &str, addresses: &[SocketAddr]) -> Result<(), InwardAddress> {
    let mut addresses = addresses.iter().map(SocketAddr::ip);
    match addresses.find(|address| is_inward(*address)) {
        Some(address) => Err(InwardAddress {
            host: host.to_owned(),
            address,
        }),
        None => Ok(()),
    }
}

/// Resolves names with the system's resolver and refuses those with an inward address.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    /// Proxies: the user's own setting, wherever they are.
    pub(crate) exempt: BTreeSet<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let exempt = self.exempt.contains(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if !exempt {
                outward(&host, &found)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inward_hosts_in_every_spelling() {
        let inward = [
            "127.0.0.1",
            "127.9.9.9",
            "2130706433",
            "0x7f.1",
            "0.0.0.0",
            "169.254.169.254",
            "100.100.100.200",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[febf::1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
        ];
        for (host, scheme) in inward
            .iter()
            .flat_map(|host| [(host, "http"), (host, "smb")])
        {
            assert!(
                is_inward_host(&Url::parse(&format!("{scheme}://{host}/")).unwrap()),
                "{host}"
            );
        }
        let elsewhere = [
            "8.8.8.8",
            "10.0.0.1",
            "192.168.1.1",
            "[2001:db8::1]",
            "[fd00::1]",
            "example.org",
            "localhost.example.org",
            "[::ffff:8.8.8.8]",
        ];
        for (host, scheme) in elsewhere
            .iter()
            .flat_map(|host| [(host, "http"), (host, "smb")])
        {
            assert!(
                !is_inward_host(&Url::parse(&format!("{scheme}://{host}/")).unwrap()),
                "{host}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_inward_is_refused_unless_exempt() {
        let resolver = GuardedResolver {
            exempt: BTreeSet::new(),
        };
        let error = resolver
            .resolve("localhost".parse().unwrap())
            .await
            .err()
            .unwrap();
        assert!(
            error.to_string().starts_with("localhost resolves to "),
            "{error}"
        );
        let resolver = GuardedResolver {
            exempt: ["localhost".to_owned()].into(),
        };
        assert!(
            resolver
                .resolve("localhost".parse().unwrap())
                .await
                .unwrap()
                .next()
                .is_some()
        );
    }
}
