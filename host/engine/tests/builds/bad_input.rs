//! What bad input gets, in whole builds: each says what is wrong and what there is instead, and leaves
//! nothing behind.

use lvhost_engine::with_causes;
use lvhost_libvirt::Error as HypervisorError;
use lvhost_libvirt::fake::Call;
use lvhost_libvirt::{VolumeId, VolumeSpec};

use crate::scene::{BLANK, Scene};

/// The blank build with its volume, its network and its communicator as these lines say.
fn template(volume: &str, interface: &str) -> &'static str {
    let text = BLANK
        .replace("    capacity = \"1M\"\n", &format!("{volume}\n"))
        .replace("    type = \"managed\"\n", &format!("{interface}\n"));
    Box::leak(text.into_boxed_str())
}

const MANAGED: &str = "type = \"managed\"";

/// What the user is told of a build that fails. Nothing is left of it.
async fn failure(scene: &Scene) -> String {
    let outcome = scene.run().await;
    let error = outcome.result.unwrap_err();
    assert!(outcome.leftovers.is_empty());
    assert!(scene.hypervisor.domains().is_empty());
    with_causes(&error)
}

#[tokio::test]
async fn a_wrong_checksum_shows_both_and_leaves_no_volume() {
    let wrong = "0".repeat(64);
    let volume = format!(
        "source {{\ntype = \"external\"\nurls = [\"disk.raw\"]\nchecksum = \"sha256:{wrong}\"\n}}"
    );
    let scene = Scene::new(template(&volume, MANAGED));
    let said = failure(&scene).await;
    assert!(said.contains(&wrong), "{said}");
    let (_, found) = said.split_once(", got ").unwrap();
    assert_eq!(found.len(), 64, "{said}");
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test]
async fn no_location_that_works_lists_what_each_said() {
    let volume = "source {\ntype = \"external\"\nurls = [\"one.raw\", \"two.raw\"]\n\
                  checksum = \"none\"\n}";
    let scene = Scene::new(template(volume, MANAGED));
    let said = failure(&scene).await;
    for name in ["one.raw", "two.raw"] {
        assert!(said.contains(name), "{said}");
    }
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test]
async fn a_full_pool_says_what_is_needed_and_what_is_free() {
    let scene = Scene::new(template(
        "capacity = \"3M\"\nsize = \"3M\"\npool = \"small\"",
        MANAGED,
    ));
    scene.hypervisor.add_pool("small", 1 << 20, true);
    let said = failure(&scene).await;
    assert!(
        said.contains("3145728 bytes are needed, 1048576 are free"),
        "{said}"
    );
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test]
async fn a_volume_that_exists_names_force() {
    let scene = Scene::new(template("capacity = \"1M\"", MANAGED));
    let there = VolumeSpec {
        id: VolumeId::new("default", "image"),
        capacity: 512,
        allocation: None,
        format: None,
        backing: None,
    };
    scene.hypervisor.add_volume(&there, b"precious").unwrap();
    let said = failure(&scene).await;
    assert!(said.contains("exists already and is not touched"), "{said}");
    assert!(said.contains("`-force`"), "{said}");
}

#[tokio::test]
async fn what_is_missing_is_named_with_what_there_is() {
    for (volume, interface, expected) in [
        (
            "capacity = \"1M\"\npool = \"fast\"",
            MANAGED,
            "there is no storage pool \"fast\"; the pools are: default",
        ),
        (
            "capacity = \"1M\"",
            "type = \"managed\"\nnetwork = \"lan\"",
            "there is no network \"lan\"; the networks are: default",
        ),
        (
            "capacity = \"1M\"\n}\nvolume {\nname = \"data\"",
            MANAGED,
            "the volume \"data\" in pool \"default\" does not exist; a volume without a `source` must be \
             there before the build, and the pool default has: base",
        ),
        (
            "source {\ntype = \"cloning\"\nvolume = \"golden\"\n}",
            MANAGED,
            "golden",
        ),
    ] {
        let scene = Scene::new(template(volume, interface));
        let said = failure(&scene).await;
        assert!(said.contains(expected), "{said}");
        assert_eq!(scene.volume_names(), ["base"]);
    }
}

