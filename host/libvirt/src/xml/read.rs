//! What libvirt answers, read into plain types.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use roxmltree::{Document, Node};

use crate::{
    Backing, BuildRecord, DiskSource, Error, HostDevice, NetworkFacts, Owner, PoolFacts, Result,
    VolumeFacts, VolumeId,
};

/// What is in a pool's XML beside the state, which is not.
pub(crate) fn pool_facts(xml: &str, active: bool) -> Result<PoolFacts> {
    let document = parse("pool", xml)?;
    let pool = document.root_element();
    Ok(PoolFacts {
        name: required(pool, &["name"])?.to_owned(),
        kind: pool.attribute("type").unwrap_or_default().to_owned(),
        active,
        capacity: number(pool, "capacity")?,
        available: number(pool, "available")?,
        target_path: text(pool, &["target", "path"]).map(str::to_owned),
    })
}

/// What is in a network's XML beside the state, which is not.
pub(crate) fn network_facts(xml: &str, active: bool) -> Result<NetworkFacts> {
    let document = parse("network", xml)?;
    let network = document.root_element();
    let bridge = descend(network, &["bridge"]).and_then(|bridge| bridge.attribute("name"));
    Ok(NetworkFacts {
        name: required(network, &["name"])?.to_owned(),
        active,
        bridge: bridge.map(str::to_owned),
        addresses: network
            .children()
            .filter(|child| child.has_tag_name("ip"))
            .filter_map(|ip| ip.attribute("address")?.parse().ok())
            .collect(),
    })
}

/// What is in the XML of an interface of the host.
pub(crate) fn host_device(xml: &str) -> Result<HostDevice> {
    let document = parse("interface", xml)?;
    let interface = document.root_element();
    Ok(HostDevice {
        name: required(interface, &["name"])?.to_owned(),
        is_bridge: interface.attribute("type") == Some("bridge"),
    })
}

/// The kind of switch that a domain's XML says the interface with this MAC address is plugged into, as `openvswitch`;
/// `None` if it says none.
///
/// # Errors
/// It is no XML.
pub fn virtual_port(domain_xml: &str, mac: &str) -> Result<Option<String>> {
    let document = parse("domain", domain_xml)?;
    let has_mac = |interface: &Node<'_, '_>| {
        let stated = descend(*interface, &["mac"]).and_then(|mac| mac.attribute("address"));
        stated.is_some_and(|stated| stated.eq_ignore_ascii_case(mac))
    };
    let devices = descend(document.root_element(), &["devices"]);
    let mut interfaces = devices.iter().flat_map(Node::children);
    let interface = interfaces.find(|child| child.has_tag_name("interface") && has_mac(child));
    let port = interface.and_then(|interface| descend(interface, &["virtualport"]));
    Ok(port
        .and_then(|port| port.attribute("type"))
        .map(str::to_owned))
}

/// What is in a volume's XML.
pub(crate) fn volume_facts(xml: &str) -> Result<VolumeFacts> {
    let document = parse("volume", xml)?;
    let volume = document.root_element();
    let format = |path: &[&str]| {
        descend(volume, path)
            .and_then(|format| format.attribute("type"))
            .map(str::to_owned)
    };
    let path = required(volume, &["target", "path"])?.to_owned();
    Ok(VolumeFacts {
        key: text(volume, &["key"]).unwrap_or(&path).to_owned(),
        capacity: number(volume, "capacity")?,
        allocation: number(volume, "allocation")?,
        physical: number(volume, "physical").ok(),
        kind: volume.attribute("type").unwrap_or("file").to_owned(),
        // libvirt calls a LUKS disk raw and encrypted, and would not work on it as on a raw one.
        guessed_format: match descend(volume, &["target", "encryption"]) {
            Some(_) => Some("luks".to_owned()),
            None => format(&["target", "format"]),
        },
        guessed_backing: text(volume, &["backingStore", "path"]).map(|path| Backing {
            path: path.to_owned(),
            format: format(&["backingStore", "format"]),
        }),
        written: text(volume, &["target", "timestamps", "mtime"]).and_then(time),
        path,
    })
}

