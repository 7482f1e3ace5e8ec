//! By which address the guest reaches the HTTP server: what `{{ .HTTPIP }}` stands for. And so where
//! the server listens: there and nowhere else.
//!
//! ```text
//!                                        {{ .HTTPIP }}                       listens on
//! http_bind_address, http_interface      that address                        the same
//!   one of zeros                         as below                            all addresses
//! else, the hypervisor is elsewhere      this machine's on the way to it     the same
//! else, by the guest's interface:
//!   a network of libvirt                 the network's own: its bridge's     the same
//!   a network without one, a bridge      the bridge's                        the same
//!   user (passt)                         the router's                        the loopback
//!   direct (macvtap)                     this machine's, with a warning      the same
//! ```
//!
//! passt gives the guest the addresses of its host, so by those the guest reaches itself. Instead
//! it takes connections to the default route's router for ones to the host's loopback, see
//! `--no-map-gw` and `--map-host-loopback` in `passt(1)`.

use std::net::{IpAddr, Ipv4Addr};

use lvhost_config::HttpNetworkProtocol;

use super::host_network::{HostNetwork, preferred};

/// The router that passt shows to a guest where its host has no default route (`IP4_LL_GUEST_GW` in
/// passt's `conf.c`).
const PASST_ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 2, 2);

/// What the guest's interface is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestNetwork {
    /// A network of libvirt.
    Network {
        /// Its name.
        name: String,
        /// Its bridge, if it has one.
        bridge: Option<String>,
        /// The addresses of its `<ip>` elements.
        addresses: Vec<IpAddr>,
    },
    /// A bridge of the hypervisor's host.
    Bridge(String),
    /// passt.
    User,
    /// A macvtap device on an interface of the hypervisor's host.
    Direct(String),
}

/// Where the hypervisor is, seen from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Here.
    Here,
    /// On another machine.
    Elsewhere {
        /// The host in the connection's URI.
        host: String,
        /// This machine's address on the way to it, from [`route_to`](super::route_to).
        route: Option<IpAddr>,
    },
}

/// The address for the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestAddress {
    /// The address.
    pub ip: IpAddr,
    /// Where the server has to listen for the guest to reach it there.
    pub listen: IpAddr,
    /// Why the guest may not reach it, and what to do then.
    pub warning: Option<String>,
}

impl GuestAddress {
    /// The address as it stands in a URL: IPv6 in brackets.
    pub fn in_url(&self) -> String {
        match self.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }
    }

    fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            listen: ip,
            warning: None,
        }
    }

    /// What passt takes for the host's loopback.
    fn passt_router(here: &HostNetwork) -> Self {
        let route = here.default_route.as_ref();
        Self {
            ip: route.map_or(PASST_ROUTER, |route| route.gateway).into(),
            listen: Ipv4Addr::LOCALHOST.into(),
            warning: None,
        }
    }

    fn warn(mut self, warning: String) -> Self {
        self.warning = Some(warning);
        self
    }
}

/// Why there is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGuestAddress {
    /// The hypervisor's host is reached through a tunnel or not at all.
    #[error(
        "can't tell by which address a guest on {host} reaches this machine; set \
         `http_bind_address` to one that it can"
    )]
    Elsewhere {
        /// The hypervisor's host.
        host: String,
    },
    /// There is only loopback.
    #[error(
        "this machine has no address by which a guest could reach it{}; set `http_bind_address`, \
         or attach the guest to a network of libvirt", family(*.protocol)
    )]
    NoAddress {
        /// What kind of address was looked for.
        protocol: HttpNetworkProtocol,
    },
    /// passt knows no such way.
    #[error(
        "a guest on a `user` interface reaches this machine by IPv4 only; set \
         `http_network_protocol` to \"tcp\" or \"tcp4\""
    )]
    UserOverIpv6,
}

fn family(protocol: HttpNetworkProtocol) -> &'static str {
    match protocol {
        HttpNetworkProtocol::Tcp => "",
        HttpNetworkProtocol::Tcp4 => " over IPv4",
        HttpNetworkProtocol::Tcp6 => " over IPv6",
    }
}

