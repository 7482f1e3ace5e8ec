use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use lvhost_libvirt::fake::FakeHypervisor;

use super::*;

const BUILD: Uuid = Uuid::from_u128(7);

fn facts(path: &Path) -> VolumeFacts {
    let path = path.to_str().unwrap().to_owned();
    VolumeFacts {
        key: path.clone(),
        path,
        capacity: 1,
        allocation: 1,
        physical: None,
        kind: "file".to_owned(),
        guessed_format: Some("raw".to_owned()),
        guessed_backing: None,
        written: None,
    }
}

fn of_build(folder: &Path) -> BuildJournal {
    BuildJournal {
        journal: Arc::new(JournalFolder::new(folder.to_owned())),
        hypervisor: HypervisorId::for_test("a"),
        build: BUILD,
    }
}

#[test]
fn the_way_to_a_hypervisor_is_no_part_of_it() {
    for (uri, expected) in [
        ("qemu:///system", ("qemu", "/system")),
        ("qemu+unix:///session?socket=/x", ("qemu", "/session")),
        ("qemu+ssh://u@h:22/system?keyfile=/k", ("qemu", "/system")),
        ("test:///default", ("test", "/default")),
        ("xen", ("xen", "")),
        ("", ("", "")),
    ] {
        assert_eq!(driver_and_path(uri), expected, "{uri}");
    }
}

#[tokio::test]
async fn a_hypervisor_elsewhere_is_named_by_its_host() {
    let fake = FakeHypervisor::new();
    let local = HypervisorId::of(&fake).await.unwrap();
    assert_eq!(local.name, "fake://fake/");
    fake.set_remote();
    let remote = HypervisorId::of(&fake).await.unwrap();
    assert!(remote.name.starts_with("fake://fake/ "), "{remote:?}");
}

#[tokio::test]
async fn a_volume_is_followed_from_its_making_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = of_build(&folder.path().join("journal"));
    let file = folder.path().join("volume");
    std::fs::write(&file, "x").unwrap();
    let volume = VolumeId::new("pool", "volume");
    let stage = async || {
        let entry = journal.journal.find(&journal.hypervisor, &volume).await;
        entry.unwrap().map(|entry| (entry.stage, entry.build))
    };
    journal.journal.prepare().await.unwrap();
    assert_eq!(stage().await, None);
    journal.making(&volume).await.unwrap();
    assert_eq!(stage().await, Some((Stage::Making, BUILD)));
    journal.made(&volume, &facts(&file)).await.unwrap();
    assert_eq!(stage().await, Some((Stage::Made, BUILD)));
    journal.kept(&volume).await.unwrap();
    assert_eq!(stage().await, Some((Stage::Artifact, BUILD)));
    // Nobody else's, elsewhere or by another name.
    for (hypervisor, pool, name) in [
        ("b", "pool", "volume"),
        ("a", "poo", "lvolume"),
        ("a", "pool", "volum"),
    ] {
        let found = journal
            .journal
            .find(
                &HypervisorId::for_test(hypervisor),
                &VolumeId::new(pool, name),
            )
            .await;
        assert_eq!(found.unwrap(), None);
    }
    journal.forget(&volume).await.unwrap();
    journal.forget(&volume).await.unwrap();
    journal.kept(&volume).await.unwrap();
    assert_eq!(stage().await, None);
}

