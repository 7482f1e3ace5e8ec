//! Whom the HTTP server serves.
//!
//! The address it listens on is the guest's side of this machine, but a machine that forwards
//! packets takes those for this address from its other sides as well. So who connects from outside
//! of the guest's network is turned away, where lvhost knows that network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::guest_address::{GuestNetwork, Place};
use super::host_network::HostNetwork;

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peers {
    /// Everybody who reaches the address: the guest's network is not known, or the user chose an
    /// address that is not on it.
    Anyone,
    /// Who is in one of these networks.
    Within(Vec<IpNet>),
}

impl Peers {
    /// Those of a server that listens on `address` for a guest.
    pub fn of(address: IpAddr, guest: &GuestNetwork, place: &Place, here: &HostNetwork) -> Self {
        let is_here = match place {
            Place::Here => true,
            Place::Elsewhere { route, .. } => route.is_some_and(|ip| ip.is_loopback()),
        };
        let on = |interface: &str| {
            let mut addresses = here.addresses.iter();
            addresses.any(|known| known.ip == address && known.interface == interface)
        };
        let is_guests_side = match guest {
            GuestNetwork::Network {
                bridge, addresses, ..
            } => addresses.contains(&address) || bridge.as_deref().is_some_and(on),
            GuestNetwork::Bridge(bridge) => on(bridge),
            // passt connects from this machine.
            GuestNetwork::User if address.is_loopback() => return Self::this_machine(),
            GuestNetwork::User | GuestNetwork::Direct(_) => false,
        };
        let networks = here.networks_beside(address);
        if is_here && is_guests_side && !networks.is_empty() {
            Self::Within(networks)
        } else {
            Self::Anyone
        }
    }

    fn this_machine() -> Self {
        Self::Within(vec![
            Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8).trunc().into(),
            Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
        ])
    }

    /// Whether a peer is served.
    pub fn admits(&self, peer: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Within(networks) => networks.iter().any(|network| network.contains(&peer)),
        }
    }
}

impl fmt::Display for Peers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => formatter.write_str("everybody"),
            Self::Within(networks) => {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                formatter.write_str(&networks.join(", "))
            }
        }
    }
}
