use std::cell::RefCell;

use lvhost_libvirt::fake::FakeHypervisor;
use lvhost_libvirt::{BuildRecord, ConnectionUri, DomainCapabilities, DomainSpec, GuestCapability};

use super::*;
use crate::doctor::resources::make_default_pool;

/// The checks of a hypervisor whose guests end by themselves.
async fn examine(hypervisor: &FakeHypervisor, device: KvmDevice) -> Vec<Check> {
    let ends = tokio::spawn({
        let hypervisor = hypervisor.clone();
        async move {
            loop {
                for domain in hypervisor.domains() {
                    hypervisor.power_off(&domain);
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let told = RefCell::new(0);
    let checks = all(hypervisor, device, |_| *told.borrow_mut() += 1).await;
    ends.abort();
    assert_eq!(told.into_inner(), checks.len());
    checks
}

fn verdict(checks: &[Check], name: &str) -> Verdict {
    let found = checks.iter().find(|check| check.name == name);
    found.map(|check| check.verdict).unwrap()
}

fn capabilities(domain_types: &[&str]) -> Capabilities {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Capabilities {
        host_uuid: None,
        guests: vec![GuestCapability {
            os_type: "hvm".to_owned(),
            arch: "x86_64".to_owned(),
            domain_types: words(domain_types),
            machines: words(&["pc", "q35"]),
        }],
    }
}

#[tokio::test]
async fn where_all_is_well_nothing_is_to_be_done() {
    let checks = examine(&FakeHypervisor::new(), KvmDevice::Opens).await;
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "connection",
            "guests",
            "kvm",
            "firmware",
            "tpm",
            "user-network",
            "pool",
            "network",
            "leftovers"
        ]
    );
    for check in &checks {
        assert_eq!(check.verdict, Verdict::Ok, "{check:?}");
        assert_eq!(check.advice, None, "{check:?}");
    }
}

#[tokio::test]
async fn without_kvm_guests_are_emulated() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.set_capabilities(capabilities(&["qemu"]), DomainCapabilities::default());
    for (device, expected) in [
        (KvmDevice::Missing, "nested virtualisation"),
        (KvmDevice::NotPermitted, "sudo adduser $USER kvm"),
        (KvmDevice::Opens, "start libvirt's daemon anew"),
    ] {
        let checks = examine(&hypervisor, device).await;
        assert_eq!(verdict(&checks, "kvm"), Verdict::Warn);
        assert_eq!(verdict(&checks, "emulation"), Verdict::Ok);
        let kvm = checks.iter().find(|check| check.name == "kvm").unwrap();
        let advice = kvm.advice.as_deref().unwrap();
        assert!(advice.contains(expected), "{advice}");
        assert!(advice.contains("domain_type = \"qemu\""), "{advice}");
    }
}

#[tokio::test(start_paused = true)]
async fn kvm_that_is_offered_and_runs_nothing_is_found_out() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.set_capabilities(capabilities(&["kvm"]), DomainCapabilities::default());
    let checks = all(&hypervisor, KvmDevice::Opens, |_| {}).await;
    let kvm = checks.iter().find(|check| check.name == "kvm").unwrap();
    assert_eq!(kvm.verdict, Verdict::Warn);
    assert!(kvm.finding.contains("did nothing for 10 s"), "{kvm:?}");
    assert_eq!(hypervisor.domains(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_installed_comes_with_its_package() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.set_capabilities(capabilities(&["kvm"]), DomainCapabilities::default());
    let checks = examine(&hypervisor, KvmDevice::Opens).await;
    for (name, package) in [
        ("firmware", "ovmf"),
        ("tpm", "swtpm"),
        ("user-network", "passt"),
    ] {
        let check = checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.verdict, Verdict::Warn, "{check:?}");
        assert!(
            check.advice.as_ref().unwrap().contains(package),
            "{check:?}"
        );
    }
}

#[tokio::test]
async fn a_hypervisor_without_guests_cannot_build() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.set_capabilities(Capabilities::default(), DomainCapabilities::default());
    let checks = examine(&hypervisor, KvmDevice::Opens).await;
    assert_eq!(verdict(&checks, "guests"), Verdict::Fail);
}

/// virsh by itself takes another hypervisor for root than for everybody else, and a session's user can't write to the
/// system's folder.
#[tokio::test]
async fn a_pool_is_made_where_the_builds_look_for_it() {
    for (uri, folder) in [
        ("qemu:///system", "/var/lib/libvirt/images"),
        ("qemu:///session", "~/.local/share/libvirt/images"),
    ] {
        let facts = HypervisorFacts {
            uri: ConnectionUri::new(uri),
            ..FakeHypervisor::new().facts().await.unwrap()
        };
        let make = make_default_pool(&facts);
        let define = format!("virsh -c {uri} pool-define-as default dir --target {folder}; ");
        assert!(make.starts_with(&define), "{make}");
        for command in make.split("; ") {
            assert!(command.starts_with(&format!("virsh -c {uri} ")), "{make}");
        }
    }
}

#[tokio::test]
async fn pools_and_networks_are_looked_at_one_by_one() {
    let hypervisor = FakeHypervisor::new();
    hypervisor.add_pool("default", 100 << 30, false);
    hypervisor.add_pool("small", 1 << 30, true);
    hypervisor.add_network("default", false);
    let checks = examine(&hypervisor, KvmDevice::Opens).await;
    let told: Vec<_> = checks
        .iter()
        .filter(|check| ["pool", "network"].contains(&check.name))
        .map(|check| {
            (
                check.verdict,
                check.finding.as_str(),
                check.advice.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                Verdict::Warn,
                "default is not active",
                "virsh -c fake:/// pool-start default; virsh -c fake:/// pool-autostart default"
            ),
            (
                Verdict::Warn,
                "small (dir): 1.00 GiB free of 1.00 GiB",
                "most images won't fit"
            ),
            (
                Verdict::Warn,
                "default is not active",
                "virsh -c fake:/// net-start default; virsh -c fake:/// net-autostart default"
            ),
        ]
    );
}

#[tokio::test]
async fn leftovers_of_dead_builds_are_named() {
    let hypervisor = FakeHypervisor::new();
    let mut owner = Owner::this_process().unwrap();
    owner.started += 1;
    let mut spec = DomainSpec::new("web");
    spec.build = Some(BuildRecord {
        owner: Some(owner),
        ..BuildRecord::new("x")
    });
    hypervisor.define_domain(&spec).await.unwrap();
    let checks = examine(&hypervisor, KvmDevice::Opens).await;
    let check = checks.last().unwrap();
    assert_eq!(check.verdict, Verdict::Warn);
    assert_eq!(check.finding, "dead builds have left: web");
}
