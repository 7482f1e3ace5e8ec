//! Domains as the engine describes them: plain types, one for each option of a build.
use std::net::IpAddr;

use uuid::Uuid;

use crate::VolumeId;

/// A domain to be defined.
///
/// Beside what stands here every domain gets: two consoles (aliases `ua-serial-console` and
/// `ua-virtual-console`), the guest agent's channel, a random number generator, a virtio video
/// device iff it has graphics, and the controllers its disks need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec {
    /// The name, unique at the hypervisor.
    pub name: String,
    /// `None` lets libvirt choose one.
    pub uuid: Option<Uuid>,
    /// The build this domain belongs to. Written into the domain's metadata, so that what a killed
    /// build left behind can be found (see [`crate::METADATA_NAMESPACE`]).
    pub build_id: Option<String>,
    /// libvirt's domain type: `kvm` (hardware), `qemu` (emulation), `hvf`, `xen`, `test`.
    pub domain_type: String,
    /// Architecture of the guest, as `x86_64`.
    pub arch: String,
    /// Machine type (chipset), as `q35` or `pc`; `None` lets libvirt choose.
    pub machine: Option<String>,
    /// The firmware; `None` is the machine's own (BIOS on a PC).
    pub loader: Option<Loader>,
    /// Where UEFI keeps its variables.
    pub nvram: Option<Nvram>,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Number of virtual CPUs.
    pub vcpu: u32,
    /// libvirt's CPU mode, as `host-passthrough`; `None` lets libvirt choose.
    pub cpu_mode: Option<String>,
    /// What is tried at boot, in that order: each kind stands for all devices of that kind in
    /// definition order. Empty means [`BootDevice::HardDisk`].
    pub boot_devices: Vec<BootDevice>,
    /// The disks, in definition order: the target names (`vda`, `sdb`, …) follow from it.
    pub disks: Vec<Disk>,
    /// The network interfaces, in definition order.
    pub interfaces: Vec<Interface>,
    /// The graphics devices; empty is a headless domain.
    pub graphics: Vec<Graphics>,
}

impl DomainSpec {
    /// A domain with the defaults of a build: `kvm`, `x86_64`, 512 MiB, one CPU, no disks, no
    /// interfaces, headless.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uuid: None,
            build_id: None,
            domain_type: "kvm".into(),
            arch: "x86_64".into(),
            machine: None,
            loader: None,
            nvram: None,
            memory_mib: 512,
            vcpu: 1,
            cpu_mode: None,
            boot_devices: Vec::new(),
            disks: Vec::new(),
            interfaces: Vec::new(),
            graphics: Vec::new(),
        }
    }
}

/// The firmware of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// Path on the hypervisor's host.
    pub path: String,
    /// How the firmware is mapped; `None` lets libvirt choose.
    pub kind: Option<LoaderType>,
    /// The firmware is capable of Secure Boot. Switches SMM on, which libvirt demands with it.
    pub secure: bool,
}

/// The file UEFI keeps its variables in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nvram {
    /// Path on the hypervisor's host; `None` lets libvirt choose.
    pub path: Option<String>,
    /// The master file it is copied from; `None` takes the one the daemon is configured with.
    pub template: Option<String>,
}

/// One disk of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Where its bytes are.
    pub source: DiskSource,
    /// What the guest sees.
    pub device: DiskDevice,
    /// What it hangs on; `None` takes [`DiskDevice::default_bus`].
    pub bus: Option<DiskBus>,
    /// The image's format; `None` lets libvirt take the volume's own (and `raw` for a file).
    pub format: Option<String>,
    /// The guest cannot write to it. CD-ROMs always are read-only.
    pub read_only: bool,
    /// Serial number the guest sees.
    pub serial: Option<String>,
    /// The user's name for it, with or without libvirt's prefix `ua-`.
    pub alias: Option<String>,
}

impl Disk {
    /// A writable disk with the device's default bus.
    pub fn new(source: DiskSource, device: DiskDevice) -> Self {
        Self {
            source,
            device,
            bus: None,
            format: None,
            read_only: false,
            serial: None,
            alias: None,
        }
    }
}

/// Where a disk's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskSource {
    /// A volume of a storage pool.
    Volume(VolumeId),
    /// A file on the hypervisor's host.
    File(String),
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
    /// A VNC server.
    Vnc {
        /// TCP port; `None` and `Some(0)` let libvirt pick a free one.
        port: Option<u16>,
        /// The address it listens on; `None` is 127.0.0.1.
        listen: Option<String>,
    },
    /// A window on an X11 display of the hypervisor's host.
    Sdl {
        /// The display, as `:0`.
        display: Option<String>,
    },
}

/// A name that is none of the known ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a {kind}; known are: {known}")]
pub struct UnknownName {
    /// What was given.
    pub name: String,
    /// What it should have been, as "disk bus".
    pub kind: &'static str,
    /// The names that are known, separated by commas.
    pub known: String,
}

/// Declares an enum whose variants have one spelling each, in templates and in libvirt's XML alike.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $kind:literal {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name, as in templates and in libvirt's XML.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name).ok_or_else(|| {
                    $crate::UnknownName {
                        name: name.to_owned(),
                        kind: $kind,
                        known: Self::ALL
                            .iter()
                            .map(|known| known.as_str())
                            .collect::<Vec<_>>()
                            .join(", "),
                    }
                })
            }
        }
    };
}
pub(crate) use named;

named! {
    /// How firmware is mapped into the guest.
    LoaderType, "loader type" {
        /// Read-only memory.
        Rom = "rom",
        /// Flash memory, as UEFI needs it.
        Pflash = "pflash",
    }
}

named! {
    /// A kind of device to boot from.
    BootDevice, "boot device" {
        /// Floppies.
        Floppy = "fd",
        /// Disks and LUNs.
        HardDisk = "hd",
        /// CD-ROMs.
        Cdrom = "cdrom",
        /// Network interfaces.
        Network = "network",
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
    /// The bus a device hangs on when none is asked for: `fdc` for floppies, `sata` for CD-ROMs
    /// where the architecture has it (`scsi` elsewhere), `scsi` for LUNs, `virtio` for disks.
    pub fn default_bus(self, arch: &str) -> DiskBus {
        match self {
            Self::Disk => DiskBus::Virtio,
            Self::Cdrom if is_x86(arch) => DiskBus::Sata,
            Self::Cdrom | Self::Lun => DiskBus::Scsi,
            Self::Floppy => DiskBus::Fdc,
        }
    }
}

/// Whether an architecture is a PC's.
pub(crate) fn is_x86(arch: &str) -> bool {
    matches!(arch, "x86_64" | "i686" | "i586" | "i486" | "i386")
}
