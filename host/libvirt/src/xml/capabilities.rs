//! Capabilities as libvirt tells them: <https://libvirt.org/formatcaps.html> and
//! <https://libvirt.org/formatdomaincaps.html>.
use std::str::FromStr;

use roxmltree::{Document, Node};

use super::read::{descend, parse, text};
use crate::{Capabilities, DomainCapabilities, GuestCapability, Result};

/// The kinds of guests.
pub(crate) fn capabilities(xml: &str) -> Result<Capabilities> {
    let document = parse("hypervisor", xml)?;
    let guests = elements(document.root_element(), "guest").filter_map(guest);
    let host_uuid = text(document.root_element(), &["host", "uuid"]);
    Ok(Capabilities {
        host_uuid: host_uuid.and_then(|uuid| uuid.trim().parse().ok()),
        guests: guests.collect(),
    })
}

fn guest(node: Node<'_, '_>) -> Option<GuestCapability> {
    let arch = descend(node, &["arch"])?;
    let domains = || elements(arch, "domain");
    // A domain type may have machines of its own.
    let mut machines: Vec<String> = elements(arch, "machine")
        .chain(domains().flat_map(|domain| elements(domain, "machine")))
        .filter_map(|machine| machine.text())
        .map(|name| name.trim().to_owned())
        .collect();
    machines.sort();
    machines.dedup();
    Some(GuestCapability {
        os_type: text(node, &["os_type"])?.trim().to_owned(),
        arch: arch.attribute("name")?.to_owned(),
        domain_types: domains()
            .filter_map(|domain| domain.attribute("type"))
            .map(str::to_owned)
            .collect(),
        machines,
    })
}

/// What a domain of one kind can have.
pub(crate) fn domain_capabilities(xml: &str) -> Result<DomainCapabilities> {
    let document: Document<'_> = parse("kind of domain", xml)?;
    let root = document.root_element();
    let words = |path: &[&str], name: &str| -> Vec<String> {
        supported(root, path)
            .map(|node| values(node, name))
            .unwrap_or_default()
    };
    // Of a TPM, only one that is emulated can be given to a new domain.
    let emulated = words(&["devices", "tpm"], "backendModel")
        .iter()
        .any(|backend| backend == "emulator");
    let tpm = |name: &str| {
        if emulated {
            words(&["devices", "tpm"], name)
        } else {
            Vec::new()
        }
    };
    Ok(DomainCapabilities {
        emulator: text(root, &["path"]).map(str::to_owned),
        machine: text(root, &["machine"]).map(str::to_owned),
        max_vcpus: descend(root, &["vcpu"])
            .and_then(|vcpu| vcpu.attribute("max"))
            .and_then(|max| max.parse().ok()),
        firmware: known(words(&["os"], "firmware")),
        loaders: supported(root, &["os", "loader"])
            .map(|loader| own_values(loader))
            .unwrap_or_default(),
        secure_boot: words(&["os", "loader"], "secure")
            .iter()
            .any(|word| word == "yes"),
        cpu_modes: descend(root, &["cpu"])
            .map(|cpu| {
                elements(cpu, "mode")
                    .filter(|mode| mode.attribute("supported") == Some("yes"))
                    .filter_map(|mode| mode.attribute("name"))
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default(),
        disk_buses: known(words(&["devices", "disk"], "bus")),
        graphics: words(&["devices", "graphics"], "type"),
        video_models: words(&["devices", "video"], "modelType"),
        tpm_models: known(tpm("model")),
        tpm_versions: known(tpm("backendVersion")),
        interface_backends: words(&["devices", "interface"], "backendType"),
    })
}

/// The element at a path, unless libvirt says that it is not supported.
fn supported<'a, 'i>(root: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    descend(root, path).filter(|node| node.attribute("supported") != Some("no"))
}

/// The words of `<enum name="…">` in an element.
fn values(node: Node<'_, '_>, name: &str) -> Vec<String> {
    elements(node, "enum")
        .find(|list| list.attribute("name") == Some(name))
        .map(own_values)
        .unwrap_or_default()
}

fn own_values(node: Node<'_, '_>) -> Vec<String> {
    elements(node, "value")
        .filter_map(|value| value.text())
        .map(|value| value.trim().to_owned())
        .collect()
}

/// Those that have a name here; later libvirts know more.
fn known<T: FromStr>(words: Vec<String>) -> Vec<T> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

fn elements<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiskBus, Firmware, TpmModel, TpmVersion};

    #[test]
    fn kinds_of_guests_are_read_with_machines_of_a_single_domain_type() {
        let known = capabilities(
            "<capabilities><host/>
              <guest><os_type>hvm</os_type><arch name='x86_64'>
                <machine maxCpus='1'>pc-q35-10.0</machine>
                <machine canonical='pc-q35-10.0'>q35</machine>
                <domain type='qemu'/>
                <domain type='kvm'><machine>microvm</machine><machine>q35</machine></domain>
              </arch></guest>
              <guest><os_type>exe</os_type><arch name='i686'><domain type='lxc'/></arch></guest>
              <guest><os_type>broken</os_type></guest>
            </capabilities>",
        )
        .unwrap();
        assert_eq!(known.guests.len(), 2);
        assert_eq!(known.guests[0].machines, ["microvm", "pc-q35-10.0", "q35"]);
        assert!(known.offers("kvm", "x86_64") && !known.offers("kvm", "i686"));
        assert_eq!(known.archs("lxc"), ["i686"]);
        assert_eq!(
            capabilities("<capabilities/>").unwrap(),
            Capabilities::default()
        );
    }

    #[test]
    fn what_is_not_supported_is_not_offered() {
        let domain = |tpm: &str, loader: &str| {
            domain_capabilities(&format!(
                "<domainCapabilities><path>/qemu</path><machine>virt-10</machine>
                  <vcpu max='8'/>
                  <os supported='yes'><enum name='firmware'><value>efi</value></enum>
                    <loader supported='{loader}'><value>/code.fd</value>
                      <enum name='secure'><value>yes</value><value>no</value></enum></loader></os>
                  <cpu><mode name='custom' supported='yes'/>
                    <mode name='host-passthrough' supported='no'/></cpu>
                  <devices>
                    <disk supported='yes'><enum name='bus'>
                      <value>virtio</value><value>of-later-times</value></enum></disk>
                    <graphics supported='no'><enum name='type'><value>vnc</value></enum></graphics>
                    <tpm supported='yes'>
                      <enum name='model'><value>tpm-tis</value></enum>
                      <enum name='backendModel'><value>{tpm}</value></enum>
                      <enum name='backendVersion'><value>2.0</value></enum></tpm>
                  </devices></domainCapabilities>"
            ))
            .unwrap()
        };
        let full = domain("emulator", "yes");
        assert_eq!(full.firmware, [Firmware::Efi]);
        assert_eq!(full.loaders, ["/code.fd"]);
        assert!(full.secure_boot);
        assert_eq!(full.cpu_modes, ["custom"]);
        assert_eq!(full.disk_buses, [DiskBus::Virtio]);
        assert!(full.graphics.is_empty());
        assert_eq!(full.tpm_models, [TpmModel::Tis]);
        assert_eq!(full.tpm_versions, [TpmVersion::V2_0]);
        assert_eq!(
            (full.max_vcpus, full.machine.as_deref()),
            (Some(8), Some("virt-10"))
        );
        // A TPM of the host cannot be given to a guest that is built.
        let bare = domain("passthrough", "no");
        assert!(bare.tpm_models.is_empty() && bare.tpm_versions.is_empty());
        assert!(bare.loaders.is_empty() && !bare.secure_boot);
    }
}
