//! Volumes from their making to their end.
use bytes::Bytes;
use lvhost_libvirt::*;

use crate::place::{Place, assert_fails};
use crate::transfers::{contents, fill};

pub(crate) async fn a_volume_is_made_seen_and_deleted(place: &Place) {
    let hypervisor = &place.hypervisor;
    for format in ["raw", "qcow2"] {
        let spec = place.volume(format, 3 << 20);
        assert_eq!(hypervisor.volume(&spec.id).await.unwrap(), None);
        let made = hypervisor.create_volume(&spec).await.unwrap();
        assert_eq!(
            (made.capacity, made.guessed_format.as_deref()),
            (3 << 20, Some(format))
        );
        assert!(made.path.ends_with(&spec.id.name), "{made:?}");
        assert_eq!(
            (made.guessed_backing.as_ref(), &made.key),
            (None, &made.path)
        );
        let seen = hypervisor.volume(&spec.id).await.unwrap().unwrap();
        assert_eq!((&seen.path, seen.capacity), (&made.path, made.capacity));
        let (found, _) = hypervisor
            .volume_by_path(&made.path)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found, spec.id);
        let names = hypervisor.list_volumes(&place.pool).await.unwrap();
        assert!(names.contains(&spec.id.name) && names.is_sorted());
        hypervisor.delete_volume(&spec.id).await.unwrap();
        assert_eq!(hypervisor.volume(&spec.id).await.unwrap(), None);
        assert_eq!(hypervisor.volume_by_path(&made.path).await.unwrap(), None);
        assert_fails!(
            hypervisor.delete_volume(&spec.id).await,
            Error::NoSuchVolume { .. }
        );
    }
}

pub(crate) async fn a_name_that_is_taken_is_refused(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&spec).await.unwrap();
    fill(place, &spec.id, b"mine").await;
    let other = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&other).await.unwrap();
    assert_fails!(
        hypervisor.create_volume(&spec).await,
        Error::VolumeExists { .. }
    );
    assert_fails!(
        hypervisor.clone_volume(&spec, &other.id, "raw").await,
        Error::VolumeExists { .. }
    );
    assert!(contents(place, &spec.id).await.starts_with(b"mine"));
    for id in [&spec.id, &other.id] {
        hypervisor.delete_volume(id).await.unwrap();
    }
}

pub(crate) async fn names_that_no_volume_can_have_are_refused(place: &Place) {
    let hypervisor = &place.hypervisor;
    for name in ["", "a/b", "../x", "a\0b", "a\u{1}b"] {
        let spec = VolumeSpec {
            id: VolumeId::new(&place.pool, name),
            ..place.volume("raw", 1 << 20)
        };
        let refused = hypervisor.create_volume(&spec).await;
        assert!(refused.is_err(), "{name:?} was made: {refused:?}");
    }
}

pub(crate) async fn a_clone_has_the_bytes_of_its_original(place: &Place) {
    let hypervisor = &place.hypervisor;
    let original = place.volume("raw", 2 << 20);
    assert_fails!(
        hypervisor
            .clone_volume(&place.volume("raw", 1), &original.id, "raw")
            .await,
        Error::NoSuchVolume { .. }
    );
    hypervisor.create_volume(&original).await.unwrap();
    fill(place, &original.id, b"bytes").await;
    hypervisor
        .resize_volume(&original.id, "raw", 2 << 20)
        .await
        .unwrap();
    // What is asked for, and what comes of it: never less than the original has.
    for (asked, expected) in [(1, 2 << 20), (2 << 20, 2 << 20), (8 << 20, 8 << 20)] {
        let clone = place.volume("raw", asked);
        let facts = hypervisor
            .clone_volume(&clone, &original.id, "raw")
            .await
            .unwrap();
        assert_eq!((facts.capacity, facts.guessed_backing), (expected, None));
        assert!(contents(place, &clone.id).await.starts_with(b"bytes"));
        hypervisor.delete_volume(&clone.id).await.unwrap();
    }
    assert!(contents(place, &original.id).await.starts_with(b"bytes\0"));
    hypervisor.delete_volume(&original.id).await.unwrap();
}

