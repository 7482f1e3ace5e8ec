use ipnet::IpNet;

use super::*;
use crate::http_server::host_network::{DefaultRoute, HostAddress};
use crate::http_server::peers::Peers;

fn here() -> HostNetwork {
    let addresses = [
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("eth0", "fe80::1"),
        ("eth0", "2001:db8::7"),
        ("eth0", "192.0.2.7"),
        ("virbr0", "192.168.122.1"),
        ("virbr0", "fd00::1"),
        ("br0", "fe80::2"),
        ("br1", "198.51.100.1"),
    ];
    HostNetwork {
        addresses: addresses
            .iter()
            .map(|(interface, ip)| HostAddress {
                interface: (*interface).to_string(),
                ip: ip.parse().unwrap(),
                network: network_of(ip),
            })
            .collect(),
        default_route: Some(DefaultRoute {
            interface: "eth0".to_string(),
            gateway: Ipv4Addr::new(192, 0, 2, 1),
        }),
    }
}

/// Those of IPv4 are of 24 bits, those of IPv6 of 64.
fn network_of(ip: &str) -> IpNet {
    let ip: IpAddr = ip.parse().unwrap();
    let bits = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, bits).unwrap().trunc()
}

fn bound(address: &str) -> Option<IpAddr> {
    (!address.is_empty()).then(|| address.parse().unwrap())
}

fn network(bridge: Option<&str>, addresses: &[&str]) -> GuestNetwork {
    GuestNetwork::Network {
        name: "net".to_string(),
        bridge: bridge.map(str::to_string),
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    }
}

fn elsewhere(route: &str) -> Place {
    Place::Elsewhere {
        host: "kvm.example".to_string(),
        route: (!route.is_empty()).then(|| route.parse().unwrap()),
    }
}

