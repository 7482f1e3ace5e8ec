//! The domain that comes out of a plan.

use lvhost_config::{AttachAs, LibvirtSource};
use lvhost_libvirt::{
    BuildRecord, Disk, DiskDevice, DiskSource, DomainSpec, Firmware, FirmwareChoice, Graphics,
    GraphicsServer, Interface, Loader, LoaderType, Nvram, Owner, Tpm, TpmVersion, XmlOverlay,
};

use super::{Plan, PlannedInterface, PlannedVolume};
use crate::disk_image::DiskImage;
use crate::identity::Identity;

impl Plan {
    /// The domain. `images` are its volumes, in the same order; before there are any, the domain has no
    /// disks.
    pub fn domain_spec(
        &self,
        source: &LibvirtSource,
        identity: &Identity,
        owner: Option<Owner>,
        images: &[DiskImage],
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
                .zip(images)
                .map(|(volume, image)| disk(volume, image))
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

fn disk(volume: &PlannedVolume, image: &DiskImage) -> Disk {
    Disk {
        source: match volume.attach_as {
            // libvirt gives no domain a volume that it takes for a folder.
            AttachAs::Volume if image.is_known_to_domains => DiskSource::Volume(volume.id.clone()),
            _ if image.path.starts_with("/dev/") => DiskSource::Block(image.path.clone()),
            _ => DiskSource::File(image.path.clone()),
        },
        device: volume.device,
        bus: volume.bus,
        format: image.format.clone(),
        read_only: volume.read_only || volume.device == DiskDevice::Cdrom,
        serial: None,
        alias: volume.alias.clone(),
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
