//! What bears a name, or is named by a record that anybody can write, is not lvhost's for that.

use std::process::Command;

use crate::hypervisor::{Hypervisor, need};
use crate::local_guest::LocalGuest;
use crate::lvhost::{Lvhost, said};

const NAMESPACE: &str = "https://lvhost.dev/xmlns/libvirt/domain/1.0";

/// A hypervisor with a domain and a volume of somebody else's. The domain is gone when this is.
struct Theirs {
    hypervisor: Hypervisor,
    lvhost: Lvhost,
    domain: String,
}

impl Theirs {
    /// With a running guest that has no disk, and with whatever metadata.
    fn new(uuid: &str, metadata: &str) -> Result<Self, String> {
        let hypervisor = Hypervisor::alone()?;
        let lvhost = Lvhost::new();
        let domain = format!("{}-theirs", hypervisor.pool);
        let volume = lvhost.write("theirs", "somebody's bytes");
        hypervisor.add_volume("theirs", &volume);
        let xml = format!(
            "<domain type='qemu'><name>{domain}</name>{uuid}<metadata>{metadata}</metadata>\
             <memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>"
        );
        let xml = lvhost.write("domain.xml", &xml);
        hypervisor.virsh(&["define", xml.to_str().unwrap()]);
        hypervisor.virsh(&["start", &domain]);
        Ok(Self {
            hypervisor,
            lvhost,
            domain,
        })
    }

    fn assert_untouched(&self, output: &str) {
        let state = self.hypervisor.virsh(&["domstate", &self.domain]);
        assert_eq!(state.trim(), "running", "{output}");
        assert_eq!(self.hypervisor.volumes(), ["theirs"], "{output}");
    }

    fn template(&self, domain: &str, volume: &str) {
        let Hypervisor { uri, pool, .. } = &self.hypervisor;
        self.lvhost.write(
            "template.pkr.hcl",
            &format!(
                r#"
                source "libvirt" "x" {{
                  libvirt_uri = "{uri}"
                  domain_type = "qemu"
                  domain_name = "{domain}"
                  communicator {{ communicator = "none" }}
                  volume {{
                    alias    = "artifact"
                    pool     = "{pool}"
                    name     = "{volume}"
                    capacity = "1M"
                  }}
                }}
                build {{ sources = ["libvirt.x"] }}
                "#
            ),
        );
    }
}

/// A record of a process that is gone for sure: of this machine, with a start that no process has.
fn record(id: &str, pool: &str) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    format!(
        "<l:build xmlns:l='{NAMESPACE}' id='{id}'><l:owner host='h' boot='{}' pid-namespace='{}' \
         pid='1' started='18446744073709551615'/><l:volume pool='{pool}' name='theirs'/></l:build>",
        boot.trim(),
        namespace.display()
    )
}

#[test]
fn force_removes_nothing_that_only_bears_the_name() {
    let theirs = need!(Theirs::new("", ""));
    for (domain, volume) in [
        (theirs.domain.as_str(), "ours"),
        ("lvhost-test-ours", "theirs"),
        (theirs.domain.as_str(), "theirs"),
    ] {
        theirs.template(domain, volume);
        let output = theirs.lvhost.run(&["run", "-force", "template.pkr.hcl"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("removes only what lvhost has made"), "{text}");
        assert!(text.contains("-force-foreign="), "{text}");
        theirs.assert_untouched(&text);
    }
}

#[test]
fn clean_removes_nothing_that_only_a_record_names() {
    const BUILD: &str = "8a7ff0ae-1b5e-4c9e-9d0b-6ff1b7f8e6a1";
    // The UUID that lvhost gives to the domain of this build: nothing keeps others from computing it.
    let computed = Command::new("python3")
        .args([
            "-c",
            "import sys, uuid; print(uuid.uuid5(uuid.UUID(sys.argv[1]), \"domain's UUID\"))",
            BUILD,
        ])
        .output()
        .unwrap();
    let computed = String::from_utf8(computed.stdout).unwrap();
    let right = format!("<uuid>{}</uuid>", computed.trim());
    // The pool is known when the hypervisor is: the record is written afterwards.
    for (uuid, is_stopped) in [("", false), (right.as_str(), true)] {
        let theirs = need!(Theirs::new(uuid, ""));
        let Hypervisor { uri, pool, .. } = &theirs.hypervisor;
        let element = record(BUILD, pool).replace("l:", "").replace(":l=", "=");
        let set = [
            "metadata",
            &theirs.domain,
            NAMESPACE,
            "--key",
            "lvhost",
            "--live",
            "--config",
            "--set",
            &element,
        ];
        theirs.hypervisor.virsh(&set);
        let output = theirs.lvhost.run(&["clean", "--yes", uri]);
        let text = said(&output);
        assert!(
            text.contains(&format!("build {BUILD} (process 1 on h): dead")),
            "{text}"
        );
        assert!(text.contains("stays: "), "{text}");
        assert_eq!(theirs.hypervisor.volumes(), ["theirs"], "{text}");
        // Who gives a domain the UUID of a build gives it away; no other is touched.
        let state = theirs.hypervisor.virsh(&["domstate", &theirs.domain]);
        let expected = if is_stopped { "shut off" } else { "running" };
        assert_eq!(state.trim(), expected, "{text}");
        let place = format!("{pool}/theirs");
        let remove = [
            "clean",
            "--yes",
            "--remove",
            &place,
            "--remove",
            &theirs.domain,
            uri,
        ];
        let text = theirs.lvhost.succeed(&remove);
        let left = theirs.hypervisor.domains(&theirs.domain);
        assert!(
            theirs.hypervisor.volumes().is_empty() && left.is_empty(),
            "{text}"
        );
    }
}

/// A build that fails removes what it has made. Somebody else has put something in the place of that while it
/// ran.
#[test]
fn what_took_the_place_of_a_volume_outlives_a_failed_build() {
    let guest = need!(LocalGuest::new());
    let lvhost = Lvhost::new();
    let Hypervisor { uri, pool, .. } = &guest.hypervisor;
    let volume = guest.domain("a");
    let virsh = format!("virsh -q -c {uri} ");
    let commands = [
        format!("{virsh} vol-delete --pool {pool} {volume}"),
        format!("{virsh} vol-create-as {pool} {volume} 2M --format raw"),
        "exit 3".to_owned(),
    ];
    let replacing = format!("provisioner \"shell-local\" {{ inline = {commands:?} }}");
    lvhost.write("t.pkr.hcl", &guest.template(&["a"], &replacing));
    let output = lvhost.run(&["run", "t.pkr.hcl"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let expected =
        format!("the volume {volume:?} in pool {pool:?} is not the one that the build has");
    assert!(text.contains(&expected), "{text}");
    assert_eq!(guest.hypervisor.volumes(), [volume.as_str()], "{text}");
    assert!(guest.hypervisor.domains(&volume).is_empty(), "{text}");
    // Without the replacement all goes.
    guest
        .hypervisor
        .virsh(&["vol-delete", "--pool", pool, &volume]);
    let failing = guest.shell("provisioner", &["exit 3"]);
    lvhost.write("t.pkr.hcl", &guest.template(&["a"], &failing));
    let text = said(&lvhost.run(&["run", "t.pkr.hcl"]));
    guest.assert_clean(&text);
}