/// libvirt clones and grows by what it has guessed, and a guest decides what that is.
pub(crate) async fn what_is_taken_for_something_else_is_not_worked_on(place: &Place) {
    let hypervisor = &place.hypervisor;
    const VDI: &[u8] = &{
        let mut head = [0; 72];
        let mark = *b"\x7f\x10\xda\xbe\x01\0\x01\0";
        let mut index = 0;
        while index < mark.len() {
            head[64 + index] = mark[index];
            index += 1;
        }
        head
    };
    let luks: &[u8] = b"LUKS\xba\xbe\0\x01";
    for (guessed, head) in [("vdi", VDI), ("luks", luks)] {
        let volume = place.volume("raw", 1 << 20);
        hypervisor.create_volume(&volume).await.unwrap();
        fill(place, &volume.id, head).await;
        let facts = hypervisor.volume(&volume.id).await.unwrap().unwrap();
        assert_eq!(facts.guessed_format.as_deref(), Some(guessed));
        assert_eq!(
            (facts.is_image(), facts.capacity_as("raw")),
            (true, 1 << 20)
        );
        assert!(facts.is_taken_for(guessed) && !facts.is_taken_for("raw"));
        let clone = place.volume("raw", 1 << 20);
        assert_fails!(
            hypervisor.clone_volume(&clone, &volume.id, "raw").await,
            Error::TakenForOther { .. }
        );
        assert_eq!(hypervisor.volume(&clone.id).await.unwrap(), None);
        assert_fails!(
            hypervisor.resize_volume(&volume.id, "raw", 2 << 20).await,
            Error::TakenForOther { .. }
        );
        hypervisor.delete_volume(&volume.id).await.unwrap();
    }
}

pub(crate) async fn the_head_of_a_volume_is_what_it_begins_with(place: &Place) {
    let hypervisor = &place.hypervisor;
    let volume = place.volume("raw", 3000);
    assert_fails!(
        hypervisor.volume_head(&volume.id, 10).await,
        Error::NoSuchVolume { .. }
    );
    hypervisor.create_volume(&volume).await.unwrap();
    fill(place, &volume.id, b"begins").await;
    for (length, read) in [(0, 0), (1, 1), (512, 512), (3000, 3000), (1 << 16, 3000)] {
        let head = hypervisor.volume_head(&volume.id, length).await.unwrap();
        let mut expected = b"begins".to_vec();
        expected.resize(read, 0);
        assert_eq!(head, expected, "{length}");
    }
    hypervisor.delete_volume(&volume.id).await.unwrap();
}

/// A file that begins like an image of Parallels is a folder to libvirt.
pub(crate) async fn what_is_taken_for_a_folder_can_be_deleted(place: &Place) {
    let hypervisor = &place.hypervisor;
    let volume = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&volume).await.unwrap();
    fill(place, &volume.id, b"WithouFreSpacExt").await;
    let facts = hypervisor.volume(&volume.id).await.unwrap().unwrap();
    assert!(!facts.is_image(), "{facts:?}");
    assert!(hypervisor.volume_head(&volume.id, 1).await.is_err());
    hypervisor.delete_volume(&volume.id).await.unwrap();
    assert_eq!(hypervisor.volume(&volume.id).await.unwrap(), None);
}

