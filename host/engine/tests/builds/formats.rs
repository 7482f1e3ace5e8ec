//! What a guest has written into its disk opens no file of the hypervisor's host, in whatever way the
//! disk comes into the next build.

use lvhost_libvirt::{DiskFormat, VolumeId, VolumeSpec};

use crate::scene::{BLANK, Scene};

/// The host's file that is wanted.
const SECRET: &str = "/root/secret";

/// A blank artifact, and this volume beside it.
fn template(volume: &str) -> &'static str {
    let (before, after) = BLANK.split_once("  volume {").unwrap();
    Box::leak(
        format!("{before}  volume {{\nname = \"disk\"\n{volume}\n}}\n  volume {{{after}").into(),
    )
}

/// A qcow2 header whose backing file is `backing`, in the format `format`, and whose data is in the file
/// `data`.
fn qcow2(backing: Option<&str>, format: Option<&str>, data: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"QFI\xfb");
    put(4, &3u32.to_be_bytes());
    put(20, &16u32.to_be_bytes());
    put(24, &(1u64 << 20).to_be_bytes());
    put(100, &104u32.to_be_bytes());
    if data.is_some() {
        put(72, &4u64.to_be_bytes());
    }
    let mut at = 104;
    for (kind, text) in [(0xE279_2ACA_u32, format), (0x4441_5441, data)] {
        let Some(text) = text else { continue };
        put(at, &kind.to_be_bytes());
        put(at + 4, &(text.len() as u32).to_be_bytes());
        put(at + 8, text.as_bytes());
        at += 8 + text.len().next_multiple_of(8);
    }
    if let Some(backing) = backing {
        put(8, &(at as u64 + 8).to_be_bytes());
        put(16, &(backing.len() as u32).to_be_bytes());
        put(at + 8, backing.as_bytes());
    }
    bytes
}

/// What guests write, with QEMU's name of what it makes their disks look like.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let at = |offset: usize, mark: &[u8]| {
        let mut bytes = vec![0; 4096];
        bytes[offset..offset + mark.len()].copy_from_slice(mark);
        bytes
    };
    let descriptor = format!("# Disk DescriptorFile\nversion=1\nRW 2048 FLAT \"{SECRET}\" 0\n");
    let json = format!("json:{{\"driver\":\"raw\",\"file\":{{\"filename\":\"{SECRET}\"}}}}");
    vec![
        ("qcow2", qcow2(Some(SECRET), Some("raw"), None)),
        ("qcow2", qcow2(Some(SECRET), None, None)),
        ("qcow2", qcow2(Some("../../root/secret"), Some("raw"), None)),
        ("qcow2", qcow2(Some(&json), Some("raw"), None)),
        (
            "qcow2",
            qcow2(Some("nbd://192.0.2.1/secret"), Some("raw"), None),
        ),
        ("qcow2", qcow2(None, None, Some(SECRET))),
        ("vmdk", descriptor.into_bytes()),
        ("vmdk", at(0, b"KDMV\x01\0\0\0")),
        ("luks", at(0, b"LUKS\xba\xbe\0\x01")),
        ("vdi", at(64, b"\x7f\x10\xda\xbe\x01\0\x01\0")),
        ("qed", at(0, b"QED\0")),
        ("vhdx", at(0, b"vhdxfile")),
        ("vpc", at(0, b"conectix\0\0\0\x02\0\x01\0\0")),
        ("parallels", at(0, b"WithoutFreeSpace")),
    ]
}

/// A scene with a raw volume `base` whose guest has written `head`, which libvirt has looked at.
fn written(template: &'static str, head: &[u8]) -> Scene {
    let scene = Scene::new(template);
    let base = VolumeId::new("default", "base");
    scene.hypervisor.overwrite_volume(&base, head).unwrap();
    scene.hypervisor.refresh("default");
    scene
}

