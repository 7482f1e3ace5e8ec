//! The copy of the artifact in the `output_directory`.

use std::os::unix::fs::{MetadataExt, symlink};

use lvhost_engine::Error;
use lvhost_libvirt::fake::Call;

use crate::scene::{FaultyJournal, Scene};

const TEMPLATE: &str = r#"
source "libvirt" "example" {
  libvirt_uri            = "fake:///"
  network_address_source = "lease"
  output_directory       = "out/images"
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias = "artifact"
    name  = "image"
    source {
      type     = "external"
      urls     = ["disk.raw"]
      checksum = "none"
    }
  }
}
build { sources = ["libvirt.example"] }
"#;

#[tokio::test]
async fn the_artifact_is_copied_and_stays_in_its_pool() {
    let scene = Scene::new(TEMPLATE);
    let artifact = scene.run().await.result.unwrap();
    let file = scene.path("out/images/image");
    assert_eq!(artifact.file.as_deref(), Some(file.as_path()));
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes.len(), 1 << 20);
    assert_eq!(&bytes[..5], b"disk\0");
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_refused_before_anything_is_made() {
    let scene = Scene::new(TEMPLATE);
    let folder = scene.path("out/images");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("another"), "mine").unwrap();
    let refused = scene.run().await.result.unwrap_err();
    assert!(matches!(refused, Error::OutputExists { .. }), "{refused}");
    assert_eq!(scene.volume_names(), ["base"]);
    // Beside others there is room for the copy.
    let forced = forced(&scene);
    forced.run().await.result.unwrap();
    assert_eq!(std::fs::read(folder.join("image")).unwrap().len(), 1 << 20);
    assert_eq!(std::fs::read(folder.join("another")).unwrap(), b"mine");
}

/// A second build of the same template, that may replace things.
fn forced(scene: &Scene) -> Scene {
    let mut forced = scene.clone();
    forced.force = true;
    forced.build_number += 1;
    forced
}

#[tokio::test]
async fn force_replaces_the_copy_that_an_earlier_build_has_written() {
    let scene = Scene::new(TEMPLATE);
    let copy = scene.path("out/images/image");
    scene.run().await.result.unwrap();
    let second = forced(&scene);
    // What was written into it since is the user's word, and stays his as long as he says no `-force`.
    std::fs::write(&copy, "used").unwrap();
    second.run().await.result.unwrap();
    assert_eq!(std::fs::read(&copy).unwrap().len(), 1 << 20);
    forced(&second).run().await.result.unwrap();
}

/// What is at the copy's place and was not written by lvhost stays as it is, and nothing is made.
#[tokio::test]
async fn a_file_that_only_bears_the_copys_name_stays() {
    for (case, expected) in [
        ("a file", "nothing on this machine says that lvhost made it"),
        (
            "a file in the place of the copy",
            "it is not the one that lvhost made",
        ),
        ("a link to the copy", "it is not the one that lvhost made"),
        (
            "a link to nowhere",
            "nothing on this machine says that lvhost made it",
        ),
        ("a folder", "can't replace"),
    ] {
        let scene = Scene::new(TEMPLATE);
        let (folder, copy) = (scene.path("out/images"), scene.path("out/images/image"));
        let aside = scene.path("aside");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&aside, "mine").unwrap();
        if case.ends_with("the copy") {
            std::fs::remove_dir(&folder).unwrap();
            scene.run().await.result.unwrap();
        }
        match case {
            "a file" | "a file in the place of the copy" => std::fs::rename(&aside, &copy).unwrap(),
            "a link to the copy" => {
                std::fs::rename(&copy, &aside).unwrap();
                symlink(&aside, &copy).unwrap();
            }
            "a link to nowhere" => symlink("nowhere", &copy).unwrap(),
            _ => std::fs::create_dir(&copy).unwrap(),
        }
        let before = std::fs::symlink_metadata(&copy).unwrap();
        let volumes = scene.volume_names();
        let forced = forced(&scene);
        let refused = forced.run().await.result.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains(expected), "{case}: {said}");
        let after = std::fs::symlink_metadata(&copy).unwrap();
        assert_eq!(
            (before.ino(), before.len()),
            (after.ino(), after.len()),
            "{case}"
        );
        assert_eq!(
            scene.volume_names(),
            volumes,
            "{case}: nothing is removed or made"
        );
        if case == "a folder" {
            continue;
        }
        // Its path is asked for, and the volume's name is not its path.
        let known = folder.canonicalize().unwrap().join("image");
        let path = known.to_str().unwrap();
        assert!(
            said.contains(&format!("`-force -force-foreign={path}`")),
            "{said}"
        );
        for (typed, is_right) in [("image", false), ("out/images/image", false), (path, true)] {
            let mut forced = forced.clone();
            forced.force_foreign = vec![typed.to_owned()];
            let result = forced.run().await.result;
            assert_eq!(result.is_ok(), is_right, "{case}, {typed}: {result:?}");
        }
        let now = std::fs::symlink_metadata(&copy).unwrap();
        assert!(now.is_file() && now.len() == 1 << 20, "{case}");
        let aside = std::fs::symlink_metadata(&aside);
        assert_eq!(
            aside.is_ok(),
            case.contains("link"),
            "{case}: what a link leads to stays"
        );
    }
}