#[tokio::test]
async fn another_file_of_the_same_name_is_not_the_volume() {
    let folder = tempfile::tempdir().unwrap();
    let journal = of_build(&folder.path().join("journal"));
    let file = folder.path().join("volume");
    std::fs::write(&file, "x").unwrap();
    let volume = VolumeId::new("pool", "volume");
    journal.made(&volume, &facts(&file)).await.unwrap();
    let entry = journal.journal.find(&journal.hypervisor, &volume).await;
    let entry = entry.unwrap().unwrap();
    std::fs::write(&file, "its contents may change").unwrap();
    assert!(entry.is_same(&journal.hypervisor, &facts(&file)));
    let elsewhere = folder.path().join("elsewhere");
    assert!(!entry.is_same(&journal.hypervisor, &facts(&elsewhere)));
    // Both are there at once, so that they have different numbers for sure.
    std::fs::write(&elsewhere, "x").unwrap();
    std::fs::rename(&elsewhere, &file).unwrap();
    assert!(!entry.is_same(&journal.hypervisor, &facts(&file)));
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = of_build(&path);
    let volume = VolumeId::new("pool", "volume");
    journal.making(&volume).await.unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert!(journal.journal.prepare().await.is_err());
    assert!(journal.making(&volume).await.is_err());
    let found = journal.journal.find(&journal.hypervisor, &volume).await;
    assert!(found.is_err());
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(of_build(&link).journal.prepare().await.is_err());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = of_build(&file).journal.prepare().await.unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test]
async fn entries_that_lvhost_has_not_written_show_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let journal = of_build(&path);
    let volume = VolumeId::new("pool", "volume");
    journal.making(&volume).await.unwrap();
    let entry = path.join(journal.hypervisor.file_name(&volume));
    let find = async || journal.journal.find(&journal.hypervisor, &volume).await;
    for text in ["", "{}", "[1", &"x".repeat(1 << 20)] {
        std::fs::write(&entry, text).unwrap();
        assert_eq!(find().await.unwrap(), None);
    }
    std::fs::remove_file(&entry).unwrap();
    symlink("/etc/passwd", &entry).unwrap();
    assert!(find().await.is_err());
}

#[test]
fn the_oldest_entries_go() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=ENTRIES {
        let name = Uuid::from_u128(number as u128).to_string();
        File::create(folder.path().join(name)).unwrap();
    }
    File::create(folder.path().join("mine")).unwrap();
    let oldest = folder.path().join(Uuid::from_u128(5).to_string());
    File::options()
        .write(true)
        .open(&oldest)
        .unwrap()
        .set_modified(UNIX_EPOCH)
        .unwrap();
    prune(folder.path()).unwrap();
    assert!(!oldest.exists() && folder.path().join("mine").exists());
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        ENTRIES + 1
    );
}

#[tokio::test]
async fn a_file_is_known_by_its_path_and_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let journal = JournalFolder::new(at("journal"));
    std::fs::create_dir(at("output")).unwrap();
    symlink("output", at("link")).unwrap();
    let path = at("output/image");
    let is_known = async |path: &Path| {
        let entry = journal.find_file(path).await.unwrap();
        let now = std::fs::symlink_metadata(path);
        entry.zip(now.ok()).is_some_and(|(entry, now)| {
            assert_eq!(entry.build, BUILD);
            entry.is_same(&now)
        })
    };
    assert!(!is_known(&path).await);
    std::fs::write(&path, "x").unwrap();
    let file = File::open(&path).unwrap();
    let entry = FileEntry::new(BUILD, &file).unwrap();
    journal.write_file(&path, entry.clone()).await.unwrap();
    assert!(is_known(&path).await);
    assert!(is_known(&at("link/../output/image")).await && is_known(&at("link/image")).await);
    std::fs::write(&path, "its contents may change").unwrap();
    assert!(is_known(&path).await);
    // Where nobody knows when it was made, they may not.
    let text = serde_json::to_string(&entry).unwrap();
    let unborn = text.split_once("\"born\":").unwrap();
    let rest = unborn.1.find('}').map(|end| &unborn.1[end..]).unwrap();
    let unborn: FileEntry =
        serde_json::from_str(&format!("{}\"born\":null{rest}", unborn.0)).unwrap();
    assert!(!unborn.is_same(&file.metadata().unwrap()));
    // Another one of the name, a link to it, nothing.
    std::fs::rename(&path, at("moved")).unwrap();
    assert!(!is_known(&path).await);
    symlink(at("moved"), &path).unwrap();
    assert!(!is_known(&path).await);
    std::fs::write(at("other"), "x").unwrap();
    std::fs::rename(at("other"), &path).unwrap();
    assert!(!is_known(&path).await);
    assert!(!is_known(&at("moved")).await);
    assert!(!is_known(&at("nowhere/image")).await);
    journal.forget_file(&at("nowhere/image")).await.unwrap();
    journal.forget_file(&path).await.unwrap();
    assert_eq!(journal.find_file(&path).await.unwrap(), None);
}
