//! A domain's XML: <https://libvirt.org/formatdomain.html>.
use std::collections::BTreeSet;

use super::{devices::devices, element::Element, metadata::metadata, overlay::OverlayError};
use crate::{
    BootDevice, Clock, DomainSpec, Error, Firmware, FirmwareChoice, LoaderType, Result,
    devices::is_x86,
};

/// libvirt leaves aliases of this prefix to the user and makes up all others.
pub(crate) const ALIAS_PREFIX: &str = "ua-";

/// The attribute that holds a graphics device's password.
const PASSWORD: &str = "passwd";

/// What a specification comes to before its [overlays](DomainSpec::overlays), with stars in the
/// place of passwords.
///
/// Disks are named in definition order, counted per prefix (`sda` and `sdb` may hang on different
/// buses, as the kernel would name them); [`DomainSpec::boot_devices`] becomes one boot order per
/// device.
pub fn domain_xml(spec: &DomainSpec) -> String {
    let mut domain = domain(spec);
    domain.hide(PASSWORD);
    domain.to_xml()
}

/// What libvirt is given to define a domain, overlays included, with stars in the place of
/// passwords.
///
/// # Errors
/// [`Overlay`](Error::Overlay) if an overlay does not fit.
pub fn final_domain_xml(spec: &DomainSpec) -> Result<String> {
    shown_domain_xml(spec, &BTreeSet::new())
}

/// The same with stars in the place of these values and texts as well.
///
/// # Errors
/// As for [`final_domain_xml`].
pub fn shown_domain_xml(spec: &DomainSpec, hidden: &BTreeSet<&str>) -> Result<String> {
    let mut domain = with_overlays(spec)?;
    domain.hide(PASSWORD);
    domain.hide_values(hidden);
    Ok(domain.to_xml())
}

/// The same with the passwords, for libvirt's eyes only. Checked for what libvirt would only find
/// out later, or not say clearly.
pub(crate) fn secret_domain_xml(spec: &DomainSpec) -> Result<String> {
    if spec.firmware.is_some() && spec.loader.is_some() {
        return Err(Error::InvalidValue {
            action: format!("define the domain {:?}", spec.name),
            message: "its firmware is given by kind and by file; choose one of them".to_owned(),
        });
    }
    if is_container(spec) && !spec.disks.is_empty() {
        return Err(Error::InvalidValue {
            action: format!("define the domain {:?}", spec.name),
            message: format!(
                "domains of type {} are containers, which have file systems and no disks; \
                 disks in containers are not supported",
                spec.domain_type
            ),
        });
    }
    Ok(with_overlays(spec)?.to_xml())
}

fn with_overlays(spec: &DomainSpec) -> Result<Element> {
    let mut domain = domain(spec);
    for (index, overlay) in spec.overlays.iter().enumerate() {
        overlay
            .apply(&mut domain)
            .map_err(|source: OverlayError| Error::Overlay {
                name: spec.name.clone(),
                number: index + 1,
                source,
            })?;
    }
    Ok(domain)
}

pub(super) fn domain(spec: &DomainSpec) -> Element {
    Element::new("domain")
        .attribute("type", &spec.domain_type)
        .child(Element::with_text("name", &spec.name))
        .children(spec.uuid.map(|uuid| Element::with_text("uuid", uuid)))
        .children(spec.build.as_ref().map(metadata))
        .child(Element::with_text("memory", spec.memory_mib).attribute("unit", "MiB"))
        .child(Element::with_text("vcpu", spec.vcpu))
        .child(operating_system(spec))
        .children(features(spec))
        .children(cpu_mode(spec).map(|mode| Element::new("cpu").attribute("mode", mode)))
        .children(spec.clock.map(clock))
        .child(Element::with_text("on_poweroff", "destroy"))
        .child(Element::with_text("on_reboot", "restart"))
        .child(Element::with_text("on_crash", "destroy"))
        .child(devices(spec))
}

fn operating_system(spec: &DomainSpec) -> Element {
    let container = is_container(spec);
    let firmware = firmware(spec);
    let loader = spec.loader.as_ref().map(|loader| {
        // Firmware in flash is shared by all guests: what a guest writes goes to its NVRAM file.
        let read_only = (loader.kind == Some(LoaderType::Pflash)).then_some("yes");
        Element::with_text("loader", &loader.path)
            .attribute_if("readonly", read_only)
            .attribute_if("secure", loader.secure.then_some("yes"))
            .attribute_if("type", loader.kind)
    });
    let nvram = spec.nvram.as_ref().map(|nvram| {
        let element = Element::new("nvram").attribute_if("template", nvram.template.as_ref());
        match &nvram.path {
            Some(path) => element.text(path),
            None => element,
        }
    });
    let os_type = match &spec.os_type {
        Some(name) => name.as_str(),
        None if container => "exe",
        None => "hvm",
    };
    Element::new("os")
        .attribute_if("firmware", firmware.map(|choice| choice.kind))
        .child(
            Element::with_text("type", os_type)
                .attribute("arch", &spec.arch)
                .attribute_if("machine", spec.machine.as_ref()),
        )
        .children(firmware.and_then(|choice| firmware_features(&choice)))
        .children(loader)
        .children(nvram)
        .children(container.then(|| Element::with_text("init", "/sbin/init")))
        .children(boot_kinds(spec))
}

