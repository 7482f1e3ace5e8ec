//! The domain that this plugin makes of a template, beside the one that the plugin in Go makes of it. Each
//! difference has its reason in `docs/migration.md`.

use std::collections::BTreeSet;

use super::with_newest;
use crate::hypervisor::need;
use crate::local_guest::LocalGuest;

/// What only the domain of the plugin in Go has.
const ONLY_IN_GO: &[&str] = &[
    "/domain/devices/controller[scsi] type=scsi index=0 model=lsilogic",
    "/domain/devices/disk[volume][sdb] type=volume device=disk",
    "/domain/devices/disk[volume][sdb]/alias name=ua-artifact",
    "/domain/devices/disk[volume][sdb]/driver name=qemu",
    "/domain/devices/disk[volume][sdb]/source pool=POOL volume=POOL-a",
    "/domain/devices/disk[volume][sdb]/target dev=sdb bus=scsi",
    "/domain/devices/graphics[vnc] type=vnc port=-1 autoport=yes",
    "/domain/devices/graphics[vnc]/listen type=address",
    "/domain/devices/memballoon model=virtio",
    "/domain/os/boot dev=hd",
];

/// What only the domain of this plugin has.
const ONLY_HERE: &[&str] = &[
    "/domain/devices/disk[volume][sda]/backingStore",
    "/domain/devices/disk[volume][vda] type=volume device=disk",
    "/domain/devices/disk[volume][vda]/alias name=ua-artifact",
    "/domain/devices/disk[volume][vda]/backingStore",
    "/domain/devices/disk[volume][vda]/boot order=1",
    "/domain/devices/disk[volume][vda]/driver name=qemu type=raw",
    "/domain/devices/disk[volume][vda]/source pool=POOL volume=POOL-a",
    "/domain/devices/disk[volume][vda]/target dev=vda bus=virtio",
    "/domain/devices/graphics[vnc] type=vnc port=-1 autoport=yes listen=127.0.0.1",
    "/domain/devices/graphics[vnc]/listen type=address address=127.0.0.1",
    "/domain/devices/memballoon model=none",
    "/domain/devices/rng model=virtio",
    "/domain/devices/rng/backend model=random /dev/urandom",
];

/// Where libvirt puts a device, what it is called at random, and the notes of either plugin.
const IGNORED: [&str; 5] = ["address", "uuid", "metadata", "description", "name"];

/// Every element as a line: its path, its attributes, its text. Elements of one name have the first thing that
/// tells them apart in the path.
fn lines(xml: &str) -> BTreeSet<String> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let mut lines = BTreeSet::new();
    collect(document.root_element(), "", &mut lines);
    lines
}

fn collect(element: roxmltree::Node<'_, '_>, path: &str, lines: &mut BTreeSet<String>) {
    let name = element.tag_name().name();
    if IGNORED.contains(&name) {
        return;
    }
    let mut path = format!("{path}/{name}");
    let parts = ["target", "alias", "model"];
    let kind = ["type", "device", "name", "bus", "index"]
        .iter()
        .find_map(|attribute| element.attribute(*attribute));
    let has_siblings = element
        .parent_element()
        .is_some_and(|parent| parent.tag_name().name() == "devices");
    if has_siblings {
        let target = element
            .children()
            .find(|child| parts.contains(&child.tag_name().name()))
            .and_then(|child| child.attribute("dev").or(child.attribute("name")));
        for part in [kind, target].into_iter().flatten() {
            path.push_str(&format!("[{part}]"));
        }
    }
    let mut line = path.clone();
    for attribute in element.attributes() {
        line.push_str(&format!(" {}={}", attribute.name(), attribute.value()));
    }
    if let Some(text) = element
        .text()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        line.push_str(&format!(" {text}"));
    }
    lines.insert(line);
    for child in element.children().filter(roxmltree::Node::is_element) {
        collect(child, &path, lines);
    }
}

#[test]
fn the_domain_is_that_of_the_plugin_in_go_but_for_what_is_said() {
    let name = "the_domain_is_that_of_the_plugin_in_go_but_for_what_is_said";
    let guest = need!(LocalGuest::new());
    let go = need!(crate::hypervisor::variable("LVHOST_TEST_GO_PLUGIN_0_5_0"));
    with_newest(name, |packer| {
        packer.install(&go, "github.com/other/golibvirt");
        let domain = guest.domain("a");
        let domain_of = |plugin: &str| {
            let dump = format!(
                "virsh -c {} dumpxml --inactive {domain} > domain.xml",
                guest.hypervisor.uri
            );
            let provisioner =
                format!("  provisioner \"shell-local\" {{\n    inline = [{dump:?}]\n  }}");
            let more = r#"
                network_address_source = "lease"
                network_interface {
                  type  = "managed"
                  alias = "communicator"
                  mac   = "52:54:00:00:77:01"
                }
                graphics {
                  type = "vnc"
                }
                volume {
                  pool = "POOL"
                  name = "DOMAIN-seed"
                  bus  = "sata"
                  source {
                    type      = "cloud-init"
                    user_data = "\#cloud-config"
                  }
                }
            "#;
            let more = more
                .replace("POOL", &guest.hypervisor.pool)
                .replace("DOMAIN", &domain)
                .replace("\\#", "#");
            let text = guest
                .template(&["a"], &provisioner)
                .replace(
                    "source \"libvirt\" \"a\" {",
                    &format!("source \"libvirt\" \"a\" {{{more}"),
                )
                .replace("source \"libvirt\"", &format!("source \"{plugin}\""))
                .replace("libvirt.a", &format!("{plugin}.a"));
            let path = packer.path("domain.pkr.hcl");
            std::fs::write(&path, text).unwrap();
            // The guest does not shut down by itself, which the plugin in Go takes for a failure.
            let built = packer.command("build", &path);
            println!("{}", built.output);
            let xml = packer.read("domain.xml");
            std::fs::remove_file(packer.path("domain.xml")).unwrap();
            xml.replace(&guest.hypervisor.pool, "POOL")
        };
        let in_go = lines(&domain_of("golibvirt"));
        let here = lines(&domain_of("libvirt"));
        let volume = guest.domain("a");
        guest
            .hypervisor
            .virsh(&["vol-delete", "--pool", &guest.hypervisor.pool, &volume]);
        guest.assert_clean("");
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>()
        };
        assert_eq!(only(&in_go, &here), ONLY_IN_GO);
        assert_eq!(only(&here, &in_go), ONLY_HERE);
    });
}
