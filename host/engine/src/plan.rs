//! What a build is going to do, as a value: names, volumes, interfaces, and the domain made of them.
//! Nothing in here touches the world.

use lvhost_config::{Device, LibvirtSource, NetworkInterfaceType, VolumeSource};
use lvhost_libvirt::{
    BuildRecord, DirectMode, Disk, DiskBus, DiskDevice, DiskSource, DomainSpec, Graphics,
    GraphicsServer, Interface, InterfaceSource, Loader, LoaderType, Nvram, PortForward, Protocol,
    VolumeFacts, VolumeId,
};
use lvhost_runtime::{Defaults, Grant};

use crate::configure::Configured;
use crate::identity::Identity;

/// A build before it begins.
#[derive(Debug)]
pub struct Plan {
    /// The domain's name.
    pub domain: String,
    /// The volumes, in the order of the template.
    pub volumes: Vec<PlannedVolume>,
    /// The index of the volume that is kept.
    pub artifact: usize,
    /// The network interfaces, in the order of the template.
    pub interfaces: Vec<PlannedInterface>,
    /// The index of the interface that leads to the guest, if lvhost has to find the way itself.
    pub communicator_interface: Option<usize>,
}

/// A volume before the build begins.
#[derive(Debug)]
pub struct PlannedVolume {
    /// Its pool and name.
    pub id: VolumeId,
    /// Where its bytes come from.
    pub contents: Contents,
    /// Its size for the guest in bytes, where the template says so.
    pub capacity: Option<u64>,
    /// Bytes to take from the pool at once.
    pub allocation: u64,
    /// Its format, where the template or the component says so.
    pub format: Option<String>,
    device: DiskDevice,
    bus: Option<DiskBus>,
    read_only: bool,
    alias: Option<String>,
}

/// Where a volume's bytes come from.
#[derive(Debug)]
pub enum Contents {
    /// It is there already and is only used.
    Existing,
    /// It begins empty.
    Blank,
    /// A component makes it.
    Source {
        /// Which one, with the user's options.
        block: VolumeSource,
        /// What the component may reach for it.
        grants: Vec<Grant>,
    },
}

/// A network interface before the build begins.
#[derive(Debug)]
pub struct PlannedInterface {
    /// Its hardware address, in lower case.
    pub mac: String,
    /// What it is attached to.
    pub source: InterfaceSource,
    model: String,
    alias: Option<String>,
}

/// The domain's name: the template's, or a random one.
pub fn domain_name(source: &LibvirtSource, identity: &Identity) -> String {
    match &source.domain_name {
        Some(name) => name.clone(),
        None => format!("packer-{}", identity.word("domain")),
    }
}

/// Makes the plan. `free_port` finds a port of this machine for a forward that leaves it open.
///
/// # Errors
/// Those of `free_port`.
pub fn plan<E>(
    source: &LibvirtSource,
    configured: &Configured,
    identity: &Identity,
    free_port: impl FnMut() -> Result<u16, E>,
) -> Result<Plan, E> {
    let domain = domain_name(source, identity);
    let artifact = source.artifact().unwrap_or(0);
    let mut volumes: Vec<PlannedVolume> = Vec::with_capacity(source.volume.len());
    for (index, volume) in source.volume.iter().enumerate() {
        let configuration = configured.0.get(index).and_then(Option::as_ref);
        let defaults = configuration
            .map(|known| known.defaults.clone())
            .unwrap_or_default();
        let contents = match &volume.source {
            Some(block) => Contents::Source {
                block: block.clone(),
                grants: configuration
                    .map(|known| known.grants.clone())
                    .unwrap_or_default(),
            },
            None if index == artifact => Contents::Blank,
            None => Contents::Existing,
        };
        let name = match &volume.name {
            Some(name) => name.clone(),
            None => generated_name(
                &domain,
                volume.alias.as_deref(),
                &defaults,
                index,
                identity,
                &volumes,
            ),
        };
        let device = volume
            .device
            .map_or_else(|| default_device(&defaults), disk_device);
        volumes.push(PlannedVolume {
            id: VolumeId::new(&volume.pool, name),
            contents,
            capacity: volume.capacity.map(|capacity| capacity.0),
            // Sparse unless the user wants otherwise.
            allocation: volume.size.map_or(0, |size| size.0),
            format: volume.format.clone().or(defaults.format),
            device,
            bus: volume
                .bus
                .as_ref()
                .or(defaults.bus.as_ref())
                .and_then(|bus| bus.parse().ok()),
            read_only: volume.readonly.or(defaults.read_only).unwrap_or(false),
            alias: volume.alias.clone(),
        });
    }
    Ok(Plan {
        domain,
        volumes,
        artifact,
        interfaces: interfaces(source, identity, free_port)?,
        communicator_interface: source.communicator_network_interface(),
    })
}

