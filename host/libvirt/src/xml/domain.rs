//! A domain's XML: <https://libvirt.org/formatdomain.html>.
use super::element::Element;
use crate::{
    BootDevice, Disk, DiskBus, DiskDevice, DiskSource, DomainSpec, Graphics, Interface,
    InterfaceSource, LoaderType, PortForward, domain::is_x86,
};

/// The XML namespace of what lvhost writes into a domain's metadata: one element
/// `<lvhost:build id="…"/>`, with the build's id. It names the format and is not fetched by
/// anybody; it never changes, for later versions find by it what earlier ones left behind.
pub const METADATA_NAMESPACE: &str = "https://lvhost.dev/xmlns/libvirt/domain/1.0";

/// libvirt leaves aliases of this prefix to the user and makes up all others.
const ALIAS_PREFIX: &str = "ua-";

/// What libvirt is given to define a domain.
///
/// Disks are named in definition order, counted per prefix (`sda` and `sdb` may hang on different
/// buses, as the kernel would name them); [`DomainSpec::boot_devices`] becomes one boot order per
/// device.
pub fn domain_xml(spec: &DomainSpec) -> String {
    let mut boot_order = BootOrder::of(spec);
    Element::new("domain")
        .attribute("type", &spec.domain_type)
        .child(Element::with_text("name", &spec.name))
        .children(spec.uuid.map(|uuid| Element::with_text("uuid", uuid)))
        .children(spec.build_id.as_deref().map(metadata))
        .child(Element::with_text("memory", spec.memory_mib).attribute("unit", "MiB"))
        .child(Element::with_text("vcpu", spec.vcpu))
        .child(operating_system(spec))
        .children(features(spec))
        .children(
            spec.cpu_mode
                .as_ref()
                .map(|mode| Element::new("cpu").attribute("mode", mode)),
        )
        .child(Element::with_text("on_poweroff", "destroy"))
        .child(Element::with_text("on_reboot", "restart"))
        .child(Element::with_text("on_crash", "destroy"))
        .child(devices(spec, &mut boot_order))
        .to_xml()
}

fn metadata(build_id: &str) -> Element {
    Element::new("metadata").child(
        Element::new("lvhost:build")
            .attribute("xmlns:lvhost", METADATA_NAMESPACE)
            .attribute("id", build_id),
    )
}

fn operating_system(spec: &DomainSpec) -> Element {
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
    Element::new("os")
        .child(
            Element::with_text("type", "hvm")
                .attribute("arch", &spec.arch)
                .attribute_if("machine", spec.machine.as_ref()),
        )
        .children(loader)
        .children(nvram)
}

/// ACPI, APIC and PAE are a PC's; an ARM board has ACPI only under UEFI, and libvirt refuses it
/// otherwise.
fn features(spec: &DomainSpec) -> Option<Element> {
    let features = Element::new("features");
    if is_x86(&spec.arch) {
        let secure = spec.loader.as_ref().is_some_and(|loader| loader.secure);
        // Without SMM a guest could write to the flash that Secure Boot trusts; libvirt demands it.
        let smm = secure.then(|| Element::new("smm").attribute("state", "on"));
        Some(
            features
                .child(Element::new("acpi"))
                .child(Element::new("apic"))
                .child(Element::new("pae"))
                .children(smm),
        )
    } else if spec.arch == "aarch64" && spec.loader.is_some() {
        Some(features.child(Element::new("acpi")))
    } else {
        None
    }
}

fn devices(spec: &DomainSpec, boot_order: &mut BootOrder) -> Element {
    let mut names = TargetNames::default();
    let disks: Vec<Element> = spec
        .disks
        .iter()
        .map(|disk| {
            let bus = bus_of(disk, spec);
            disk_element(disk, bus, names.next(bus), boot_order)
        })
        .collect();
    let interfaces: Vec<Element> = spec
        .interfaces
        .iter()
        .map(|interface| interface_element(interface, boot_order))
        .collect();
    let video = (!spec.graphics.is_empty())
        .then(|| Element::new("video").child(Element::new("model").attribute("type", "virtio")));
    Element::new("devices")
        .children(controllers(spec))
        .children(disks)
        .children(interfaces)
        .children(consoles_and_channels(spec))
        .children(spec.graphics.iter().map(graphics_element))
        .children(video)
        .children(virtio_extras(spec))
}

