//! What a build does when the world is as it should be, and when guests have a will of their own.

use lvhost_engine::Error;
use lvhost_libvirt::fake::{Call, Operation, ShutdownReaction};
use lvhost_libvirt::{DiskDevice, DomainState, Hypervisor, VolumeId};

use crate::scene::{BLANK, Scene, TEMPLATE};

fn calls(scene: &Scene, call: Call) -> usize {
    scene
        .hypervisor
        .operations()
        .iter()
        .filter(|operation| operation.call == call)
        .count()
}

/// Whether the guest runs from this call on.
fn runs(operation: &Operation) -> bool {
    operation.call == Call::ResumeDomain
}

#[tokio::test]
async fn every_kind_of_volume_is_made_and_only_the_artifact_stays() {
    let scene = Scene::new(TEMPLATE).script(|scene| {
        let names = scene.volume_names();
        assert_eq!(
            names,
            [
                "base",
                "copy",
                "floppy",
                "image",
                "overlay",
                "packer-d7ee88ca-cloudinit"
            ],
            "the volumes while the guest runs"
        );
        let spec = scene.hypervisor.domain_spec("packer-d7ee88ca").unwrap();
        let devices: Vec<_> = spec.disks.iter().map(|disk| disk.device).collect();
        assert_eq!(devices[1..3], [DiskDevice::Cdrom, DiskDevice::Floppy]);
        assert!(spec.disks[1].read_only);
        let id = VolumeId::new("default", "image");
        assert_eq!(scene.hypervisor.read_volume(&id, 0, 4).unwrap(), b"disk");
        Ok(())
    });
    let outcome = scene.run().await;
    let artifact = outcome.result.unwrap();
    assert_eq!(artifact.volume, VolumeId::new("default", "image"));
    assert_eq!(scene.known("Host"), "192.0.2.7");
    assert_eq!(
        artifact.facts.capacity,
        2 << 20,
        "grown to the capacity of the template"
    );
    assert!(outcome.leftovers.is_empty());
    assert_eq!(scene.volume_names(), ["base", "image"]);
    assert!(scene.hypervisor.domains().is_empty());
}

#[tokio::test]
async fn a_guest_that_powers_itself_off_while_it_is_shut_down_is_a_success() {
    let scene = Scene::new(BLANK).script(|scene| {
        let domain = scene.hypervisor.domains().remove(0);
        scene.hypervisor.power_off(&domain);
        Ok(())
    });
    scene.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
    assert_eq!(
        calls(&scene, Call::ShutdownDomain),
        0,
        "nobody asks a guest that is off"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_shut_down_is_asked_again_and_then_forced() {
    let scene = Scene::new(BLANK);
    scene
        .hypervisor
        .set_shutdown_reaction(ShutdownReaction::Ignores);
    scene.run().await.result.unwrap();
    assert_eq!(calls(&scene, Call::ShutdownDomain), 4, "every 15 s of 60");
    assert!(
        scene
            .said
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("forced off"))
    );
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_an_address_fails_when_the_time_is_over() {
    let scene = Scene::new(BLANK);
    scene.hypervisor.delay_addresses(u32::MAX);
    let error = scene.run().await.result.unwrap_err();
    assert!(
        matches!(error, Error::NoAddress { asked: "lease", .. }),
        "{error}"
    );
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test]
async fn a_guest_that_crashes_while_it_boots_is_not_waited_for() {
    let scene = Scene::new(BLANK);
    scene.hypervisor.delay_addresses(u32::MAX);
    let hypervisor = scene.hypervisor.clone();
    let (outcome, ()) = tokio::join!(scene.run(), async {
        loop {
            let operations = hypervisor.operations();
            if let Some(domain) = hypervisor.domains().first()
                && operations.iter().any(runs)
            {
                hypervisor.crash(domain);
            }
            if operations
                .iter()
                .any(|operation| operation.call == Call::UndefineDomain)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    let error = outcome.result.unwrap_err();
    assert!(
        matches!(
            error,
            Error::GuestStopped {
                state: DomainState::Crashed,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(scene.volume_names(), ["base"]);
}

const NONE: &str = r#"
source "libvirt" "example" {
  libvirt_uri      = "fake:///"
  shutdown_timeout = "10s"
  communicator { communicator = "none" }
  volume {
    alias    = "artifact"
    name     = "image"
    capacity = "1M"
  }
}
build { sources = ["libvirt.example"] }
"#;

#[tokio::test]
async fn without_a_communicator_the_guest_ends_the_build_by_powering_off() {
    let scene = Scene::new(NONE);
    let hypervisor = scene.hypervisor.clone();
    let (outcome, ()) = tokio::join!(scene.run(), async {
        while !hypervisor.operations().iter().any(runs) {
            tokio::task::yield_now().await;
        }
        hypervisor.power_off(&hypervisor.domains()[0]);
    });
    outcome.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_communicator_a_guest_that_stays_on_is_a_failure() {
    let scene = Scene::new(NONE);
    let error = scene.run().await.result.unwrap_err();
    assert!(matches!(error, Error::NotPoweredOff { .. }), "{error}");
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test]
async fn a_volume_that_is_there_already_is_not_touched() {
    let scene = Scene::new(BLANK);
    let id = VolumeId::new("default", "image");
    let spec = lvhost_libvirt::VolumeSpec {
        id: id.clone(),
        capacity: 512,
        allocation: None,
        format: None,
        backing: None,
    };
    scene.hypervisor.add_volume(&spec, b"precious").unwrap();
    let outcome = scene.run().await;
    let error = outcome.result.unwrap_err();
    assert!(matches!(error, Error::VolumeExists { .. }), "{error}");
    assert_eq!(
        scene.hypervisor.read_volume(&id, 0, 8).unwrap(),
        b"precious"
    );
    assert!(scene.hypervisor.volume(&id).await.unwrap().is_some());
}

const MISSING: &str = r#"
source "libvirt" "example" {
  libvirt_uri = "fake:///"
  communicator { communicator = "none" }
  volume {
    alias    = "artifact"
    capacity = "1M"
  }
  volume { name = "absent" }
}
build { sources = ["libvirt.example"] }
"#;

#[tokio::test]
async fn a_volume_without_a_source_must_be_there() {
    let scene = Scene::new(MISSING);
    let error = scene.run().await.result.unwrap_err();
    assert!(matches!(&error, Error::MissingVolume { volume, .. } if volume.name == "absent"));
    assert_eq!(
        calls(&scene, Call::CreateVolume),
        0,
        "nothing is made before that is known"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_goes_off_as_it_is_asked_to_is_as_good() {
    let scene = Scene::new(BLANK);
    scene.lose_the_monitor(Call::ShutdownDomain, true);
    scene.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
}
