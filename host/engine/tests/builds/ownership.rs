//! What `-force` removes: what an earlier build has made, and nothing that only bears a name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lvhost_engine::{Doubt, Error, OnError, ProvisionError};
use lvhost_libvirt::fake::Call;
use lvhost_libvirt::{
    BuildRecord, Disk, DiskDevice, DiskFormat, DiskSource, DomainSpec, DomainState, Hypervisor,
    Owner, VolumeId, VolumeSpec,
};

use crate::scene::{BLANK, FaultyJournal, Scene, TEMPLATE};

fn image() -> VolumeId {
    VolumeId::new("default", "image")
}

/// A volume of the template's name that lvhost has not made.
fn add_foreign(scene: &Scene) {
    let spec = VolumeSpec {
        id: image(),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("raw".to_owned()),
        backing: None,
    };
    scene.hypervisor.add_volume(&spec, b"mine").unwrap();
}

/// A second build of the same template, that may replace things.
fn forced(scene: &Scene) -> Scene {
    let mut forced = scene.clone();
    forced.force = true;
    forced.build_number = scene.build_number + 1;
    forced
}

fn named(template: &'static str) -> &'static str {
    let text = template.replace("libvirt_uri", "domain_name = \"vm\"\n  libvirt_uri");
    Box::leak(text.into_boxed_str())
}

fn calls(scene: &Scene) -> Vec<Call> {
    let operations = scene.hypervisor.operations();
    operations.iter().map(|operation| operation.call).collect()
}

/// No call of a build has removed or changed anything.
fn assert_untouched(scene: &Scene) {
    let calls = calls(scene);
    for call in [
        Call::DestroyDomain,
        Call::UndefineDomain,
        Call::DeleteVolume,
        Call::SetBuildRecord,
        Call::ShutdownDomain,
    ] {
        assert!(!calls.contains(&call), "{call}: {calls:?}");
    }
}

#[tokio::test]
async fn a_volume_that_only_bears_the_name_stays() {
    let scene = Scene::new(BLANK);
    add_foreign(&scene);
    let refused = forced(&scene).run().await.result.unwrap_err();
    assert!(
        matches!(
            &refused,
            Error::ForeignVolume {
                doubt: Doubt::NotWrittenDown,
                ..
            }
        ),
        "{refused:?}"
    );
    let said = refused.to_string();
    for way in [
        "virsh -c URI vol-delete --pool default image",
        "-force-foreign=image",
    ] {
        assert!(said.contains(way), "{said}");
    }
    assert_untouched(&scene);
    let bytes = scene.hypervisor.read_volume(&image(), 0, 4).unwrap();
    assert_eq!(bytes, b"mine");
}

#[tokio::test]
async fn who_types_the_name_of_a_volume_has_it_replaced() {
    for (name, is_right) in [
        ("image", true),
        ("default/image", true),
        ("other/image", false),
        ("imag", false),
        ("", false),
    ] {
        let scene = Scene::new(BLANK);
        add_foreign(&scene);
        let mut forced = forced(&scene);
        forced.force_foreign = vec![name.to_owned()];
        assert_eq!(forced.run().await.result.is_ok(), is_right, "{name}");
    }
    // The name alone replaces nothing.
    let mut scene = Scene::new(BLANK);
    add_foreign(&scene);
    scene.force_foreign = vec!["image".to_owned()];
    let refused = scene.run().await.result.unwrap_err();
    assert!(matches!(refused, Error::VolumeExists { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_running_domain_that_only_bears_the_name_goes_on() {
    let records = [
        None,
        Some(BuildRecord::new("x")),
        Some(BuildRecord::new("")),
        // The record of a build that is lvhost's, copied into another domain.
        Some(BuildRecord::new(uuid::Uuid::from_u128(7).to_string())),
    ];
    for build in records {
        let scene = Scene::new(named(BLANK));
        let spec = DomainSpec {
            build: build.clone(),
            ..DomainSpec::new("vm")
        };
        let id = scene.hypervisor.define_domain(&spec).await.unwrap();
        scene.hypervisor.start_domain(&id).await.unwrap();
        let mut forced = forced(&scene);
        let refused = forced.run().await.result.unwrap_err();
        assert!(
            matches!(&refused, Error::ForeignDomain { domain, .. } if domain == "vm"),
            "{build:?}: {refused:?}"
        );
        assert!(
            refused.to_string().contains("-force-foreign=vm"),
            "{refused}"
        );
        assert_untouched(&scene);
        let state = scene.hypervisor.domain_state(&id).await.unwrap();
        assert_eq!(state, DomainState::Running);
        forced.force_foreign = vec!["vm".to_owned()];
        forced.run().await.result.unwrap();
        assert!(scene.hypervisor.domains().is_empty());
    }
}

/// The domain is long gone, and the artifact is what is left.
#[tokio::test]
async fn the_artifact_of_an_earlier_build_is_replaced() {
    let scene = Scene::new(TEMPLATE);
    scene.run().await.result.unwrap();
    assert!(scene.hypervisor.domains().is_empty());
    let again = forced(&scene);
    again.run().await.result.unwrap();
    forced(&again).run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

/// A build that fails in the guest and leaves everything.
fn failing(template: &'static str) -> Scene {
    let mut scene = Scene::new(template).script(|_| {
        Err(Error::Provisioner {
            provisioner: "shell".to_owned(),
            source: ProvisionError::NoUser("nobody is there".to_owned()),
        })
    });
    scene.on_error = OnError::Abort;
    scene
}

#[tokio::test]
async fn what_a_failed_build_has_kept_is_replaced() {
    let scene = failing(named(TEMPLATE));
    scene.run().await.result.unwrap_err();
    assert_eq!(scene.hypervisor.domains(), ["vm"]);
    let again = forced(&scene).script(|_| Ok(()));
    again.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
    assert!(scene.hypervisor.domains().is_empty());
}

#[tokio::test]
async fn an_artifact_that_a_domain_stands_on_stays() {
    let scene = Scene::new(BLANK);
    scene.run().await.result.unwrap();
    let facts = scene.hypervisor.volume(&image()).await.unwrap().unwrap();
    let overlay = VolumeSpec {
        id: VolumeId::new("default", "overlay"),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("qcow2".to_owned()),
        backing: Some(lvhost_libvirt::Backing {
            path: facts.path.clone(),
            format: Some("raw".to_owned()),
        }),
    };
    scene.hypervisor.create_volume(&overlay).await.unwrap();
    for source in [
        DiskSource::Volume(image()),
        DiskSource::File(facts.path),
        DiskSource::Volume(overlay.id),
    ] {
        let spec = DomainSpec {
            disks: vec![Disk::new(source, DiskDevice::Disk, DiskFormat::raw())],
            ..DomainSpec::new("production")
        };
        let id = scene.hypervisor.define_domain(&spec).await.unwrap();
        let refused = forced(&scene).run().await.result.unwrap_err();
        assert!(refused.to_string().contains("\"production\""), "{refused}");
        scene.hypervisor.undefine_domain(&id).await.unwrap();
    }
    forced(&scene).run().await.result.unwrap();
}

#[tokio::test]
async fn an_entry_of_another_hypervisor_shows_nothing() {
    let scene = Scene::new(BLANK);
    scene.run().await.result.unwrap();
    let mut elsewhere = forced(&scene);
    elsewhere.hypervisor.set_remote();
    let refused = elsewhere.run().await.result.unwrap_err();
    assert!(
        matches!(refused, Error::ForeignVolume { .. }),
        "{refused:?}"
    );
    elsewhere.force_foreign = vec!["image".to_owned()];
    elsewhere.run().await.result.unwrap();
    let mut again = forced(&elsewhere);
    again.force_foreign.clear();
    again.run().await.result.unwrap();
}

#[tokio::test]
async fn a_build_that_is_seen_to_run_is_left_alone() {
    let mut scene = failing(named(BLANK));
    let here = Owner::this_process().unwrap();
    scene.owner = Some(here.clone());
    scene.run().await.result.unwrap_err();
    let refused = forced(&scene).run().await.result.unwrap_err();
    assert!(
        matches!(&refused, Error::BuildRuns { pid, .. } if *pid == here.pid),
        "{refused:?}"
    );
    assert_eq!(scene.hypervisor.domains(), ["vm"]);
}

#[tokio::test]
async fn a_fault_at_any_write_of_the_journal_leaves_nothing_behind() {
    let mut scene = Scene::new(TEMPLATE);
    let whole = FaultyJournal::new(&scene, usize::MAX);
    scene.journal = Arc::clone(&whole) as _;
    scene.run().await.result.unwrap();
    let writes = whole.writes.load(Ordering::SeqCst);
    // One to begin with, two for each volume, and one for each that goes or stays.
    assert!(writes > 5 * 3, "only {writes} writes");
    let mut failed = 0;
    for number in 1..=writes {
        let mut scene = Scene::new(TEMPLATE);
        scene.journal = FaultyJournal::new(&scene, number);
        let outcome = scene.run().await;
        assert!(outcome.leftovers.is_empty(), "{number}");
        assert!(scene.hypervisor.domains().is_empty(), "{number}");
        match outcome.result {
            Ok(_) => assert_eq!(scene.volume_names(), ["base", "image"], "{number}"),
            Err(error) => {
                failed += 1;
                let said = lvhost_engine::with_causes(&error);
                assert!(said.contains("the journal of what lvhost makes"), "{said}");
                assert_eq!(scene.volume_names(), ["base"], "{number}");
            }
        }
        if number == 1 {
            assert!(calls(&scene).is_empty(), "it does not even begin");
        }
    }
    assert!(failed > 5 * 2, "only {failed} builds failed");
}

#[tokio::test]
async fn a_file_of_firmware_variables_that_is_somebodys_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("VARS.fd");
    let with_path = format!("nvram_path = {path:?}\n  firmware = \"efi\"\n  libvirt_uri");
    let text = named(BLANK).replacen("libvirt_uri", &with_path, 1);
    let scene = Scene::new(Box::leak(text.into_boxed_str()));
    let other = DomainSpec {
        nvram: Some(lvhost_libvirt::Nvram {
            path: Some(path.to_str().unwrap().to_owned()),
            template: None,
        }),
        ..DomainSpec::new("other")
    };
    let id = scene.hypervisor.define_domain(&other).await.unwrap();
    let refused = forced(&scene).run().await.result.unwrap_err();
    assert!(refused.to_string().contains("\"other\""), "{refused}");
    scene.hypervisor.undefine_domain(&id).await.unwrap();
    std::fs::write(&path, "variables").unwrap();
    let refused = forced(&scene).run().await.result.unwrap_err();
    assert!(
        matches!(refused, Error::NvramExists { user: None, .. }),
        "{refused:?}"
    );
    std::fs::remove_file(&path).unwrap();
    scene.run().await.result.unwrap();
}
