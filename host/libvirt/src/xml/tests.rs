//! Domains and volumes against the XML they are known to give (`tests/golden`), and names against
//! XML's own rules.
use std::{fs, net::Ipv4Addr, path::Path};

use proptest::prelude::*;
use roxmltree::{Document, Node};
use secrecy::SecretString;
use uuid::Uuid;

use super::*;
use crate::{
    Backing, BootDevice, BuildRecord, Disk, DiskBus, DiskDevice, DiskSource, DomainSpec, Graphics,
    GraphicsServer, Interface, InterfaceSource, Loader, LoaderType, Nvram, PortForward, Protocol,
    VolumeId, VolumeSpec,
};

/// Compares with `tests/golden/NAME.xml`. What was given is written beside it as `NAME.xml.new` if
/// it differs.
fn assert_golden(name: &str, xml: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.xml"));
    Document::parse(xml).expect("not well-formed");
    if fs::read_to_string(&path).ok().as_deref() != Some(xml) {
        let new = path.with_extension("xml.new");
        fs::write(&new, xml).unwrap();
        panic!(
            "{} differs; compare it with {}",
            path.display(),
            new.display()
        );
    }
}

fn volume(name: &str) -> DiskSource {
    DiskSource::Volume(VolumeId::new("default", name))
}

/// The documentation's simple example.
fn simple() -> DomainSpec {
    DomainSpec {
        build: Some(BuildRecord::new("7d1f")),
        memory_mib: 846,
        disks: vec![
            Disk {
                bus: Some(DiskBus::Sata),
                format: Some("qcow2".into()),
                alias: Some("artifact".into()),
                ..Disk::new(volume("packer-x-artifact"), DiskDevice::Disk)
            },
            Disk {
                bus: Some(DiskBus::Sata),
                format: Some("raw".into()),
                ..Disk::new(volume("packer-x-cloudinit"), DiskDevice::Cdrom)
            },
        ],
        interfaces: vec![Interface {
            alias: Some("communicator".into()),
            ..Interface::new(InterfaceSource::Network {
                network: "default".into(),
            })
        }],
        ..DomainSpec::new("packer-x")
    }
}

/// Every option at once.
fn everything() -> DomainSpec {
    let disk = |name, device, bus| Disk {
        bus,
        ..Disk::new(volume(name), device)
    };
    DomainSpec {
        uuid: Some(Uuid::from_u128(0x1234)),
        build: Some(BuildRecord::new("b & <c>")),
        domain_type: "qemu".into(),
        machine: Some("q35".into()),
        loader: Some(Loader {
            path: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd".into(),
            kind: Some(LoaderType::Pflash),
            secure: true,
        }),
        nvram: Some(Nvram {
            path: Some("/var/lib/vars.fd".into()),
            template: Some("/usr/share/OVMF/OVMF_VARS_4M.fd".into()),
        }),
        vcpu: 4,
        cpu_mode: Some("host-passthrough".into()),
        boot_devices: vec![
            BootDevice::Cdrom,
            BootDevice::Floppy,
            BootDevice::Network,
            BootDevice::Cdrom,
            BootDevice::HardDisk,
        ],
        disks: vec![
            disk("a", DiskDevice::Disk, None),
            disk("b", DiskDevice::Disk, Some(DiskBus::Scsi)),
            disk("c", DiskDevice::Cdrom, None),
            disk("d", DiskDevice::Floppy, None),
            disk("e", DiskDevice::Disk, Some(DiskBus::Usb)),
            disk("f", DiskDevice::Lun, None),
            disk("g", DiskDevice::Cdrom, Some(DiskBus::Ide)),
            Disk {
                read_only: true,
                serial: Some("SN.1".into()),
                alias: Some("ua-data".into()),
                ..Disk::new(DiskSource::File("/tmp/it's.img".into()), DiskDevice::Disk)
            },
        ],
        interfaces: vec![
            Interface {
                mac: Some("52:54:00:00:00:01".into()),
                model: Some("e1000".into()),
                ..Interface::new(InterfaceSource::Bridge {
                    bridge: "br0".into(),
                })
            },
            Interface::new(InterfaceSource::User {
                port_forwards: vec![
                    PortForward {
                        protocol: Protocol::Tcp,
                        address: Some(Ipv4Addr::LOCALHOST.into()),
                        host_port: 2222,
                        guest_port: 22,
                    },
                    PortForward {
                        protocol: Protocol::Udp,
                        address: None,
                        host_port: 53,
                        guest_port: 53,
                    },
                ],
            }),
        ],
        graphics: vec![
            Graphics::Vnc(GraphicsServer::default()),
            Graphics::Vnc(GraphicsServer {
                port: Some(5950),
                listen: Some("::1".into()),
                password: Some(SecretString::from("12345678").into()),
            }),
            Graphics::Sdl {
                display: Some(":0".into()),
            },
        ],
        ..DomainSpec::new("every & <thing>")
    }
}

#[test]
fn domains_give_the_xml_they_are_known_to_give() {
    assert_golden("domain-minimal", &domain_xml(&DomainSpec::new("minimal")));
    assert_golden("domain-simple", &domain_xml(&simple()));
    assert_golden("domain-everything", &domain_xml(&everything()));
    let arm = DomainSpec {
        arch: "aarch64".into(),
        machine: Some("virt".into()),
        disks: vec![Disk::new(volume("cd"), DiskDevice::Cdrom)],
        ..DomainSpec::new("arm")
    };
    assert_golden("domain-aarch64", &domain_xml(&arm));
}