/// `<domain>-<postfix>`, where the postfix is what the source calls for, else the alias, else random.
/// A second volume of the same name (two cloud-init discs) gets a random one.
fn generated_name(
    domain: &str,
    alias: Option<&str>,
    defaults: &Defaults,
    index: usize,
    identity: &Identity,
    taken: &[PlannedVolume],
) -> String {
    let random = identity.word(&format!("volume {index}"));
    let postfix = defaults.name_suffix.as_deref().or(alias).unwrap_or(&random);
    let name = format!("{domain}-{postfix}");
    if taken.iter().any(|volume| volume.id.name == name) {
        format!("{name}-{random}")
    } else {
        name
    }
}

fn default_device(defaults: &Defaults) -> DiskDevice {
    match defaults.device {
        Some(lvhost_runtime::Device::Cdrom) => DiskDevice::Cdrom,
        Some(lvhost_runtime::Device::Floppy) => DiskDevice::Floppy,
        Some(lvhost_runtime::Device::Lun) => DiskDevice::Lun,
        Some(lvhost_runtime::Device::Disk) | None => DiskDevice::Disk,
    }
}

fn disk_device(device: Device) -> DiskDevice {
    match device {
        Device::Disk => DiskDevice::Disk,
        Device::Cdrom => DiskDevice::Cdrom,
        Device::Floppy => DiskDevice::Floppy,
        Device::Lun => DiskDevice::Lun,
    }
}

fn interfaces<E>(
    source: &LibvirtSource,
    identity: &Identity,
    mut free_port: impl FnMut() -> Result<u16, E>,
) -> Result<Vec<PlannedInterface>, E> {
    let mut planned = Vec::with_capacity(source.network_interface.len());
    for (index, interface) in source.network_interface.iter().enumerate() {
        let attached = match interface.r#type {
            NetworkInterfaceType::Managed | NetworkInterfaceType::Network => {
                let network = interface.network.clone();
                InterfaceSource::Network {
                    network: network.unwrap_or_else(|| "default".into()),
                }
            }
            NetworkInterfaceType::Bridge => InterfaceSource::Bridge {
                bridge: interface.bridge.clone().unwrap_or_default(),
            },
            NetworkInterfaceType::User => {
                let mut port_forwards = Vec::with_capacity(interface.port_forward.len());
                for forward in &interface.port_forward {
                    port_forwards.push(PortForward {
                        protocol: match forward.protocol {
                            lvhost_config::Protocol::Tcp => Protocol::Tcp,
                            lvhost_config::Protocol::Udp => Protocol::Udp,
                        },
                        address: forward.address.parse().ok(),
                        host_port: match forward.host_port {
                            Some(port) => port,
                            None => free_port()?,
                        },
                        guest_port: forward.guest_port,
                    });
                }
                InterfaceSource::User { port_forwards }
            }
            NetworkInterfaceType::Direct => InterfaceSource::Direct {
                device: interface.device.clone().unwrap_or_default(),
                mode: interface.mode.map_or(DirectMode::Bridge, direct_mode),
            },
        };
        let mac = interface.mac.clone().unwrap_or_else(|| identity.mac(index));
        planned.push(PlannedInterface {
            mac: mac.to_ascii_lowercase(),
            source: attached,
            model: interface.model.clone(),
            alias: interface.alias.clone(),
        });
    }
    Ok(planned)
}

impl Plan {
    /// The domain, now that the volumes are there. `facts` are theirs, in the same order.
    pub fn domain_spec(
        &self,
        source: &LibvirtSource,
        identity: &Identity,
        facts: &[VolumeFacts],
    ) -> DomainSpec {
        DomainSpec {
            build: Some(BuildRecord::new(identity.build_id().to_string())),
            domain_type: source.domain_type.clone(),
            arch: source.arch.clone(),
            machine: source.chipset.clone(),
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

fn disk(volume: &PlannedVolume, facts: &VolumeFacts) -> Disk {
    Disk {
        source: DiskSource::Volume(volume.id.clone()),
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

fn direct_mode(mode: lvhost_config::DirectMode) -> DirectMode {
    match mode {
        lvhost_config::DirectMode::Bridge => DirectMode::Bridge,
        lvhost_config::DirectMode::Vepa => DirectMode::Vepa,
        lvhost_config::DirectMode::Private => DirectMode::Private,
        lvhost_config::DirectMode::Passthrough => DirectMode::Passthrough,
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