/// A time in seconds since 1970, as `1341930622.047245868`.
fn time(text: &str) -> Option<SystemTime> {
    let seconds = text.trim().split('.').next()?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// All files and volumes that a domain's XML names: sources of disks with the images they stand on and
/// are copied to, of file systems, and what it boots by.
pub(crate) fn domain_uses(xml: &str) -> Result<Vec<DiskSource>> {
    let document = parse("domain", xml)?;
    let mut uses = Vec::new();
    for node in document.descendants().filter(|node| node.is_element()) {
        match node.tag_name().name() {
            "source" => {
                if let (Some(pool), Some(volume)) =
                    (node.attribute("pool"), node.attribute("volume"))
                {
                    uses.push(DiskSource::Volume(VolumeId::new(pool, volume)));
                }
                // Of network disks the name is what their pool calls the path.
                let paths = ["file", "dir", "name"].into_iter();
                let paths = paths.filter_map(|name| node.attribute(name));
                uses.extend(paths.map(|path| DiskSource::File(path.to_owned())));
                let device = node.attribute("dev");
                uses.extend(device.map(|path| DiskSource::Block(path.to_owned())));
            }
            "nvram" | "loader" | "kernel" | "initrd" | "dtb" => {
                let path = node.text().map(str::trim).filter(|path| !path.is_empty());
                uses.extend(path.map(|path| DiskSource::File(path.to_owned())));
            }
            _ => {}
        }
    }
    Ok(uses)
}

/// What a domain's metadata says of its build, in whatever namespace: libvirt may answer without ours.
pub(crate) fn build_record(xml: &str) -> Result<BuildRecord> {
    let document = parse("domain's build", xml)?;
    let build = document.root_element();
    let named = |name: &'static str| {
        build
            .children()
            .filter(move |node| node.is_element() && node.tag_name().name() == name)
    };
    let id = build
        .attribute("id")
        .ok_or_else(|| unreadable("domain's build", "there is no id"))?;
    Ok(BuildRecord {
        id: id.to_owned(),
        // One that cannot be read, of a later version perhaps, cannot be told dead.
        owner: named("owner").next().and_then(owner_of),
        begun: build.attribute("begun").and_then(time),
        volumes: named("volume").filter_map(claimed).collect(),
    })
}

fn owner_of(node: Node<'_, '_>) -> Option<Owner> {
    let text = |name: &str| node.attribute(name).map(str::to_owned);
    Some(Owner {
        host: text("host")?,
        machine: match node.attribute("machine") {
            Some(machine) => Some(machine.parse().ok()?),
            None => None,
        },
        boot: text("boot")?,
        pid_namespace: text("pid-namespace")?,
        pid: text("pid")?.parse().ok()?,
        started: text("started")?.parse().ok()?,
    })
}

fn claimed(node: Node<'_, '_>) -> Option<VolumeId> {
    Some(VolumeId::new(
        node.attribute("pool")?,
        node.attribute("name")?,
    ))
}

pub(super) fn parse<'a>(what: &str, xml: &'a str) -> Result<Document<'a>> {
    Document::parse(xml).map_err(|error| unreadable(what, &error.to_string()))
}

fn unreadable(what: &str, message: &str) -> Error {
    Error::InvalidValue {
        action: format!("read libvirt's description of a {what}"),
        message: message.to_owned(),
    }
}

pub(super) fn descend<'a, 'i>(node: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(node, |node, name| {
        node.children().find(|child| child.has_tag_name(*name))
    })
}

pub(super) fn text<'a>(node: Node<'a, '_>, path: &[&str]) -> Option<&'a str> {
    descend(node, path).and_then(|node| node.text())
}

fn required<'a>(node: Node<'a, '_>, path: &[&str]) -> Result<&'a str> {
    text(node, path).ok_or_else(|| {
        unreadable(
            node.tag_name().name(),
            &format!("there is no {}", path.join("/")),
        )
    })
}