/// The controllers whose default model would be of no use.
fn controllers(spec: &DomainSpec) -> Vec<Element> {
    // SCSI: libvirt's default on a PC is lsilogic, for which many cloud kernels have no driver.
    // USB: on many machines it is USB 1.1, or nothing. A q35 has no floppy controller of its own.
    [
        (DiskBus::Scsi, "scsi", Some("virtio-scsi")),
        (DiskBus::Usb, "usb", Some("qemu-xhci")),
        (DiskBus::Fdc, "fdc", None),
    ]
    .into_iter()
    .filter(|(bus, ..)| spec.disks.iter().any(|disk| bus_of(disk, spec) == *bus))
    .map(|(_, kind, model)| {
        Element::new("controller")
            .attribute("type", kind)
            .attribute("index", 0)
            .attribute_if("model", model)
    })
    .collect()
}

fn bus_of(disk: &Disk, spec: &DomainSpec) -> DiskBus {
    disk.bus
        .unwrap_or_else(|| disk.device.default_bus(&spec.arch))
}

fn disk_element(disk: &Disk, bus: DiskBus, target: String, boot_order: &mut BootOrder) -> Element {
    let (kind, source) = match &disk.source {
        DiskSource::Volume(id) => (
            "volume",
            Element::new("source")
                .attribute("pool", &id.pool)
                .attribute("volume", &id.name),
        ),
        DiskSource::File(path) => ("file", Element::new("source").attribute("file", path)),
    };
    let driver = disk.format.as_ref().map(|format| {
        Element::new("driver")
            .attribute("name", "qemu")
            .attribute("type", format)
    });
    let read_only = disk.read_only || disk.device == DiskDevice::Cdrom;
    Element::new("disk")
        .attribute("type", kind)
        .attribute("device", disk.device)
        .children(driver)
        .child(source)
        .child(
            Element::new("target")
                .attribute("dev", target)
                .attribute("bus", bus),
        )
        .children(read_only.then(|| Element::new("readonly")))
        .children(
            disk.serial
                .as_ref()
                .map(|serial| Element::with_text("serial", serial)),
        )
        .children(boot_order.next(boot_device_of(disk.device)))
        .children(disk.alias.as_deref().map(alias))
}

fn boot_device_of(device: DiskDevice) -> BootDevice {
    match device {
        DiskDevice::Disk | DiskDevice::Lun => BootDevice::HardDisk,
        DiskDevice::Cdrom => BootDevice::Cdrom,
        DiskDevice::Floppy => BootDevice::Floppy,
    }
}

fn interface_element(interface: &Interface, boot_order: &mut BootOrder) -> Element {
    let (kind, source, backend, port_forwards) = match &interface.source {
        InterfaceSource::Network { network } => (
            "network",
            Some(Element::new("source").attribute("network", network)),
            None,
            &[][..],
        ),
        InterfaceSource::Bridge { bridge } => (
            "bridge",
            Some(Element::new("source").attribute("bridge", bridge)),
            None,
            &[][..],
        ),
        InterfaceSource::User { port_forwards } => {
            ("user", None, Some("passt"), port_forwards.as_slice())
        }
    };
    Element::new("interface")
        .attribute("type", kind)
        .children(
            interface
                .mac
                .as_ref()
                .map(|mac| Element::new("mac").attribute("address", mac)),
        )
        .children(source)
        .children(port_forwards.iter().map(port_forward_element))
        .child(
            Element::new("model").attribute("type", interface.model.as_deref().unwrap_or("virtio")),
        )
        .children(backend.map(|name| Element::new("backend").attribute("type", name)))
        .children(boot_order.next(BootDevice::Network))
        .children(interface.alias.as_deref().map(alias))
}

fn port_forward_element(forward: &PortForward) -> Element {
    Element::new("portForward")
        .attribute("proto", forward.protocol)
        .attribute_if("address", forward.address)
        .child(
            Element::new("range")
                .attribute("start", forward.host_port)
                .attribute("to", forward.guest_port),
        )
}

/// The first serial port, a virtio console, and the guest agent's channel.
fn consoles_and_channels(spec: &DomainSpec) -> Vec<Element> {
    let console = |kind: &str, port: u32, name: &str| {
        Element::new("console")
            .attribute("type", "pty")
            .child(
                Element::new("target")
                    .attribute("type", kind)
                    .attribute("port", port),
            )
            .child(alias(name))
    };
    let mut elements = vec![console("serial", 0, "serial-console")];
    if has_virtio(spec) {
        elements.push(console("virtio", 1, "virtual-console"));
        elements.push(
            Element::new("channel").attribute("type", "unix").child(
                Element::new("target")
                    .attribute("type", "virtio")
                    .attribute("name", "org.qemu.guest_agent.0"),
            ),
        );
    }
    elements
}