/// The firmware libvirt is to choose. An ARM or LoongArch machine has none of its own.
fn firmware(spec: &DomainSpec) -> Option<FirmwareChoice> {
    let bare = matches!(spec.arch.as_str(), "aarch64" | "loongarch64")
        && spec.loader.is_none()
        && is_qemu(spec);
    spec.firmware
        .or_else(|| bare.then_some(FirmwareChoice::new(Firmware::Efi)))
}

fn firmware_features(choice: &FirmwareChoice) -> Option<Element> {
    let enrolled = choice
        .enrolled_keys
        .or((choice.secure_boot == Some(true)).then_some(true));
    let feature = |name: &str, enabled: Option<bool>| {
        enabled.map(|enabled| {
            Element::new("feature")
                .attribute("enabled", if enabled { "yes" } else { "no" })
                .attribute("name", name)
        })
    };
    let features: Vec<Element> = [
        feature("enrolled-keys", enrolled),
        feature("secure-boot", choice.secure_boot),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!features.is_empty()).then(|| Element::new("firmware").children(features))
}

/// Kinds of devices to boot from, where there is no boot order of single devices.
fn boot_kinds(spec: &DomainSpec) -> Vec<Element> {
    if has_boot_order(spec) || is_container(spec) {
        return Vec::new();
    }
    let kinds: &[BootDevice] = match spec.boot_devices.as_slice() {
        [] => &[BootDevice::HardDisk],
        kinds => kinds,
    };
    kinds
        .iter()
        .map(|kind| Element::new("boot").attribute("dev", kind))
        .collect()
}

/// ACPI, APIC and PAE are a PC's; an ARM or LoongArch machine has ACPI only under UEFI, and libvirt
/// refuses it otherwise.
fn features(spec: &DomainSpec) -> Option<Element> {
    let features = Element::new("features");
    let by_kind = firmware(spec).map(|choice| choice.kind);
    if is_container(spec) {
        None
    } else if is_x86(&spec.arch) {
        let secure = spec.loader.as_ref().is_some_and(|loader| loader.secure)
            || spec
                .firmware
                .is_some_and(|choice| choice.secure_boot == Some(true));
        // Without SMM a guest could write to the flash that Secure Boot trusts; libvirt demands it.
        let smm = secure.then(|| Element::new("smm").attribute("state", "on"));
        Some(
            features
                .child(Element::new("acpi"))
                .child(Element::new("apic"))
                .child(Element::new("pae"))
                .children(smm),
        )
    } else if matches!(spec.arch.as_str(), "aarch64" | "loongarch64")
        && (spec.loader.is_some() || by_kind == Some(Firmware::Efi))
    {
        Some(features.child(Element::new("acpi")))
    } else {
        None
    }
}

fn cpu_mode(spec: &DomainSpec) -> Option<&str> {
    match (&spec.cpu_mode, spec.arch.as_str(), &*spec.domain_type) {
        (Some(mode), _, _) => Some(mode),
        (None, "aarch64", "qemu") => Some("maximum"),
        (None, "aarch64", "kvm" | "hvf") => Some("host-passthrough"),
        (None, _, _) => None,
    }
}

fn clock(clock: Clock) -> Element {
    Element::new("clock").attribute("offset", clock)
}

/// Whether the domain is a container and not a machine.
pub(super) fn is_container(spec: &DomainSpec) -> bool {
    match spec.os_type.as_deref() {
        Some(name) => name == "exe",
        None => matches!(spec.domain_type.as_str(), "lxc" | "vz" | "openvz"),
    }
}

/// Whether QEMU is behind a domain type, with its virtio devices; the test driver takes the same.
pub(super) fn is_qemu(spec: &DomainSpec) -> bool {
    crate::devices::is_qemu(&spec.domain_type)
}

/// Whether each device can have its place in the boot order. Other drivers know an order of kinds.
pub(super) fn has_boot_order(spec: &DomainSpec) -> bool {
    is_qemu(spec)
}
