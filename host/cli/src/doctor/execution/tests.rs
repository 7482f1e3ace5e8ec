use lvhost_libvirt::fake::{Call, FakeHypervisor};

use super::*;

/// Ends each guest of a type as long after its start as `ends` says; of other types, never.
async fn end_guests(hypervisor: FakeHypervisor, ends: Vec<(&'static str, Duration)>) {
    let mut ending = std::collections::BTreeSet::new();
    loop {
        for name in hypervisor.domains() {
            let Some(spec) = hypervisor.domain_spec(&name) else {
                continue;
            };
            let after = ends.iter().find(|(kind, _)| *kind == spec.domain_type);
            if let Some((_, after)) = after
                && ending.insert(name.clone())
            {
                let (hypervisor, after) = (hypervisor.clone(), *after);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    hypervisor.power_off(&name);
                });
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The checks of a hypervisor with such guests, and the seconds that they took.
async fn examine(
    hypervisor: &FakeHypervisor,
    ends: &[(&'static str, Duration)],
) -> (Vec<Check>, f64) {
    let facts = hypervisor.facts().await.unwrap();
    let capabilities = hypervisor.capabilities().await.unwrap();
    assert!(capabilities.offers("kvm", &facts.arch) && capabilities.offers("qemu", &facts.arch));
    let ending = tokio::spawn(end_guests(hypervisor.clone(), ends.to_vec()));
    let begun = Instant::now();
    let checks = execution(hypervisor, &capabilities, &facts, KvmDevice::Opens).await;
    let took = begun.elapsed().as_secs_f64();
    ending.abort();
    assert_eq!(hypervisor.domains(), Vec::<String>::new(), "{checks:?}");
    (checks, took)
}

fn verdicts(checks: &[Check]) -> Vec<(&'static str, Verdict)> {
    checks
        .iter()
        .map(|check| (check.name, check.verdict))
        .collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn where_kvm_works_nobody_waits_for_the_emulated_guest() {
    let hypervisor = FakeHypervisor::new();
    for emulated in [Some(30 * SECOND), None] {
        let mut ends = vec![("kvm", SECOND)];
        ends.extend(emulated.map(|after| ("qemu", after)));
        let (checks, took) = examine(&hypervisor, &ends).await;
        assert_eq!(verdicts(&checks), [("kvm", Verdict::Ok)]);
        assert!(took < 1.5, "{took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn kvm_does_not_work_where_the_emulated_guest_is_through_first() {
    let hypervisor = FakeHypervisor::new();
    for (emulated, expected) in [(1, 3.0), (3, 3.0), (7, 7.0), (30, 30.0)] {
        let (checks, took) = examine(&hypervisor, &[("qemu", emulated * SECOND)]).await;
        assert_eq!(
            verdicts(&checks),
            [("kvm", Verdict::Warn), ("emulation", Verdict::Ok)]
        );
        assert!((took - expected).abs() < 0.5, "{emulated}: {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn kvm_that_is_only_slow_works() {
    let hypervisor = FakeHypervisor::new();
    let ends = [("kvm", 2 * SECOND), ("qemu", SECOND)];
    let (checks, _) = examine(&hypervisor, &ends).await;
    assert_eq!(verdicts(&checks), [("kvm", Verdict::Ok)]);
}

#[tokio::test(start_paused = true)]
async fn where_no_guest_runs_both_are_said() {
    let hypervisor = FakeHypervisor::new();
    let (checks, took) = examine(&hypervisor, &[]).await;
    assert_eq!(
        verdicts(&checks),
        [("kvm", Verdict::Warn), ("emulation", Verdict::Fail)]
    );
    assert!(checks[0].finding.contains("nothing for 10 s"), "{checks:?}");
    assert!(checks[1].finding.contains("nothing for 60 s"), "{checks:?}");
    assert!(took < 61.0, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn guests_that_cannot_start_are_said_at_once() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.fail_on(Call::StartDomain);
    let (checks, took) = examine(&hypervisor, &[]).await;
    assert!(checks.iter().any(|check| check.verdict != Verdict::Ok));
    assert!(took < 61.0, "{took} s");
}
