//! Keeps downloads from being led to addresses that only this machine, its link or its network can reach.
//!
//! A server answers with redirects, and a name's owner decides what it resolves to; neither may
//! reach a local daemon or a cloud's metadata service unless the user named that host and port:
//!
//! ```text
//! hop ─► named, with this port? ──yes──► any address
//!           │ no
//!           ├─ led there by a server of a private network ─► private or public addresses
//!           └─ led there by anybody else, or by nobody ────► public addresses
//! ```
//!
//! Addresses are judged as they stand in a URL, and names where they are resolved for the connection, so
//! that what was judged is what is connected to. Where a proxy carries a request, it is the proxy that
//! resolves the name for the connection: the name is resolved and judged here all the same, before it is
//! handed on. A name that nobody here can resolve is handed on for the user only.

mod scope;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

pub(crate) use scope::Scope;
use scope::scope_of;

/// A name that resolved to an address that may not be reached.
#[derive(Debug, Error)]
#[error("{host} resolves to {address}")]
pub(crate) struct OutOfScope {
    /// The name.
    pub(crate) host: String,
    /// What it resolved to.
    pub(crate) address: IpAddr,
}

/// A name of which no name server has said within the time where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the name {host} was not resolved within {} s: no name server answers", limit.as_secs())]
pub struct NoNameServer {
    /// The name.
    pub host: String,
    /// The time there was.
    pub limit: Duration,
}

/// How far the host of a URL reaches, as it is written; `None` for a name, which has to be resolved.
pub(crate) fn scope_of_host(url: &Url) -> io::Result<Option<Scope>> {
    // Parsed here: of what is no web scheme, a URL takes every host but IPv6 for a name.
    let address = match url.host_str().and_then(|host| Host::parse(host).ok()) {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let is_local = name == "localhost" || name.ends_with(".localhost");
            return Ok(is_local.then_some(Scope::Inward));
        }
        None => return Ok(None),
    };
    Ok(Some(scope_of(address, &own_addresses()?)))
}

/// How far the address of a peer reaches.
pub(crate) fn scope_of_peer(peer: SocketAddr) -> io::Result<Scope> {
    Ok(scope_of(peer.ip(), &own_addresses()?))
}

/// The addresses of all of this machine's interfaces, as they are now.
fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let addresses = getifaddrs()?.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    });
    Ok(addresses.collect())
}

/// Refuses a name of which an address does not reach as far as `least`. One is enough: which of them is
/// connected to may be somebody else's choice.
pub(crate) fn judge(host: &str, addresses: &[SocketAddr], least: Scope) -> io::Result<()> {
    if least == Scope::Inward {
        return Ok(());
    }
    let own = own_addresses()?;
    let mut addresses = addresses.iter().map(SocketAddr::ip);
    match addresses.find(|address| scope_of(*address, &own) < least) {
        Some(address) => Err(io::Error::other(OutOfScope {
            host: host.to_owned(),
            address,
        })),
        None => Ok(()),
    }
}

/// Resolves a name within a time, and judges what it resolves to.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    least: Scope,
    limit: Duration,
) -> io::Result<Vec<SocketAddr>> {
    let resolving = tokio::net::lookup_host((host, port));
    let found: Vec<_> = answered(host, limit, resolving).await?.collect();
    judge(host, &found, least)?;
    Ok(found)
}

/// What name servers answer, if they do within a time.
async fn answered<T>(
    host: &str,
    limit: Duration,
    resolving: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let answer = tokio::time::timeout(limit, resolving).await;
    answer.unwrap_or_else(|_| {
        let host = host.to_owned();
        Err(io::Error::other(NoNameServer { host, limit }))
    })
}

/// Whether an address was found and may not be reached.
pub(crate) fn is_out_of_scope(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<OutOfScope>())
}

