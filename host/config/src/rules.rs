//! Rules between options, each with the place it is broken at.

mod communicator;
mod volumes;

use std::collections::BTreeMap;
use std::net::IpAddr;

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::graphics::{Graphics, GraphicsType};
use crate::libvirt_source::{LibvirtSource, NetworkAddressSource};
use crate::network_interface::{NetworkInterface, NetworkInterfaceType, PortForward};
use crate::origin::Origin;

/// The prefix libvirt demands of users' aliases. It is added when the domain is made, and taken off
/// where a template has it, so that `ua-artifact` and `artifact` are the same.
const ALIAS_PREFIX: &str = "ua-";

impl LibvirtSource {
    /// The index of the volume that is the artifact: the one with the artifact's alias, or else the
    /// only one.
    pub fn artifact(&self) -> Option<usize> {
        let wanted = self.artifact_volume_alias.as_str();
        self.volume
            .iter()
            .position(|volume| volume.alias.as_deref() == Some(wanted))
            .or(match self.volume.len() {
                1 => Some(0),
                _ => None,
            })
    }

    /// The index of the interface that the communicator goes through: the one with its alias, or
    /// else the only one.
    pub fn communicator_network_interface(&self) -> Option<usize> {
        let wanted = self.communicator_interface.as_str();
        self.network_interface
            .iter()
            .position(|interface| interface.alias.as_deref() == Some(wanted))
            .or(match self.network_interface.len() {
                1 => Some(0),
                _ => None,
            })
    }
}

/// Takes the prefix off all aliases and checks their characters.
pub(crate) fn normalise_aliases(source: &mut LibvirtSource, report: &mut Diagnostics) {
    let volumes = source
        .volume
        .iter_mut()
        .map(|volume| (&mut volume.alias, &volume.origin));
    let interfaces = source
        .network_interface
        .iter_mut()
        .map(|interface| (&mut interface.alias, &interface.origin));
    let mut seen = BTreeMap::new();
    for (alias, origin) in volumes.chain(interfaces) {
        let Some(alias) = alias else { continue };
        let written = alias.clone();
        strip_prefix(alias);
        let span = origin.span_of("alias");
        if origin.is_unknown("alias") {
            continue;
        }
        if alias.is_empty()
            || !alias
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            report.push(
                Diagnostic::error(span, format!("`{written}` can't be an alias"))
                    .help("use letters, digits, `_` and `-`"),
            );
        } else if let Some(other) = seen.insert(alias.clone(), span) {
            // The one that stands further down is the one too many.
            report.push(Diagnostic::error(
                span.max(other),
                format!("the alias `{alias}` is used twice; it must be unique in the domain"),
            ));
        }
    }
    strip_prefix(&mut source.artifact_volume_alias);
    strip_prefix(&mut source.communicator_interface);
}

fn strip_prefix(alias: &mut String) {
    if let Some(rest) = alias.strip_prefix(ALIAS_PREFIX) {
        *alias = rest.to_string();
    }
}

/// Checks every rule.
pub(crate) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    domain(source, report);
    for interface in &source.network_interface {
        network_interface(interface, report);
    }
    for graphics in &source.graphics {
        graphical_console(graphics, report);
    }
    volumes::check(source, report);
    communicator::check(source, report);
}

fn domain(source: &LibvirtSource, report: &mut Diagnostics) {
    let origin = &source.origin;
    for (name, value) in [("memory", source.memory), ("vcpu", u64::from(source.vcpu))] {
        if value == 0 && !origin.is_unknown(name) {
            report.push(Diagnostic::error(
                origin.span_of(name),
                format!("`{name}` must be at least 1"),
            ));
        }
    }
    if let Some(name) = &source.domain_name
        && !origin.is_unknown("domain_name")
    {
        object_name("domain", name, "domain_name", origin, report);
    }
    for (name, path) in [
        ("loader_path", &source.loader_path),
        ("nvram_path", &source.nvram_path),
        ("nvram_template", &source.nvram_template),
    ] {
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) && !origin.is_unknown(name) {
            report.push(Diagnostic::error(
                origin.span_of(name),
                format!("`{name}` must be an absolute path on the hypervisor's host"),
            ));
        }
    }
    if !origin.is_set("loader_path") {
        for name in ["loader_type", "nvram_path", "nvram_template"] {
            if origin.is_set(name) {
                report.push(Diagnostic::error(
                    origin.span_of(name),
                    format!("`{name}` has no meaning without `loader_path`"),
                ));
            }
        }
    }
}

/// Names of libvirt's objects are file names in many places.
fn object_name(what: &str, name: &str, option: &str, origin: &Origin, report: &mut Diagnostics) {
    let span = origin.span_of(option);
    if name.trim() != name || matches!(name, "." | "..") {
        report.push(Diagnostic::error(
            span,
            format!("`{name}` can't be the name of a {what}"),
        ));
    } else if let Some(bad) = name.chars().find(|c| *c == '/' || c.is_control()) {
        report.push(Diagnostic::error(
            span,
            format!("the name of a {what} can't have the character {bad:?} in it"),
        ));
    }
}

fn network_interface(interface: &NetworkInterface, report: &mut Diagnostics) {
    use NetworkInterfaceType::{Bridge, Managed, Network, User};
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
    if kind == Bridge && !origin.is_set("bridge") {
        report.push(
            Diagnostic::error(origin.span(), "`bridge` is missing").detail(
                "an interface of type `bridge` needs the name of a bridge of the hypervisor's host",
            ),
        );
    }
    for (name, belongs) in [
        ("network", matches!(kind, Managed | Network)),
        ("bridge", kind == Bridge),
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

/// Port 0 can't be connected to.
fn port(name: &str, number: u16, origin: &Origin, report: &mut Diagnostics) {
    if number == 0 && origin.is_set(name) && !origin.is_unknown(name) {
        report.push(Diagnostic::error(
            origin.span_of(name),
            format!("`{name}` must be between 1 and 65535"),
        ));
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

fn graphical_console(graphics: &Graphics, report: &mut Diagnostics) {
    let origin = &graphics.origin;
    if origin.is_unknown("type") || !origin.is_set("type") {
        return;
    }
    let kind = graphics.r#type;
    if kind == GraphicsType::Sdl && !origin.is_set("display") {
        report.push(
            Diagnostic::error(origin.span(), "`display` is missing")
                .detail("graphics of type `sdl` need the X display to show the window on"),
        );
    }
    let foreign: &[&str] = match kind {
        GraphicsType::Vnc => &["display"],
        GraphicsType::Sdl => &["port", "listen"],
    };
    for name in foreign.iter().filter(|name| origin.is_set(name)) {
        report.push(Diagnostic::warning(
            origin.span_of(name),
            format!(
                "`{name}` has no effect in graphics of type `{}`",
                kind.as_str()
            ),
        ));
    }
}

/// Whether addresses can be asked for in that way through that kind of interface.
fn address_source_fits(source: NetworkAddressSource, kind: NetworkInterfaceType) -> bool {
    source != NetworkAddressSource::Lease
        || matches!(
            kind,
            NetworkInterfaceType::Managed | NetworkInterfaceType::Network
        )
}
