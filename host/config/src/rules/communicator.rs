//! Rules for the communicator and the interface it goes through.

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::communicator::{Communicator, CommunicatorType};
use crate::libvirt_source::LibvirtSource;
use crate::network_interface::NetworkInterfaceType;

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
    if communicator.ssh_username.is_none() {
        report.push(
            Diagnostic::error(origin.span(), "`ssh_username` is missing")
                .detail("SSH needs the user to log in as"),
        );
    }
    let authentication = ["ssh_private_key_file", "ssh_password", "ssh_agent_auth"];
    if !authentication.iter().any(|name| origin.is_set(name)) {
        report.push(
            Diagnostic::error(origin.span(), "there is no way to log in over SSH")
                .help("set one of `ssh_private_key_file`, `ssh_password` and `ssh_agent_auth`"),
        );
    }
}

fn interface(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    if communicator.ssh_host.is_some() || source.origin.is_unknown("communicator_interface") {
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
        let forwarded = interface
            .port_forward
            .iter()
            .any(|port| port.guest_port == communicator.ssh_port);
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
    } else if !super::address_source_fits(address_source, interface.r#type) {
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