/// A build takes its time, and somebody may write there meanwhile.
#[tokio::test]
async fn a_file_that_comes_while_the_build_runs_stays() {
    for (is_forced, is_second) in [(false, false), (true, false), (true, true)] {
        let scene = Scene::new(TEMPLATE);
        if is_second {
            scene.run().await.result.unwrap();
        }
        let copy = scene.path("out/images/image");
        let mut second = if is_forced {
            forced(&scene)
        } else {
            scene.clone()
        };
        second = second.script({
            let copy = copy.clone();
            move |scene| {
                std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
                std::fs::write(scene.path("aside"), "mine").unwrap();
                std::fs::rename(scene.path("aside"), &copy).unwrap();
                Ok(())
            }
        });
        let refused = second.run().await.result.unwrap_err();
        let expected = match is_forced {
            true => matches!(refused, Error::ForeignFile { .. }),
            false => matches!(
                refused,
                Error::Output {
                    action: "write",
                    ..
                }
            ),
        };
        assert!(expected, "{refused:?}");
        assert_eq!(std::fs::read(&copy).unwrap(), b"mine");
        assert_eq!(scene.volume_names(), ["base"], "what fails leaves nothing");
    }
}

/// The entry of a copy that could not be put in its place says what it said before.
#[tokio::test]
async fn a_copy_that_cannot_be_written_down_replaces_nothing() {
    let scene = Scene::new(TEMPLATE);
    scene.run().await.result.unwrap();
    let copy = scene.path("out/images/image");
    let before = std::fs::metadata(&copy).unwrap().ino();
    let mut failed = 0;
    for fail_at in 1.. {
        let mut second = forced(&scene);
        second.journal = FaultyJournal::new(&scene, fail_at);
        if second.run().await.result.is_ok() {
            break;
        }
        failed += 1;
        assert_eq!(std::fs::metadata(&copy).unwrap().ino(), before, "{fail_at}");
    }
    assert!(failed > 2, "{failed}");
    assert_ne!(std::fs::metadata(&copy).unwrap().ino(), before);
}

#[tokio::test]
async fn a_download_that_fails_leaves_no_file_and_no_volume() {
    let scene = Scene::new(TEMPLATE);
    scene.hypervisor.fail_on(Call::DownloadVolume);
    assert!(scene.run().await.result.is_err());
    assert_eq!(scene.volume_names(), ["base"]);
    let left = std::fs::read_dir(scene.path("out/images")).unwrap().count();
    assert_eq!(left, 0);
}

/// The first step tells of what is in the way, whose name may have the password in it.
#[tokio::test]
async fn a_password_is_masked_from_the_first_step_on() {
    let template = TEMPLATE.replace("\"image\"", "\"hush-image\"");
    let scene = Scene::new(Box::leak(template.into_boxed_str()));
    scene.run().await.result.unwrap();
    let second = forced(&scene);
    let before = second.said.lock().unwrap().len();
    second.run().await.result.unwrap();
    let said = second.said.lock().unwrap().split_off(before);
    let first_step = said.split(|line| line == "Preparing the volumes").next();
    let first_step = first_step.unwrap().concat();
    assert!(first_step.contains("<sensitive>-image"), "{said:?}");
    assert!(!said.concat().contains("hush"), "{said:?}");
}
