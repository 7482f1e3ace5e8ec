//! What becomes of a failed build, and of what is in the way of the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lvhost_engine::{Error, OnError, ProvisionError};
use lvhost_libvirt::{Hypervisor, VolumeId};

use crate::scene::{BLANK, Scene, TEMPLATE};

fn failure() -> Error {
    Error::Provisioner {
        provisioner: "shell".to_string(),
        source: ProvisionError::Status {
            what: "the script".to_string(),
            status: "exit code 3".to_string(),
        },
    }
}

fn failing(template: &'static str) -> Scene {
    Scene::new(template).script(|_| Err(failure()))
}

#[tokio::test]
async fn abort_keeps_everything_and_says_how_to_remove_it() {
    let mut scene = failing(BLANK);
    scene.on_error = OnError::Abort;
    let outcome = scene.run().await;
    assert!(matches!(outcome.result, Err(Error::Provisioner { .. })));
    assert_eq!(scene.volume_names(), ["base", "image"]);
    let domain = scene.hypervisor.list_domains().await.unwrap().remove(0);
    assert!(!domain.state.is_off(), "{:?}", domain.state);
    let record = domain.build.unwrap();
    assert!(record.claims(&VolumeId::new("default", "image")));
    let kept: Vec<_> = outcome.kept.iter().map(|kept| &kept.what).collect();
    assert_eq!(
        kept,
        [
            "the domain \"packer-d7ee88ca\"",
            "the volume \"image\" in pool \"default\""
        ]
    );
    assert_eq!(
        outcome.kept[1].command,
        "virsh -c fake:/// vol-delete --pool default image"
    );
    assert!(outcome.leftovers.is_empty());
}

#[tokio::test]
async fn the_user_says_what_becomes_of_it() {
    for (answer, is_kept) in [
        (Some("clean up"), false),
        (Some("keep everything as it is"), true),
        (None, false),
    ] {
        let mut scene = failing(TEMPLATE);
        scene.on_error = OnError::Ask;
        scene.answer = answer;
        let outcome = scene.run().await;
        assert_eq!(!outcome.kept.is_empty(), is_kept, "{answer:?}");
        assert_eq!(scene.volume_names().len() > 1, is_kept, "{answer:?}");
        assert_eq!(
            !scene.hypervisor.domains().is_empty(),
            is_kept,
            "{answer:?}"
        );
        let said = scene.said.lock().unwrap().join("\n");
        assert!(
            said.contains(
                "failed: the provisioner `shell` failed: the script ended with exit code 3"
            ),
            "{said}"
        );
    }
}

#[tokio::test]
async fn the_user_may_want_the_provisioners_run_again() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let mut scene =
        Scene::new(BLANK).script(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => Err(failure()),
            _ => Ok(()),
        });
    scene.hypervisor.set_boot_output("booted\n");
    scene.on_error = OnError::Ask;
    scene.answer = Some("run the provisioners again");
    let outcome = scene.run().await;
    outcome.result.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    assert_eq!(scene.volume_names(), ["base", "image"]);
    let said = scene.said.lock().unwrap().join("\n");
    assert_eq!(said.matches("Provisioning the guest again").count(), 2);
    assert_eq!(said.matches("\nbooted").count(), 2, "{said}");
    assert!(!said.contains("cleaning up in the guest"), "{said}");
}

/// There is nothing to repeat: what is asked is what becomes of the rest.
#[tokio::test]
async fn a_guest_that_is_off_is_not_provisioned_again() {
    let mut scene = Scene::new(BLANK).script(|scene| {
        let domain = scene.hypervisor.domains().remove(0);
        scene.hypervisor.power_off(&domain);
        Err(failure())
    });
    scene.on_error = OnError::Ask;
    scene.answer = Some("clean up");
    let outcome = scene.run().await;
    assert!(outcome.result.is_err());
    let said = scene.said.lock().unwrap().join("\n");
    assert!(!said.contains("again"), "{said}");
}

#[tokio::test]
async fn a_cancelled_build_is_cleaned_up_whatever_the_policy() {
    let mut scene = Scene::new(TEMPLATE).script(|scene| {
        scene.cancel.cancel();
        Ok(())
    });
    scene.on_error = OnError::Abort;
    let outcome = scene.run().await;
    assert!(matches!(outcome.result, Err(Error::Cancelled)));
    assert!(outcome.kept.is_empty());
    assert_eq!(scene.volume_names(), ["base"]);
    assert!(scene.hypervisor.domains().is_empty());
}