fn graphics_element(graphics: &Graphics) -> Element {
    match graphics {
        Graphics::Vnc { port, listen } => {
            let element = Element::new("graphics").attribute("type", "vnc");
            let element = match port.filter(|port| *port != 0) {
                Some(port) => element.attribute("port", port).attribute("autoport", "no"),
                None => element.attribute("port", -1).attribute("autoport", "yes"),
            };
            // Always written: the daemon's default can be configured to be the whole world.
            let listen = listen.as_deref().unwrap_or("127.0.0.1");
            element.child(
                Element::new("listen")
                    .attribute("type", "address")
                    .attribute("address", listen),
            )
        }
        Graphics::Sdl { display } => Element::new("graphics")
            .attribute("type", "sdl")
            .attribute_if("display", display.as_ref()),
    }
}

/// A source of randomness, without which first boots wait for entropy; and no balloon, so that the
/// memory asked for is the memory there is.
fn virtio_extras(spec: &DomainSpec) -> Vec<Element> {
    if !has_virtio(spec) {
        return Vec::new();
    }
    vec![
        Element::new("memballoon").attribute("model", "none"),
        Element::new("rng")
            .attribute("model", "virtio")
            .child(Element::with_text("backend", "/dev/urandom").attribute("model", "random")),
    ]
}

/// Whether the hypervisor behind a domain type is one with virtio devices.
fn has_virtio(spec: &DomainSpec) -> bool {
    matches!(spec.domain_type.as_str(), "kvm" | "qemu" | "hvf" | "test")
}

/// A user alias; one that has the prefix already keeps it.
fn alias(name: &str) -> Element {
    let name = name.strip_prefix(ALIAS_PREFIX).unwrap_or(name);
    Element::new("alias").attribute("name", format!("{ALIAS_PREFIX}{name}"))
}

/// Hands out boot order numbers: for each kind of boot device, a run of numbers that starts behind
/// all devices of the kinds before it.
struct BootOrder(Vec<(BootDevice, usize)>);

impl BootOrder {
    fn of(spec: &DomainSpec) -> Self {
        let kinds: &[BootDevice] = match spec.boot_devices.as_slice() {
            [] => &[BootDevice::HardDisk],
            kinds => kinds,
        };
        let mut next = 1;
        let mut order: Vec<(BootDevice, usize)> = Vec::new();
        for &kind in kinds {
            // A kind that is named twice was tried already.
            if order.iter().all(|(known, _)| *known != kind) {
                order.push((kind, next));
                next += match kind {
                    BootDevice::Network => spec.interfaces.len(),
                    _ => spec
                        .disks
                        .iter()
                        .filter(|d| boot_device_of(d.device) == kind)
                        .count(),
                };
            }
        }
        Self(order)
    }

    /// The `<boot>` element of the next device of that kind, if it is booted from at all.
    fn next(&mut self, kind: BootDevice) -> Option<Element> {
        let (_, next) = self.0.iter_mut().find(|(known, _)| *known == kind)?;
        let element = Element::new("boot").attribute("order", *next);
        *next += 1;
        Some(element)
    }
}

/// Hands out target names, counted per prefix.
#[derive(Default)]
struct TargetNames(Vec<(&'static str, usize)>);

impl TargetNames {
    fn next(&mut self, bus: DiskBus) -> String {
        let prefix = match bus {
            DiskBus::Fdc => "fd",
            DiskBus::Ide => "hd",
            DiskBus::Sata | DiskBus::Scsi | DiskBus::Sd | DiskBus::Usb => "sd",
            DiskBus::Virtio => "vd",
            DiskBus::Xen => "xvd",
        };
        let index = match self.0.iter_mut().find(|(known, _)| *known == prefix) {
            Some((_, next)) => {
                let index = *next;
                *next += 1;
                index
            }
            None => {
                self.0.push((prefix, 1));
                0
            }
        };
        format!("{prefix}{}", letters(index))
    }
}

/// `a` … `z`, `aa`, `ab`, …
fn letters(index: usize) -> String {
    let last = char::from(b'a' + (index % 26) as u8);
    match index / 26 {
        0 => last.to_string(),
        rest => letters(rest - 1) + &last.to_string(),
    }
}
