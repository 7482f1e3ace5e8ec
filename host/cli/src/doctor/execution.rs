//! Whether guests run, and how: with KVM, or at least emulated.

use std::fs::File;
use std::io::ErrorKind;
use std::time::Duration;

use lvhost_engine::with_causes;
use lvhost_libvirt::{Capabilities, Hypervisor, HypervisorFacts};

use super::checks::{Check, Verdict, failed};
use super::trial::{self, Outcome};

/// How long a guest may take to run through its firmware with KVM: it takes a second.
const KVM_LIMIT: Duration = Duration::from_secs(10);

/// How long with emulation, on a machine that is busy.
const EMULATION_LIMIT: Duration = Duration::from_secs(60);

/// What this host's `/dev/kvm` is like for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KvmDevice {
    /// It opens.
    Opens,
    /// It is there for others only.
    NotPermitted,
    /// It is not there.
    Missing,
}

impl KvmDevice {
    /// As it is now.
    pub(super) fn of_this_host() -> Self {
        match File::options().read(true).write(true).open("/dev/kvm") {
            Ok(_) => Self::Opens,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Self::NotPermitted,
            Err(_) => Self::Missing,
        }
    }
}

/// Whether guests run: with KVM, or else at least emulated.
pub(super) async fn execution(
    hypervisor: &dyn Hypervisor,
    capabilities: &Capabilities,
    facts: &HypervisorFacts,
    device: KvmDevice,
) -> Vec<Check> {
    let kvm = kvm(hypervisor, capabilities, facts, device).await;
    if kvm.verdict == Verdict::Ok || !capabilities.offers("qemu", &facts.arch) {
        return vec![kvm];
    }
    let outcome = trial::run(hypervisor, "qemu", &facts.arch, EMULATION_LIMIT).await;
    let emulation = match outcome {
        Outcome::Ran(time) => Check::ok(
            "emulation",
            format!("a guest ran, in {:.1} s", time.as_secs_f64()),
        ),
        Outcome::Stuck(limit) => Check::fail(
            "emulation",
            format!(
                "a guest was started and did nothing for {} s",
                limit.as_secs()
            ),
            "look at /var/log/libvirt/qemu/ on the hypervisor's host",
        ),
        Outcome::Crashed => Check::fail(
            "emulation",
            "a guest was started and crashed",
            "look at /var/log/libvirt/qemu/ on the hypervisor's host",
        ),
        Outcome::Refused(error) => failed("emulation", &error),
        Outcome::NotTried => {
            Check::ok("emulation", format!("offered; not tried on {}", facts.arch))
        }
    };
    vec![kvm, emulation]
}

async fn kvm(
    hypervisor: &dyn Hypervisor,
    capabilities: &Capabilities,
    facts: &HypervisorFacts,
    device: KvmDevice,
) -> Check {
    const EMULATE: &str = "guests can still be emulated, far slower: `domain_type = \"qemu\"`";
    if !capabilities.offers("kvm", &facts.arch) {
        let why = match device {
            _ if !facts.is_local => "is /dev/kvm there, and may QEMU's user open it?",
            KvmDevice::Missing => {
                "there is no usable /dev/kvm: switch virtualisation on in the machine's firmware, \
                 load the module kvm_intel or kvm_amd; in a virtual machine, its hypervisor has to \
                 allow nested virtualisation"
            }
            KvmDevice::NotPermitted => {
                "you may not open /dev/kvm, as a session has to: `sudo adduser $USER kvm`, then log \
                 in anew"
            }
            KvmDevice::Opens => "start libvirt's daemon anew: it may be older than /dev/kvm",
        };
        return Check::warn("kvm", "not offered", format!("{why}\n{EMULATE}"));
    }
    match trial::run(hypervisor, "kvm", &facts.arch, KVM_LIMIT).await {
        Outcome::Ran(time) => Check::ok(
            "kvm",
            format!("a guest ran, in {:.1} s", time.as_secs_f64()),
        ),
        Outcome::Stuck(limit) => Check::warn(
            "kvm",
            format!(
                "offered, but a guest was started and did nothing for {} s",
                limit.as_secs()
            ),
            format!(
                "this is what virtual machines without working nested virtualisation look like\n\
                 {EMULATE}"
            ),
        ),
        Outcome::Crashed => Check::warn("kvm", "offered, but a guest crashed", EMULATE),
        Outcome::Refused(error) => Check::warn("kvm", with_causes(&error), EMULATE),
        Outcome::NotTried => Check::ok("kvm", format!("offered; not tried on {}", facts.arch)),
    }
}
