//! Domains and volumes against the XML they are known to give (`tests/golden`), and names against
//! XML's own rules.
use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use proptest::prelude::*;
use roxmltree::{Document, Node};
use secrecy::SecretString;
use uuid::Uuid;

use super::*;
use crate::*;

/// Compares with `tests/golden/NAME.xml`; `UPDATE=1 cargo test` writes it anew.
pub(super) fn assert_golden(name: &str, xml: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.xml"));
    Document::parse(xml).expect("not well-formed");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, xml).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == xml, "{} differs:\n{xml}", path.display());
}

fn volume(name: &str) -> DiskSource {
    DiskSource::Volume(VolumeId::new("default", name))
}

/// The documentation's simple example.
pub(super) fn simple() -> DomainSpec {
    DomainSpec {
        build: Some(BuildRecord::new("7d1f")),
        memory_mib: 846,
        disks: vec![
            Disk {
                bus: Some(DiskBus::Sata),
                alias: Some("artifact".into()),
                ..Disk::new(
                    volume("packer-x-artifact"),
                    DiskDevice::Disk,
                    DiskFormat::new("qcow2"),
                )
            },
            Disk {
                bus: Some(DiskBus::Sata),
                ..Disk::new(
                    volume("packer-x-cloudinit"),
                    DiskDevice::Cdrom,
                    DiskFormat::raw(),
                )
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
        ..Disk::new(volume(name), device, DiskFormat::raw())
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
                ..Disk::new(
                    DiskSource::File("/tmp/it's.img".into()),
                    DiskDevice::Disk,
                    DiskFormat::raw(),
                )
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

/// What one word each asks for.
fn modern() -> DomainSpec {
    DomainSpec {
        build: Some(BuildRecord {
            owner: Some(Owner {
                host: "ci <1>".into(),
                machine: Some(Uuid::from_u128(7)),
                boot: "b".into(),
                pid_namespace: "pid:[1]".into(),
                pid: 42,
                started: 1_000,
            }),
            begun: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
            volumes: vec![VolumeId::new("default", "a & b")],
            ..BuildRecord::new("7d1f")
        }),
        machine: Some("q35".into()),
        firmware: Some(FirmwareChoice {
            secure_boot: Some(true),
            ..FirmwareChoice::new(Firmware::Efi)
        }),
        tpm: Some(Tpm::V2),
        clock: Some(Clock::LocalTime),
        interfaces: vec![Interface::new(InterfaceSource::Direct {
            device: "eth0".into(),
            mode: DirectMode::Bridge,
        })],
        graphics: vec![Graphics::Spice(GraphicsServer {
            password: Some(SecretString::from("geheim").into()),
            ..GraphicsServer::default()
        })],
        video: Some("qxl".into()),
        serial_log: Some(SerialLog {
            path: "/var/log/guest.log".into(),
            append: false,
        }),
        ..simple()
    }
}

#[test]
fn the_record_of_a_build_comes_back() {
    let record = modern().build.unwrap();
    let xml = domain_xml(&modern());
    let document = Document::parse(&xml).unwrap();
    let build = &descendants(&document, "metadata")[0];
    let child = build.first_element_child().unwrap();
    assert_eq!(read::build_record(&xml[child.range()]).unwrap(), record);
    // As libvirt is given it alone, and answers it.
    let alone = metadata::build_record_xml(&record);
    assert_eq!(read::build_record(&alone).unwrap(), record);
    assert!(read::build_record("<build/>").is_err());
    let later = "<build id='1'><owner host='h'/><volume pool='p'/><more/></build>";
    assert_eq!(read::build_record(later).unwrap(), BuildRecord::new("1"));
}

#[test]
fn domains_give_the_xml_they_are_known_to_give() {
    let base = BackingImage {
        path: "/images/base".into(),
        format: DiskFormat::raw(),
    };
    let middle = BackingImage {
        path: "/dev/vg/middle".into(),
        format: DiskFormat {
            name: "qcow2".into(),
            backing: Some(Box::new(base)),
        },
    };
    let format = DiskFormat {
        name: "qcow2".into(),
        backing: Some(Box::new(middle)),
    };
    assert!(
        format
            .backing_paths()
            .eq(["/dev/vg/middle", "/images/base"])
    );
    let overlaid = DomainSpec {
        disks: vec![Disk::new(volume("top"), DiskDevice::Disk, format)],
        ..DomainSpec::new("overlaid")
    };
    assert_golden("domain-backing-chain", &domain_xml(&overlaid));
    assert_golden("domain-minimal", &domain_xml(&DomainSpec::new("minimal")));
    assert_golden("domain-simple", &domain_xml(&simple()));
    assert_golden("domain-everything", &domain_xml(&everything()));
    let arm = DomainSpec {
        arch: "aarch64".into(),
        machine: Some("virt".into()),
        disks: vec![Disk::new(
            volume("cd"),
            DiskDevice::Cdrom,
            DiskFormat::raw(),
        )],
        ..DomainSpec::new("arm")
    };
    assert_golden("domain-aarch64", &domain_xml(&arm));
    assert_golden("domain-modern", &domain_xml(&modern()));
    let typed_at = DomainSpec {
        domain_type: "qemu".into(),
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        tpm: Some(Tpm::V2),
        ..arm
    };
    assert_golden("domain-aarch64-graphics", &domain_xml(&typed_at));
    let xen = DomainSpec {
        domain_type: "xen".into(),
        boot_devices: vec![BootDevice::Cdrom, BootDevice::HardDisk],
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        disks: vec![
            Disk::new(
                DiskSource::Block("/dev/vg/lv".into()),
                DiskDevice::Disk,
                DiskFormat::raw(),
            ),
            Disk::new(
                DiskSource::File("/cd.iso".into()),
                DiskDevice::Cdrom,
                DiskFormat::raw(),
            ),
        ],
        ..simple()
    };
    assert_golden("domain-xen", &domain_xml(&xen));
    let container = DomainSpec {
        domain_type: "lxc".into(),
        disks: Vec::new(),
        ..simple()
    };
    assert_golden("domain-lxc", &domain_xml(&container));
}

/// The buses of a disk of each kind without one of its own, in a domain.
fn default_buses(domain_type: &str, arch: &str, machine: Option<&str>) -> Vec<String> {
    let kinds = [DiskDevice::Disk, DiskDevice::Cdrom, DiskDevice::Floppy];
    let spec = DomainSpec {
        domain_type: domain_type.into(),
        arch: arch.into(),
        machine: machine.map(str::to_owned),
        disks: kinds
            .map(|kind| Disk::new(volume("v"), kind, DiskFormat::raw()))
            .into(),
        ..DomainSpec::new("buses")
    };
    let xml = domain_xml(&spec);
    let document = Document::parse(&xml).unwrap();
    let buses = descendants(&document, "target").into_iter();
    buses
        .filter_map(|target| target.attribute("bus").map(str::to_owned))
        .collect()
}

#[test]
fn a_disk_without_a_bus_hangs_where_every_kernel_sees_it() {
    for (domain_type, arch, machine, expected) in [
        ("kvm", "x86_64", None, ["virtio", "scsi", "fdc"]),
        ("kvm", "x86_64", Some("pc"), ["virtio", "scsi", "fdc"]),
        ("qemu", "x86_64", Some("q35"), ["virtio", "scsi", "fdc"]),
        ("qemu", "aarch64", Some("virt"), ["virtio", "scsi", "fdc"]),
        ("qemu", "riscv64", Some("virt"), ["virtio", "scsi", "fdc"]),
        ("xen", "x86_64", None, ["xen", "ide", "fdc"]),
        ("bhyve", "x86_64", None, ["virtio", "sata", "fdc"]),
    ] {
        assert_eq!(
            default_buses(domain_type, arch, machine),
            expected,
            "{domain_type} {arch} {machine:?}"
        );
    }
}

#[test]
fn each_scsi_disk_has_a_controller_that_kernels_have_a_driver_for() {
    for (before, discs, expected) in [
        (0, 1, 1),
        (0, 7, 1),
        (0, 8, 2),
        (0, 15, 3),
        // Names are counted over all buses that begin with `sd`, and libvirt goes by names.
        (7, 1, 2),
    ] {
        let disk = |device, bus| Disk {
            bus,
            ..Disk::new(volume("v"), device, DiskFormat::raw())
        };
        let mut disks = vec![disk(DiskDevice::Disk, Some(DiskBus::Sata)); before];
        disks.extend(vec![disk(DiskDevice::Cdrom, None); discs]);
        let spec = DomainSpec {
            disks,
            ..DomainSpec::new("discs")
        };
        let xml = domain_xml(&spec);
        let document = Document::parse(&xml).unwrap();
        let controllers: Vec<_> = descendants(&document, "controller")
            .into_iter()
            .filter(|controller| controller.attribute("type") == Some("scsi"))
            .collect();
        assert_eq!(controllers.len(), expected, "{before} and {discs}");
        for (index, controller) in controllers.iter().enumerate() {
            assert_eq!(controller.attribute("index"), Some(&*index.to_string()));
            assert_eq!(controller.attribute("model"), Some("virtio-scsi"));
        }
    }
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

#[test]
fn passwords_go_to_libvirt_and_nowhere_else() {
    let spec = everything();
    for shown in [
        domain_xml(&spec),
        final_domain_xml(&spec).unwrap(),
        format!("{spec:?}"),
    ] {
        assert!(!shown.contains("12345678"), "{shown}");
    }
    assert!(
        secret_domain_xml(&spec)
            .unwrap()
            .contains(r#"passwd="12345678""#)
    );
}

#[test]
fn what_cannot_go_together_is_refused() {
    let both = DomainSpec {
        firmware: Some(FirmwareChoice::new(Firmware::Efi)),
        ..everything()
    };
    let container = DomainSpec {
        domain_type: "lxc".into(),
        ..simple()
    };
    for spec in [both, container] {
        let error = secret_domain_xml(&spec).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error:?}");
    }
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
        .map(|n| Disk::new(volume(&n.to_string()), DiskDevice::Disk, DiskFormat::raw()))
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
            disks: vec![Disk::new(source, DiskDevice::Disk, DiskFormat::raw())],
            ..DomainSpec::new(name.clone())
        };
        let xml = domain_xml(&spec);
        prop_assume!(check_characters("x", &xml).is_ok());
        let document = Document::parse(&xml).unwrap();
        prop_assert_eq!(descendants(&document, "name")[0].text().unwrap_or_default(), name);
        prop_assert_eq!(descendants(&document, "source")[0].attribute("file"), Some(path.as_str()));
    }
}
