//! Whether guests run, and how: with KVM, or at least emulated.

use std::fs::File;
use std::io::ErrorKind;
use std::time::Duration;

use lvhost_engine::with_causes;
use lvhost_libvirt::{Capabilities, Hypervisor, HypervisorFacts};
use tokio::sync::watch;
use tokio::time::Instant;

use super::checks::{Check, Verdict, failed};
use super::trial::{self, Outcome};

/// How long a guest may take to run through its firmware with KVM: it takes a second.
const KVM_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take with KVM where the emulated guest, which is many times slower, is through already.
const KVM_LEAST: Duration = Duration::from_secs(3);

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

/// Whether guests run: with KVM, or else at least emulated. Both are tried at the same time.
///
/// ```text
///  kvm       ───► ran: it works, and nobody waits for the emulated guest
///            ───► nothing yet, and the emulated one has ended: it does not
///  emulation ───► ran, or not: told where KVM does not work
/// ```
pub(super) async fn execution(
    hypervisor: &dyn Hypervisor,
    capabilities: &Capabilities,
    facts: &HypervisorFacts,
    device: KvmDevice,
) -> Vec<Check> {
    let arch = facts.arch.as_str();
    let (kvm_runs, mut told_of_kvm) = watch::channel(false);
    let (emulation_runs, mut told_of_emulation) = watch::channel(false);
    let with_kvm = async move {
        if !capabilities.offers("kvm", arch) {
            return None;
        }
        let patience = || async move {
            let least = Instant::now() + KVM_LEAST;
            let slower_is_through = async {
                until_true(&mut told_of_emulation).await;
                tokio::time::sleep_until(least).await;
            };
            let _ = tokio::time::timeout(KVM_LIMIT, slower_is_through).await;
        };
        let outcome = trial::run(hypervisor, "kvm", arch, patience).await;
        kvm_runs.send_replace(matches!(outcome, Outcome::Ran(_) | Outcome::NotTried));
        Some(outcome)
    };
    let emulated = async move {
        if !capabilities.offers("qemu", arch) {
            return None;
        }
        let patience = || async move {
            let _ = tokio::time::timeout(EMULATION_LIMIT, until_true(&mut told_of_kvm)).await;
        };
        let outcome = trial::run(hypervisor, "qemu", arch, patience).await;
        emulation_runs.send_replace(matches!(outcome, Outcome::Ran(_)));
        Some(outcome)
    };
    let (with_kvm, emulated) = tokio::join!(with_kvm, emulated);
    let kvm = kvm(with_kvm, facts, device);
    match emulated {
        Some(outcome) if kvm.verdict != Verdict::Ok => vec![kvm, emulation(outcome, facts)],
        _ => vec![kvm],
    }
}

/// Waits until the value is true, or for ever where it no longer can become so.
async fn until_true(value: &mut watch::Receiver<bool>) {
    if value.wait_for(|is_true| *is_true).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn emulation(outcome: Outcome, facts: &HypervisorFacts) -> Check {
    match outcome {
        Outcome::Ran(time) => Check::ok(
            "emulation",
            format!("a guest ran, in {:.1} s", time.as_secs_f64()),
        ),
        Outcome::Stuck(time) => Check::fail(
            "emulation",
            format!(
                "a guest was started and did nothing for {} s",
                time.as_secs()
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
    }
}

/// What came of the guest with KVM; nothing where the hypervisor does not offer it.
fn kvm(outcome: Option<Outcome>, facts: &HypervisorFacts, device: KvmDevice) -> Check {
    const EMULATE: &str = "guests can still be emulated, far slower: `domain_type = \"qemu\"`";
    let Some(outcome) = outcome else {
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
    };
    match outcome {
        Outcome::Ran(time) => Check::ok(
            "kvm",
            format!("a guest ran, in {:.1} s", time.as_secs_f64()),
        ),
        Outcome::Stuck(time) => Check::warn(
            "kvm",
            format!(
                "offered, but a guest was started and did nothing for {} s",
                time.as_secs()
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

#[cfg(test)]
mod tests;
