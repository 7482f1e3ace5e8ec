use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use lvhost_engine::{Entry as LogEntry, Identity, JournalFolder, Stage};
use lvhost_libvirt::fake::{Call as HypervisorCall, FakeHypervisor, Operation};
use lvhost_libvirt::{
    Backing, BuildRecord, Disk, DiskDevice, DiskFormat, DiskSource, DomainSpec, VolumeId,
    VolumeSpec,
};
use uuid::Uuid;

use super::*;
use crate::printer::RecordedOutput;

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
    hypervisor.add_volume(&volume(name), &[]).unwrap();
}

fn volume(name: &str) -> VolumeSpec {
    VolumeSpec {
        id: VolumeId::new("default", name),
        capacity: 1 << 20,
        allocation: None,
        format: None,
        backing: None,
    }
}

/// The id of the build that the tests call so.
fn build_id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// A domain that is the build's own, and whose record claims volumes.
fn domain_of(name: &str, owner: Option<Owner>, volumes: Vec<VolumeId>) -> DomainSpec {
    let mut spec = DomainSpec::new(name);
    let build = Identity::fixed(build_id(name));
    spec.uuid = Some(build.domain_uuid());
    spec.build = Some(BuildRecord {
        owner,
        volumes,
        ..BuildRecord::new(build.build_id().to_string())
    });
    spec
}

/// Writes down that a build has made a volume.
async fn write_down(hypervisor: &FakeHypervisor, journal: &Path, build: &str, volume: &VolumeId) {
    let id = HypervisorId::of(hypervisor).await.unwrap();
    let facts = hypervisor.volume(volume).await.unwrap();
    let entry = LogEntry::new(&id, volume, build_id(build), Stage::Made, facts.as_ref());
    let journal = JournalFolder::new(journal.to_owned());
    journal.write(&id, entry).await.unwrap();
}

/// A build that has made the first two of three volumes.
async fn build(scene: &Scene, id: &str, owner: Option<Owner>) {
    let volume = |number: u32| VolumeId::new("default", format!("{id}-{number}"));
    let hypervisor = &scene.hypervisor;
    let spec = domain_of(id, owner, (1..=3).map(volume).collect());
    hypervisor.define_domain(&spec).await.unwrap();
    for number in 1..=2 {
        add_volume(hypervisor, &volume(number).name);
        write_down(hypervisor, scene.journal.path(), id, &volume(number)).await;
    }
}

/// What a call finds.
struct Scene {
    hypervisor: FakeHypervisor,
    journal: tempfile::TempDir,
}

impl Scene {
    /// With a domain and a volume of the user's own.
    async fn new() -> Self {
        Self {
            hypervisor: hypervisor().await,
            journal: tempfile::tempdir().unwrap(),
        }
    }

    async fn call(
        &self,
        yes: bool,
        builds: &[&str],
        remove: &[&str],
        json: bool,
    ) -> (Result<(), Failure>, RecordedOutput) {
        let (printer, recorded) = Printer::for_test();
        let id = |name: &&str| build_id(name).to_string();
        let arguments = arguments::Clean {
            uri: "fake:///".to_owned(),
            yes,
            builds: builds.iter().map(id).collect(),
            remove: remove.iter().map(|name| (*name).to_owned()).collect(),
            output: arguments::Output { json },
        };
        let call = Call {
            arguments: &arguments,
            printer: &printer,
            hypervisor: &self.hypervisor,
            journal: &JournalFolder::new(self.journal.path().to_owned()),
        };
        (call.run(&owner(true)).await, recorded)
    }

