//! The network of this machine, as far as a guest's way to it depends on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use lvhost_config::HttpNetworkProtocol;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use super::HttpServerError;

/// Linux' table of IPv4 routes, see `proc_net_route(5)`.
const ROUTES: &str = "/proc/net/route";

/// An address of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    /// The interface's name.
    pub interface: String,
    /// One of its addresses.
    pub ip: IpAddr,
    /// The network that is reached through it.
    pub network: IpNet,
}

/// The route to everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoute {
    /// The interface it goes through.
    pub interface: String,
    /// The router.
    pub gateway: Ipv4Addr,
}

/// The addresses and the route of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNetwork {
    /// All addresses, in the system's order.
    pub addresses: Vec<HostAddress>,
    /// The default route of IPv4.
    pub default_route: Option<DefaultRoute>,
}

impl HostNetwork {
    /// Asks the system.
    ///
    /// # Errors
    /// [`HttpServerError::HostNetwork`].
    pub fn read() -> Result<Self, HttpServerError> {
        let interfaces =
            getifaddrs().map_err(|errno| HttpServerError::HostNetwork(errno.into()))?;
        let addresses = interfaces.filter_map(|found| {
            let ip = ip_of(&found.address?)?;
            let mask = found.netmask.as_ref().and_then(ip_of);
            let network = mask.and_then(|mask| IpNet::with_netmask(ip, mask).ok());
            Some(HostAddress {
                interface: found.interface_name,
                ip,
                // Without a mask, as at the end of a tunnel, it is reached alone.
                network: network.unwrap_or_else(|| ip.into()).trunc(),
            })
        });
        Ok(Self {
            addresses: addresses.collect(),
            // Without the table (a system that isn't Linux) no rule below needs the route.
            default_route: std::fs::read_to_string(ROUTES)
                .ok()
                .and_then(|table| default_route(&table)),
        })
    }

    /// The names of all interfaces, each once.
    pub fn interfaces(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .addresses
            .iter()
            .map(|address| address.interface.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// An interface's address that can stand in a URL: IPv4 before IPv6.
    pub fn address_on(&self, interface: &str, protocol: HttpNetworkProtocol) -> Option<IpAddr> {
        let own = self
            .addresses
            .iter()
            .filter(|address| address.interface == interface);
        preferred(own.map(|address| address.ip), protocol)
    }

    /// The address that `http_interface` stands for.
    ///
    /// # Errors
    /// [`HttpServerError::NoInterface`] with the names that exist.
    pub fn http_interface(
        &self,
        interface: &str,
        protocol: HttpNetworkProtocol,
    ) -> Result<IpAddr, HttpServerError> {
        self.address_on(interface, protocol).ok_or_else(|| {
            let names = self.interfaces();
            HttpServerError::NoInterface {
                interface: interface.to_string(),
                there_are: if names.is_empty() {
                    String::new()
                } else {
                    format!("; there are: {}", names.join(", "))
                },
            }
        })
    }

    /// The networks that are reached through the interface with this address; none if no interface
    /// has it.
    pub fn networks_beside(&self, ip: IpAddr) -> Vec<IpNet> {
        let bearer = self.addresses.iter().find(|address| address.ip == ip);
        let Some(bearer) = bearer else {
            return Vec::new();
        };
        let same = |address: &&HostAddress| address.interface == bearer.interface;
        let networks = self.addresses.iter().filter(same);
        networks.map(|address| address.network).collect()
    }

    /// Whether an address is one of this machine's.
    pub fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
    }

    /// The address by which this machine is most likely known to others: that of the default
    /// route's interface, else any that isn't its loopback.
    pub fn outward(&self, protocol: HttpNetworkProtocol) -> Option<IpAddr> {
        let routed = self
            .default_route
            .as_ref()
            .and_then(|route| self.address_on(&route.interface, protocol));
        let others = self.addresses.iter().map(|address| address.ip);
        routed.or_else(|| preferred(others.filter(|ip| !ip.is_loopback()), protocol))
    }
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
        (_, Some(v6)) => Some(IpAddr::V6(v6.ip())),
        _ => None,
    }
}

/// The first address of a protocol that can stand in a URL, IPv4 before IPv6. A link-local address
/// of IPv6 can't: it means nothing without the guest's name of its interface.
pub(super) fn preferred(
    addresses: impl Iterator<Item = IpAddr>,
    protocol: HttpNetworkProtocol,
) -> Option<IpAddr> {
    addresses
        .filter(|ip| match ip {
            IpAddr::V4(_) => protocol != HttpNetworkProtocol::Tcp6,
            IpAddr::V6(ip) => protocol != HttpNetworkProtocol::Tcp4 && !ip.is_unicast_link_local(),
        })
        .min_by_key(IpAddr::is_ipv6)
}

