use std::net::TcpListener as Taken;

use super::*;
use crate::http_server::host_network::HostAddress;

fn on_loopback(ports: RangeInclusive<u16>) -> Listen {
    Listen {
        address: Some(Ipv4Addr::LOCALHOST.into()),
        ports,
        protocol: HttpNetworkProtocol::Tcp,
    }
}

/// Some neighbouring ports that are all taken, below those that systems give to clients.
fn ports_around(taken: u16) -> (Vec<Taken>, RangeInclusive<u16>) {
    loop {
        let first: u16 = rand::rng().random_range(10_000..20_000);
        let ports = first..=first + taken - 1;
        let bind = |port| Taken::bind((Ipv4Addr::LOCALHOST, port)).ok();
        if let Some(listeners) = ports.clone().map(bind).collect() {
            return (listeners, ports);
        }
    }
}

#[test]
fn the_free_port_of_a_range_is_found_from_everywhere() {
    let (mut taken, ports) = ports_around(3);
    let free = taken.remove(1).local_addr().unwrap().port();
    let listen = on_loopback(ports.clone());
    for first in ports {
        let listener = listen.bind_from(first, Ipv4Addr::LOCALHOST.into()).unwrap();
        assert_eq!(listener.local_addr().unwrap().port(), free, "from {first}");
    }
}

#[test]
fn without_a_free_port_the_error_names_the_range() {
    let (_taken, ports) = ports_around(2);
    let (first, last) = (*ports.start(), *ports.end());
    let error = on_loopback(ports).bind().unwrap_err();
    assert!(
        matches!(error, HttpServerError::NoFreePort { min, max } if (min, max) == (first, last)),
        "{error:?}"
    );
}

#[test]
fn an_address_of_another_machine_is_an_error_that_names_it() {
    let listen = Listen {
        // TEST-NET-3 of RFC 5737.
        address: Some(Ipv4Addr::new(203, 0, 113, 9).into()),
        ..on_loopback(8000..=9000)
    };
    let error = listen.bind().unwrap_err().to_string();
    assert!(error.contains("203.0.113.9:"), "{error}");
}

#[test]
fn the_protocol_decides_what_is_listened_on() {
    for (protocol, expected) in [
        (HttpNetworkProtocol::Tcp4, "0.0.0.0"),
        (HttpNetworkProtocol::Tcp6, "::"),
        (HttpNetworkProtocol::Tcp, "::"),
    ] {
        let listen = Listen {
            address: None,
            ports: 1..=1,
            protocol,
        };
        let address = listen.unspecified_or_address();
        assert_eq!(address.to_string(), expected);
    }
}

#[test]
fn an_interface_is_its_address() {
    let here = HostNetwork {
        addresses: [
            ("eth0", "fe80::1"),
            ("eth0", "192.0.2.7"),
            ("lo", "127.0.0.1"),
        ]
        .map(|(interface, ip)| HostAddress {
            interface: interface.to_string(),
            ip: ip.parse().unwrap(),
        })
        .to_vec(),
        default_route: None,
    };
    let listen = on_loopback(8000..=9000);
    let found = listen.clone().on_interface("eth0", &here).unwrap();
    assert_eq!(found.address, Some(Ipv4Addr::new(192, 0, 2, 7).into()));
    let error = listen.on_interface("eth1", &here).unwrap_err().to_string();
    assert_eq!(
        error,
        "this machine has no network interface `eth1` with a fitting address; there are: eth0, lo"
    );
}
