//! The devices of a domain.
use std::{fmt, net::IpAddr};

use secrecy::{ExposeSecret, SecretString};

use crate::{VolumeId, named::named};

/// One disk of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Where its bytes are.
    pub source: DiskSource,
    /// What the guest sees.
    pub device: DiskDevice,
    /// What it hangs on; `None` takes [`DiskDevice::default_bus`] of the domain.
    pub bus: Option<DiskBus>,
    /// How its bytes are read. It is always said, so that nobody guesses.
    pub format: DiskFormat,
    /// The guest cannot write to it. CD-ROMs always are read-only.
    pub read_only: bool,
    /// Serial number the guest sees.
    pub serial: Option<String>,
    /// The user's name for it, with or without libvirt's prefix `ua-`.
    pub alias: Option<String>,
}

impl Disk {
    /// A writable disk with the device's default bus.
    pub fn new(source: DiskSource, device: DiskDevice, format: DiskFormat) -> Self {
        Self {
            source,
            device,
            bus: None,
            format,
            read_only: false,
            serial: None,
            alias: None,
        }
    }
}

/// How a disk's bytes are read, and all that is opened for it beside the disk itself.
///
/// Where a hypervisor is told neither, it looks into the image, and what a guest has written there
/// decides what it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFormat {
    /// QEMU's name of the format: `raw`, `qcow2`, …
    pub name: String,
    /// The image this one is an overlay of; with none, nothing is opened whatever stands in the image.
    pub backing: Option<Box<BackingImage>>,
}

impl DiskFormat {
    /// An image of this format that stands alone.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            backing: None,
        }
    }

    /// The disk's own bytes, from the first to the last.
    pub fn raw() -> Self {
        Self::new("raw")
    }

    /// The paths of all that the image leans on, from the top down.
    pub fn backing_paths(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.backing.as_deref(), |image| {
            image.format.backing.as_deref()
        })
        .map(|image| image.path.as_str())
    }
}

/// An image that an overlay leans on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackingImage {
    /// Its path on the hypervisor's host.
    pub path: String,
    /// How it is read, and what it leans on itself.
    pub format: DiskFormat,
}

/// Where a disk's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskSource {
    /// A volume of a storage pool.
    Volume(VolumeId),
    /// A file on the hypervisor's host. libvirt tells AppArmor and SELinux of it, which it forgets
    /// for volumes in some versions.
    File(String),
    /// A block device on the hypervisor's host, as `/dev/vg/lv`.
    Block(String),
}

/// One network interface of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What it is connected to.
    pub source: InterfaceSource,
    /// Its hardware address; `None` lets libvirt make one up.
    pub mac: Option<String>,
    /// What the guest sees; `None` is `virtio`.
    pub model: Option<String>,
    /// The user's name for it, with or without libvirt's prefix `ua-`.
    pub alias: Option<String>,
}

impl Interface {
    /// A virtio interface with an address of libvirt's choice.
    pub fn new(source: InterfaceSource) -> Self {
        Self {
            source,
            mac: None,
            model: None,
            alias: None,
        }
    }
}

/// What a network interface is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceSource {
    /// A network libvirt manages.
    Network {
        /// The network's name.
        network: String,
    },
    /// A bridge of the hypervisor's host.
    Bridge {
        /// The bridge's device name.
        bridge: String,
    },
    /// User-mode networking through passt: no privileges needed, the guest reaches the outside, and
    /// the outside reaches the guest only through forwarded ports. Needs libvirt 9.0 and `passt` on
    /// the hypervisor's host.
    User {
        /// Ports of the host that lead into the guest.
        port_forwards: Vec<PortForward>,
    },
    /// A macvtap device on an interface of the hypervisor's host: the guest is in the host's own
    /// network. Host and guest do not reach each other by it.
    Direct {
        /// The host's interface, as `eth0`.
        device: String,
        /// How the packets go.
        mode: DirectMode,
    },
}

/// A port of the hypervisor's host that leads into the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortForward {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address of the host it listens on; `None` is every address.
    pub address: Option<IpAddr>,
    /// The port of the host.
    pub host_port: u16,
    /// The port of the guest.
    pub guest_port: u16,
}

