//! Whole builds: a real guest, Packer's provisioners and post-processors.

use std::net::IpAddr;

use super::with_each;
use crate::hypervisor::need;
use crate::local_guest::key_pair;
use crate::real_guests::{Stage, sha256, strs, template};

#[test]
fn packer_builds_a_guest_and_works_on_its_image() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let hypervisor = &stage.hypervisor;
    with_each("packer_builds_a_guest_and_works_on_its_image", |packer| {
        let folder = packer.path("folder/inner");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), "in-a-folder").unwrap();
        std::fs::create_dir_all(packer.path("fetched/folder")).unwrap();
        let (key, public) = key_pair(packer.directory.path());
        let domain = format!("{}-packer", hypervisor.pool);
        let mut arguments = vec!["build".to_string()];
        arguments.extend(stage.arguments(
            &domain,
            &[
                ("image", stage.image.to_str().unwrap()),
                ("checksum", &sha256(&stage.image)),
                ("key", key.to_str().unwrap()),
                ("public_key", &public),
            ],
        ));
        let path = template("packer.pkr.hcl");
        arguments.push(path.to_str().unwrap().to_string());

        let built = packer.run(&strs(&arguments));
        let output = built.output;
        println!("{output}");
        assert_eq!(built.code, Some(0), "{output}");
        for expected in [
            "libvirt.guest: on stdout",
            "libvirt.guest: on stderr",
            "libvirt.guest: builder is libvirt",
            "libvirt.guest: here as well",
            "libvirt.guest: served over http",
            "Shutting the guest down",
            &format!(
                "Libvirt volume {}/built.qcow2 in qcow2 format was generated",
                hypervisor.pool
            ),
        ] {
            assert!(output.contains(expected), "no `{expected}` in:\n{output}");
        }
        let (_, told) = output.split_once("libvirt.guest: http is ").unwrap();
        let (address, told) = told.split_once(", ip ").unwrap();
        let (ip, told) = told.split_once(", port ").unwrap();
        let port = told.lines().next().unwrap();
        assert!(
            ip.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_ok(),
            "{output}"
        );
        assert_eq!(address, format!("{ip}:{port}"), "{output}");
        let here = format!("here as well, http is {address}");
        assert!(output.contains(&here), "{output}");
        packer.assert_no_complaints();
        assert_eq!(hypervisor.volumes(), ["built.qcow2"], "{output}");
        assert!(hypervisor.domains(&domain).is_empty(), "{output}");
        assert_eq!(packer.read("fetched/folder/inner/file"), "in-a-folder");

        let copy = packer.path("output/built.qcow2");
        assert!(packer.read("sums").starts_with(&sha256(&copy)));
        let manifest: serde_json::Value =
            serde_json::from_str(&packer.read("manifest.json")).unwrap();
        let entry = &manifest["builds"][0];
        assert_eq!(entry["builder_type"], "libvirt");
        let named = entry["artifact_id"].as_str().unwrap();
        assert!(named.ends_with("/built.qcow2"), "{named}");
        assert_eq!(entry["files"][0]["name"], "output/built.qcow2");
        assert_eq!(
            entry["files"][0]["size"],
            copy.metadata().unwrap().len(),
            "{entry}"
        );
        let guest = entry["custom_data"]["guest"].as_str().unwrap();
        assert_eq!(guest.len(), 36, "a UUID: {guest}");
        hypervisor.virsh(&["vol-delete", "--pool", &hypervisor.pool, "built.qcow2"]);
    });
}
