use std::net::{Ipv4Addr, TcpListener as Taken};

use super::*;

fn on_loopback(ports: RangeInclusive<u16>) -> Listen {
    Listen {
        address: Ipv4Addr::LOCALHOST.into(),
        ports,
        protocol: HttpNetworkProtocol::Tcp,
        peers: Peers::Anyone,
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
        let listener = listen.bind_from(first).unwrap();
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
        address: Ipv4Addr::new(203, 0, 113, 9).into(),
        ..on_loopback(8000..=9000)
    };
    let error = listen.bind().unwrap_err().to_string();
    assert!(error.contains("203.0.113.9:"), "{error}");
}
