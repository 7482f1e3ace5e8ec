//! An installation as people do it: a CD is booted, its prompt is typed at, and what it is told to fetch
//! comes from lvhost.

use crate::hypervisor::need;
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, strs};

/// Installs through libvirt's network, and boots what was made behind passt, so that both ways to the
/// guest are gone once.
#[test]
fn a_guest_boots_from_a_cd_and_fetches_its_configuration() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let disc = need!(stage.disc());
    let lvhost = Lvhost::new();
    let domain = format!("{}-installed", stage.hypervisor.pool);
    let (disc, disk) = (disc.to_str().unwrap(), stage.image.to_str().unwrap());
    let install = [("disc", disc), ("disk", disk)];
    let install = stage.run("install.pkr.hcl", &domain, &install);
    let text = lvhost.succeed(&strs(&install));
    assert!(text.contains("asked for /setup.sh: 200"), "{text}");
    let console = std::fs::read_to_string(lvhost.path("console.log")).unwrap();
    assert!(console.contains("boot: install setup=http://"), "{console}");
    assert_eq!(stage.hypervisor.volumes(), ["installed.qcow2"], "{text}");
    assert!(stage.hypervisor.domains(&domain).is_empty(), "{text}");

    let copy = lvhost.path("installed/installed.qcow2");
    let boot = [
        ("image", copy.to_str().unwrap()),
        ("command", "cat /root/answer"),
    ];
    let text = lvhost.succeed(&strs(&stage.run("forwarded.pkr.hcl", &domain, &boot)));
    assert!(text.contains("the answer is 42"), "{text}");
    assert!(text.contains("Connecting to 127.0.0.1:"), "{text}");
}