/// Finds the address. `bound` is what the user wants to listen on, by address or by interface.
///
/// # Errors
/// There is none, or it can't be known.
pub fn guest_address(
    guest: &GuestNetwork,
    place: &Place,
    here: &HostNetwork,
    bound: Option<IpAddr>,
    protocol: HttpNetworkProtocol,
) -> Result<GuestAddress, NoGuestAddress> {
    match (bound, place) {
        (Some(all), _) if all.is_unspecified() => {
            let address = chosen(guest, place, here, protocol)?;
            Ok(GuestAddress {
                listen: all,
                ..address
            })
        }
        (Some(bound), Place::Here) if *guest == GuestNetwork::User => user(bound, here),
        (Some(bound), _) if bound.is_loopback() => Ok(GuestAddress::new(bound).warn(format!(
            "the HTTP server listens on {bound} only (`http_bind_address`), which the guest takes \
             for itself; leave it out to listen where the guest reaches it"
        ))),
        (Some(bound), _) => Ok(GuestAddress::new(bound)),
        (None, _) => chosen(guest, place, here, protocol),
    }
}

/// The address where the user does not say one.
fn chosen(
    guest: &GuestNetwork,
    place: &Place,
    here: &HostNetwork,
    protocol: HttpNetworkProtocol,
) -> Result<GuestAddress, NoGuestAddress> {
    let local = || on_this_machine(guest, here, protocol);
    match place {
        Place::Here => local(),
        Place::Elsewhere { host, route } => {
            let unknown = || NoGuestAddress::Elsewhere { host: host.clone() };
            match route.ok_or_else(unknown)? {
                // At the end of the loopback is this machine, or a tunnel to another one.
                ip if ip.is_loopback() => local()
                    .ok()
                    .filter(|address| address.warning.is_none() && here.has(address.ip))
                    .ok_or_else(unknown),
                ip => Ok(GuestAddress::new(ip)),
            }
        }
    }
}

fn on_this_machine(
    guest: &GuestNetwork,
    here: &HostNetwork,
    protocol: HttpNetworkProtocol,
) -> Result<GuestAddress, NoGuestAddress> {
    let outward = |warning: String| {
        let ip = here
            .outward(protocol)
            .ok_or(NoGuestAddress::NoAddress { protocol })?;
        Ok(GuestAddress::new(ip).warn(format!(
            "{warning}; {ip} is taken for `{{{{ .HTTPIP }}}}`: if the guest does not reach it, set \
             `http_bind_address`"
        )))
    };
    let bridge_address = |bridge: &str| match here.address_on(bridge, protocol) {
        Some(ip) => Ok(GuestAddress::new(ip)),
        None => outward(format!(
            "the bridge {bridge} has no address on this machine"
        )),
    };
    match guest {
        GuestNetwork::Network {
            name,
            bridge,
            addresses,
        } => match (preferred(addresses.iter().copied(), protocol), bridge) {
            (Some(ip), _) if here.has(ip) => Ok(GuestAddress::new(ip)),
            (Some(ip), _) => outward(format!(
                "the address {ip} of the network {name} is none of this machine's"
            )),
            (None, Some(bridge)) => bridge_address(bridge),
            (None, None) => outward(format!("the network {name} has no address")),
        },
        GuestNetwork::Bridge(bridge) => bridge_address(bridge),
        GuestNetwork::Direct(device) => outward(format!(
            "a guest on a `direct` interface does not reach the machine it runs on through {device}"
        )),
        GuestNetwork::User if protocol == HttpNetworkProtocol::Tcp6 => {
            Err(NoGuestAddress::UserOverIpv6)
        }
        GuestNetwork::User => Ok(GuestAddress::passt_router(here)),
    }
}

/// The address of a server on `bound` for a guest behind passt on this machine.
fn user(bound: IpAddr, here: &HostNetwork) -> Result<GuestAddress, NoGuestAddress> {
    if bound.is_loopback() {
        return if bound.is_ipv4() {
            Ok(GuestAddress {
                listen: bound,
                ..GuestAddress::passt_router(here)
            })
        } else {
            Err(NoGuestAddress::UserOverIpv6)
        };
    }
    let shared = here.default_route.as_ref().is_some_and(|route| {
        here.addresses
            .iter()
            .any(|address| address.interface == route.interface && address.ip == bound)
    });
    let address = GuestAddress::new(bound);
    Ok(if shared {
        address.warn(format!(
            "a guest on a `user` interface has the address {bound} itself (`http_bind_address`) \
             and won't reach the HTTP server there; set it to \"127.0.0.1\", or leave it out"
        ))
    } else {
        address
    })
}

#[cfg(test)]
mod tests;
