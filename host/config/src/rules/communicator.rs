//! Rules for the communicator and the interface it goes through.

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::communicator::{Communicator, CommunicatorType};
use crate::libvirt_source::LibvirtSource;
use crate::network_interface::{NetworkInterfaceType, Protocol};

pub(super) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    let Some(communicator) = &source.communicator else {
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
        CommunicatorType::Ssh => {
            ssh(communicator, report);
            interface(source, communicator, report);
        }
        CommunicatorType::None => {}
        CommunicatorType::Winrm => report.push(Diagnostic::error(
            communicator.origin.span_of("communicator"),
            "the communicator `winrm` is not supported by this version of lvhost",
        )),
    }
}

fn ssh(communicator: &Communicator, report: &mut Diagnostics) {
    let origin = &communicator.origin;
    if !origin.is_set("ssh_username") {
        report.push(
            Diagnostic::error(origin.span(), "`ssh_username` is missing")
                .detail("SSH needs the user to log in as"),
        );
    }
    super::port("ssh_port", communicator.ssh_port, origin, report);
    let authentication = origin.is_set("ssh_private_key_file")
        || origin.is_set("ssh_password")
        || communicator.ssh_agent_auth
        || origin.is_unknown("ssh_agent_auth");
    if !authentication {
        report.push(
            Diagnostic::error(origin.span(), "there is no way to log in over SSH")
                .help("set one of `ssh_private_key_file`, `ssh_password` and `ssh_agent_auth`"),
        );
    }
}

fn interface(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    let mut aliases = source.network_interface.iter();
    if communicator.origin.is_set("ssh_host")
        || source.origin.is_unknown("communicator_interface")
        || aliases.any(|interface| interface.origin.is_unknown("alias"))
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
            .help("add one, or set `ssh_host`, or use `communicator = \"none\"`")
        } else {
            Diagnostic::error(
                source.origin.span(),
                format!("no network interface has the alias `{wanted}`"),
            )
            .detail("with more than one interface, the communicator's must be marked")
            .help(format!(
                "add `alias = \"{wanted}\"` to the one that SSH is to go through"
            ))
        };
        report.push(error);
        return;
    };
    let interface = &source.network_interface[index];
    if interface.origin.is_unknown("type") || !interface.origin.is_set("type") {
        return;
    }
    let address_source = source.network_address_source;
    if interface.r#type == NetworkInterfaceType::User {
        let forwarded = communicator.origin.is_unknown("ssh_port")
            || interface.port_forward.iter().any(|forward| {
                forward.guest_port == communicator.ssh_port && forward.protocol == Protocol::Tcp
                    || ["guest_port", "protocol"]
                        .iter()
                        .any(|name| forward.origin.is_unknown(name))
            });
        if !forwarded {
            report.push(
                Diagnostic::error(
                    interface.origin.span(),
                    format!(
                        "no port leads to the guest's port {}",
                        communicator.ssh_port
                    ),
                )
                .detail("an interface of type `user` is reached through forwarded ports only")
                .help(format!(
                    "add `port_forward {{ guest_port = {} }}` to it",
                    communicator.ssh_port
                )),
            );
        }
    } else if !source.origin.is_unknown("network_address_source")
        && !super::address_source_fits(address_source, interface.r#type)
    {
        report.push(
            Diagnostic::error(
                source.origin.span_of("network_address_source"),
                format!(
                    "a `{}` interface has no DHCP leases of libvirt",
                    interface.r#type.as_str()
                ),
            )
            .help("set `network_address_source` to `agent` or `arp`"),
        );
    }
}
