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
            (made.capacity, made.format.as_deref()),
            (3 << 20, Some(format))
        );
        assert!(made.path.ends_with(&spec.id.name), "{made:?}");
        assert_eq!((made.backing.as_ref(), &made.key), (None, &made.path));
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
        hypervisor.clone_volume(&spec, &other.id).await,
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
            .clone_volume(&place.volume("raw", 1), &original.id)
            .await,
        Error::NoSuchVolume { .. }
    );
    hypervisor.create_volume(&original).await.unwrap();
    fill(place, &original.id, b"bytes").await;
    hypervisor
        .resize_volume(&original.id, 2 << 20)
        .await
        .unwrap();
    // What is asked for, and what comes of it: never less than the original has.
    for (asked, expected) in [(1, 2 << 20), (2 << 20, 2 << 20), (8 << 20, 8 << 20)] {
        let clone = place.volume("raw", asked);
        let facts = hypervisor.clone_volume(&clone, &original.id).await.unwrap();
        assert_eq!((facts.capacity, facts.backing), (expected, None));
        assert!(contents(place, &clone.id).await.starts_with(b"bytes"));
        hypervisor.delete_volume(&clone.id).await.unwrap();
    }
    assert!(contents(place, &original.id).await.starts_with(b"bytes\0"));
    hypervisor.delete_volume(&original.id).await.unwrap();
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
        (facts.backing.as_ref(), facts.capacity),
        (Some(&backing), 8 << 20)
    );
    let seen = hypervisor.volume(&overlay.id).await.unwrap().unwrap();
    assert_eq!(seen.backing, Some(backing.clone()));
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
        hypervisor.resize_volume(&spec.id, 4 << 20).await,
        Error::NoSuchVolume { .. }
    );
    hypervisor.create_volume(&spec).await.unwrap();
    fill(place, &spec.id, b"stays").await;
    for capacity in [2 << 20, 4 << 20, 4 << 20] {
        hypervisor.resize_volume(&spec.id, capacity).await.unwrap();
        let facts = hypervisor.volume(&spec.id).await.unwrap().unwrap();
        assert_eq!(facts.capacity, capacity);
    }
    assert_fails!(
        hypervisor.resize_volume(&spec.id, 1 << 20).await,
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
        disks: vec![Disk {
            format: Some("raw".into()),
            ..Disk::new(DiskSource::Volume(volume.id.clone()), DiskDevice::Disk)
        }],
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