/// A header of qcow2 with these fields, and a cluster for each of its tables.
fn qcow2(with: &[(usize, &[u8])]) -> Vec<u8> {
    let mut image = vec![0; 4 * 65536];
    image[..4].copy_from_slice(b"QFI\xfb");
    let fields: [(usize, &[u8]); 5] = [
        (4, &3_u32.to_be_bytes()),
        (20, &16_u32.to_be_bytes()),
        (24, &(1_u64 << 20).to_be_bytes()),
        (96, &4_u32.to_be_bytes()),
        (100, &104_u32.to_be_bytes()),
    ];
    for (at, bytes) in fields.iter().chain(with) {
        image[*at..][..bytes.len()].copy_from_slice(bytes);
    }
    image
}

#[tokio::test]
async fn an_image_that_leans_on_another_file_is_refused() {
    let other = b"/etc/shadow";
    let length = &(other.len() as u32).to_be_bytes();
    let backing_file = qcow2(&[(8, &512_u64.to_be_bytes()), (16, length), (512, other)]);
    // The feature, and the name in the extension of the header that is for it.
    let data_file = qcow2(&[
        (72, &4_u64.to_be_bytes()),
        (104, b"DATA"),
        (108, length),
        (112, other),
    ]);
    let volume = "source {\ntype = \"external\"\nurls = [\"evil.qcow2\"]\nchecksum = \"none\"\n}";
    for (image, expected) in [
        (backing_file, "an overlay of `/etc/shadow`"),
        (data_file, "keeps its data in another file"),
    ] {
        let scene = Scene::new(template(volume, MANAGED));
        std::fs::write(scene.path("evil.qcow2"), image).unwrap();
        let said = failure(&scene).await;
        assert!(said.contains(expected), "{said}");
        assert_eq!(scene.volume_names(), ["base"]);
    }
}

#[tokio::test]
async fn a_pattern_without_files_and_a_floppy_that_is_too_small_are_errors() {
    let files = |option: &str| {
        format!(
            "source {{\ntype = \"files\"\n{option}\n}}\n}}\nvolume {{\nalias = \"artifact\"\ncapacity = \"1M\""
        )
    };
    for (volume, expected) in [
        (
            "device = \"cdrom\"\n".to_owned() + &files("files = [\"scripts/*.sh\"]"),
            "scripts/*.sh",
        ),
        (
            "device = \"floppy\"\n".to_owned() + &files("files = [\"large\"]"),
            "they take 2000384 bytes, 1457664 are there",
        ),
    ] {
        let text = template(&volume, MANAGED).replacen("alias    = \"artifact\"", "", 1);
        let scene = Scene::new(Box::leak(text.into_boxed_str()));
        std::fs::write(scene.path("large"), vec![1; 2_000_000]).unwrap();
        let said = failure(&scene).await;
        assert!(said.contains(expected), "{said}");
        assert_eq!(scene.volume_names(), ["base"]);
    }
}

#[tokio::test]
async fn a_hypervisor_without_kvm_says_what_to_set() {
    let scene = Scene::new(template("capacity = \"1M\"", MANAGED));
    let refused = || HypervisorError::KvmUnusable {
        message: "Could not access KVM kernel module: Permission denied".to_owned(),
    };
    scene
        .hypervisor
        .fail_on_with(Call::StartDomainPaused, refused);
    let said = failure(&scene).await;
    assert!(said.contains("domain_type = \"qemu\""), "{said}");
    assert_eq!(scene.volume_names(), ["base"]);
}

#[tokio::test(start_paused = true)]
async fn no_address_in_time_says_what_was_tried_and_how_the_console_ends() {
    let scene = Scene::new(template("capacity = \"1M\"", MANAGED));
    scene.hypervisor.delay_addresses(u32::MAX);
    scene
        .hypervisor
        .set_boot_output("Kernel panic - not syncing\n");
    let said = failure(&scene).await;
    assert!(said.contains("asked for MAC 52:54:00:00:00:01"), "{said}");
    assert!(
        said.contains("`network_address_source = \"lease\"`"),
        "{said}"
    );
    let shown = scene.said.lock().unwrap().join("\n");
    assert!(shown.contains("Kernel panic - not syncing"), "{shown}");
}
