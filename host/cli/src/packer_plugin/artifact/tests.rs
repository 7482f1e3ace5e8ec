use std::time::{Duration, SystemTime};

use lvhost_engine::{Entry, FileEntry, JournalFolder, Stage};
use lvhost_libvirt::fake::FakeHypervisor;
use lvhost_libvirt::{Backing, Disk, DiskDevice, DiskFormat, DiskSource, DomainSpec, VolumeSpec};

use super::*;

const BUILD: Uuid = Uuid::from_u128(7);

/// A build's artifact at a fake hypervisor, with a copy of it in a folder.
struct Scene {
    hypervisor: FakeHypervisor,
    folder: tempfile::TempDir,
    journal: Arc<JournalFolder>,
    built: BuiltVolume,
}

fn image() -> VolumeId {
    VolumeId::new("default", "image")
}

fn spec(id: VolumeId) -> VolumeSpec {
    VolumeSpec {
        id,
        capacity: 1 << 20,
        allocation: None,
        format: Some("raw".to_owned()),
        backing: None,
    }
}

impl Scene {
    async fn new() -> Self {
        let hypervisor = FakeHypervisor::new();
        hypervisor.add_volume(&spec(image()), b"built").unwrap();
        hypervisor.set_written(&image(), SystemTime::UNIX_EPOCH);
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(JournalFolder::new(folder.path().join("journal")));
        let facts = hypervisor.volume(&image()).await.unwrap().unwrap();
        let copy = folder.path().join("image");
        std::fs::write(&copy, "copy").unwrap();
        let artifact = lvhost_engine::Artifact {
            volume: image(),
            facts,
            format: "raw".to_owned(),
            file: Some(copy),
        };
        let origin = Origin {
            uri: "fake:///".to_owned(),
            is_local: true,
            build: BUILD,
            journal: journal.clone(),
        };
        let variables = BuildVariables::default();
        let scene = Self {
            built: BuiltVolume::new(origin, Path::new("/nowhere"), &artifact, variables),
            hypervisor,
            folder,
            journal,
        };
        scene.write_down(BUILD).await;
        scene
    }

