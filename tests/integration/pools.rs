//! A build in a pool that is not a mere directory.

use lvhost_test_daemon::Disk;

use crate::hypervisor::{need, skipped};
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, strs};

/// Room for the small guest and what is written to its overlay.
const SIZE: u64 = 512 << 20;

#[test]
fn a_guest_is_built_in_a_file_system_that_libvirt_mounts() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    if !stage.hypervisor.uri.contains(":///") {
        return skipped("the hypervisor is not this host's");
    }
    let name = format!("{}-disk", stage.hypervisor.pool);
    let disk = need!(Disk::new(
        &stage.hypervisor.uri,
        &name,
        SIZE,
        &["mkfs.ext4"]
    ));
    disk.file_system_pool().unwrap();
    std::fs::copy(&stage.image, disk.mount_point().join("guest.qcow2")).unwrap();
    disk.virsh(&["pool-refresh", &name]).unwrap();
    let lvhost = Lvhost::new();
    let domain = format!("{name}-fs");
    let boot = stage.run_in(
        &name,
        "boot.pkr.hcl",
        &domain,
        &[("volume", "guest.qcow2"), ("command", "mount | grep ' / '")],
    );
    let text = lvhost.succeed(&strs(&boot));
    assert!(text.contains("ext4"), "{text}");
    assert_eq!(
        stage.hypervisor.volumes_of(&name),
        ["booted-guest.qcow2", "guest.qcow2", "lost+found"]
    );
}
