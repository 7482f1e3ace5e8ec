//! Network devices of the hypervisor's host: what a bridge or a direct interface of a domain is attached to.
//!
//! libvirt's driver for interfaces knows some of them, and there are daemons without it. Of this machine the kernel
//! tells all there is.
use std::path::Path;

use virt::{error::ErrorNumber, interface::Interface};

use super::{Session, errors::Context};
use crate::{Error, HostDevice, Result, xml, xml::check_characters};

/// Where the kernel shows the network devices of this machine.
const DEVICES: &str = "/sys/class/net";

impl Session {
    pub(super) fn host_device(&self, name: &str) -> Result<Option<HostDevice>> {
        let action = format!("look for the network device {name:?} of the hypervisor's host");
        check_characters(&action, name)?;
        let context = Context::new(self, action);
        let asked = match Interface::lookup_by_name(&self.connect, name) {
            Ok(interface) => match interface.get_xml_desc(0) {
                Ok(xml) => return xml::host_device(&xml).map(Some),
                Err(error) => Err(context.error(error)),
            },
            Err(error) if error.code() == ErrorNumber::NoInterface => Ok(None),
            Err(error) => Err(context.error(error)),
        };
        match asked {
            Err(error @ Error::Disconnected { .. }) => Err(error),
            _ if self.facts()?.is_local => Ok(of_this_machine(Path::new(DEVICES), name)),
            asked => asked,
        }
    }
}

fn of_this_machine(devices: &Path, name: &str) -> Option<HostDevice> {
    // No device's name leads anywhere else.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return None;
    }
    let device = devices.join(name);
    device.exists().then(|| HostDevice {
        name: name.to_owned(),
        is_bridge: device.join("bridge").is_dir(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, create_dir_all};

    use super::*;

    #[test]
    fn the_kernel_tells_devices_from_bridges() {
        let folder = tempfile::tempdir().unwrap();
        create_dir(folder.path().join("eth0")).unwrap();
        create_dir_all(folder.path().join("br0/bridge")).unwrap();
        let told = |name| of_this_machine(folder.path(), name).map(|device| device.is_bridge);
        for (name, expected) in [
            ("eth0", Some(false)),
            ("br0", Some(true)),
            ("eth1", None),
            ("", None),
            (".", None),
            ("..", None),
            ("br0/bridge", None),
        ] {
            assert_eq!(told(name), expected, "{name}");
        }
    }
}
