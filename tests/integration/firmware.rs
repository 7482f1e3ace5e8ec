//! UEFI, Secure Boot and a TPM by one word each, in a guest that is found by the host's ARP table.

use crate::hypervisor::need;
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, strs};

#[test]
fn a_guest_sees_its_firmware_and_its_tpm() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    need!(stage.has_firmware());
    let lvhost = Lvhost::new();
    stage.hypervisor.add_volume("guest.qcow2", &stage.image);
    let domain = format!("{}-firmware", stage.hypervisor.pool);
    let run = stage.run("firmware.pkr.hcl", &domain, &[("volume", "guest.qcow2")]);
    let text = lvhost.succeed(&strs(&run));
    for line in [
        "secure boot: 1\n",
        "TPM: 2\n",
        "the firmware has measured what it started\n",
    ] {
        assert!(text.contains(line), "no {line:?} in: {text}");
    }
    assert_eq!(
        stage.hypervisor.volumes(),
        ["booted-by-efi.qcow2", "guest.qcow2"]
    );
    assert!(stage.hypervisor.domains(&domain).is_empty(), "{text}");
    // Bug 4 of the Go plugin: the firmware's variables kept the domain from being undefined.
    assert!(stage.hypervisor.variables_of(&domain).is_none(), "{text}");
}