#[tokio::test]
async fn force_replaces_what_the_build_would_make_and_nothing_else() {
    let scene = Scene::new(TEMPLATE);
    scene.run().await.result.unwrap();
    let again = scene.clone();
    let refused = again.run().await.result.unwrap_err();
    assert!(
        matches!(&refused, Error::VolumeExists { volume } if volume.name == "image"),
        "{refused}"
    );
    assert!(refused.to_string().contains("-force"), "{refused}");
    let mut forced = scene.clone();
    forced.force = true;
    forced.build_number = 8;
    forced.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
    let base = VolumeId::new("default", "base");
    assert_eq!(
        scene.hypervisor.read_volume(&base, 0, 4).unwrap(),
        b"base",
        "not touched"
    );
}

#[tokio::test]
async fn a_domain_in_the_way_is_found_before_anything_is_made() {
    let mut scene = failing(TEMPLATE);
    scene.on_error = OnError::Abort;
    scene.run().await;
    let kept = scene.volume_names();
    let mut again = scene.clone();
    again.script = Arc::new(|_| Ok(()));
    let refused = again.run().await.result.unwrap_err();
    assert!(refused.to_string().contains("-force"), "{refused}");
    assert_eq!(scene.volume_names(), kept, "nothing is touched");
    again.force = true;
    again.run().await.result.unwrap();
    assert_eq!(scene.volume_names(), ["base", "image"]);
    assert!(scene.hypervisor.domains().is_empty());
}

#[tokio::test]
async fn a_failed_build_shows_how_the_console_ends_and_keeps_all_of_it() {
    let scene = failing(BLANK);
    let lines: Vec<_> = (1..=100).map(|number| format!("line {number}\n")).collect();
    scene.hypervisor.set_boot_output(lines.concat());
    scene.run().await;
    let said = scene.said.lock().unwrap().join("\n");
    assert!(said.contains("\nline 76\n"), "{said}");
    assert!(said.contains("\nline 100\n"), "{said}");
    assert!(!said.contains("\nline 75\n"), "{said}");
    let log = scene.path("logs/console.log");
    assert!(said.contains(&log.display().to_string()), "{said}");
    assert_eq!(std::fs::read_to_string(log).unwrap(), lines.concat());
}

#[tokio::test]
async fn a_build_that_succeeds_keeps_its_console_without_showing_it() {
    let scene = Scene::new(BLANK);
    scene.hypervisor.set_boot_output("booted\n");
    scene.run().await.result.unwrap();
    let said = scene.said.lock().unwrap().join("\n");
    assert!(!said.contains("booted"), "{said}");
    assert_eq!(
        std::fs::read_to_string(scene.path("logs/console.log")).unwrap(),
        "booted\n"
    );
}

#[tokio::test]
async fn what_is_done_after_a_failure_depends_on_what_becomes_of_the_guest() {
    for (on_error, answer, is_done, is_kept) in [
        (OnError::CleanUp, None, true, false),
        (OnError::Abort, None, false, true),
        (OnError::RunCleanUpProvisioner, None, true, true),
        (OnError::Ask, Some("clean up"), true, false),
        (OnError::Ask, Some("keep everything as it is"), false, true),
    ] {
        let mut scene = failing(BLANK);
        scene.on_error = on_error;
        scene.answer = answer;
        let outcome = scene.run().await;
        assert_eq!(!outcome.kept.is_empty(), is_kept, "{on_error:?}");
        let said = scene.said.lock().unwrap();
        let turn = said
            .iter()
            .position(|line| line == "cleaning up in the guest");
        assert_eq!(turn.is_some(), is_done, "{on_error:?}: {said:?}");
        let end = said.iter().position(|line| line == "Cleaning up");
        assert_eq!(end.is_some(), !is_kept, "{on_error:?}: {said:?}");
        assert!(end.is_none() || turn < end, "{on_error:?}: {said:?}");
    }
}

#[tokio::test]
async fn after_a_cancellation_nothing_more_is_done_in_the_guest() {
    let scene = Scene::new(BLANK).script(|scene| {
        scene.cancel.cancel();
        Ok(())
    });
    scene.run().await;
    let said = scene.said.lock().unwrap().join("\n");
    assert!(!said.contains("cleaning up in the guest"), "{said}");
}

#[tokio::test]
async fn a_build_that_pauses_waits_after_each_step() {
    let mut scene = Scene::new(BLANK);
    scene.pauses = true;
    scene.run().await.result.unwrap();
    let said = scene.said.lock().unwrap();
    for (index, line) in said.iter().enumerate() {
        if let Some(step) = line.strip_prefix("finished: ")
            && step != "clean up"
        {
            let note = format!("Pausing after the step \"{step}\" (debug mode)");
            assert_eq!(said[index + 1], note, "{said:?}");
        }
    }
}