/// Resolves names with the system's resolver and refuses those with an address that does not reach as far
/// as it must.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    pub(crate) least: Scope,
    /// The time for a name.
    pub(crate) limit: Duration,
    /// The proxy: the user's own setting, wherever it is.
    pub(crate) exempt: BTreeSet<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let exempt = self.exempt.contains(&host);
        let least = if exempt { Scope::Inward } else { self.least };
        let limit = self.limit;
        Box::pin(async move {
            let found = resolve(&host, 0, least, limit).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_every_spelling() {
        let inward = [
            "127.0.0.1",
            "127.9.9.9",
            "2130706433",
            "0x7f.1",
            "127.1.",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "0xa9fea9fe",
            "0250.077.0201.020",
            "100.100.100.200",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:0:127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fd20:ce::254]",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
        ];
        let private = ["10.0.0.1", "192.168.1.1", "[fd00::1]"];
        let public = ["8.8.8.8", "[2606:4700::1]", "[::ffff:8.8.8.8]"];
        let names = [
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
        ];
        let cases = [
            (&inward[..], Some(Scope::Inward)),
            (&private[..], Some(Scope::Private)),
            (&public[..], Some(Scope::Public)),
            (&names[..], None),
        ];
        for (hosts, expected) in cases {
            for host in hosts {
                for scheme in ["http", "smb"] {
                    let url = Url::parse(&format!("{scheme}://{host}/")).unwrap();
                    let found = scope_of_host(&url).unwrap();
                    // A network of the tests' own machine may have one of these.
                    let own = expected == Some(Scope::Private) && found == Some(Scope::Inward);
                    assert!(found == expected || own, "{url}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn every_address_of_this_machine_is_inward() {
        let own = own_addresses().unwrap();
        assert!(own.contains(&"127.0.0.1".parse().unwrap()), "{own:?}");
        for address in own {
            let peer = SocketAddr::new(address, 80);
            assert_eq!(scope_of_peer(peer).unwrap(), Scope::Inward, "{address}");
            for least in [Scope::Private, Scope::Public] {
                let error = judge("h", &[peer], least).unwrap_err();
                assert!(is_out_of_scope(&error), "{error}");
            }
            judge("h", &[peer], Scope::Inward).unwrap();
        }
    }

    #[test]
    fn one_address_too_near_is_enough() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            let addresses = texts
                .iter()
                .map(|text| (text.parse::<IpAddr>().unwrap(), 1).into());
            addresses.collect()
        };
        for (texts, least, allowed) in [
            (&["8.8.8.8", "2606:4700::1"][..], Scope::Public, true),
            (&["8.8.8.8", "192.168.77.77"], Scope::Public, false),
            (&["8.8.8.8", "192.168.77.77"], Scope::Private, true),
            (&["8.8.8.8", "169.254.169.254"], Scope::Private, false),
            (&["127.0.0.1"], Scope::Inward, true),
        ] {
            let judged = judge("h", &addresses(texts), least);
            assert_eq!(judged.is_ok(), allowed, "{texts:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_server_that_never_answers_is_given_up_and_named() {
        let started = tokio::time::Instant::now();
        let never = std::future::pending::<io::Result<()>>();
        let limit = Duration::from_secs(30);
        let error = answered("images.example.org", limit, never).await;
        let error = error.unwrap_err();
        assert_eq!(started.elapsed(), limit);
        let said = error.to_string();
        assert!(
            said.contains("images.example.org was not resolved within 30 s"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_name_that_resolves_inward_is_refused_unless_exempt() {
        for (least, exempt, allowed) in [
            (Scope::Public, &[][..], false),
            (Scope::Private, &[], false),
            (Scope::Inward, &[], true),
            (Scope::Public, &["localhost"], true),
            (Scope::Public, &["other"], false),
        ] {
            let resolver = GuardedResolver {
                least,
                limit: Duration::from_secs(30),
                exempt: exempt.iter().map(|name| (*name).to_owned()).collect(),
            };
            match resolver.resolve("localhost".parse().unwrap()).await {
                Ok(mut found) => assert!(allowed && found.next().is_some()),
                Err(error) => {
                    let shown = error.to_string();
                    assert!(
                        !allowed && shown.contains("localhost resolves to "),
                        "{shown}"
                    );
                }
            }
        }
    }
}
