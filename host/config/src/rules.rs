//! Rules between options, each with the place it is broken at.

pub(crate) mod aliases;
pub(crate) mod boot;
mod communicator;
mod domain;
mod graphics;
mod network_interface;
mod ssh;
mod volumes;

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::libvirt_source::LibvirtSource;
use crate::origin::Origin;

impl LibvirtSource {
    /// The index of the volume that is the artifact: the one with the artifact's alias, or else the
    /// only one.
    pub fn artifact(&self) -> Option<usize> {
        let wanted = self.artifact_volume_alias.as_str();
        self.volume
            .iter()
            .position(|volume| volume.alias.as_deref() == Some(wanted))
            .or(match self.volume.len() {
                1 if !self.origin.is_set("artifact_volume_alias") => Some(0),
                _ => None,
            })
    }

    /// The index of the interface that the communicator goes through: the one with its alias, or
    /// else, where the template names no alias for it, the first one.
    pub fn communicator_network_interface(&self) -> Option<usize> {
        let wanted = self.communicator_interface.as_str();
        let marked = self
            .network_interface
            .iter()
            .position(|interface| interface.alias.as_deref() == Some(wanted));
        let named = self.origin.is_set("communicator_interface");
        marked.or((!named && !self.network_interface.is_empty()).then_some(0))
    }
}

/// Checks every rule.
pub(crate) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    domain::check(source, report);
    boot::check(source, report);
    for interface in &source.network_interface {
        network_interface::check(interface, report);
    }
    for graphics in &source.graphics {
        graphics::check(graphics, report);
    }
    volumes::check(source, report);
    communicator::check(source, report);
}

/// Bytes of a volume's name: of a file name, on all file systems that pools are in.
pub const VOLUME_NAME: usize = 255;

/// Bytes of a domain's name: libvirt writes `NAME.xml.new` when it defines it.
const DOMAIN_NAME: usize = 255 - ".xml.new".len();

/// Names of libvirt's objects are file names in many places.
fn object_name(
    what: &str,
    name: &str,
    most: usize,
    option: &str,
    origin: &Origin,
    report: &mut Diagnostics,
) {
    let span = origin.span_of(option);
    if name.len() > most {
        report.push(Diagnostic::error(
            span,
            format!(
                "the name of a {what} can't have {} bytes; it is a file name, and has {most} at most",
                name.len()
            ),
        ));
    } else if name.trim() != name || matches!(name, "." | "..") {
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

/// Port 0 can't be connected to.
fn port(name: &str, number: u16, origin: &Origin, report: &mut Diagnostics) {
    if number == 0 && origin.is_set(name) && !origin.is_unknown(name) {
        report.push(Diagnostic::error(
            origin.span_of(name),
            format!("`{name}` must be between 1 and 65535"),
        ));
    }
}
