//! Rules for the domain itself: its name, its measures, its firmware.

use lvhost_hcl::{Diagnostic, Diagnostics};

use super::object_name;
use crate::firmware::Firmware;
use crate::libvirt_source::LibvirtSource;

pub(super) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
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
        let most = super::DOMAIN_NAME;
        object_name("domain", name, most, "domain_name", origin, report);
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
    for (index, overlay) in source.domain_xml_overlay.iter().enumerate() {
        if overlay.trim().is_empty() && !origin.is_unknown("domain_xml_overlay") {
            let path = format!("[{index}]");
            report.push(Diagnostic::error(
                origin.span_of_element("domain_xml_overlay", &path),
                format!("`domain_xml_overlay{path}` is empty"),
            ));
        }
    }
    if origin.is_set("output_compact")
        && source.output_compact
        && !origin.is_set("output_directory")
    {
        report.push(Diagnostic::warning(
            origin.span_of("output_compact"),
            "`output_compact` has no effect without `output_directory`",
        ));
    }
    firmware(source, report);
}

fn firmware(source: &LibvirtSource, report: &mut Diagnostics) {
    let origin = &source.origin;
    let efi = source.firmware == Some(Firmware::Efi) || origin.is_unknown("firmware");
    if origin.is_set("loader_path") {
        if origin.is_set("firmware") {
            report.push(
                Diagnostic::error(
                    origin.span_of("firmware"),
                    "`firmware` and `loader_path` exclude each other",
                )
                .help("with `firmware`, libvirt finds the image by itself"),
            );
        }
    } else {
        for name in ["loader_type", "nvram_path", "nvram_template"] {
            if origin.is_set(name) && !(efi && name == "nvram_path") {
                report.push(Diagnostic::error(
                    origin.span_of(name),
                    format!("`{name}` has no meaning without `loader_path`"),
                ));
            }
        }
    }
    if source.secure_boot {
        secure_boot(source, efi, report);
    }
}

fn secure_boot(source: &LibvirtSource, efi: bool, report: &mut Diagnostics) {
    let origin = &source.origin;
    let span = origin.span_of("secure_boot");
    if origin.is_set("loader_path") {
        return;
    }
    if !origin.is_set("firmware") {
        report.push(
            Diagnostic::warning(
                span,
                "`secure_boot` has no effect without a firmware for it",
            )
            .help("add `firmware = \"efi\"`, or `loader_path`"),
        );
    } else if !efi {
        report.push(
            Diagnostic::error(span, "a BIOS has no secure boot").help("set `firmware` to `efi`"),
        );
    } else if let Some(chipset) = &source.chipset
        && (chipset == "pc" || chipset.starts_with("pc-i440fx"))
        && !origin.is_unknown("chipset")
    {
        // Only q35 has the system management mode that keeps the keys from the guest.
        report.push(
            Diagnostic::error(
                origin.span_of("chipset"),
                format!("there is no secure boot on the machine type `{chipset}`"),
            )
            .help("set `chipset` to `q35`"),
        );
    }
}
