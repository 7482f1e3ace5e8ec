use lvhost_libvirt::fake::{Call as HypervisorCall, FakeHypervisor};
use lvhost_libvirt::{BuildRecord, DomainSpec, VolumeId, VolumeSpec};

use super::*;
use crate::printer::Recorded;

/// This process, or one that was never there.
fn owner(is_alive: bool) -> Owner {
    let mut owner = Owner::this_process().unwrap();
    if !is_alive {
        owner.started += 1;
    }
    owner
}

fn elsewhere() -> Owner {
    Owner {
        host: "ci-7".to_owned(),
        machine: None,
        boot: "another".to_owned(),
        ..owner(true)
    }
}

/// A hypervisor with a domain and volumes of the user's own.
async fn hypervisor() -> FakeHypervisor {
    let hypervisor = FakeHypervisor::new();
    hypervisor
        .define_domain(&DomainSpec::new("own"))
        .await
        .unwrap();
    add_volume(&hypervisor, "own");
    hypervisor
}

fn add_volume(hypervisor: &FakeHypervisor, name: &str) {
    let spec = VolumeSpec {
        id: VolumeId::new("default", name),
        capacity: 1 << 20,
        allocation: None,
        format: None,
        backing: None,
    };
    hypervisor.add_volume(&spec, &[]).unwrap();
}

/// A build that has made the first two of three volumes.
async fn build(hypervisor: &FakeHypervisor, id: &str, owner: Option<Owner>) {
    let volume = |number: u32| VolumeId::new("default", format!("{id}-{number}"));
    let mut spec = DomainSpec::new(id);
    spec.build = Some(BuildRecord {
        id: id.to_owned(),
        owner,
        volumes: (1..=3).map(volume).collect(),
    });
    hypervisor.define_domain(&spec).await.unwrap();
    add_volume(hypervisor, &format!("{id}-1"));
    add_volume(hypervisor, &format!("{id}-2"));
}

async fn call(
    hypervisor: &FakeHypervisor,
    yes: bool,
    builds: &[&str],
    json: bool,
) -> (Result<(), Failure>, Recorded) {
    let (printer, recorded) = Printer::for_test();
    let arguments = arguments::Clean {
        uri: "fake:///".to_owned(),
        yes,
        builds: builds.iter().map(|id| (*id).to_owned()).collect(),
        output: arguments::Output { json },
    };
    let call = Call {
        arguments: &arguments,
        printer: &printer,
        hypervisor,
    };
    (call.run(&owner(true)).await, recorded)
}

fn volumes(hypervisor: &FakeHypervisor) -> Vec<String> {
    let volumes = hypervisor.volumes();
    volumes.into_iter().map(|volume| volume.name).collect()
}

#[tokio::test]
async fn what_a_dead_build_left_is_removed_and_nothing_else() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    build(&hypervisor, "live", Some(owner(true))).await;
    build(&hypervisor, "far", Some(elsewhere())).await;
    build(&hypervisor, "nobody", None).await;
    let (result, recorded) = call(&hypervisor, true, &[], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["far", "live", "nobody", "own"]);
    assert_eq!(
        volumes(&hypervisor),
        [
            "far-1", "far-2", "live-1", "live-2", "nobody-1", "nobody-2", "own"
        ]
    );
    let said = recorded.results();
    for expected in [
        "): dead\n    domain dead (off)\n    volume default/dead-1\n",
        "): running\n    domain live (off)\n",
        "on ci-7): not to be seen from here\n",
        "    if you know that it is dead: lvhost clean --build far\n",
        "build nobody (no process on record): not to be seen from here\n",
        "Removed what build dead left.\n",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // A second time there is nothing to do.
    let before = hypervisor.operations().len();
    call(&hypervisor, true, &[], false).await.0.unwrap();
    assert_eq!(hypervisor.operations().len(), before + 1);
}

