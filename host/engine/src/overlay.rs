//! The user's own pieces of domain XML, checked where mistakes in them can be shown in the template.

use lvhost_config::LibvirtSource;
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::XmlOverlay;

/// Reports every piece that can't be read.
pub(crate) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    for (index, text) in source.domain_xml_overlay.iter().enumerate() {
        if let Err(error) = XmlOverlay::parse(text) {
            let place = source
                .origin
                .span_of_element("domain_xml_overlay", &format!("[{index}]"));
            report.push(Diagnostic::error(
                place,
                format!("this can't be put into the domain's XML: {error}"),
            ));
        }
    }
}
