//! Domains as the engine describes them: plain types, one for each option of a build.
use uuid::Uuid;

use crate::{BuildRecord, Disk, Graphics, Interface, XmlOverlay, named::named};

/// A domain to be defined.
///
/// Beside what stands here a domain gets what its hypervisor has of these: a serial console (alias
/// `ua-serial-console`), a virtio console (`ua-virtual-console`), the guest agent's channel, a
/// random number generator, a video device if it has graphics, a keyboard where the machine has
/// none, and the controllers its disks need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec {
    /// The name, unique at the hypervisor.
    pub name: String,
    /// `None` lets libvirt choose one.
    pub uuid: Option<Uuid>,
    /// The build this domain belongs to. Written into the domain's metadata, so that what a killed
    /// build left behind can be found.
    pub build: Option<BuildRecord>,
    /// libvirt's domain type: `kvm` (hardware), `qemu` (emulation), `hvf`, `xen`, `lxc`, `test`.
    pub domain_type: String,
    /// What is virtualised, in libvirt's words: `hvm` (a whole machine), `xen` (paravirtualised),
    /// `xenpvh`, `exe` (a container). `None` is `exe` for containers (`lxc`, `vz`, `openvz`) and
    /// `hvm` for all others.
    pub os_type: Option<String>,
    /// Architecture of the guest, as `x86_64`.
    pub arch: String,
    /// Machine type (chipset), as `q35` or `pc`; `None` lets libvirt choose.
    pub machine: Option<String>,
    /// The firmware by its kind; libvirt chooses the file. `None` is the machine's own (BIOS on a
    /// PC), but EFI on an ARM or LoongArch machine without a [`loader`](Self::loader), which would
    /// not boot a disk otherwise. Cannot be combined with a loader.
    pub firmware: Option<FirmwareChoice>,
    /// The firmware by its file.
    pub loader: Option<Loader>,
    /// Where UEFI keeps its variables.
    pub nvram: Option<Nvram>,
    /// A trusted platform module, emulated by `swtpm` on the hypervisor's host.
    pub tpm: Option<Tpm>,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Number of virtual CPUs.
    pub vcpu: u32,
    /// libvirt's CPU mode, as `host-passthrough`. `None` lets libvirt choose, except on aarch64,
    /// where its choice for an emulated machine is a 32-bit CPU: there `None` is `maximum` under
    /// emulation and `host-passthrough` under KVM.
    pub cpu_mode: Option<String>,
    /// What the guest's clock shows; `None` is [`Clock::Utc`].
    pub clock: Option<Clock>,
    /// What is tried at boot, in that order: each kind stands for all devices of that kind in
    /// definition order. Empty means [`BootDevice::HardDisk`].
    pub boot_devices: Vec<BootDevice>,
    /// The disks, in definition order: the target names (`vda`, `sdb`, …) follow from it.
    pub disks: Vec<Disk>,
    /// The network interfaces, in definition order.
    pub interfaces: Vec<Interface>,
    /// The graphics devices; empty is a headless domain.
    pub graphics: Vec<Graphics>,
    /// The video device's model, as `virtio` or `qxl`. `None` is `virtio` if there are graphics,
    /// and no video device otherwise.
    pub video: Option<String>,
    /// A file that keeps what the guest writes to its serial console.
    pub serial_log: Option<SerialLog>,
    /// Fragments of domain XML of the user's own, merged in this order into what comes out of the
    /// rest (see [`XmlOverlay`]).
    pub overlays: Vec<XmlOverlay>,
}

impl DomainSpec {
    /// A domain with the defaults of a build: `kvm`, `x86_64`, 512 MiB, one CPU, no disks, no
    /// interfaces, headless.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uuid: None,
            build: None,
            domain_type: "kvm".into(),
            os_type: None,
            arch: "x86_64".into(),
            machine: None,
            firmware: None,
            loader: None,
            nvram: None,
            tpm: None,
            memory_mib: 512,
            vcpu: 1,
            cpu_mode: None,
            clock: None,
            boot_devices: Vec::new(),
            disks: Vec::new(),
            interfaces: Vec::new(),
            graphics: Vec::new(),
            video: None,
            serial_log: None,
            overlays: Vec::new(),
        }
    }
}

/// Firmware by its kind: libvirt looks through the descriptions that the firmware's packages
/// install on the hypervisor's host (`/usr/share/qemu/firmware`) and takes the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirmwareChoice {
    /// BIOS or EFI.
    pub kind: Firmware,
    /// Whether the firmware can do Secure Boot; `None` leaves it to libvirt. Needs a `q35` machine
    /// on a PC.
    pub secure_boot: Option<bool>,
    /// Whether the usual vendors' keys are enrolled, without which Secure Boot is capable but off.
    /// `None` enrolls them if [`secure_boot`](Self::secure_boot) is `Some(true)`, and leaves it to
    /// libvirt otherwise.
    pub enrolled_keys: Option<bool>,
}

impl FirmwareChoice {
    /// The kind alone.
    pub const fn new(kind: Firmware) -> Self {
        Self {
            kind,
            secure_boot: None,
            enrolled_keys: None,
        }
    }
}

/// The firmware of a domain, as a file.
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

/// An emulated trusted platform module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tpm {
    /// The version of the specification.
    pub version: TpmVersion,
    /// How the guest talks to it; `None` is `tpm-crb` for version 2.0 on a PC, `tpm-spapr` on
    /// POWER, and `tpm-tis` elsewhere (of ARM machines QEMU calls that `tpm-tis-device`).
    pub model: Option<TpmModel>,
}

impl Tpm {
    /// What a current guest asks for: version 2.0.
    pub const V2: Self = Self {
        version: TpmVersion::V2_0,
        model: None,
    };
}

/// A file on the hypervisor's host that keeps what the guest writes to its serial console.
///
/// `virtlogd` writes it, as root where the hypervisor is the system's, and turns it over when it
/// grows beyond 2 MiB (`max_size` in `virtlogd.conf`): the end of a longer log is in the file, its
/// beginning in `FILE.0`. For a hypervisor elsewhere the file is elsewhere too; there
/// [`Hypervisor::open_console`](crate::Hypervisor::open_console) is the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialLog {
    /// Path on the hypervisor's host, absolute.
    pub path: String,
    /// Whether a log that is there already is continued. libvirt would begin anew at each start of
    /// the domain.
    pub append: bool,
}

named! {
    /// A kind of firmware.
    Firmware, "firmware" {
        /// SeaBIOS on a PC.
        Bios = "bios",
        /// UEFI.
        Efi = "efi",
    }
}

named! {
    /// A version of the trusted platform module's specification.
    TpmVersion, "TPM version" {
        /// 1.2, of old guests.
        V1_2 = "1.2",
        /// 2.0.
        V2_0 = "2.0",
    }
}

named! {
    /// How a guest talks to its trusted platform module.
    TpmModel, "TPM model" {
        /// FIFO registers, of both versions.
        Tis = "tpm-tis",
        /// Command/response buffers, of version 2.0 on a PC.
        Crb = "tpm-crb",
        /// POWER's.
        Spapr = "tpm-spapr",
    }
}

named! {
    /// What the guest's clock shows when it starts.
    Clock, "clock" {
        /// Coordinated universal time, as all but one system expect it.
        Utc = "utc",
        /// The hypervisor's local time, as Windows expects it.
        LocalTime = "localtime",
    }
}
