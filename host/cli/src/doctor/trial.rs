//! A guest that shows whether guests run. That `/dev/kvm` is there and opens does not: under a
//! hypervisor without nested virtualisation a guest may start and never execute an instruction.
//!
//! The guest has no disk. Its firmware (SeaBIOS) finds nothing to boot, and is told to reset the
//! machine when that happens; the domain is told to end when it is reset. So a domain that ends by
//! itself has run thousands of instructions, and nothing of the host was touched but its list of
//! domains.
//!
//! ```text
//!  define ─► start ─► firmware: nothing to boot ─► reset ─► off: it works
//!                └──── still there when patience is at its end ──► it does not
//! ```

use std::future::Future;
use std::time::Duration;

use lvhost_engine::Identity;
use lvhost_libvirt::{
    BuildRecord, DomainSpec, DomainState, Error, Hypervisor, Owner, Result, XmlOverlay,
};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// What the firmware and the domain are told, see <https://libvirt.org/formatdomain.html>.
const OVERLAY: &str = "<domain>\
    <os><bios rebootTimeout=\"0\"/></os>\
    <on_reboot>destroy</on_reboot>\
    </domain>";

/// Architectures whose firmware is SeaBIOS.
const ARCHITECTURES: [&str; 2] = ["x86_64", "i686"];

/// MiB of memory, more than SeaBIOS needs.
const MEMORY: u64 = 64;

/// How a trial ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The guest ran, for so long.
    Ran(Duration),
    /// It was started and did nothing in this time.
    Stuck(Duration),
    /// It was started, and then crashed or took QEMU with it.
    Crashed,
    /// It could not be started.
    Refused(Error),
    /// There is no such guest for this architecture.
    NotTried,
}

/// Runs a guest of `domain_type`, and removes it again. What `patience` gives, asked when the guest starts, ends
/// when nobody wants to wait for it any longer.
pub(super) async fn run<P: Future<Output = ()>>(
    hypervisor: &dyn Hypervisor,
    domain_type: &str,
    arch: &str,
    patience: impl FnOnce() -> P,
) -> Outcome {
    if !ARCHITECTURES.contains(&arch) {
        return Outcome::NotTried;
    }
    match attempt(hypervisor, domain_type, arch, patience).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Refused(error),
    }
}

async fn attempt<P: Future<Output = ()>>(
    hypervisor: &dyn Hypervisor,
    domain_type: &str,
    arch: &str,
    patience: impl FnOnce() -> P,
) -> Result<Outcome> {
    let id = Uuid::new_v4();
    let domain = hypervisor
        .define_domain(&spec(id, domain_type, arch)?)
        .await?;
    let begun = Instant::now();
    let tried = async {
        let mut state = hypervisor.watch_domain(&domain).await?;
        state.borrow_and_update();
        hypervisor.start_domain(&domain).await?;
        let started = Instant::now();
        Ok(tokio::select! {
            state = end(&mut state) => match state {
                DomainState::Crashed => Outcome::Crashed,
                // Without a connection, what follows fails and says so.
                _ => Outcome::Ran(begun.elapsed()),
            },
            () = patience() => Outcome::Stuck(started.elapsed()),
        })
    };
    let outcome = tokio::select! {
        outcome = tried => outcome,
        // Who loses patience shall not have to clean up.
        _ = tokio::signal::ctrl_c() => Ok(Outcome::Stuck(begun.elapsed())),
    };
    hypervisor.destroy_domain(&domain).await?;
    hypervisor.undefine_domain(&domain).await?;
    outcome
}

fn spec(id: Uuid, domain_type: &str, arch: &str) -> Result<DomainSpec> {
    let name = format!("lvhost-doctor-{}", id.simple());
    let overlay = XmlOverlay::parse(OVERLAY).map_err(|source| Error::Overlay {
        name: name.clone(),
        number: 1,
        source,
    })?;
    let mut spec = DomainSpec::new(name);
    // So that `lvhost clean` removes it, should this process be killed.
    let mut record = BuildRecord::new(id.to_string());
    record.owner = Owner::this_process().ok();
    spec.build = Some(record);
    spec.uuid = Some(Identity::fixed(id).domain_uuid());
    spec.domain_type = domain_type.to_owned();
    spec.arch = arch.to_owned();
    spec.memory_mib = MEMORY;
    spec.overlays = vec![overlay];
    Ok(spec)
}

/// Waits until the domain is off again, or nobody can tell any more. The first change is its start.
async fn end(state: &mut watch::Receiver<DomainState>) -> DomainState {
    while state.changed().await.is_ok() {
        let now = *state.borrow_and_update();
        if now.is_off() || now == DomainState::Disconnected {
            return now;
        }
    }
    DomainState::Disconnected
}

#[cfg(test)]
mod tests {
    use lvhost_libvirt::fake::{Call, FakeHypervisor};

    use super::*;

    async fn patience() {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }

    #[test]
    fn the_overlay_fits() {
        let spec = spec(Uuid::nil(), "kvm", "x86_64").unwrap();
        let xml = lvhost_libvirt::final_domain_xml(&spec).unwrap();
        assert!(xml.contains("rebootTimeout"), "{xml}");
        assert!(xml.contains("<on_reboot>destroy</on_reboot>"), "{xml}");
        assert!(!xml.contains("<disk"), "{xml}");
    }

    /// Ends whatever guest there is.
    async fn end_guests(hypervisor: FakeHypervisor) {
        loop {
            for domain in hypervisor.domains() {
                hypervisor.power_off(&domain);
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_guest_that_ends_by_itself_has_run() {
        let hypervisor = FakeHypervisor::new();
        let ends = tokio::spawn(end_guests(hypervisor.clone()));
        let outcome = run(&hypervisor, "kvm", "x86_64", patience).await;
        ends.abort();
        assert!(matches!(outcome, Outcome::Ran(_)), "{outcome:?}");
        assert_eq!(hypervisor.domains(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_does_nothing_is_stuck_and_removed() {
        let hypervisor = FakeHypervisor::new();
        let outcome = run(&hypervisor, "kvm", "x86_64", patience).await;
        assert!(
            matches!(outcome, Outcome::Stuck(time) if time.as_secs() == 10),
            "{outcome:?}"
        );
        assert_eq!(hypervisor.domains(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_guest_that_crashes_has_not_run() {
        let hypervisor = FakeHypervisor::new();
        let crashes = tokio::spawn({
            let hypervisor = hypervisor.clone();
            async move {
                loop {
                    for domain in hypervisor.domains() {
                        hypervisor.crash(&domain);
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
        let outcome = run(&hypervisor, "kvm", "x86_64", patience).await;
        crashes.abort();
        assert!(matches!(outcome, Outcome::Crashed), "{outcome:?}");
        assert_eq!(hypervisor.domains(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_guest_that_cannot_start_is_removed() {
        let hypervisor = FakeHypervisor::new();
        hypervisor.fail_on(Call::StartDomain);
        let outcome = run(&hypervisor, "kvm", "x86_64", patience).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        assert_eq!(hypervisor.domains(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn where_the_firmware_is_another_nothing_is_tried() {
        let hypervisor = FakeHypervisor::new();
        let outcome = run(&hypervisor, "kvm", "aarch64", patience).await;
        assert!(matches!(outcome, Outcome::NotTried), "{outcome:?}");
        assert_eq!(hypervisor.operations(), []);
    }
}
