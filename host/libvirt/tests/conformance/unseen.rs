//! Files that come into a pool's folder, or go, and the hypervisor is not told.
use lvhost_libvirt::*;

use crate::place::{Place, assert_fails};
use crate::transfers::contents;

const SIZE: u64 = 1 << 20;

pub(crate) async fn a_file_that_was_put_into_a_pool_is_found_by_every_call(place: &Place) {
    let hypervisor = &place.hypervisor;
    let bytes = vec![7; SIZE as usize];
    // Each call is the first that could find it.
    for call in 0..6 {
        let Some(id) = place.put_file(&bytes).await else {
            return;
        };
        match call {
            0 => {
                let facts = hypervisor.volume(&id).await.unwrap().unwrap();
                assert_eq!(facts.capacity, SIZE);
            }
            1 => {
                let path = place.path(&id).await;
                let (found, _) = hypervisor.volume_by_path(&path).await.unwrap().unwrap();
                assert_eq!(found, id);
            }
            2 => assert_eq!(hypervisor.volume_head(&id, 4).await.unwrap(), [7; 4]),
            3 => assert_eq!(contents(place, &id).await, bytes),
            4 => {
                let clone = place.volume("raw", SIZE);
                hypervisor.clone_volume(&clone, &id, "raw").await.unwrap();
                hypervisor.delete_volume(&clone.id).await.unwrap();
            }
            _ => {
                hypervisor
                    .resize_volume(&id, "raw", 2 * SIZE)
                    .await
                    .unwrap();
            }
        }
        hypervisor.delete_volume(&id).await.unwrap();
        assert_eq!(hypervisor.volume(&id).await.unwrap(), None, "call {call}");
    }
    // One that nobody has looked at is deleted, and written to.
    let id = place.put_file(&bytes).await.unwrap();
    hypervisor.delete_volume(&id).await.unwrap();
    let id = place.put_file(&bytes).await.unwrap();
    drop(hypervisor.open_upload(&id, Some(SIZE)).await.unwrap());
    let _ = hypervisor.delete_volume(&id).await;
}

pub(crate) async fn a_file_is_found_while_the_hypervisor_is_at_work_on_the_pool(place: &Place) {
    let hypervisor = &place.hypervisor;
    let original = place.volume("raw", 256 << 20);
    hypervisor.create_volume(&original).await.unwrap();
    for _ in 0..5 {
        // libvirt looks through no pool while it makes a volume there, which takes a program of its own here.
        let clone = place.volume("qcow2", 256 << 20);
        let work = hypervisor.clone_volume(&clone, &original.id, "raw");
        let look = async {
            for _ in 0..5 {
                let Some(id) = place.put_file(b"here").await else {
                    return;
                };
                let facts = hypervisor.volume(&id).await.unwrap();
                assert!(facts.is_some(), "{id} is there");
                hypervisor.delete_volume(&id).await.unwrap();
            }
        };
        let (cloned, ()) = tokio::join!(work, look);
        cloned.unwrap();
        hypervisor.delete_volume(&clone.id).await.unwrap();
    }
    hypervisor.delete_volume(&original.id).await.unwrap();
}

/// libvirt has no word for the format that such an image would be based on, and so none for the volume.
pub(crate) async fn what_has_no_word_is_seen_and_deleted(place: &Place) {
    let hypervisor = &place.hypervisor;
    let original = place.volume("raw", SIZE);
    hypervisor.create_volume(&original).await.unwrap();
    // QED, of which libvirt reads the name of a base (docs/interop/qed_spec.rst in QEMU).
    let mut head = b"QED\0".to_vec();
    for number in [65_536_u32, 4, 1] {
        head.extend(number.to_le_bytes());
    }
    for number in [1_u64, 0, 0, 65_536, SIZE] {
        head.extend(number.to_le_bytes());
    }
    // libvirt says less of it if the base is there.
    let base = place.path(&original.id).await.into_bytes();
    for number in [72_u32, base.len() as u32] {
        head.extend(number.to_le_bytes());
    }
    head.resize(72, 0);
    head.extend(&base);
    let mut bytes = head.clone();
    bytes.resize(SIZE as usize, 0);
    let Some(id) = place.put_file(&bytes).await else {
        return;
    };
    let facts = hypervisor.volume(&id).await.unwrap().unwrap();
    assert!(!facts.is_taken_for("raw"), "{facts:?}");
    assert_eq!(facts.capacity_as("raw"), SIZE, "{facts:?}");
    assert_eq!(facts.path, place.path(&id).await);
    let read = hypervisor.volume_head(&id, head.len()).await;
    assert_eq!(read.unwrap(), head);
    let (found, _) = hypervisor
        .volume_by_path(&facts.path)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, id);
    let clone = place.volume("raw", SIZE);
    let cloned = hypervisor.clone_volume(&clone, &id, "raw").await;
    assert_fails!(cloned, Error::TakenForOther { .. });
    hypervisor.delete_volume(&id).await.unwrap();
    assert_eq!(hypervisor.volume(&id).await.unwrap(), None);
    hypervisor.delete_volume(&original.id).await.unwrap();
}

