//! A key pair that is made for a build, from the seed of a real guest to its image.

use std::process::Command;

use crate::hypervisor::need;
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, strs, template};

#[test]
fn the_key_of_a_build_gets_into_its_guest_and_not_into_its_image() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let lvhost = Lvhost::new();
    let image = stage.image.to_str().unwrap();
    let domain = format!("{}-keyed", stage.hypervisor.pool);
    let mut arguments = vec!["run".to_string()];
    arguments.extend(stage.arguments(&domain, &[("image", image)]));
    arguments.push(template("key-pair.pkr.hcl").to_str().unwrap().to_string());
    let text = lvhost.succeed(&strs(&arguments));
    let (_, key) = text.split_once("the key is: ecdsa-sha2-nistp521 ").unwrap();
    let key = key.split_whitespace().next().unwrap();
    assert!(!text.contains("PRIVATE KEY"), "{text}");

    let copy = lvhost.path("out/keyed.qcow2");
    match Command::new("qemu-img").arg("check").arg(&copy).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("SKIPPED: qemu-img check: {error}"),
    }

    // The copy boots, and nobody gets in with the key any more.
    stage.hypervisor.add_volume("copy.qcow2", &copy);
    let gone = format!("! grep -qF {key} ~/.ssh/authorized_keys");
    let domain = format!("{domain}-again");
    let boot = stage.boot(&domain, &[("volume", "copy.qcow2"), ("command", &gone)]);
    lvhost.succeed(&strs(&boot));
}
