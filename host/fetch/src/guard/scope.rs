//! How far an address reaches: judged from the address alone, and from those that this machine has itself.
//!
//! What is special is listed in IANA's registries for IPv4 and IPv6,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>, but for the addresses of clouds. An IPv6
//! address that stands for one of IPv4 is judged as that one, since a translator or a tunnel may lead there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// How far an address reaches, from here outwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// This machine, its link, a service of the cloud it runs in, or nobody: what only this machine
    /// can reach, or what nothing can be downloaded from.
    Inward,
    /// A network that is nobody's on the internet: the one of a house or a company.
    Private,
    /// The internet.
    Public,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// IPv4 addresses that don't reach the internet; the first that fits counts.
const SPECIAL_V4: [(Ipv4Net, Scope); 20] = [
    // Alibaba Cloud's metadata service, in the shared space below.
    (v4(100, 100, 100, 200, 32), Scope::Inward),
    // Azure's metadata, DNS and DHCP: <https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16>.
    (v4(168, 63, 129, 16, 32), Scope::Inward),
    // "This network", RFC 1122 §3.2.1.3: Linux connects 0.0.0.0 to itself.
    (v4(0, 0, 0, 0, 8), Scope::Inward),
    (v4(127, 0, 0, 0, 8), Scope::Inward),
    // Link-local, where most clouds have their metadata service.
    (v4(169, 254, 0, 0, 16), Scope::Inward),
    // Protocol assignments; Oracle's cloud has its metadata service there.
    (v4(192, 0, 0, 0, 24), Scope::Inward),
    // Documentation.
    (v4(192, 0, 2, 0, 24), Scope::Inward),
    (v4(198, 51, 100, 0, 24), Scope::Inward),
    (v4(203, 0, 113, 0, 24), Scope::Inward),
    // Relays of 6to4, of which there are none any more (RFC 7526).
    (v4(192, 88, 99, 0, 24), Scope::Inward),
    // Measurements between devices.
    (v4(198, 18, 0, 0, 15), Scope::Inward),
    // Multicast.
    (v4(224, 0, 0, 0, 4), Scope::Inward),
    // Reserved, and broadcast.
    (v4(240, 0, 0, 0, 4), Scope::Inward),
    (v4(10, 0, 0, 0, 8), Scope::Private),
    (v4(172, 16, 0, 0, 12), Scope::Private),
    (v4(192, 168, 0, 0, 16), Scope::Private),
    // Shared between a provider and its customers (RFC 6598), and what some virtual networks use.
    (v4(100, 64, 0, 0, 10), Scope::Private),
    // The rest is on the internet although it is special: anycast for AS112 and AMT.
    (v4(192, 31, 196, 0, 24), Scope::Public),
    (v4(192, 52, 193, 0, 24), Scope::Public),
    (v4(192, 175, 48, 0, 24), Scope::Public),
];

/// IPv6 addresses that don't reach the internet, or only part of it; the first that fits counts. Whatever
/// is outside of [`GLOBAL_V6`] and not here is nobody's.
const SPECIAL_V6: [(Ipv6Net, Scope); 12] = [
    // Metadata services of Amazon and Google, in the private space below.
    (v6(0xfd00, 0x0ec2, 0, 32), Scope::Inward),
    (v6(0xfd20, 0x00ce, 0, 32), Scope::Inward),
    // Measurements between devices.
    (v6(0x2001, 0x0002, 0, 48), Scope::Inward),
    // Names of keys and not of places (ORCHID), and what stands for drones (DRIP).
    (v6(0x2001, 0x0010, 0, 28), Scope::Inward),
    (v6(0x2001, 0x0020, 0, 28), Scope::Inward),
    (v6(0x2001, 0x0030, 0, 28), Scope::Inward),
    // Documentation.
    (v6(0x2001, 0x0db8, 0, 32), Scope::Inward),
    (v6(0x3fff, 0, 0, 20), Scope::Inward),
    // NAT64 of a network of one's own (RFC 8215). Where in it the IPv4 address stands is known to its
    // translator only.
    (v6(0x0064, 0xff9b, 0x0001, 48), Scope::Inward),
    (v6(0xfe80, 0, 0, 10), Scope::Inward),
    (v6(0xfc00, 0, 0, 7), Scope::Private),
    (GLOBAL_V6, Scope::Public),
];

/// What is given out for the internet.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// How far an address reaches from a machine that has the addresses `own`.
pub(crate) fn scope_of(address: IpAddr, own: &[IpAddr]) -> Scope {
    if own.contains(&address) {
        return Scope::Inward;
    }
    match address {
        IpAddr::V4(address) => {
            let mut special = SPECIAL_V4.iter();
            let fits = special.find(|(network, _)| network.contains(&address));
            fits.map_or(Scope::Public, |(_, scope)| *scope)
        }
        IpAddr::V6(address) => scope_of_v6(address, own),
    }
}

fn scope_of_v6(address: Ipv6Addr, own: &[IpAddr]) -> Scope {
    let itself = if is_all_embedded(address) {
        Scope::Public
    } else {
        let mut special = SPECIAL_V6.iter();
        let fits = special.find(|(network, _)| network.contains(&address));
        fits.map_or(Scope::Inward, |(_, scope)| *scope)
    };
    let embedded = embedded(address);
    let embedded = embedded.into_iter().flatten();
    let embedded = embedded.map(|address| scope_of(IpAddr::V4(address), own));
    embedded.fold(itself, Scope::min)
}

