//! What a hypervisor can run, and with what.
use uuid::Uuid;

use crate::{DiskBus, Firmware, TpmModel, TpmVersion};

/// The kinds of guests a hypervisor offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What tells the hypervisor's host from others of the same name.
    pub host_uuid: Option<Uuid>,
    /// One for each kind and architecture.
    pub guests: Vec<GuestCapability>,
}

/// One kind of guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestCapability {
    /// `hvm`, `xen`, `xenpvh`, `exe`.
    pub os_type: String,
    /// Architecture, as `x86_64`.
    pub arch: String,
    /// The domain types that run it, as `qemu` and `kvm`. That `kvm` is among them says that
    /// `/dev/kvm` is there, not that a guest runs: only starting one shows that.
    pub domain_types: Vec<String>,
    /// Machine types, their aliases (`q35`, `virt`) included.
    pub machines: Vec<String>,
}

impl Capabilities {
    /// Whether some guest of that architecture can have that domain type.
    pub fn offers(&self, domain_type: &str, arch: &str) -> bool {
        self.guests.iter().any(|guest| {
            guest.arch == arch && guest.domain_types.iter().any(|kind| kind == domain_type)
        })
    }

    /// The architectures that a domain type is offered for, sorted.
    pub fn archs(&self, domain_type: &str) -> Vec<&str> {
        let mut archs: Vec<&str> = self
            .guests
            .iter()
            .filter(|guest| guest.domain_types.iter().any(|kind| kind == domain_type))
            .map(|guest| guest.arch.as_str())
            .collect();
        archs.sort_unstable();
        archs.dedup();
        archs
    }
}

/// What domains are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainKind {
    /// The domain type, as `kvm`.
    pub domain_type: String,
    /// The architecture.
    pub arch: String,
    /// The machine type; `None` is libvirt's choice.
    pub machine: Option<String>,
}

/// What a domain of one kind can have. What libvirt says nothing of is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainCapabilities {
    /// The emulator's path on the hypervisor's host.
    pub emulator: Option<String>,
    /// The machine type, its alias resolved.
    pub machine: Option<String>,
    /// The most virtual CPUs.
    pub max_vcpus: Option<u32>,
    /// The kinds of firmware that libvirt can choose by itself.
    pub firmware: Vec<Firmware>,
    /// Firmware files libvirt knows of.
    pub loaders: Vec<String>,
    /// Whether some firmware can do Secure Boot.
    pub secure_boot: bool,
    /// The CPU modes, as `host-passthrough`.
    pub cpu_modes: Vec<String>,
    /// What disks can hang on.
    pub disk_buses: Vec<DiskBus>,
    /// Graphics devices, as `vnc`.
    pub graphics: Vec<String>,
    /// Models of the video device.
    pub video_models: Vec<String>,
    /// Models of an emulated TPM. Empty where there is no `swtpm`.
    pub tpm_models: Vec<TpmModel>,
    /// Versions of an emulated TPM.
    pub tpm_versions: Vec<TpmVersion>,
    /// Back ends of `user` interfaces, as `passt`. Told since libvirt 9.
    pub interface_backends: Vec<String>,
}