/// A size. libvirt answers in bytes; a pool that knows no size has none.
fn number(node: Node<'_, '_>, name: &str) -> Result<u64> {
    let Some(size) = descend(node, &[name]) else {
        return Ok(0);
    };
    let digits = size.text().unwrap_or_default().trim();
    match size.attribute("unit") {
        None | Some("bytes" | "byte" | "B") => digits
            .parse()
            .map_err(|_| unreadable(node.tag_name().name(), &format!("{name} is {digits:?}"))),
        Some(unit) => Err(unreadable(
            node.tag_name().name(),
            &format!("{name} is in {unit:?}, not bytes"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_is_read_with_what_it_stands_on() {
        // As libvirt 9.0 answers.
        let facts = volume_facts(
            "<volume type='file'>
              <name>top &amp; co</name>
              <key>/p/top</key>
              <capacity unit='bytes'>1073741824</capacity>
              <allocation unit='bytes'>200704</allocation>
              <physical unit='bytes'>196616</physical>
              <target><path>/p/top</path><format type='qcow2'/>
                <timestamps><atime>1.5</atime><mtime>1341930622.047245868</mtime></timestamps>
              </target>
              <backingStore><path>/p/base</path><format type='raw'/></backingStore>
            </volume>",
        );
        let facts = facts.unwrap();
        assert_eq!(facts.path, "/p/top");
        let written = UNIX_EPOCH + Duration::from_secs(1_341_930_622);
        assert_eq!(facts.written, Some(written));
        assert_eq!((facts.capacity, facts.allocation), (1 << 30, 200_704));
        assert_eq!(facts.guessed_format.as_deref(), Some("qcow2"));
        let backing = Backing {
            path: "/p/base".into(),
            format: Some("raw".into()),
        };
        assert_eq!(facts.guessed_backing, Some(backing));
        assert_eq!(
            (facts.kind.as_str(), facts.physical),
            ("file", Some(196_616))
        );
    }

    #[test]
    fn all_that_a_domain_names_is_read() {
        let uses = domain_uses(
            "<domain>
              <os><loader>/l</loader><nvram template='/t'>/n</nvram><kernel>/k</kernel></os>
              <devices>
                <disk><source file='/top'/>
                  <backingStore type='file'><source file='/base'/>
                    <backingStore type='block'><source dev='/dev/vg/lv'/><backingStore/></backingStore>
                  </backingStore>
                  <mirror><source file='/copy'/></mirror>
                </disk>
                <disk><source pool='p' volume='v &amp; w'/></disk>
                <disk><source protocol='rbd' name='pool/image'/></disk>
                <filesystem><source dir='/exported'/></filesystem>
                <interface><source network='default'/></interface>
              </devices>
            </domain>",
        );
        let file = |path: &str| DiskSource::File(path.to_owned());
        let expected = [
            file("/l"),
            file("/n"),
            file("/k"),
            file("/top"),
            file("/base"),
            DiskSource::Block("/dev/vg/lv".to_owned()),
            file("/copy"),
            DiskSource::Volume(VolumeId::new("p", "v & w")),
            file("pool/image"),
            file("/exported"),
        ];
        assert_eq!(uses.unwrap(), expected);
    }

    #[test]
    fn answers_that_lack_the_needed_are_errors_and_not_panics() {
        for xml in [
            "",
            "<volume/>",
            "<volume><target/></volume>",
            "<volume><target><path>/p</path></target><capacity>x</capacity></volume>",
            "<volume><target><path>/p</path></target><capacity unit='GiB'>1</capacity></volume>",
        ] {
            assert!(volume_facts(xml).is_err(), "{xml}");
        }
        assert!(pool_facts("<pool type='dir'/>", true).is_err());
        assert!(network_facts("<network/>", true).is_err());
    }

    #[test]
    fn the_switch_of_an_interface_is_read() {
        let xml = "<domain><devices>
            <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>
            <interface type='bridge'><mac address='52:54:00:00:00:0A'/>
                <virtualport type='openvswitch'><parameters profileid='p'/></virtualport></interface>
            </devices></domain>";
        for (mac, expected) in [
            ("52:54:00:00:00:01", None),
            ("52:54:00:00:00:0a", Some("openvswitch")),
            ("52:54:00:00:00:02", None),
        ] {
            assert_eq!(
                virtual_port(xml, mac).unwrap().as_deref(),
                expected,
                "{mac}"
            );
        }
        assert_eq!(virtual_port("<domain/>", "").unwrap(), None);
        assert!(virtual_port("", "").is_err());
    }

    #[test]
    fn pools_without_a_place_and_networks_without_a_bridge_are_read() {
        let pool = "<pool type='rbd'><name>r</name><capacity>9</capacity></pool>";
        let facts = pool_facts(pool, false).unwrap();
        assert_eq!((facts.kind.as_str(), facts.target_path), ("rbd", None));
        assert_eq!(
            (facts.capacity, facts.available, facts.active),
            (9, 0, false)
        );
        let network = "<network><name>n</name><forward mode='hostdev'/></network>";
        assert_eq!(network_facts(network, true).unwrap().bridge, None);
    }
}