pub(crate) async fn an_overlay_tells_what_it_stands_on(place: &Place) {
    let hypervisor = &place.hypervisor;
    let base = place.volume("qcow2", 4 << 20);
    let facts = hypervisor.create_volume(&base).await.unwrap();
    let backing = Backing {
        path: facts.path,
        format: Some("qcow2".into()),
    };
    let overlay = VolumeSpec {
        backing: Some(backing.clone()),
        ..place.volume("qcow2", 8 << 20)
    };
    let facts = hypervisor.create_volume(&overlay).await.unwrap();
    assert_eq!(
        (facts.guessed_backing.as_ref(), facts.capacity),
        (Some(&backing), 8 << 20)
    );
    let seen = hypervisor.volume(&overlay.id).await.unwrap().unwrap();
    assert_eq!(seen.guessed_backing, Some(backing.clone()));
    // libvirt does not ask who stands on a volume.
    hypervisor.delete_volume(&base.id).await.unwrap();
    let orphan = VolumeSpec {
        backing: Some(backing),
        ..place.volume("qcow2", 8 << 20)
    };
    let refused = hypervisor.create_volume(&orphan).await;
    assert!(refused.is_err(), "an overlay on nothing: {refused:?}");
    assert_eq!(hypervisor.volume(&orphan.id).await.unwrap(), None);
    hypervisor.delete_volume(&overlay.id).await.unwrap();
}

pub(crate) async fn a_volume_grows_and_never_shrinks(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("raw", 2 << 20);
    assert_fails!(
        hypervisor.resize_volume(&spec.id, "raw", 4 << 20).await,
        Error::NoSuchVolume { .. }
    );
    hypervisor.create_volume(&spec).await.unwrap();
    fill(place, &spec.id, b"stays").await;
    for capacity in [2 << 20, 4 << 20, 4 << 20] {
        hypervisor
            .resize_volume(&spec.id, "raw", capacity)
            .await
            .unwrap();
        let facts = hypervisor.volume(&spec.id).await.unwrap().unwrap();
        assert_eq!(facts.capacity, capacity);
    }
    assert_fails!(
        hypervisor.resize_volume(&spec.id, "raw", 1 << 20).await,
        Error::InvalidValue { .. }
    );
    assert!(contents(place, &spec.id).await.starts_with(b"stays\0"));
    hypervisor.delete_volume(&spec.id).await.unwrap();
}

pub(crate) async fn a_full_pool_takes_nothing(place: &Place) {
    const POOL: u64 = 16 << 20;
    let Some(small) = place.small_pool(POOL) else {
        return;
    };
    let hypervisor = &place.hypervisor;
    let volume = |allocation, capacity| VolumeSpec {
        id: VolumeId::new(&small.name, "volume"),
        allocation,
        ..place.volume("raw", capacity)
    };
    let allocated = volume(None, 2 * POOL);
    let refused = hypervisor.create_volume(&allocated).await;
    let Err(Error::NoSpace {
        needed, available, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(needed, Some(2 * POOL));
    assert!(available.is_some_and(|free| free <= POOL), "{available:?}");
    assert_eq!(hypervisor.volume(&allocated.id).await.unwrap(), None);
    // What takes nothing at first may be promised more than there is.
    let sparse = volume(Some(0), 2 * POOL);
    hypervisor.create_volume(&sparse).await.unwrap();
    hypervisor.delete_volume(&sparse.id).await.unwrap();
}

/// libvirt's storage does not know of domains: who deletes a volume has to know himself who uses it.
pub(crate) async fn the_volume_of_a_running_guest_can_be_deleted(place: &Place) {
    let hypervisor = &place.hypervisor;
    let volume = place.volume("raw", 1 << 20);
    hypervisor.create_volume(&volume).await.unwrap();
    let spec = DomainSpec {
        disks: vec![Disk::new(
            DiskSource::Volume(volume.id.clone()),
            DiskDevice::Disk,
            DiskFormat::raw(),
        )],
        ..place.domain()
    };
    let id = hypervisor.define_domain(&spec).await.unwrap();
    hypervisor.start_domain_paused(&id).await.unwrap();
    let mut upload = hypervisor.open_upload(&volume.id, Some(1)).await.unwrap();
    upload.data(Bytes::from_static(b"x")).await.unwrap();
    upload.finish().await.unwrap();
    hypervisor.delete_volume(&volume.id).await.unwrap();
    place.remove(&id).await;
}
