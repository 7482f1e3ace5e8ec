//! Rules for the communicator and the interface it goes through.

use lvhost_hcl::{Diagnostic, Diagnostics};

use super::network_interface::address_source_fits;
use super::{port, ssh};
use crate::communicator::{Communicator, CommunicatorType};
use crate::libvirt_source::LibvirtSource;
use crate::network_interface::{NetworkInterface, NetworkInterfaceType, Protocol};

pub(super) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    let Some(communicator) = &source.communicator else {
        if source.origin.is_unknown("communicator") {
            return;
        }
        report.push(
            Diagnostic::error(
                source.origin.span(),
                "the source has no `communicator` block",
            )
            .help(
                "add one with `ssh_username` and `ssh_private_key_file`, or with \
                     `communicator = \"none\"`",
            ),
        );
        return;
    };
    if communicator.origin.is_unknown("communicator") {
        return;
    }
    match communicator.communicator {
        CommunicatorType::Ssh => ssh::check(source, communicator, report),
        CommunicatorType::Winrm => winrm(communicator, report),
        CommunicatorType::None => {
            if source.origin.is_set("shutdown_command") {
                report.push(
                    Diagnostic::warning(
                        source.origin.span_of("shutdown_command"),
                        "`shutdown_command` has no effect without a communicator",
                    )
                    .detail("with `communicator = \"none\"` the guest powers itself off"),
                );
            }
            return;
        }
    }
    interface(source, communicator, report);
}

fn winrm(communicator: &Communicator, report: &mut Diagnostics) {
    let origin = &communicator.origin;
    if !origin.is_set("winrm_username") && !origin.is_unknown("winrm_username") {
        report.push(
            Diagnostic::error(origin.span(), "`winrm_username` is missing")
                .detail("WinRM needs the user to log in as"),
        );
    }
    if !origin.is_set("winrm_password") && !origin.is_unknown("winrm_password") {
        report.push(
            Diagnostic::warning(origin.span(), "`winrm_password` is missing")
                .detail("Windows lets nobody in over the network without one"),
        );
    }
    if let Some(number) = communicator.winrm_port {
        port("winrm_port", number, origin, report);
    }
}

fn interface(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    let (host, protocol) = match communicator.communicator {
        CommunicatorType::Winrm => ("winrm_host", "WinRM"),
        _ => ("ssh_host", "SSH"),
    };
    let mut interfaces = source.network_interface.iter();
    if communicator.origin.is_set(host)
        || communicator.origin.is_unknown(host)
        || source.origin.is_unknown("network_interface")
        || source.origin.is_unknown("communicator_interface")
        || interfaces.any(|interface| interface.origin.is_unknown("alias"))
    {
        return;
    }
    let wanted = &source.communicator_interface;
    let Some(index) = source.communicator_network_interface() else {
        let error = if source.network_interface.is_empty() {
            Diagnostic::error(
                source.origin.span(),
                "the source has no `network_interface`, so there is no way to reach the guest",
            )
            .help(format!(
                "add one, or set `{host}`, or use `communicator = \"none\"`"
            ))
        } else {
            let aliases = source.network_interface.iter();
            let aliases: Vec<_> = aliases.filter_map(|it| it.alias.as_deref()).collect();
            let existing = match aliases.as_slice() {
                [] => "none of them has one".to_owned(),
                aliases => format!("there are: {}", aliases.join(", ")),
            };
            Diagnostic::error(
                source.origin.span_of("communicator_interface"),
                format!("no network interface has the alias `{wanted}`"),
            )
            .detail(existing)
            .help(format!(
                "add `alias = \"{wanted}\"` to the one that {protocol} is to go through"
            ))
        };
        report.push(error);
        return;
    };
    let interface = &source.network_interface[index];
    if interface.alias.as_ref() != Some(wanted) {
        let which = match source.network_interface.len() {
            1 => "only",
            _ => "first",
        };
        report.push(
            Diagnostic::warning(
                interface.origin.span(),
                format!("{protocol} goes through the {which} network interface"),
            )
            .help(format!("add `alias = \"{wanted}\"` to say so")),
        );
    }
    if interface.origin.is_unknown("type") || !interface.origin.is_set("type") {
        return;
    }
    if interface.r#type == NetworkInterfaceType::User {
        forwarded(interface, communicator, report);
    } else {
        address_source(source, interface, report);
    }
}

/// A `user` interface is reached through a port of the host.
fn forwarded(interface: &NetworkInterface, communicator: &Communicator, report: &mut Diagnostics) {
    let unknown = |name| communicator.origin.is_unknown(name);
    if interface.origin.is_unknown("port_forward") {
        return;
    }
    let Some(port) = communicator.port() else {
        return;
    };
    if ["ssh_port", "winrm_port", "winrm_use_ssl"]
        .into_iter()
        .any(unknown)
    {
        return;
    }
    let leads = interface.port_forward.iter().any(|forward| {
        forward.guest_port == port && forward.protocol == Protocol::Tcp
            || ["guest_port", "protocol"]
                .iter()
                .any(|name| forward.origin.is_unknown(name))
    });
    if !leads {
        report.push(
            Diagnostic::error(
                interface.origin.span(),
                format!("no port leads to the guest's port {port}"),
            )
            .detail("an interface of type `user` is reached through forwarded ports only")
            .help(format!(
                "add `port_forward {{ guest_port = {port} }}` to it"
            )),
        );
    }
}

fn address_source(source: &LibvirtSource, interface: &NetworkInterface, report: &mut Diagnostics) {
    const NAME: &str = "network_address_source";
    let origin = &source.origin;
    if !origin.is_set(NAME) && !origin.is_unknown(NAME) {
        report.push(
            Diagnostic::warning(
                origin.span(),
                "the guest's address is asked for from its QEMU guest agent",
            )
            .detail("a guest without the agent is never found that way")
            .help("set `network_address_source` to `agent`, `lease` or `arp`"),
        );
    } else if !origin.is_unknown(NAME)
        && !address_source_fits(source.network_address_source, interface.r#type)
    {
        report.push(
            Diagnostic::error(
                origin.span_of(NAME),
                format!(
                    "a `{}` interface has no DHCP leases of libvirt",
                    interface.r#type.as_str()
                ),
            )
            .help("set `network_address_source` to `agent` or `arp`"),
        );
    }
}