/// The address, with a `!` if there is a warning, or the error.
fn shown(result: Result<GuestAddress, NoGuestAddress>) -> String {
    match result {
        Ok(address) => {
            let mark = if address.warning.is_some() { "!" } else { "" };
            format!("{}{mark}", address.in_url())
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_guests_interface_decides() {
    use HttpNetworkProtocol::{Tcp, Tcp4, Tcp6};
    let bridge = |name: &str| GuestNetwork::Bridge(name.to_string());
    let direct = || GuestNetwork::Direct("eth0".to_string());
    let default = || network(Some("virbr0"), &["fd00::1", "192.168.122.1"]);
    for (guest, place, wanted, protocol, expected) in [
        // A network of libvirt.
        (default(), Place::Here, "", Tcp, "192.168.122.1"),
        (default(), Place::Here, "", Tcp4, "192.168.122.1"),
        (default(), Place::Here, "", Tcp6, "[fd00::1]"),
        (default(), Place::Here, "0.0.0.0", Tcp, "192.168.122.1"),
        (
            network(Some("br1"), &[]),
            Place::Here,
            "",
            Tcp,
            "198.51.100.1",
        ),
        (
            network(Some("br0"), &[]),
            Place::Here,
            "",
            Tcp,
            "192.0.2.7!",
        ),
        (network(None, &[]), Place::Here, "", Tcp, "192.0.2.7!"),
        (
            network(None, &["10.9.9.1"]),
            Place::Here,
            "",
            Tcp,
            "192.0.2.7!",
        ),
        // A bridge.
        (bridge("br1"), Place::Here, "", Tcp, "198.51.100.1"),
        (bridge("br1"), Place::Here, "", Tcp6, "[2001:db8::7]!"),
        (bridge("br0"), Place::Here, "", Tcp, "192.0.2.7!"),
        (bridge("none"), Place::Here, "", Tcp, "192.0.2.7!"),
        // passt.
        (GuestNetwork::User, Place::Here, "", Tcp, "192.0.2.1"),
        (
            GuestNetwork::User,
            Place::Here,
            "127.0.0.1",
            Tcp,
            "192.0.2.1",
        ),
        (
            GuestNetwork::User,
            Place::Here,
            "192.0.2.7",
            Tcp,
            "192.0.2.7!",
        ),
        (
            GuestNetwork::User,
            Place::Here,
            "192.168.122.1",
            Tcp,
            "192.168.122.1",
        ),
        // macvtap.
        (direct(), Place::Here, "", Tcp, "192.0.2.7!"),
        // What the user says.
        (default(), Place::Here, "198.51.100.1", Tcp, "198.51.100.1"),
        (direct(), Place::Here, "198.51.100.1", Tcp, "198.51.100.1"),
        (default(), Place::Here, "127.0.0.1", Tcp, "127.0.0.1!"),
        (
            default(),
            elsewhere(""),
            "198.51.100.1",
            Tcp,
            "198.51.100.1",
        ),
        // Elsewhere.
        (default(), elsewhere("192.0.2.7"), "", Tcp, "192.0.2.7"),
        (
            GuestNetwork::User,
            elsewhere("192.0.2.7"),
            "",
            Tcp,
            "192.0.2.7",
        ),
        (direct(), elsewhere("2001:db8::7"), "", Tcp, "[2001:db8::7]"),
        // Over the loopback, to this very machine.
        (default(), elsewhere("127.0.0.1"), "", Tcp, "192.168.122.1"),
    ] {
        let result = guest_address(&guest, &place, &here(), bound(wanted), protocol);
        assert_eq!(shown(result), expected, "{guest:?} {place:?} {wanted:?}");
    }
}

#[test]
fn without_an_address_the_error_says_what_to_set() {
    use HttpNetworkProtocol::{Tcp, Tcp4, Tcp6};
    let alone = HostNetwork {
        addresses: here().addresses[..2].to_vec(),
        default_route: None,
    };
    let bridge = GuestNetwork::Bridge("br0".to_string());
    let tunnel = elsewhere("127.0.0.1");
    for (guest, place, here, protocol, expected) in [
        (
            &bridge,
            &Place::Here,
            &alone,
            Tcp,
            "set `http_bind_address`",
        ),
        (&bridge, &Place::Here, &alone, Tcp4, "over IPv4"),
        (
            &bridge,
            &elsewhere(""),
            &here(),
            Tcp,
            "set `http_bind_address`",
        ),
        (&bridge, &tunnel, &here(), Tcp, "a guest on kvm.example"),
        (
            &GuestNetwork::User,
            &tunnel,
            &here(),
            Tcp,
            "a guest on kvm.example",
        ),
        (
            &GuestNetwork::User,
            &Place::Here,
            &here(),
            Tcp6,
            "http_network_protocol",
        ),
    ] {
        let error = guest_address(guest, place, here, None, protocol).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn passt_has_a_router_of_its_own_where_its_host_has_none() {
    let alone = HostNetwork::default();
    let (guest, protocol) = (GuestNetwork::User, HttpNetworkProtocol::Tcp);
    let address = guest_address(&guest, &Place::Here, &alone, None, protocol);
    assert_eq!(shown(address), "169.254.2.2");
}

#[test]
fn the_server_listens_for_the_guest_and_nowhere_else() {
    use HttpNetworkProtocol::{Tcp, Tcp6};
    let bridge = |name: &str| GuestNetwork::Bridge(name.to_string());
    let direct = || GuestNetwork::Direct("eth0".to_string());
    let default = || network(Some("virbr0"), &["fd00::1", "192.168.122.1"]);
    let libvirts = "fd00::/64, 192.168.122.0/24";
    for (guest, place, wanted, protocol, address, peers) in [
        (default(), Place::Here, "", Tcp, "192.168.122.1", libvirts),
        (default(), Place::Here, "", Tcp6, "fd00::1", libvirts),
        (
            network(Some("br1"), &[]),
            Place::Here,
            "",
            Tcp,
            "198.51.100.1",
            "198.51.100.0/24",
        ),
        (
            bridge("br1"),
            Place::Here,
            "",
            Tcp,
            "198.51.100.1",
            "198.51.100.0/24",
        ),
        // passt comes from this machine.
        (
            GuestNetwork::User,
            Place::Here,
            "",
            Tcp,
            "127.0.0.1",
            "127.0.0.0/8, ::1/128",
        ),
        (
            GuestNetwork::User,
            Place::Here,
            "127.0.0.2",
            Tcp,
            "127.0.0.2",
            "127.0.0.0/8, ::1/128",
        ),
        // The guest's network is not known.
        (
            bridge("br0"),
            Place::Here,
            "",
            Tcp,
            "192.0.2.7",
            "everybody",
        ),
        (direct(), Place::Here, "", Tcp, "192.0.2.7", "everybody"),
        (
            default(),
            elsewhere("192.0.2.7"),
            "",
            Tcp,
            "192.0.2.7",
            "everybody",
        ),
        // What the user says, and what of it is the guest's side.
        (
            default(),
            Place::Here,
            "0.0.0.0",
            Tcp,
            "0.0.0.0",
            "everybody",
        ),
        (default(), Place::Here, "::", Tcp, "::", "everybody"),
        (
            default(),
            Place::Here,
            "192.0.2.7",
            Tcp,
            "192.0.2.7",
            "everybody",
        ),
        (
            default(),
            Place::Here,
            "192.168.122.1",
            Tcp,
            "192.168.122.1",
            libvirts,
        ),
        // The same network at another place than here.
        (
            default(),
            elsewhere("192.0.2.7"),
            "192.168.122.1",
            Tcp,
            "192.168.122.1",
            "everybody",
        ),
        (
            default(),
            elsewhere("127.0.0.1"),
            "",
            Tcp,
            "192.168.122.1",
            libvirts,
        ),
    ] {
        let found = guest_address(&guest, &place, &here(), bound(wanted), protocol).unwrap();
        let case = format!("{guest:?} {place:?} {wanted:?}");
        assert_eq!(found.listen.to_string(), address, "{case}");
        let served = Peers::of(found.listen, &guest, &place, &here());
        // Those of one interface, in its order.
        let mut served: Vec<_> = served.to_string().split(", ").map(str::to_owned).collect();
        let mut expected: Vec<_> = peers.split(", ").map(str::to_owned).collect();
        served.sort();
        expected.sort();
        assert_eq!(served, expected, "{case}");
    }
}

#[test]
fn peers_are_told_by_their_network() {
    let (guest, here) = (network(Some("virbr0"), &["192.168.122.1"]), here());
    let address = "192.168.122.1".parse().unwrap();
    let peers = Peers::of(address, &guest, &Place::Here, &here);
    for (peer, is_served) in [
        ("192.168.122.2", true),
        ("192.168.122.254", true),
        ("192.168.122.1", true),
        ("fd00::2", true),
        ("192.168.123.2", false),
        ("192.0.2.7", false),
        ("127.0.0.1", false),
        ("fd01::2", false),
        ("::1", false),
    ] {
        assert_eq!(peers.admits(peer.parse().unwrap()), is_served, "{peer}");
    }
}
