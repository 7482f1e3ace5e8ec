//! The domain that comes out of a plan.

use lvhost_config::{AttachAs, LibvirtSource};
use lvhost_libvirt::{
    BuildRecord, Disk, DiskDevice, DiskSource, DomainSpec, Firmware, FirmwareChoice, Graphics,
    GraphicsServer, Interface, Loader, LoaderType, Nvram, Owner, Tpm, TpmVersion, VolumeFacts,
    XmlOverlay,
};

use super::{Plan, PlannedInterface, PlannedVolume};
use crate::identity::Identity;

impl Plan {
    /// The domain. `facts` are those of the volumes, in the same order; before there are any, the
    /// domain has no disks.
    pub fn domain_spec(
        &self,
        source: &LibvirtSource,
        identity: &Identity,
        owner: Option<Owner>,
        facts: &[VolumeFacts],
    ) -> DomainSpec {
        DomainSpec {
            uuid: Some(identity.domain_uuid()),
            build: Some(BuildRecord {
                owner,
                ..BuildRecord::new(identity.build_id().to_string())
            }),
            domain_type: source.domain_type.clone(),
            arch: source.arch.clone(),
            machine: source.chipset.clone(),
            firmware: source
                .firmware
                .and_then(|kind| firmware(kind, source.secure_boot)),
            loader: source.loader_path.clone().map(|path| Loader {
                path,
                kind: source.loader_type.map(|kind| match kind {
                    lvhost_config::LoaderType::Rom => LoaderType::Rom,
                    lvhost_config::LoaderType::Pflash => LoaderType::Pflash,
                }),
                secure: source.secure_boot,
            }),
            nvram: (source.nvram_path.is_some() || source.nvram_template.is_some()).then(|| {
                Nvram {
                    path: source.nvram_path.clone(),
                    template: source.nvram_template.clone(),
                }
            }),
            tpm: tpm(source.tpm),
            memory_mib: source.memory,
            vcpu: source.vcpu,
            cpu_mode: source.cpu_mode.clone(),
            boot_devices: source
                .boot_devices
                .iter()
                .map(|device| boot_device(*device))
                .collect(),
            disks: self
                .volumes
                .iter()
                .zip(facts)
                .map(|(volume, facts)| disk(volume, facts))
                .collect(),
            interfaces: self.interfaces.iter().map(interface).collect(),
            graphics: source.graphics.iter().map(graphics).collect(),
            video: source.video.map(|model| model.as_str().to_owned()),
            overlays: overlays(source),
            ..DomainSpec::new(&self.domain)
        }
    }
}

fn boot_device(device: lvhost_config::BootDevice) -> lvhost_libvirt::BootDevice {
    match device {
        lvhost_config::BootDevice::Hd => lvhost_libvirt::BootDevice::HardDisk,
        lvhost_config::BootDevice::Network => lvhost_libvirt::BootDevice::Network,
        lvhost_config::BootDevice::Cdrom => lvhost_libvirt::BootDevice::Cdrom,
        lvhost_config::BootDevice::Fd => lvhost_libvirt::BootDevice::Floppy,
    }
}

fn firmware(kind: lvhost_config::Firmware, secure_boot: bool) -> Option<FirmwareChoice> {
    match kind {
        // The machine's own. Were libvirt asked for it by name, it would look for a description of an
        // image, and distributions describe those of UEFI only.
        lvhost_config::Firmware::Bios => None,
        lvhost_config::Firmware::Efi => Some(FirmwareChoice {
            // Which of those without secure boot is libvirt's to choose; with it, the word means that
            // it is on.
            secure_boot: secure_boot.then_some(true),
            ..FirmwareChoice::new(Firmware::Efi)
        }),
    }
}

fn tpm(tpm: lvhost_config::Tpm) -> Option<Tpm> {
    match tpm {
        lvhost_config::Tpm::None => None,
        lvhost_config::Tpm::V2_0 => Some(Tpm::V2),
        lvhost_config::Tpm::V1_2 => Some(Tpm {
            version: TpmVersion::V1_2,
            model: None,
        }),
    }
}

/// What could not be read has been reported, and the build does not begin.
fn overlays(source: &LibvirtSource) -> Vec<XmlOverlay> {
    source
        .domain_xml_overlay
        .iter()
        .filter_map(|text| XmlOverlay::parse(text).ok())
        .collect()
}

fn disk(volume: &PlannedVolume, facts: &VolumeFacts) -> Disk {
    Disk {
        source: match volume.attach_as {
            AttachAs::Volume => DiskSource::Volume(volume.id.clone()),
            AttachAs::File if facts.path.starts_with("/dev/") => {
                DiskSource::Block(facts.path.clone())
            }
            AttachAs::File => DiskSource::File(facts.path.clone()),
        },
        device: volume.device,
        bus: volume.bus,
        format: facts.format.as_deref().map(driver_format),
        read_only: volume.read_only || volume.device == DiskDevice::Cdrom,
        serial: None,
        alias: volume.alias.clone(),
    }
}

/// QEMU's name for a volume's format: libvirt tells some raw ones apart by what is in them.
fn driver_format(volume_format: &str) -> String {
    match volume_format {
        "iso" | "bochs" | "dir" | "ext2" | "extended" | "none" | "unknown" => "raw".to_string(),
        other => other.to_string(),
    }
}

fn interface(planned: &PlannedInterface) -> Interface {
    Interface {
        source: planned.source.clone(),
        mac: Some(planned.mac.clone()),
        model: Some(planned.model.clone()),
        alias: planned.alias.clone(),
    }
}

fn graphics(graphics: &lvhost_config::Graphics) -> Graphics {
    let server = || GraphicsServer {
        port: graphics.port,
        listen: graphics.listen.clone(),
        password: graphics.password.clone().map(Into::into),
    };
    match graphics.r#type {
        lvhost_config::GraphicsType::Vnc => Graphics::Vnc(server()),
        lvhost_config::GraphicsType::Spice => Graphics::Spice(server()),
        lvhost_config::GraphicsType::Sdl => Graphics::Sdl {
            display: graphics.display.clone(),
        },
    }
}
