//! The devices in a domain's XML: <https://libvirt.org/formatdomain.html#devices>.
use super::{
    domain::{ALIAS_PREFIX, has_boot_order, is_qemu},
    element::Element,
};
use crate::{
    BootDevice, Disk, DiskBus, DiskDevice, DiskFormat, DiskSource, DomainSpec, Graphics,
    GraphicsServer, Interface, InterfaceSource, PortForward, TpmModel, TpmVersion, devices::is_x86,
};

pub(super) fn devices(spec: &DomainSpec) -> Element {
    let mut boot_order = BootOrder::of(spec);
    let mut names = TargetNames::default();
    let mut scsi_controllers = 0;
    let disks: Vec<Element> = spec
        .disks
        .iter()
        .map(|disk| {
            let bus = bus_of(disk, spec);
            let target = names.next(bus);
            if bus == DiskBus::Scsi {
                scsi_controllers = target.index / DISKS_OF_A_SCSI_CONTROLLER + 1;
            }
            disk_element(disk, bus, target.name(), &mut boot_order)
        })
        .collect();
    let interfaces: Vec<Element> = spec
        .interfaces
        .iter()
        .map(|interface| interface_element(interface, spec, &mut boot_order))
        .collect();
    Element::new("devices")
        .children(controllers(spec, scsi_controllers))
        .children(disks)
        .children(interfaces)
        .children(consoles_and_channels(spec))
        .children(has_usb_keyboard(spec).then(|| {
            Element::new("input")
                .attribute("type", "keyboard")
                .attribute("bus", "usb")
        }))
        .children(tpm(spec))
        .children(spec.graphics.iter().map(graphics_element))
        .children(video(spec))
        .children(virtio_extras(spec))
}

/// libvirt hangs a SCSI disk on a controller by its target's number: `sda` to `sdg` on the first one, `sdh` on
/// the next, which it makes by itself, of its default model, where it is not there.
const DISKS_OF_A_SCSI_CONTROLLER: usize = 7;

/// The controllers whose default model would be of no use.
fn controllers(spec: &DomainSpec, scsi: usize) -> Vec<Element> {
    let has = |bus| spec.disks.iter().any(|disk| bus_of(disk, spec) == bus);
    let usb = has(DiskBus::Usb) || has_usb_keyboard(spec);
    // SCSI: libvirt's default on a PC is lsilogic, for which many cloud kernels have no driver.
    // USB: on many machines it is USB 1.1, or nothing. A q35 has no floppy controller of its own.
    [
        (scsi, "scsi", Some("virtio-scsi")),
        (usize::from(usb), "usb", Some("qemu-xhci")),
        (usize::from(has(DiskBus::Fdc)), "fdc", None),
    ]
    .into_iter()
    // Xen and others have no such models.
    .filter(|_| is_qemu(spec))
    .flat_map(|(count, kind, model)| {
        (0..count).map(move |index| {
            Element::new("controller")
                .attribute("type", kind)
                .attribute("index", index)
                .attribute_if("model", model)
        })
    })
    .collect()
}

fn bus_of(disk: &Disk, spec: &DomainSpec) -> DiskBus {
    disk.bus
        .unwrap_or_else(|| disk.device.default_bus(&spec.domain_type, &spec.arch))
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
        DiskSource::Block(path) => ("block", Element::new("source").attribute("dev", path)),
    };
    let driver = Element::new("driver")
        .attribute("name", "qemu")
        .attribute("type", &disk.format.name);
    let read_only = disk.read_only || disk.device == DiskDevice::Cdrom;
    Element::new("disk")
        .attribute("type", kind)
        .attribute("device", disk.device)
        .child(driver)
        .child(source)
        .child(backing_store(&disk.format))
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

/// All that an image leans on. The empty element at the end keeps libvirt and QEMU from looking for more
/// in the image (<https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms>).
fn backing_store(format: &DiskFormat) -> Element {
    let element = Element::new("backingStore");
    let Some(image) = &format.backing else {
        return element;
    };
    let (kind, attribute) = match image.path.starts_with("/dev/") {
        true => ("block", "dev"),
        false => ("file", "file"),
    };
    element
        .attribute("type", kind)
        .child(Element::new("format").attribute("type", &image.format.name))
        .child(Element::new("source").attribute(attribute, &image.path))
        .child(backing_store(&image.format))
}

fn boot_device_of(device: DiskDevice) -> BootDevice {
    match device {
        DiskDevice::Disk | DiskDevice::Lun => BootDevice::HardDisk,
        DiskDevice::Cdrom => BootDevice::Cdrom,
        DiskDevice::Floppy => BootDevice::Floppy,
    }
}