    fn volumes(&self) -> Vec<String> {
        let volumes = self.hypervisor.volumes();
        volumes.into_iter().map(|volume| volume.name).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_build_left_is_removed_and_nothing_else() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    build(&scene, "live", Some(owner(true))).await;
    build(&scene, "far", Some(elsewhere())).await;
    build(&scene, "nobody", None).await;
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["far", "live", "nobody", "own"]);
    assert_eq!(
        scene.volumes(),
        [
            "far-1", "far-2", "live-1", "live-2", "nobody-1", "nobody-2", "own"
        ]
    );
    let said = recorded.results();
    for expected in [
        "): dead\n    domain dead (off)\n    volume default/dead-1\n",
        "): running\n    domain live (off)\n",
        "on ci-7): not to be seen from here\n",
        "    if you know that it is dead: lvhost clean --build FAR\n",
        "build NOBODY (no process on record): not to be seen from here\n",
        "Removed what build DEAD left.\n",
    ] {
        let expected = ["FAR", "NOBODY", "DEAD"]
            .iter()
            .fold(expected.to_owned(), |text, name| {
                text.replace(name, &build_id(&name.to_lowercase()).to_string())
            });
        assert!(said.contains(&expected), "{expected}: {said}");
    }
    // A second time there is nothing to do.
    let before = hypervisor.operations().len();
    scene.call(true, &[], &[], false).await.0.unwrap();
    let after = hypervisor.operations();
    let changes = |operation: &Operation| {
        matches!(
            operation.call,
            HypervisorCall::DeleteVolume
                | HypervisorCall::DestroyDomain
                | HypervisorCall::UndefineDomain
        )
    };
    assert!(
        !after[before..].iter().any(changes),
        "{:?}",
        &after[before..]
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_whose_pool_is_gone_is_given_up_by_name_only() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    let volumes = vec![VolumeId::new("gone", "image")];
    let spec = domain_of("dead", Some(owner(false)), volumes);
    hypervisor.define_domain(&spec).await.unwrap();
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    assert!(result.is_err());
    assert_eq!(hypervisor.domains(), ["dead", "own"]);
    let said = recorded.messages();
    for expected in [
        "the volume gone/image could not be removed",
        &format!(
            "if it is gone for good: lvhost clean --build {}",
            build_id("dead")
        ),
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    scene.call(true, &["dead"], &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
}

#[tokio::test(start_paused = true)]
async fn a_running_guest_is_stopped_first() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    let domains = hypervisor.list_domains().await.unwrap();
    let dead = domains.iter().find(|domain| domain.id.name == "dead");
    hypervisor.start_domain(&dead.unwrap().id).await.unwrap();
    scene.call(true, &[], &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
    assert_eq!(scene.volumes(), ["own"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_yes_nothing_is_touched() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    let (result, recorded) = scene.call(false, &[], &[], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["dead", "own"]);
    assert_eq!(scene.volumes(), ["dead-1", "dead-2", "own"]);
    assert!(recorded.messages().contains("say `--yes`"));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_cannot_be_seen_is_removed_by_name_only() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "far", Some(elsewhere())).await;
    build(&scene, "live", Some(owner(true))).await;
    let (result, _) = scene.call(true, &["far", "live"], &[], false).await;
    result.unwrap();
    assert_eq!(hypervisor.domains(), ["live", "own"]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_a_live_build_claims_as_well_stays() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    let volumes = vec![VolumeId::new("default", "dead-1")];
    let spec = domain_of("live", Some(owner(true)), volumes);
    hypervisor.define_domain(&spec).await.unwrap();
    scene.call(true, &[], &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["live", "own"]);
    assert_eq!(scene.volumes(), ["dead-1", "own"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_is_said_and_can_be_tried_again() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    hypervisor.fail_on(HypervisorCall::DeleteVolume);
    let (result, recorded) = scene.call(true, &[], &[], false).await;
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
    scene.call(true, &[], &[], false).await.0.unwrap();
    assert_eq!(hypervisor.domains(), ["own"]);
    assert_eq!(scene.volumes(), ["own"]);
}

#[tokio::test(start_paused = true)]
async fn programs_get_it_as_json() {
    let scene = Scene::new().await;
    build(&scene, "dead", Some(owner(false))).await;
    for (yes, removed) in [(false, false), (true, true)] {
        let (result, recorded) = scene.call(yes, &[], &[], true).await;
        result.unwrap();
        let report: serde_json::Value = serde_json::from_str(&recorded.results()).unwrap();
        assert_eq!(report["uri"], "fake:///");
        let build = &report["builds"][0];
        assert_eq!(build["build_id"], build_id("dead").to_string());
        assert_eq!(build["state"], "dead");
        assert_eq!(build["removed"], removed);
        assert_eq!(build["volumes"][0], "default/dead-1");
        assert_eq!(recorded.messages(), "");
    }
}

/// Volumes that a dead build's record names, none of which it has made.
async fn forge(scene: &Scene, volumes: Vec<VolumeId>) {
    let spec = domain_of("forged", Some(owner(false)), volumes);
    scene.hypervisor.define_domain(&spec).await.unwrap();
}

fn is_changed(scene: &Scene) -> bool {
    let operations = scene.hypervisor.operations();
    operations
        .iter()
        .any(|operation| operation.call == HypervisorCall::DeleteVolume)
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_only_a_record_names_stays_and_is_listed_with_the_reason() {
    let id = build_id("forged");
    let word = Uuid::new_v5(&id, b"domain").simple().to_string();
    let names = [
        "own".to_owned(),
        // Anybody can write an id that stands in a name.
        id.to_string(),
        id.simple().to_string(),
        format!("x-packer-{}-disk", &word[..8]),
        "debian-13-netinst.iso".to_owned(),
        " ".to_owned(),
        "two\u{202e}ways".to_owned(),
        "-rf; ~ $(x)".to_owned(),
    ];
    for name in names {
        let scene = Scene::new().await;
        if name != "own" {
            add_volume(&scene.hypervisor, &name);
        }
        forge(&scene, vec![VolumeId::new("default", &name)]).await;
        let before = scene.volumes();
        let (result, recorded) = scene.call(true, &[], &[], false).await;
        result.unwrap();
        assert_eq!(scene.volumes(), before, "{name}");
        assert!(!is_changed(&scene));
        let said = recorded.results();
        assert!(
            said.contains("nothing on this machine says that lvhost made it"),
            "{said}"
        );
        assert!(said.contains("lvhost clean --remove default/"), "{said}");
        assert!(!said.contains('\u{202e}'), "{said:?}");
        // The domain stays too: by it the volume is found.
        assert_eq!(scene.hypervisor.domains(), ["forged", "own"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_typed_goes() {
    for (typed, goes) in [
        ("own", true),
        ("default/own", true),
        ("other/own", false),
        ("ow", false),
        ("", false),
    ] {
        let scene = Scene::new().await;
        forge(&scene, vec![VolumeId::new("default", "own")]).await;
        let (result, _) = scene.call(true, &[], &[typed], false).await;
        result.unwrap();
        assert_eq!(scene.volumes().is_empty(), goes, "{typed}");
        assert_eq!(scene.hypervisor.domains().len(), if goes { 1 } else { 2 });
    }
    // What no record names is not found by name.
    let scene = Scene::new().await;
    build(&scene, "dead", Some(owner(false))).await;
    scene.call(true, &[], &["own"], false).await.0.unwrap();
    assert_eq!(scene.volumes(), ["own"]);
    assert_eq!(scene.hypervisor.domains(), ["own"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_builds_domain_stays() {
    let scene = Scene::new().await;
    build(&scene, "dead", Some(owner(false))).await;
    let mut copy = domain_of(
        "dead",
        Some(owner(false)),
        vec![VolumeId::new("default", "own")],
    );
    copy.name = "copy".to_owned();
    copy.uuid = None;
    let id = scene.hypervisor.define_domain(&copy).await.unwrap();
    scene.hypervisor.start_domain(&id).await.unwrap();
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    result.unwrap();
    assert_eq!(scene.hypervisor.domains(), ["copy", "own"]);
    assert!(!scene.hypervisor.domain_state(&id).await.unwrap().is_off());
    assert_eq!(scene.volumes(), ["own"]);
    let said = recorded.results();
    assert!(
        said.contains("domain copy stays: its UUID is not"),
        "{said}"
    );
    scene.call(true, &[], &["copy"], false).await.0.unwrap();
    assert_eq!(scene.hypervisor.domains(), ["own"]);
    assert_eq!(scene.volumes(), ["own"], "its name was not typed");
}

#[tokio::test(start_paused = true)]
async fn what_others_stand_on_stays_although_the_build_has_made_it() {
    let scene = Scene::new().await;
    let hypervisor = &scene.hypervisor;
    build(&scene, "dead", Some(owner(false))).await;
    let path = |name: &str| format!("/fake/default/{name}");
    let overlay = |name: &str, base: &str| VolumeSpec {
        id: VolumeId::new("default", name),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("qcow2".to_owned()),
        backing: Some(Backing {
            path: path(base),
            format: Some("raw".to_owned()),
        }),
    };
    hypervisor
        .create_volume(&overlay("top", "dead-1"))
        .await
        .unwrap();
    let mut theirs = DomainSpec::new("theirs");
    let disk = DiskSource::File(path("dead-2"));
    theirs.disks = vec![Disk::new(disk, DiskDevice::Disk, DiskFormat::raw())];
    hypervisor.define_domain(&theirs).await.unwrap();
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    result.unwrap();
    assert_eq!(scene.volumes(), ["dead-1", "dead-2", "own", "top"]);
    let said = recorded.results();
    for reason in [
        "default/dead-1 stays: the volume \"top\" in pool \"default\" stands on it",
        "default/dead-2 stays: the domain \"theirs\" uses it",
    ] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_journal_contradicts_stays() {
    let volume = VolumeId::new("default", "own");
    for (build, stage, reason) in [
        ("another", Stage::Made, "the build "),
        ("another", Stage::Making, "the build "),
        (
            "forged",
            Stage::Artifact,
            "it is the result of a build that succeeded",
        ),
    ] {
        let scene = Scene::new().await;
        forge(&scene, vec![volume.clone()]).await;
        let id = HypervisorId::of(&scene.hypervisor).await.unwrap();
        let entry = LogEntry::new(&id, &volume, build_id(build), stage, None);
        let journal = JournalFolder::new(scene.journal.path().to_owned());
        journal.write(&id, entry).await.unwrap();
        let (result, recorded) = scene.call(true, &[], &[], false).await;
        result.unwrap();
        assert_eq!(scene.volumes(), ["own"]);
        assert!(
            recorded.results().contains(reason),
            "{}",
            recorded.results()
        );
        // A result is there to stay, and nobody needs to be told of it again.
        let tells = scene.hypervisor.domains().contains(&"forged".to_owned());
        assert_eq!(tells, stage != Stage::Artifact, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_build_stays() {
    let scene = Scene::new().await;
    let volume = VolumeId::new("default", "own");
    let mut spec = domain_of("forged", Some(owner(false)), vec![volume.clone()]);
    if let Some(record) = &mut spec.build {
        record.begun = Some(SystemTime::now());
    }
    scene.hypervisor.define_domain(&spec).await.unwrap();
    write_down(&scene.hypervisor, scene.journal.path(), "forged", &volume).await;
    scene.hypervisor.set_written(&volume, UNIX_EPOCH);
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    result.unwrap();
    assert_eq!(scene.volumes(), ["own"]);
    let said = recorded.results();
    assert!(said.contains("it is older than the build"), "{said}");
    scene.hypervisor.set_written(&volume, SystemTime::now());
    scene.call(true, &[], &[], false).await.0.unwrap();
    assert!(scene.volumes().is_empty());
}

/// A record as large as one likes is read, listed in short, and takes nothing along.
#[tokio::test(start_paused = true)]
async fn ten_thousand_claims_are_looked_at_in_reasonable_time() {
    let scene = Scene::new().await;
    let mut names = Vec::new();
    for number in 0..10_000 {
        let volume = volume(&format!("theirs-{number}"));
        // Without an upload: after each, the hypervisor would look at all of them.
        scene.hypervisor.create_volume(&volume).await.unwrap();
        names.push(volume.id);
    }
    names.push(VolumeId::new("default", "x".repeat(4096)));
    forge(&scene, names).await;
    let begun = std::time::Instant::now();
    let (result, recorded) = scene.call(true, &[], &[], false).await;
    result.unwrap();
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    assert_eq!(scene.volumes().len(), 10_001);
    let said = recorded.results();
    assert!(said.lines().count() < 200, "{}", said.lines().count());
    assert!(said.contains("    and 9901 more"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn programs_are_told_of_what_is_in_doubt() {
    let scene = Scene::new().await;
    forge(&scene, vec![VolumeId::new("default", "own")]).await;
    let (result, recorded) = scene.call(true, &[], &[], true).await;
    result.unwrap();
    let report: serde_json::Value = serde_json::from_str(&recorded.results()).unwrap();
    let build = &report["builds"][0];
    assert_eq!(build["removed"], false);
    assert_eq!(build["volumes"], serde_json::json!([]));
    assert_eq!(build["doubtful"][0]["what"], "volume default/own");
}

#[tokio::test(start_paused = true)]
async fn libvirt_is_waited_for_while_it_works_for_the_dead() {
    for looks in [1, 5, 30] {
        let scene = Scene::new().await;
        build(&scene, "dead", Some(owner(false))).await;
        for call in [
            HypervisorCall::DestroyDomain,
            HypervisorCall::DeleteVolume,
            HypervisorCall::UndefineDomain,
        ] {
            scene.hypervisor.stay_busy(call, looks);
        }
        let (result, recorded) = scene.call(true, &[], &[], false).await;
        result.unwrap();
        assert_eq!(scene.hypervisor.domains(), ["own"]);
        assert_eq!(scene.volumes(), ["own"]);
        let is_told = recorded.messages().contains("Waiting for libvirt");
        assert_eq!(is_told, looks == 30, "{}", recorded.messages());
    }
}

/// The process was killed when libvirt had its last words and had not come to them.
#[tokio::test(start_paused = true)]
async fn a_volume_that_comes_late_is_found() {
    for calls in 0..8 {
        let scene = Scene::new().await;
        build(&scene, "dead", Some(owner(false))).await;
        let late = VolumeId::new("default", "dead-3");
        let id = HypervisorId::of(&scene.hypervisor).await.unwrap();
        let entry = LogEntry::new(&id, &late, build_id("dead"), Stage::Making, None);
        let journal = JournalFolder::new(scene.journal.path().to_owned());
        journal.write(&id, entry).await.unwrap();
        let spec = VolumeSpec {
            id: late,
            capacity: 1,
            allocation: Some(0),
            format: None,
            backing: None,
        };
        scene.hypervisor.make_late(&spec, calls);
        scene.call(true, &[], &[], false).await.0.unwrap();
        assert_eq!(scene.volumes(), ["own"], "after {calls} calls");
        assert_eq!(scene.hypervisor.domains(), ["own"]);
    }
}

/// Whoever may use the hypervisor gives domains, volumes and records any names.
#[tokio::test(start_paused = true)]
async fn names_that_others_gave_steer_nothing() {
    // All that XML can say; it has no escapes.
    const ODD: &str = "red\u{9b}2J\u{202e}\u{2066}\r\nRemoved what build x left.";
    let scene = Scene::new().await;
    let volumes = [ODD, "plain\u{202e}"].map(|name| VolumeId::new("default", name));
    let mut owner = owner(false);
    owner.host = ODD.to_owned();
    let mut spec = domain_of("dead\u{9b}2J\u{202e}", Some(owner), volumes.to_vec());
    let hypervisor = &scene.hypervisor;
    add_volume(hypervisor, "plain\u{202e}");
    // Shown to be its own, and not.
    for (name, is_own) in [("dead\u{9b}2J\u{202e}", true), ("other\u{9b}2J", false)] {
        let record = spec.build.clone().map(|record| match is_own {
            true => record,
            false => BuildRecord {
                id: ODD.to_owned(),
                ..record
            },
        });
        spec = DomainSpec {
            name: name.to_owned(),
            uuid: spec.uuid.filter(|_| is_own),
            build: record,
            ..spec
        };
        hypervisor.define_domain(&spec).await.unwrap();
    }
    for (yes, json) in [(false, false), (false, true), (true, false)] {
        let (_, recorded) = scene.call(yes, &[], &[], json).await;
        let said = format!("{}{}", recorded.results(), recorded.messages());
        assert!(said.contains("plain") && said.contains("red"), "{said}");
        let steers = |it: char| it != '\n' && lvhost_hcl::is_unseen(it);
        assert_eq!(said.chars().find(|it| steers(*it)), None, "{said:?}");
        let forged = said
            .lines()
            .any(|line| line == "Removed what build x left.");
        assert!(!forged, "{said}");
    }
}
