//! The user's own pieces of domain XML, checked where mistakes in them can be shown in the template.

use lvhost_config::LibvirtSource;
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::{MAX_OVERLAY_BYTES, XmlOverlay};

/// Reports every piece that can't be read.
pub(crate) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    let pieces = &source.domain_xml_overlay;
    let bytes: usize = pieces.iter().map(String::len).sum();
    if bytes > MAX_OVERLAY_BYTES {
        let place = source.origin.span_of("domain_xml_overlay");
        report.push(Diagnostic::error(
            place,
            format!(
                "all pieces together have {bytes} bytes; more than {MAX_OVERLAY_BYTES} can't be put \
                 into the domain's XML"
            ),
        ));
        return;
    }
    for (index, text) in pieces.iter().enumerate() {
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