#[test]
fn volumes_give_the_xml_they_are_known_to_give() {
    let plain = VolumeSpec {
        id: VolumeId::new("default", "plain"),
        capacity: 1 << 30,
        allocation: None,
        format: None,
        backing: None,
    };
    assert_golden("volume-plain", &volume_xml(&plain));
    let overlay = VolumeSpec {
        allocation: Some(0),
        format: Some("qcow2".into()),
        backing: Some(Backing {
            path: "/p/base & co".into(),
            format: Some("raw".into()),
        }),
        ..plain
    };
    assert_golden("volume-overlay", &volume_xml(&overlay));
}

/// libvirt's own schemas take what stands in the golden files.
#[test]
fn golden_files_are_valid() {
    use std::process::Command;
    if Command::new("virt-xml-validate")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("SKIPPED: virt-xml-validate (libvirt-clients) is not installed");
        return;
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let schema = if name.starts_with("domain-") {
            "domain"
        } else {
            "storagevol"
        };
        if name.ends_with(".xml") {
            let output = Command::new("virt-xml-validate")
                .arg(&path)
                .arg(schema)
                .output()
                .unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {message}");
        }
    }
}

fn descendants<'a, 'i>(document: &'a Document<'i>, name: &str) -> Vec<Node<'a, 'i>> {
    document
        .descendants()
        .filter(|node| node.has_tag_name(name))
        .collect()
}

#[test]
fn boot_orders_are_unique_and_kinds_follow_each_other() {
    let xml = domain_xml(&everything());
    let document = Document::parse(&xml).unwrap();
    let mut orders: Vec<(u32, String)> = descendants(&document, "boot")
        .iter()
        .map(|boot| {
            let device = boot.parent_element().unwrap();
            let kind = device.attribute("device").unwrap_or("network").to_owned();
            (boot.attribute("order").unwrap().parse().unwrap(), kind)
        })
        .collect();
    orders.sort();
    let kinds: Vec<&str> = orders.iter().map(|(_, kind)| kind.as_str()).collect();
    let expected = [
        "cdrom", "cdrom", "floppy", "network", "network", "disk", "disk", "disk", "lun", "disk",
    ];
    assert_eq!(kinds, expected);
    assert!(
        orders
            .iter()
            .enumerate()
            .all(|(at, (order, _))| *order == at as u32 + 1)
    );
}

#[test]
fn a_build_is_found_by_its_namespace() {
    let xml = domain_xml(&simple());
    let document = Document::parse(&xml).unwrap();
    let build = document
        .descendants()
        .find(|node| node.has_tag_name((METADATA_NAMESPACE, "build")))
        .unwrap();
    assert_eq!(build.attribute("id"), Some("7d1f"));
    assert_eq!(
        build.parent_element().unwrap().tag_name().name(),
        "metadata"
    );
}

#[test]
fn the_27th_disk_has_a_name() {
    let disks = (0..30)
        .map(|n| Disk::new(volume(&n.to_string()), DiskDevice::Disk))
        .collect();
    let xml = domain_xml(&DomainSpec {
        disks,
        ..DomainSpec::new("many")
    });
    let document = Document::parse(&xml).unwrap();
    let names: Vec<&str> = descendants(&document, "target")
        .iter()
        .filter_map(|target| target.attribute("dev"))
        .collect();
    assert_eq!(&names[24..28], ["vdy", "vdz", "vdaa", "vdab"]);
}

#[test]
fn graphics_bring_a_video_device_and_nothing_else_does() {
    for (spec, videos) in [(simple(), 0), (everything(), 1)] {
        let xml = domain_xml(&spec);
        let document = Document::parse(&xml).unwrap();
        assert_eq!(descendants(&document, "video").len(), videos);
    }
}

#[test]
fn control_characters_are_refused_and_nothing_else() {
    for text in ["a\0", "\u{1}", "\u{1f}", "\u{fffe}"] {
        assert!(
            matches!(check_characters("x", text), Err(Error::InvalidValue { .. })),
            "{text:?}"
        );
    }
    check_characters("x", "\t\n\rä<>&\"'\u{7f}\u{10ffff}").unwrap();
}

proptest! {
    /// Whatever XML can say at all comes back as it was said, from text and from attributes.
    #[test]
    fn names_come_back(name in any::<String>(), path in any::<String>()) {
        let source = DiskSource::File(path.clone());
        let spec = DomainSpec {
            build: Some(BuildRecord::new(path.clone())),
            disks: vec![Disk::new(source, DiskDevice::Disk)],
            ..DomainSpec::new(name.clone())
        };
        let xml = domain_xml(&spec);
        prop_assume!(check_characters("x", &xml).is_ok());
        let document = Document::parse(&xml).unwrap();
        prop_assert_eq!(descendants(&document, "name")[0].text().unwrap_or_default(), name);
        prop_assert_eq!(descendants(&document, "source")[0].attribute("file"), Some(path.as_str()));
    }
}