#[tokio::test]
async fn a_build_whose_pool_is_gone_is_given_up_by_name_only() {
    let hypervisor = hypervisor().await;
    let mut spec = DomainSpec::new("dead");
    spec.build = Some(BuildRecord {
        id: "dead".to_owned(),
        owner: Some(owner(false)),
        volumes: vec![VolumeId::new("gone", "image")],
    });
    hypervisor.define_domain(&spec).await.unwrap();
    let (result, recorded) = call(&hypervisor, true, &[], false).await;
    assert!(result.is_err());
    assert_eq!(hypervisor.domains(), ["dead", "own"]);
    let said = recorded.messages();
    for expected in [
        "the volume gone/image could not be removed",
        "if it is gone for good: lvhost clean --build dead",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    call(&hypervisor, true, &["dead"], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
}

#[tokio::test]
async fn a_running_guest_is_stopped_first() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    let domains = hypervisor.list_domains().await.unwrap();
    let dead = domains.iter().find(|domain| domain.id.name == "dead");
    hypervisor.start_domain(&dead.unwrap().id).await.unwrap();
    call(&hypervisor, true, &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
    assert_eq!(volumes(&hypervisor), ["own"]);
}

#[tokio::test]
async fn without_a_yes_nothing_is_touched() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    let (result, recorded) = call(&hypervisor, false, &[], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["dead", "own"]);
    assert_eq!(volumes(&hypervisor), ["dead-1", "dead-2", "own"]);
    assert!(recorded.messages().contains("say `--yes`"));
}

#[tokio::test]
async fn a_build_that_cannot_be_seen_is_removed_by_name_only() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "far", Some(elsewhere())).await;
    build(&hypervisor, "live", Some(owner(true))).await;
    let (result, _) = call(&hypervisor, true, &["far", "live"], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["live", "own"]);
}

#[tokio::test]
async fn a_volume_that_a_live_build_claims_as_well_stays() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    let mut spec = DomainSpec::new("live");
    spec.build = Some(BuildRecord {
        id: "live".to_owned(),
        owner: Some(owner(true)),
        volumes: vec![VolumeId::new("default", "dead-1")],
    });
    hypervisor.define_domain(&spec).await.unwrap();
    call(&hypervisor, true, &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["live", "own"]);
    assert_eq!(volumes(&hypervisor), ["dead-1", "own"]);
}

#[tokio::test]
async fn what_cannot_be_removed_is_said_and_can_be_tried_again() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    hypervisor.fail_on(HypervisorCall::DeleteVolume);
    let (result, recorded) = call(&hypervisor, true, &[], false).await;
    let failure = result.unwrap_err();
    assert!(
        matches!(failure, Failure::NotClean { left: 2.. }),
        "{failure}"
    );
    assert!(
        recorded
            .messages()
            .contains("error: the volume default/dead-1 could not be removed: "),
        "{}",
        recorded.messages()
    );
    // The domain stays: by it the volumes are found.
    assert_eq!(hypervisor.domains(), ["dead", "own"]);
    hypervisor.clear_failures();
    call(&hypervisor, true, &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
    assert_eq!(volumes(&hypervisor), ["own"]);
}

#[tokio::test]
async fn programs_get_it_as_json() {
    let hypervisor = hypervisor().await;
    build(&hypervisor, "dead", Some(owner(false))).await;
    for (yes, removed) in [(false, false), (true, true)] {
        let (result, recorded) = call(&hypervisor, yes, &[], true).await;
        result.unwrap();
        let report: serde_json::Value = serde_json::from_str(&recorded.results()).unwrap();
        assert_eq!(report["uri"], "fake:///");
        let build = &report["builds"][0];
        assert_eq!(build["build_id"], "dead");
        assert_eq!(build["state"], "dead");
        assert_eq!(build["removed"], removed);
        assert_eq!(build["volumes"][0], "default/dead-1");
        assert_eq!(recorded.messages(), "");
    }
}