/// The ways a volume that is there already comes into a domain; `{}` is the option that says its format.
const WAYS: [(&str, &str); 5] = [
    (
        "cloning",
        "{source}\nsource {\ntype = \"cloning\"\nvolume = \"base\"\n}",
    ),
    (
        "overlay",
        "{source}\nsource {\ntype = \"backing-store\"\nvolume = \"base\"\n}",
    ),
    (
        "overlay by path",
        "{source}\nsource {\ntype = \"backing-store\"\npath = \"/fake/default/base\"\n}",
    ),
    ("existing", "name = \"base\"\n{own}"),
    (
        "existing, by path",
        "name = \"base\"\nattach_as = \"file\"\n{own}",
    ),
];

/// The template of a way, with `format` said or not.
fn way(text: &str, format: Option<&str>) -> &'static str {
    let said =
        |option: &str| format.map_or(String::new(), |format| format!("{option} = \"{format}\""));
    let text = text
        .replace("{source}", &said("source_format"))
        .replace("{own}", &said("format"));
    let text = template(&text);
    // An existing volume has one name.
    if text.contains("name = \"base\"") {
        return Box::leak(text.replace("name = \"disk\"\n", "").into());
    }
    text
}

#[tokio::test]
async fn nothing_is_guessed_where_nobody_says_what_a_disk_is() {
    for (name, text) in WAYS {
        for device in ["", "device = \"cdrom\"\n"] {
            let text = way(&format!("{device}{text}"), None);
            for (resembles, head) in hostile() {
                let scene = written(text, &head);
                let error = scene.run().await.result.unwrap_err();
                let said = lvhost_engine::with_causes(&error);
                assert!(said.contains("\"base\""), "{name}, {resembles}: {said}");
                assert!(said.contains("format"), "{name}, {resembles}: {said}");
                assert_eq!(
                    scene.hypervisor.opened_files(),
                    [""; 0],
                    "{name}, {resembles}"
                );
                assert_eq!(scene.volume_names(), ["base"], "{name}, {resembles}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_to_be_raw_is_raw_whatever_is_written_in_it() {
    for (name, text) in WAYS {
        let text = way(text, Some("raw"));
        for (resembles, head) in hostile() {
            let expected = head.clone();
            let scene = written(text, &head).script(move |scene| {
                let domain = scene.hypervisor.domains().remove(0);
                let spec = scene.hypervisor.domain_spec(&domain).unwrap();
                let format = &spec.disks[0].format;
                match name {
                    "overlay" | "overlay by path" => {
                        assert_eq!(format.name, "qcow2");
                        let base = format.backing.as_ref().unwrap();
                        assert_eq!(base.path, "/fake/default/base");
                        assert_eq!(base.format, DiskFormat::raw());
                    }
                    _ => assert_eq!(*format, DiskFormat::raw()),
                }
                if name == "cloning" {
                    let copy = VolumeId::new("default", "disk");
                    let bytes = scene
                        .hypervisor
                        .read_volume(&copy, 0, expected.len())
                        .unwrap();
                    assert!(bytes == expected, "the copy is another disk");
                }
                Ok(())
            });
            let outcome = scene.run().await;
            let error = outcome
                .result
                .err()
                .map(|error| lvhost_engine::with_causes(&error));
            assert_eq!(error, None, "{name}, {resembles}");
            let opened = scene.hypervisor.opened_files();
            let own = opened.iter().all(|path| path == "/fake/default/base");
            assert!(own, "{name}, {resembles}: {opened:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_of_what_libvirt_would_not_take_for_raw_is_the_same_disk_and_grows() {
    let volume = "capacity = \"3M\"\nsource_format = \"raw\"\nsource {\ntype = \"cloning\"\nvolume = \"base\"\n}";
    let head = qcow2(Some(SECRET), Some("raw"), None);
    let scene = written(template(volume), &head).script(|scene| {
        let copy = VolumeId::new("default", "disk");
        assert_eq!(
            scene.hypervisor.volume_spec(&copy).unwrap().capacity,
            3 << 20
        );
        Ok(())
    });
    scene.run().await.result.unwrap();
    // A conversion would have to read it as what it is not.
    let volume = format!("format = \"qcow2\"\n{volume}");
    let scene = written(template(&volume), &head);
    let error = scene.run().await.result.unwrap_err();
    let said = lvhost_engine::with_causes(&error);
    assert!(said.contains("can't be converted to qcow2"), "{said}");
    assert_eq!(scene.hypervisor.opened_files(), [""; 0]);
}

#[tokio::test]
async fn a_disk_that_libvirt_takes_for_a_folder_is_told_and_used_by_its_path_if_it_is_said_to_be_raw()
 {
    let mut head = vec![0; 512];
    head[..16].copy_from_slice(b"WithouFreSpacExt");
    for (name, text) in WAYS {
        let scene = written(way(text, None), &head);
        let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
        assert!(said.contains("for a folder"), "{name}: {said}");
        let scene = written(way(text, Some("raw")), &head);
        let result = scene.run().await.result;
        if name == "cloning" {
            let said = lvhost_engine::with_causes(&result.unwrap_err());
            assert!(said.contains("can't be copied"), "{said}");
        } else {
            result.unwrap();
        }
    }
}

/// A scene with an overlay `top` of the raw volume `base`, as a hypervisor's owner has made it.
fn overlaid(volume: &str, top: &[u8]) -> Scene {
    let scene = Scene::new(template(volume));
    let spec = VolumeSpec {
        id: VolumeId::new("default", "top"),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("qcow2".to_string()),
        backing: None,
    };
    scene.hypervisor.add_volume(&spec, top).unwrap();
    scene
}

#[tokio::test]
async fn an_overlay_is_used_if_the_template_names_what_it_leans_on() {
    let top = qcow2(Some("base"), Some("raw"), None);
    for (named, works) in [
        ("", false),
        ("backing_volumes = [\"base\"]", true),
        ("backing_volumes = [\"default/base\"]", true),
        ("backing_volumes = [\"/fake/default/base\"]", true),
        ("backing_volumes = [\"top\"]", false),
        ("backing_volumes = [\"none\"]", false),
    ] {
        let volume = format!("{named}\nsource {{\ntype = \"backing-store\"\nvolume = \"top\"\n}}");
        let scene = overlaid(&volume, &top).script(|scene| {
            let domain = scene.hypervisor.domains().remove(0);
            let disk = scene
                .hypervisor
                .domain_spec(&domain)
                .unwrap()
                .disks
                .remove(0);
            let paths: Vec<_> = disk.format.backing_paths().collect();
            assert_eq!(paths, ["/fake/default/top", "/fake/default/base"]);
            Ok(())
        });
        let result = scene.run().await.result;
        let said = result.err().map(|error| lvhost_engine::with_causes(&error));
        assert_eq!(said.is_none(), works, "{named}: {said:?}");
        if let Some(said) = said {
            assert!(said.contains("backing_volumes"), "{named}: {said}");
        }
    }
}

#[tokio::test]
async fn a_chain_is_followed_to_its_end_and_no_further_than_the_template_names() {
    // The lower one leans on the host's file, the upper one on the lower.
    let lower = qcow2(Some(SECRET), Some("raw"), None);
    let volume =
        "backing_volumes = [\"lower\"]\nsource {\ntype = \"backing-store\"\nvolume = \"top\"\n}";
    let scene = overlaid(volume, &qcow2(Some("lower"), Some("qcow2"), None));
    let spec = VolumeSpec {
        id: VolumeId::new("default", "lower"),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("qcow2".to_string()),
        backing: None,
    };
    scene.hypervisor.add_volume(&spec, &lower).unwrap();
    let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
    assert!(said.contains(SECRET), "{said}");
    assert_eq!(scene.hypervisor.opened_files(), [""; 0]);

    // One that leans on itself has no end.
    let volume =
        "backing_volumes = [\"top\"]\nsource {\ntype = \"backing-store\"\nvolume = \"top\"\n}";
    let scene = overlaid(volume, &qcow2(Some("top"), Some("qcow2"), None));
    let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
    assert!(said.contains("lie on each other"), "{said}");

    // QEMU would guess what the header does not say.
    let volume = "backing_volumes = [\"base\"]\nsource {\ntype = \"cloning\"\nvolume = \"top\"\n}";
    let scene = overlaid(volume, &qcow2(Some("base"), None, None));
    let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
    assert!(said.contains("of which format"), "{said}");
}

#[tokio::test]
async fn formats_in_which_an_image_can_name_files_are_refused_and_harmless_ones_are_not() {
    for (format, works) in [
        ("vmdk", false),
        ("qed", false),
        ("qcow", false),
        ("luks", false),
        ("auto", false),
        ("vdi", true),
        ("vpc", true),
        ("iso", true),
    ] {
        let scene = Scene::new(way("name = \"base\"\n{own}", Some(format)));
        let result = scene.run().await.result;
        let said = result.err().map(|error| lvhost_engine::with_causes(&error));
        assert_eq!(said.is_none(), works, "{format}: {said:?}");
    }
    let scene = Scene::new(way("name = \"base\"\n{own}", Some("qcow2")));
    let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
    assert!(said.contains("has no qcow2 header"), "{said}");
}

#[tokio::test]
async fn a_raw_image_that_begins_like_another_is_not_uploaded() {
    let volume = "source {\ntype = \"external\"\nurls = [\"hostile\"]\nchecksum = \"none\"\n}";
    for (resembles, mut head) in hostile() {
        head.resize(1 << 20, 0);
        let scene = Scene::new(template(volume));
        std::fs::write(scene.path("hostile"), &head).unwrap();
        let said = lvhost_engine::with_causes(&scene.run().await.result.unwrap_err());
        assert!(said.contains("`hostile`"), "{resembles}: {said}");
        assert_eq!(scene.volume_names(), ["base"], "{resembles}");
        assert_eq!(scene.hypervisor.opened_files(), [""; 0], "{resembles}");
    }
}

#[tokio::test]
async fn a_disk_that_its_guest_makes_look_like_a_folder_is_cleaned_up_or_named() {
    for remote in [false, true] {
        let scene = Scene::new(BLANK).script(move |scene| {
            let image = VolumeId::new("default", "image");
            scene
                .hypervisor
                .overwrite_volume(&image, b"WithouFreSpacExt")
                .unwrap();
            scene.hypervisor.refresh("default");
            if remote {
                scene.hypervisor.set_remote();
            }
            Err(lvhost_engine::Error::Cancelled)
        });
        let outcome = scene.run().await;
        let left: Vec<_> = outcome
            .leftovers
            .iter()
            .map(|it| it.reason.to_string())
            .collect();
        assert_eq!(left.len(), usize::from(remote), "{left:?}");
        assert!(
            left.iter().all(|it| it.contains("/fake/default/image")),
            "{left:?}"
        );
    }
}

#[tokio::test]
async fn the_artifact_is_what_it_was_made_as_and_the_user_is_told_what_its_guest_has_written() {
    let text = BLANK.replace(
        "libvirt_uri ",
        "output_directory = \"out\"\n output_compact = true\n libvirt_uri ",
    );
    let scene = Scene::new(Box::leak(text.into())).script(|scene| {
        let image = VolumeId::new("default", "image");
        let head = qcow2(Some(SECRET), Some("raw"), None);
        scene.hypervisor.overwrite_volume(&image, &head).unwrap();
        scene.hypervisor.refresh("default");
        Ok(())
    });
    let artifact = scene.run().await.result.unwrap();
    assert_eq!(
        (artifact.format.as_str(), artifact.facts.capacity),
        ("raw", 1 << 20)
    );
    assert_eq!(
        std::fs::metadata(artifact.file.unwrap()).unwrap().len(),
        1 << 20
    );
    let said = scene.said.lock().unwrap();
    let warned = said
        .iter()
        .any(|line| line.starts_with("warning") && line.contains("qcow2"));
    assert!(warned, "{said:?}");
    let left = said.iter().any(|line| line.contains("is not compacted"));
    assert!(!left, "{said:?}");
    assert_eq!(scene.hypervisor.opened_files(), [""; 0]);
}