/// A graphics device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Graphics {
    /// A VNC server. Its protocol cuts passwords at eight characters.
    Vnc(GraphicsServer),
    /// A SPICE server.
    Spice(GraphicsServer),
    /// A window on an X11 display of the hypervisor's host.
    Sdl {
        /// The display, as `:0`.
        display: Option<String>,
    },
}

/// Where a graphics device is served, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphicsServer {
    /// TCP port; `None` and `Some(0)` let libvirt pick a free one.
    pub port: Option<u16>,
    /// The address it listens on; `None` is 127.0.0.1.
    pub listen: Option<String>,
    /// What a viewer has to know; `None` lets everybody in who reaches the port.
    pub password: Option<GraphicsPassword>,
}

/// The password of a graphics device. Shows itself to libvirt only.
#[derive(Clone)]
pub struct GraphicsPassword(SecretString);

impl GraphicsPassword {
    /// The password, for libvirt's eyes.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for GraphicsPassword {
    fn from(password: SecretString) -> Self {
        Self(password)
    }
}

impl fmt::Debug for GraphicsPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GraphicsPassword(***)")
    }
}

// Descriptions of domains are compared as a whole, and nobody measures how long that takes.
impl PartialEq for GraphicsPassword {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for GraphicsPassword {}

named! {
    /// How the packets of a [direct](InterfaceSource::Direct) interface go, see
    /// <https://libvirt.org/formatdomain.html#direct-attachment-to-physical-interface>.
    DirectMode, "direct mode" {
        /// Through an external switch that sends them back.
        Vepa = "vepa",
        /// From guest to guest on the same host interface.
        Bridge = "bridge",
        /// As `vepa`, but never from guest to guest.
        Private = "private",
        /// The host's interface belongs to this guest alone.
        Passthrough = "passthrough",
    }
}

named! {
    /// What the guest sees of a disk.
    DiskDevice, "disk device" {
        /// A hard disk.
        Disk = "disk",
        /// A CD-ROM drive.
        Cdrom = "cdrom",
        /// A floppy drive.
        Floppy = "floppy",
        /// A SCSI logical unit, passed through.
        Lun = "lun",
    }
}

named! {
    /// What a disk hangs on.
    DiskBus, "disk bus" {
        /// The floppy controller.
        Fdc = "fdc",
        /// IDE: exists on `pc` machines only.
        Ide = "ide",
        /// SATA (AHCI).
        Sata = "sata",
        /// SCSI, through a virtio-scsi controller.
        Scsi = "scsi",
        /// An SD card reader.
        Sd = "sd",
        /// USB, through an xHCI controller.
        Usb = "usb",
        /// virtio-blk.
        Virtio = "virtio",
        /// Xen's own.
        Xen = "xen",
    }
}

named! {
    /// A transport protocol.
    Protocol, "protocol" {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

impl DiskDevice {
    /// The bus a device hangs on when none is asked for, one that kernels made for clouds have a
    /// driver for: `fdc` for floppies, `virtio` for disks, `scsi` (which is virtio-scsi) for CD-ROMs
    /// and LUNs. Xen has `xen` for disks and `ide` for CD-ROMs.
    ///
    /// The machine type makes no difference for CD-ROMs: a q35 and ARM's `virt` have no IDE, and SATA
    /// and USB have no driver in Debian 12's kernel for clouds, while all of these and SeaBIOS, OVMF and
    /// AAVMF know virtio-scsi.
    pub fn default_bus(self, domain_type: &str, arch: &str) -> DiskBus {
        let xen = domain_type == "xen";
        match self {
            Self::Floppy => DiskBus::Fdc,
            Self::Cdrom if xen => DiskBus::Ide,
            Self::Disk | Self::Lun if xen => DiskBus::Xen,
            Self::Disk => DiskBus::Virtio,
            // Other hypervisors have no virtio-scsi.
            Self::Cdrom if is_x86(arch) && !is_qemu(domain_type) => DiskBus::Sata,
            Self::Cdrom | Self::Lun => DiskBus::Scsi,
        }
    }
}

/// Whether QEMU runs domains of this type.
pub(crate) fn is_qemu(domain_type: &str) -> bool {
    matches!(domain_type, "kvm" | "qemu" | "hvf" | "test")
}

/// Whether an architecture is a PC's.
pub fn is_x86(arch: &str) -> bool {
    matches!(arch, "x86_64" | "i686" | "i586" | "i486" | "i386")
}
