//! A fault at every call of a build, and a cancellation at every moment of it: nothing that the build
//! made is left, and nothing else is deleted.

use lvhost_engine::{Error, ProvisionError};
use lvhost_libvirt::fake::Call;

use crate::scene::{Scene, TEMPLATE};

/// The number of calls of a build that works.
async fn calls_of_a_whole_build() -> usize {
    let scene = Scene::new(TEMPLATE);
    scene.run().await.result.unwrap();
    scene.hypervisor.operations().len()
}

#[tokio::test]
async fn a_fault_at_any_call_leaves_nothing_behind() {
    let calls = calls_of_a_whole_build().await;
    assert!(
        calls > 30,
        "only {calls} calls: is everything still in the template?"
    );
    let mut failed_builds = 0;
    for number in 1..=calls {
        let scene = Scene::new(TEMPLATE);
        scene.hypervisor.fail_at(number);
        let outcome = scene.run().await;
        let operations = scene.hypervisor.operations();
        let Some(fault) = operations.iter().find(|operation| operation.failed) else {
            // Volumes are prepared at the same time, so that the number of calls varies a little.
            continue;
        };
        let during = format!("fault at call {number}: {fault:?}");
        let mut expected = vec!["base".to_string()];
        if outcome.result.is_ok() {
            expected.push("image".to_string());
        } else {
            failed_builds += 1;
        }
        // What could not be deleted is still there, and the user is told.
        let stuck = matches!(
            fault.call,
            Call::DeleteVolume | Call::DestroyDomain | Call::UndefineDomain
        );
        assert_eq!(
            !outcome.leftovers.is_empty(),
            stuck,
            "{during}: {:?}",
            outcome.leftovers
        );
        if !stuck {
            assert_eq!(scene.volume_names(), expected, "{during}");
            assert!(scene.hypervisor.domains().is_empty(), "{during}");
        }
        assert!(
            scene.volume_names().contains(&"base".to_string()),
            "{during}"
        );
    }
    assert!(
        failed_builds > 20,
        "only {failed_builds} builds failed: are the faults injected?"
    );
}

#[tokio::test]
async fn a_cancellation_at_any_moment_leaves_nothing_behind() {
    let whole = Scene::new(TEMPLATE);
    whole.run().await.result.unwrap();
    let moments = whole.said.lock().unwrap().len();
    let mut cancelled = 0;
    for moment in 1..=moments {
        let mut scene = Scene::new(TEMPLATE);
        scene.cancel_at_message = Some(moment);
        let outcome = scene.run().await;
        match outcome.result {
            Err(Error::Cancelled) => {
                cancelled += 1;
                assert_eq!(
                    scene.volume_names(),
                    ["base"],
                    "cancelled at message {moment}"
                );
            }
            // Too late: everything was done.
            Ok(_) => assert_eq!(scene.volume_names(), ["base", "image"]),
            Err(error) => panic!("cancelled at message {moment}: {error:?}"),
        }
        assert!(outcome.leftovers.is_empty());
        assert!(
            scene.hypervisor.domains().is_empty(),
            "cancelled at message {moment}"
        );
    }
    assert!(cancelled > 5, "only {cancelled} builds were cancelled");
}

#[tokio::test]
async fn a_provisioner_that_fails_leaves_nothing_behind() {
    let scene = Scene::new(TEMPLATE).script(|_| {
        Err(Error::Provisioner {
            provisioner: "shell".to_string(),
            source: ProvisionError::Status {
                what: "the script".to_string(),
                status: "exit code 3".to_string(),
            },
        })
    });
    let outcome = scene.run().await;
    assert!(matches!(outcome.result, Err(Error::Provisioner { .. })));
    assert_eq!(scene.volume_names(), ["base"]);
    assert!(scene.hypervisor.domains().is_empty());
}

#[tokio::test]
async fn a_lost_connection_says_what_is_left_and_how_to_remove_it() {
    let scene = Scene::new(TEMPLATE).script(|scene| {
        scene.hypervisor.disconnect();
        Ok(())
    });
    let outcome = scene.run().await;
    outcome.result.unwrap_err();
    let commands: Vec<_> = outcome
        .leftovers
        .iter()
        .map(|leftover| leftover.command.as_str())
        .collect();
    assert!(
        commands
            .iter()
            .any(|command| command.starts_with("virsh -c fake:/// destroy packer-"))
    );
    assert!(
        commands.contains(&"virsh -c fake:/// vol-delete --pool default image"),
        "{commands:?}"
    );
}