/// Whether an address is nothing but a form of one of IPv4: mapped (::ffff:0:0/96), translated
/// (::ffff:0:0:0/96, RFC 7915) or by NAT64 (64:ff9b::/96, RFC 6052).
fn is_all_embedded(address: Ipv6Addr) -> bool {
    matches!(
        address.segments(),
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..]
    )
}

/// The IPv4 addresses that an IPv6 address stands for, or is reached through.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let segments = address.segments();
    let two = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        _ if is_all_embedded(address) => [two(segments[6], segments[7]), None],
        // 6to4, RFC 3056.
        [0x2002, high, low, ..] => [two(high, low), None],
        // Teredo, RFC 4380 §4: its server, and its client with every bit turned.
        [0x2001, 0, high, low, .., client_high, client_low] => {
            [two(high, low), two(!client_high, !client_low)]
        }
        // ISATAP, RFC 5214 §6.1, in whatever network.
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => [two(high, low), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(text: &str) -> Scope {
        scope_of(text.parse().unwrap(), &[])
    }

    #[test]
    fn addresses_of_every_kind() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::127.0.0.1",
            "64:ff9b:1:7f00:0:100::",
            "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::1",
            // Teredo of a public server and the client 127.0.0.1.
            "2001:0:808:808:0:0:80ff:fffe",
            "2001:470:1:2:0:5efe:127.0.0.1",
            "2001:470:1:2:200:5efe:169.254.169.254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100::1",
            "2001:2::1",
            "2001:10::1",
            "2001:2f::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
            "e000::1",
        ] {
            assert_eq!(scope(text), Scope::Inward, "{text}");
        }
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "fd00::1",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:10.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:0a00:0001::1",
        ] {
            assert_eq!(scope(text), Scope::Private, "{text}");
        }
        for text in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "168.63.129.17",
            "192.0.1.1",
            "192.31.196.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2001:470::1",
            "2606:4700::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ] {
            assert_eq!(scope(text), Scope::Public, "{text}");
        }
    }

    #[test]
    fn what_this_machine_has_itself_is_inward_in_every_form() {
        let own: [IpAddr; 2] = ["93.184.216.34".parse().unwrap(), "2a00::5".parse().unwrap()];
        for text in [
            "93.184.216.34",
            "::ffff:93.184.216.34",
            "64:ff9b::93.184.216.34",
            "2002:5db8:d822::1",
            "2a00::5",
        ] {
            assert_eq!(
                scope_of(text.parse().unwrap(), &own),
                Scope::Inward,
                "{text}"
            );
            assert_eq!(scope(text), Scope::Public, "{text}");
        }
        assert_eq!(scope_of("2a00::6".parse().unwrap(), &own), Scope::Public);
    }

    /// An IPv4 address in each form that IPv6 has for it.
    fn forms(address: Ipv4Addr, noise: [u16; 4]) -> Vec<Ipv6Addr> {
        let [a, b, c, d] = address.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let [n, o, p, q] = noise;
        vec![
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, n, o, p, q, n),
            Ipv6Addr::new(0x2001, 0, high, low, n, o, p, q),
            Ipv6Addr::new(0x2001, 0, n, o, p, q, !high, !low),
            Ipv6Addr::new(0x2a00, n, o, p, 0, 0x5efe, high, low),
            Ipv6Addr::new(0x2a00, n, o, p, 0x200, 0x5efe, high, low),
            // Nobody's, whatever is in them.
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 1, n, o, p, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 1, high, low >> 8, low << 8, p, q),
        ]
    }

    proptest! {
        #[test]
        fn no_form_of_an_address_reaches_further_than_the_address(
            network in prop::sample::select(SPECIAL_V4.to_vec()),
            host: u32,
            noise: [u16; 4],
        ) {
            let (network, _) = network;
            let address = u32::from(network.network()) | (host & u32::from(network.hostmask()));
            let address = Ipv4Addr::from(address);
            let scope = scope_of(IpAddr::V4(address), &[]);
            for form in forms(address, noise) {
                prop_assert!(scope_of(IpAddr::V6(form), &[]) <= scope, "{} as {}", address, form);
            }
        }

        #[test]
        fn the_plain_forms_of_an_address_reach_as_far_as_the_address(address: u32, own: u32) {
            let (address, own) = (Ipv4Addr::from(address), Ipv4Addr::from(own));
            for own in [own, address] {
                let own = [IpAddr::V4(own)];
                let scope = scope_of(IpAddr::V4(address), &own);
                for form in &forms(address, [0; 4])[..4] {
                    prop_assert_eq!(scope_of(IpAddr::V6(*form), &own), scope, "{}", form);
                }
            }
        }

        #[test]
        fn what_is_outside_of_the_internet_is_never_public(address: u128) {
            let address = Ipv6Addr::from(address);
            if !GLOBAL_V6.contains(&address) && !is_all_embedded(address) {
                prop_assert!(scope_of(IpAddr::V6(address), &[]) < Scope::Public);
            }
        }
    }
}