    /// Writes down that a build has made both.
    async fn write_down(&self, build: Uuid) {
        let id = HypervisorId::of(&self.hypervisor).await.unwrap();
        let facts = self.hypervisor.volume(&image()).await.unwrap();
        let entry = Entry::new(&id, &image(), build, Stage::Artifact, facts.as_ref());
        self.journal.write(&id, entry).await.unwrap();
        let file = std::fs::File::open(self.copy()).unwrap();
        let entry = FileEntry::new(build, &file).unwrap();
        self.journal.write_file(&self.copy(), entry).await.unwrap();
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// What is said, and whether volume and copy are there after it.
    async fn destroy(&self) -> (String, bool, bool) {
        let said = self.built.delete(Ok(&self.hypervisor)).await;
        let said = said.map_or_else(|error| error.to_string(), |()| String::new());
        let is_there = self.hypervisor.volumes().contains(&image());
        (said, is_there, self.copy().symlink_metadata().is_ok())
    }
}

#[tokio::test]
async fn what_the_build_has_made_goes() {
    let scene = Scene::new().await;
    assert_eq!(scene.destroy().await, (String::new(), false, false));
    assert_eq!(scene.journal.find_file(&scene.copy()).await.unwrap(), None);
    let id = HypervisorId::of(&scene.hypervisor).await.unwrap();
    assert_eq!(scene.journal.find(&id, &image()).await.unwrap(), None);
    // What is gone is gone.
    assert_eq!(scene.destroy().await, (String::new(), false, false));
}

/// Each of these keeps the volume. The copy goes all the same.
#[tokio::test]
async fn a_volume_that_is_not_shown_to_be_the_builds_stays() {
    let replaced = "in pool \"default\" stays: it is not the one that lvhost made";
    for (case, expected) in [
        ("put in its place", replaced),
        ("written to", replaced),
        ("of another size", replaced),
        ("used by a domain", "stays: the domain \"vm\" uses it"),
        (
            "under another",
            "stays: the volume \"overlay\" in pool \"default\" stands on it",
        ),
        (
            "of another build",
            "stays: the build 00000000-0000-0000-0000-000000000008 made it",
        ),
        (
            "unknown",
            "stays: nothing on this machine says that lvhost made it",
        ),
    ] {
        let scene = Scene::new().await;
        let hypervisor = &scene.hypervisor;
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let id = HypervisorId::of(hypervisor).await.unwrap();
        match case {
            "put in its place" | "of another size" => {
                hypervisor.delete_volume(&image()).await.unwrap();
                let mut other = spec(image());
                let is_larger = case == "of another size";
                other.capacity <<= u32::from(is_larger);
                hypervisor.add_volume(&other, b"mine").unwrap();
                let written = if is_larger {
                    SystemTime::UNIX_EPOCH
                } else {
                    later
                };
                hypervisor.set_written(&image(), written);
            }
            "written to" => hypervisor.set_written(&image(), later),
            "used by a domain" => {
                let disk = Disk::new(
                    DiskSource::Volume(image()),
                    DiskDevice::Disk,
                    DiskFormat::raw(),
                );
                let vm = DomainSpec {
                    disks: vec![disk],
                    ..DomainSpec::new("vm")
                };
                hypervisor.define_domain(&vm).await.unwrap();
            }
            "under another" => {
                let overlay = VolumeSpec {
                    backing: Some(Backing {
                        path: scene.built.facts.path.clone(),
                        format: Some("raw".to_owned()),
                    }),
                    format: Some("qcow2".to_owned()),
                    ..spec(VolumeId::new("default", "overlay"))
                };
                hypervisor.create_volume(&overlay).await.unwrap();
            }
            "of another build" => {
                let facts = hypervisor.volume(&image()).await.unwrap();
                let other = Uuid::from_u128(8);
                let entry = Entry::new(&id, &image(), other, Stage::Artifact, facts.as_ref());
                scene.journal.write(&id, entry).await.unwrap();
            }
            _ => scene.journal.forget(&id, &image()).await.unwrap(),
        }
        let (said, volume, copy) = scene.destroy().await;
        assert!(said.contains(expected), "{case}: {said}");
        assert!(volume && !copy, "{case}: {said}");
    }
}

/// Each of these keeps the copy. The volume goes all the same.
#[tokio::test]
async fn a_copy_that_is_not_shown_to_be_the_builds_stays() {
    for case in [
        "another file",
        "a link to it",
        "of another build",
        "unknown",
    ] {
        let scene = Scene::new().await;
        let (copy, aside) = (scene.copy(), scene.folder.path().join("aside"));
        match case {
            "another file" => {
                std::fs::write(&aside, "mine").unwrap();
                std::fs::rename(&aside, &copy).unwrap();
            }
            "a link to it" => {
                std::fs::rename(&copy, &aside).unwrap();
                std::os::unix::fs::symlink(&aside, &copy).unwrap();
            }
            "of another build" => {
                let file = std::fs::File::open(&copy).unwrap();
                let entry = FileEntry::new(Uuid::from_u128(8), &file).unwrap();
                scene.journal.write_file(&copy, entry).await.unwrap();
            }
            _ => scene.journal.forget_file(&copy).await.unwrap(),
        }
        let (said, volume, stays) = scene.destroy().await;
        let expected = "image stays: it is not the file that the build has written";
        assert!(said.contains(expected), "{case}: {said}");
        assert!(!volume && stays, "{case}: {said}");
    }
}

#[tokio::test]
async fn the_copy_goes_although_the_hypervisor_is_gone() {
    let scene = Scene::new().await;
    let said = scene.built.delete(Err("no connection".into())).await;
    assert_eq!(said.unwrap_err().to_string(), "no connection");
    assert!(!scene.copy().exists());
}