/// Finds the default route with the lowest metric; of equal ones the first.
fn default_route(table: &str) -> Option<DefaultRoute> {
    const GATEWAY: u16 = 0x2;
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let &[
            interface,
            "00000000",
            gateway,
            flags,
            _,
            _,
            metric,
            "00000000",
            ..,
        ] = fields.as_slice()
        else {
            return None;
        };
        if u16::from_str_radix(flags, 16).ok()? & GATEWAY == 0 {
            return None;
        }
        // The address' bytes as they are in memory, read as one number.
        let gateway = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
        let route = DefaultRoute {
            interface: interface.to_string(),
            gateway: gateway.into(),
        };
        Some((metric.parse::<u32>().ok()?, route))
    });
    routes
        .min_by_key(|(metric, _)| *metric)
        .map(|(_, route)| route)
}

/// How long a name server may take. libvirt has just looked the same name up to connect.
const NAME_LIMIT: Duration = Duration::from_secs(15);

/// The address of this machine that its packets to `host` carry. Nothing is sent, but `host` is
/// looked up if it is a name.
///
/// # Errors
/// The name is not known, or there is no route.
pub async fn route_to(host: &str) -> io::Result<IpAddr> {
    // Any port will do.
    const PORT: u16 = 9;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for peer in timeout(NAME_LIMIT, lookup_host((host, PORT))).await?? {
        let any: SocketAddr = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        match local_address(any, peer).await {
            Ok(address) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn local_address(any: SocketAddr, peer: SocketAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(any).await?;
    socket.connect(peer).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
eth1	00000000	00000000	0001	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_default_route_is_the_one_the_system_takes() {
        let route = default_route(TABLE).unwrap();
        assert_eq!(route.interface, "eth0");
        assert_eq!(route.gateway, Ipv4Addr::new(192, 0, 2, 1));
        let first = TABLE.lines().take(2).collect::<Vec<_>>().join("\n");
        let route = default_route(&first).unwrap();
        assert_eq!(route.gateway, Ipv4Addr::new(192, 168, 1, 1));
    }

    #[test]
    fn a_table_without_a_default_route_has_none() {
        for table in [
            "",
            "Iface\n",
            "Iface\neth0 zz\n",
            "Iface\neth0\t00000000\tx\t3\n",
        ] {
            assert_eq!(default_route(table), None, "{table:?}");
        }
    }

    #[test]
    fn this_machine_has_its_loopback() {
        let here = HostNetwork::read().unwrap();
        assert!(here.has(Ipv4Addr::LOCALHOST.into()), "{here:?}");
        assert!(here.interfaces().contains(&"lo"), "{here:?}");
        let networks = here.networks_beside(Ipv4Addr::LOCALHOST.into());
        assert!(
            networks.contains(&"127.0.0.0/8".parse().unwrap()),
            "{here:?}"
        );
        let address = here.address_on("lo", HttpNetworkProtocol::Tcp4);
        assert_eq!(address, Some(Ipv4Addr::LOCALHOST.into()));
        if let Some(outward) = here.outward(HttpNetworkProtocol::Tcp) {
            assert!(!outward.is_loopback() && here.has(outward), "{here:?}");
        }
    }

    #[test]
    fn an_interface_is_its_address() {
        let addresses = [
            ("eth0", "fe80::1"),
            ("eth0", "192.0.2.7"),
            ("lo", "127.0.0.1"),
        ];
        let here = HostNetwork {
            addresses: addresses
                .map(|(interface, ip)| HostAddress {
                    interface: interface.to_string(),
                    ip: ip.parse().unwrap(),
                    network: ip.parse::<IpAddr>().unwrap().into(),
                })
                .to_vec(),
            default_route: None,
        };
        let found = here.http_interface("eth0", HttpNetworkProtocol::Tcp);
        assert_eq!(found.unwrap(), IpAddr::from([192, 0, 2, 7]));
        let error = here.http_interface("eth1", HttpNetworkProtocol::Tcp);
        assert_eq!(
            error.unwrap_err().to_string(),
            "this machine has no network interface `eth1` with a fitting address; there are: eth0, lo"
        );
    }

    #[tokio::test]
    async fn the_way_to_this_machine_begins_at_its_loopback() {
        for host in ["127.0.0.1", "localhost"] {
            let address = route_to(host).await.unwrap();
            assert!(address.is_loopback(), "{host}: {address}");
        }
    }
}
