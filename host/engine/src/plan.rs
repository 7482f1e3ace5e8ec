//! What a build is going to do, as a value: names, volumes, interfaces, and the domain made of them.
//! Nothing in here touches the world.

mod domain;
mod needs;

use std::collections::BTreeSet;

use lvhost_config::{
    AttachAs, Device, LibvirtSource, NetworkInterfaceType, VOLUME_NAME, VolumeSource,
};
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::{
    DirectMode, DiskBus, DiskDevice, InterfaceSource, PortForward, Protocol, VolumeId,
};
use lvhost_runtime::{Defaults, Grant};

pub use self::needs::{AllowedBy, Need, Needs, PlannedDownload};
use crate::configure::Configured;
use uuid::Uuid;

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
    /// The format of the volume that it is made from, where the template says so.
    pub source_format: Option<String>,
    /// The volumes that it, or the one it is made from, may lean on.
    pub backing_volumes: Vec<String>,
    device: DiskDevice,
    bus: Option<DiskBus>,
    read_only: bool,
    alias: Option<String>,
    attach_as: AttachAs,
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
        None => identity.domain_name(),
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
            source_format: volume.source_format.clone(),
            backing_volumes: volume.backing_volumes.clone(),
            device,
            bus: volume
                .bus
                .as_ref()
                .or(defaults.bus.as_ref())
                .and_then(|bus| bus.parse().ok()),
            read_only: volume.readonly.or(defaults.read_only).unwrap_or(false),
            alias: volume.alias.clone(),
            attach_as: volume.attach_as.unwrap_or(AttachAs::Volume),
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

/// Reports the volumes whose names would be too long for a file's where lvhost makes them.
pub(crate) fn check_generated_names(
    source: &LibvirtSource,
    configured: &Configured,
    domain: &str,
    report: &mut Diagnostics,
) {
    let random = Identity::fixed(Uuid::nil()).word("volume");
    let mut taken = BTreeSet::new();
    for (index, volume) in source.volume.iter().enumerate() {
        if volume.name.is_some() || volume.origin.is_unknown("name") {
            continue;
        }
        let suffix = configured
            .defaults(index)
            .and_then(|known| known.name_suffix.as_deref());
        let postfix = suffix.or(volume.alias.as_deref());
        let mut length = domain.len() + 1 + postfix.unwrap_or(&random).len();
        if postfix.is_some_and(|postfix| !taken.insert(postfix)) {
            length += 1 + random.len();
        }
        if length > VOLUME_NAME {
            report.push(
                Diagnostic::error(
                    volume.origin.span_of("alias"),
                    format!(
                        "this volume would get a name of {length} bytes; it is a file name, and has \
                         {VOLUME_NAME} at most"
                    ),
                )
                .help("give it a `name`, or the domain a shorter one"),
            );
        }
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

fn direct_mode(mode: lvhost_config::DirectMode) -> DirectMode {
    match mode {
        lvhost_config::DirectMode::Bridge => DirectMode::Bridge,
        lvhost_config::DirectMode::Vepa => DirectMode::Vepa,
        lvhost_config::DirectMode::Private => DirectMode::Private,
        lvhost_config::DirectMode::Passthrough => DirectMode::Passthrough,
    }
}

impl Plan {
    /// The volumes that the build is going to make.
    pub fn made_volumes(&self) -> impl Iterator<Item = &VolumeId> {
        self.volumes
            .iter()
            .filter(|volume| !matches!(volume.contents, Contents::Existing))
            .map(|volume| &volume.id)
    }
}