fn interface_element(
    interface: &Interface,
    spec: &DomainSpec,
    boot_order: &mut BootOrder,
) -> Element {
    let source = Element::new("source");
    let (kind, source) = match &interface.source {
        InterfaceSource::Network { network } => {
            ("network", Some(source.attribute("network", network)))
        }
        InterfaceSource::Bridge { bridge } => ("bridge", Some(source.attribute("bridge", bridge))),
        InterfaceSource::Direct { device, mode } => (
            "direct",
            Some(source.attribute("dev", device).attribute("mode", mode)),
        ),
        InterfaceSource::User { .. } => ("user", None),
    };
    let (backend, port_forwards) = match &interface.source {
        InterfaceSource::User { port_forwards } => (Some("passt"), port_forwards.as_slice()),
        _ => (None, &[][..]),
    };
    let model = match interface.model.as_deref() {
        None if is_qemu(spec) => Some("virtio"),
        model => model,
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
        .children(model.map(|model| Element::new("model").attribute("type", model)))
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
    let console = |kind: &str, port: u32, log: Option<Element>, name: &str| {
        Element::new("console")
            .attribute("type", "pty")
            .children(log)
            .child(
                Element::new("target")
                    .attribute("type", kind)
                    .attribute("port", port),
            )
            .child(alias(name))
    };
    let log = spec.serial_log.as_ref().map(|log| {
        Element::new("log")
            .attribute("file", &log.path)
            .attribute("append", if log.append { "on" } else { "off" })
    });
    let first = match (spec.domain_type.as_str(), spec.arch.as_str()) {
        ("lxc", _) => "lxc",
        ("xen", _) if spec.os_type.as_deref().is_some_and(|name| name != "hvm") => "xen",
        // A mainframe has no serial port.
        (_, "s390x") => "sclp",
        _ => "serial",
    };
    let mut elements = vec![console(first, 0, log, "serial-console")];
    if is_qemu(spec) {
        elements.push(console("virtio", 1, None, "virtual-console"));
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
        Graphics::Vnc(server) => graphics_server("vnc", server),
        Graphics::Spice(server) => graphics_server("spice", server),
        Graphics::Sdl { display } => Element::new("graphics")
            .attribute("type", "sdl")
            .attribute_if("display", display.as_ref()),
    }
}

fn graphics_server(kind: &str, server: &GraphicsServer) -> Element {
    let element = Element::new("graphics").attribute("type", kind);
    let element = match server.port.filter(|port| *port != 0) {
        Some(port) => element.attribute("port", port).attribute("autoport", "no"),
        None => element.attribute("port", -1).attribute("autoport", "yes"),
    };
    // Always written: the daemon's default can be configured to be the whole world.
    let listen = server.listen.as_deref().unwrap_or("127.0.0.1");
    let password = server.password.as_ref();
    element
        .attribute_if("passwd", password.map(|password| password.expose()))
        .child(
            Element::new("listen")
                .attribute("type", "address")
                .attribute("address", listen),
        )
}

fn video(spec: &DomainSpec) -> Option<Element> {
    let model = match &spec.video {
        Some(model) => Some(model.as_str()),
        // Others choose a model of their own for graphics.
        None => (!spec.graphics.is_empty() && is_qemu(spec)).then_some("virtio"),
    };
    model.map(|model| Element::new("video").child(Element::new("model").attribute("type", model)))
}

/// A PC has a keyboard of its own; without one on other machines nobody could type.
fn has_usb_keyboard(spec: &DomainSpec) -> bool {
    !spec.graphics.is_empty()
        && is_qemu(spec)
        && !is_x86(&spec.arch)
        // Its virtio keyboard is added by libvirt.
        && spec.arch != "s390x"
}

fn tpm(spec: &DomainSpec) -> Option<Element> {
    let tpm = spec.tpm?;
    let model = tpm.model.unwrap_or(match tpm.version {
        _ if spec.arch.starts_with("ppc64") => TpmModel::Spapr,
        TpmVersion::V2_0 if is_x86(&spec.arch) => TpmModel::Crb,
        _ => TpmModel::Tis,
    });
    Some(
        Element::new("tpm").attribute("model", model).child(
            Element::new("backend")
                .attribute("type", "emulator")
                .attribute("version", tpm.version),
        ),
    )
}

/// A source of randomness, without which first boots wait for entropy; and no balloon, so that the
/// memory asked for is the memory there is.
fn virtio_extras(spec: &DomainSpec) -> Vec<Element> {
    if !is_qemu(spec) {
        return Vec::new();
    }
    vec![
        Element::new("memballoon").attribute("model", "none"),
        Element::new("rng")
            .attribute("model", "virtio")
            .child(Element::with_text("backend", "/dev/urandom").attribute("model", "random")),
    ]
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
        if !has_boot_order(spec) {
            return Self(Vec::new());
        }
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

/// Hands out targets, counted per prefix.
#[derive(Default)]
struct TargetNames(Vec<(&'static str, usize)>);

/// The target of a disk: the prefix of its name, and its number among those of the same prefix.
struct Target {
    prefix: &'static str,
    index: usize,
}

impl Target {
    /// Its name, as `sda`.
    fn name(&self) -> String {
        format!("{}{}", self.prefix, letters(self.index))
    }
}

impl TargetNames {
    fn next(&mut self, bus: DiskBus) -> Target {
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
        Target { prefix, index }
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
