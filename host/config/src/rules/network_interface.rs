//! Rules for network interfaces.

use std::net::IpAddr;

use lvhost_hcl::{Diagnostic, Diagnostics};

use super::port;
use crate::libvirt_source::NetworkAddressSource;
use crate::network_interface::{NetworkInterface, NetworkInterfaceType, PortForward};
use crate::origin::Origin;

pub(super) fn check(interface: &NetworkInterface, report: &mut Diagnostics) {
    use NetworkInterfaceType::{Bridge, Direct, Managed, Network, User};
    let origin = &interface.origin;
    if let Some(mac) = &interface.mac
        && !origin.is_unknown("mac")
    {
        mac_address(mac, origin, report);
    }
    for forward in &interface.port_forward {
        port_forward(forward, report);
    }
    if origin.is_unknown("type") || !origin.is_set("type") {
        return;
    }
    let kind = interface.r#type;
    let needed = match kind {
        Bridge => Some(("bridge", "a bridge")),
        Direct => Some(("device", "a network device")),
        Managed | Network | User => None,
    };
    if let Some((name, what)) = needed
        && !origin.is_set(name)
        && !origin.is_unknown(name)
    {
        report.push(
            Diagnostic::error(origin.span(), format!("`{name}` is missing")).detail(format!(
                "an interface of type `{}` needs the name of {what} of the hypervisor's host",
                kind.as_str()
            )),
        );
    }
    for (name, belongs) in [
        ("network", matches!(kind, Managed | Network)),
        ("bridge", kind == Bridge),
        ("device", kind == Direct),
        ("mode", kind == Direct),
    ] {
        if origin.is_set(name) && !belongs {
            report.push(Diagnostic::warning(
                origin.span_of(name),
                format!(
                    "`{name}` has no effect in an interface of type `{}`",
                    kind.as_str()
                ),
            ));
        }
    }
    if kind != User
        && let Some(forward) = interface.port_forward.first()
    {
        report.push(Diagnostic::error(
            forward.origin.span(),
            format!(
                "ports can't be forwarded for an interface of type `{}`",
                kind.as_str()
            ),
        ));
    }
}

fn port_forward(forward: &PortForward, report: &mut Diagnostics) {
    let origin = &forward.origin;
    if !origin.is_unknown("address") && forward.address.parse::<IpAddr>().is_err() {
        report.push(
            Diagnostic::error(
                origin.span_of("address"),
                format!("`{}` is not an IP address", forward.address),
            )
            .help("write `127.0.0.1` for this machine only, or `0.0.0.0` for all others, too"),
        );
    }
    port("guest_port", forward.guest_port, origin, report);
    if let Some(number) = forward.host_port {
        port("host_port", number, origin, report);
    }
}

fn mac_address(mac: &str, origin: &Origin, report: &mut Diagnostics) {
    let octets: Vec<_> = mac.split(':').collect();
    let well_formed = octets.len() == 6
        && octets
            .iter()
            .all(|octet| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit()));
    let first = octets
        .first()
        .and_then(|octet| u8::from_str_radix(octet, 16).ok());
    if !well_formed {
        report.push(
            Diagnostic::error(
                origin.span_of("mac"),
                format!("`{mac}` is not a MAC address"),
            )
            .help("write it like `52:54:00:12:34:56`"),
        );
    } else if first.is_some_and(|first| first & 1 == 1) {
        report.push(
            Diagnostic::error(
                origin.span_of("mac"),
                format!("`{mac}` is a multicast address"),
            )
            .help("the first two digits must be even, such as `52`"),
        );
    }
}

/// Whether addresses can be asked for in that way through that kind of interface.
pub(super) fn address_source_fits(
    source: NetworkAddressSource,
    kind: NetworkInterfaceType,
) -> bool {
    source != NetworkAddressSource::Lease
        || matches!(
            kind,
            NetworkInterfaceType::Managed | NetworkInterfaceType::Network
        )
}