pub(crate) async fn a_file_that_was_put_into_a_pool_is_not_made_anew(place: &Place) {
    let hypervisor = &place.hypervisor;
    let original = place.volume("raw", SIZE);
    hypervisor.create_volume(&original).await.unwrap();
    for format in ["raw", "qcow2"] {
        for is_clone in [false, true] {
            let Some(id) = place.put_file(b"precious").await else {
                return;
            };
            let spec = VolumeSpec {
                id: id.clone(),
                ..place.volume(format, SIZE)
            };
            let made = match is_clone {
                false => hypervisor.create_volume(&spec).await,
                true => hypervisor.clone_volume(&spec, &original.id, "raw").await,
            };
            assert_fails!(made, Error::VolumeExists { .. });
            assert_eq!(hypervisor.volume_head(&id, 8).await.unwrap(), b"precious");
            hypervisor.delete_volume(&id).await.unwrap();
        }
    }
    hypervisor.delete_volume(&original.id).await.unwrap();
}

pub(crate) async fn a_volume_whose_file_is_gone_is_missing_for_every_call(place: &Place) {
    let hypervisor = &place.hypervisor;
    for call in 0..6 {
        let spec = place.volume("raw", SIZE);
        let id = &spec.id;
        let made = hypervisor.create_volume(&spec).await.unwrap();
        if place.lose_file(id).await.is_none() {
            return;
        }
        match call {
            0 => {}
            1 => {
                let found = hypervisor.volume_by_path(&made.path).await.unwrap();
                assert_eq!(found, None);
            }
            2 => assert_fails!(
                hypervisor.volume_head(id, 4).await,
                Error::NoSuchVolume { .. }
            ),
            3 => {
                let clone = place.volume("raw", SIZE);
                assert_fails!(
                    hypervisor.clone_volume(&clone, id, "raw").await,
                    Error::NoSuchVolume { .. }
                );
                assert_eq!(hypervisor.volume(&clone.id).await.unwrap(), None);
            }
            4 => assert_fails!(
                hypervisor.resize_volume(id, "raw", 2 * SIZE).await,
                Error::NoSuchVolume { .. }
            ),
            _ => assert_fails!(
                hypervisor.open_upload(id, None).await,
                Error::NoSuchVolume { .. }
            ),
        }
        assert_eq!(hypervisor.volume(id).await.unwrap(), None, "call {call}");
        // The name is free again.
        hypervisor.create_volume(&spec).await.unwrap();
        hypervisor.delete_volume(id).await.unwrap();
    }
}

pub(crate) async fn a_volume_whose_file_is_gone_can_be_deleted(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.volume("qcow2", SIZE);
    hypervisor.create_volume(&spec).await.unwrap();
    if place.lose_file(&spec.id).await.is_none() {
        return;
    }
    hypervisor.delete_volume(&spec.id).await.unwrap();
    assert_eq!(hypervisor.volume(&spec.id).await.unwrap(), None);
}

pub(crate) async fn what_is_nowhere_stays_missing(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = place.volume("raw", SIZE).id;
    let path = place.path(&id).await;
    assert_eq!(hypervisor.volume(&id).await.unwrap(), None);
    assert_eq!(hypervisor.volume_by_path(&path).await.unwrap(), None);
    for elsewhere in ["/there/is/no/pool/here", "relative", "nbd://host/x"] {
        let found = hypervisor.volume_by_path(elsewhere).await.unwrap();
        assert_eq!(found, None, "{elsewhere}");
    }
    assert_fails!(
        hypervisor.delete_volume(&id).await,
        Error::NoSuchVolume { .. }
    );
}
