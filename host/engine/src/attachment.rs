//! Whether the guest will see its disks: buses that don't fit a device or a machine, and those that kernels
//! made for clouds have no driver for.

use lvhost_config::{CommunicatorType, Device, LibvirtSource, Volume};
use lvhost_hcl::{Diagnostic, Diagnostics, Span};
use lvhost_libvirt::is_x86;
use lvhost_runtime::Defaults;

use crate::configure::Configured;
use crate::sources::Sources;

/// Buses that Debian 12's kernel for clouds has no driver for. What it has is virtio-blk, virtio-scsi and
/// the IDE of a `pc` machine; no other distribution's kernel was found to lack these.
const UNSEEN_IN_CLOUDS: [&str; 3] = ["sata", "usb", "sd"];

/// The source whose disc tells a cloud image who may log in.
const CLOUD_INIT: &str = "cloud-init";

/// Reports the volumes that the guest is likely not to see.
pub(crate) fn check(
    source: &LibvirtSource,
    sources: &Sources,
    configured: &Configured,
    report: &mut Diagnostics,
) {
    if source.domain_type == "xen" {
        return;
    }
    let guest = Guest::of(source, sources);
    for (index, volume) in source.volume.iter().enumerate() {
        let defaults = configured.defaults(index);
        let Some(device) = device(volume, sources, defaults) else {
            continue;
        };
        let named = volume
            .bus
            .as_deref()
            .filter(|_| !volume.origin.is_unknown("bus"));
        let Some(bus) = named.or(defaults.and_then(|known| known.bus.as_deref())) else {
            if !volume.origin.is_unknown("bus") && device == Device::Cdrom && guest.is_windows {
                report.push(no_driver_in_windows(volume));
            }
            continue;
        };
        let place = place(volume);
        if volume.device.is_none() && !device.takes_bus(bus) {
            report.push(
                Diagnostic::error(
                    place,
                    format!("a {} can't be attached to the bus `{bus}`", device.as_str()),
                )
                .detail("that is the `device` which the volume's source makes")
                .help(instead(device)),
            );
        } else if bus == "ide" && !guest.has_ide {
            report.push(
                Diagnostic::warning(
                    place,
                    format!("machines of the type `{}` have no bus `ide`", guest.machine),
                )
                .help(instead(device)),
            );
        } else if UNSEEN_IN_CLOUDS.contains(&bus) && guest.may_be_a_cloud_image(volume, device) {
            report.push(
                Diagnostic::warning(
                    place,
                    format!(
                        "the guest may not see this {}: kernels made for clouds, such as Debian 12's, have no \
                         driver for the bus `{bus}`",
                        in_words(device)
                    ),
                )
                .help(instead(device)),
            );
        }
    }
}

/// What is known of the guest before it is there.
struct Guest<'a> {
    machine: &'a str,
    has_ide: bool,
    is_windows: bool,
    /// An installer runs in it first, with a kernel for any hardware.
    is_installed: bool,
    /// A disc tells it who may log in, as images for clouds need it.
    has_cloud_init: bool,
    sources: &'a Sources,
}

impl<'a> Guest<'a> {
    fn of(source: &'a LibvirtSource, sources: &'a Sources) -> Self {
        let machine = source.chipset.as_deref();
        let communicator = source.communicator.as_ref();
        Self {
            machine: machine.unwrap_or(&source.arch),
            has_ide: match machine {
                Some(machine) => {
                    !(machine.contains("q35")
                        || machine == "virt"
                        || machine.starts_with("virt-")
                        || machine == "microvm")
                }
                // libvirt's choice is `pc` for a PC.
                None => is_x86(&source.arch),
            },
            is_windows: communicator.is_some_and(|how| how.communicator == CommunicatorType::Winrm),
            is_installed: source
                .artifact()
                .and_then(|index| source.volume.get(index))
                .is_some_and(|artifact| artifact.source.is_none()),
            has_cloud_init: source
                .volume
                .iter()
                .any(|volume| is_cloud_init(volume, sources)),
            sources,
        }
    }

    /// Whether the kernel that has to see the volume may be one for clouds.
    fn may_be_a_cloud_image(&self, volume: &Volume, device: Device) -> bool {
        match device {
            Device::Cdrom if is_cloud_init(volume, self.sources) => true,
            Device::Cdrom => !self.is_windows && !self.is_installed,
            Device::Disk | Device::Lun => {
                self.has_cloud_init && !self.is_windows && !self.is_installed
            }
            Device::Floppy => false,
        }
    }
}

fn is_cloud_init(volume: &Volume, sources: &Sources) -> bool {
    let block = volume.source.as_ref();
    let kind = block.and_then(|block| sources.kind(&block.type_name));
    kind.is_some_and(|kind| kind.type_name == CLOUD_INIT)
}

/// The device, if it is known: the template's, or else what the source makes.
fn device(volume: &Volume, sources: &Sources, defaults: Option<&Defaults>) -> Option<Device> {
    if volume.origin.is_unknown("device") {
        return None;
    }
    if let Some(device) = volume.device {
        return Some(device);
    }
    if volume.source.is_some() && defaults.is_none() {
        // Its options are only known in the build, as those with a key that the build makes. So it was not
        // asked what it makes, which is open then for all but this one.
        return is_cloud_init(volume, sources).then_some(Device::Cdrom);
    }
    Some(match defaults.and_then(|known| known.device) {
        Some(lvhost_runtime::Device::Cdrom) => Device::Cdrom,
        Some(lvhost_runtime::Device::Floppy) => Device::Floppy,
        Some(lvhost_runtime::Device::Lun) => Device::Lun,
        Some(lvhost_runtime::Device::Disk) | None => Device::Disk,
    })
}

fn no_driver_in_windows(volume: &Volume) -> Diagnostic {
    Diagnostic::warning(
        volume.origin.span(),
        "the guest may not see this CD: it hangs on virtio-scsi, and Windows has no driver of its own for that",
    )
    .help(
        "write `bus = \"sata\"`, or `bus = \"scsi\"` where the image has the driver `vioscsi`",
    )
}

fn place(volume: &Volume) -> Span {
    match (&volume.source, volume.origin.is_set("bus")) {
        (Some(block), false) => block.origin.span_of("type"),
        _ => volume.origin.span_of("bus"),
    }
}

fn instead(device: Device) -> &'static str {
    match device {
        Device::Disk => "write `bus = \"virtio\"`, or leave `bus` out",
        Device::Cdrom | Device::Lun => "write `bus = \"scsi\"`, or leave `bus` out",
        Device::Floppy => "write `bus = \"fdc\"`, or leave `bus` out",
    }
}

fn in_words(device: Device) -> &'static str {
    match device {
        Device::Cdrom => "CD",
        Device::Disk | Device::Lun => "disk",
        Device::Floppy => "floppy",
    }
}
