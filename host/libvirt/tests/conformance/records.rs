//! What a build writes into its domain is found again, by itself and by others.
use std::time::{Duration, UNIX_EPOCH};

use lvhost_libvirt::*;
use uuid::Uuid;

use crate::place::{Place, assert_fails};

pub(crate) async fn a_record_is_read_back_changed_and_kept_through_an_update(place: &Place) {
    let hypervisor = &place.hypervisor;
    let build = Uuid::new_v4().to_string();
    let owner = Owner::this_process().unwrap();
    let record = BuildRecord {
        owner: Some(owner.clone()),
        begun: Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        ..BuildRecord::new(&build)
    };
    let spec = DomainSpec {
        build: Some(record.clone()),
        // It can be defined before its volumes are made, so that it tells of them.
        disks: vec![Disk::new(
            DiskSource::Volume(VolumeId::new(&place.pool, "not there yet")),
            DiskDevice::Disk,
            DiskFormat::raw(),
        )],
        ..place.domain()
    };
    let id = hypervisor.define_domain(&spec).await.unwrap();
    let known = async || hypervisor.build_record(&id).await.unwrap();
    assert_eq!(known().await, Some(record.clone()));

    let claimed = BuildRecord {
        volumes: vec![VolumeId::new(&place.pool, "a & <b>")],
        ..record
    };
    hypervisor.set_build_record(&id, &claimed).await.unwrap();
    let list = hypervisor.list_domains().await.unwrap();
    let listed = list.iter().find(|facts| facts.id == id).unwrap();
    assert_eq!(listed.build.as_ref(), Some(&claimed));
    assert_eq!(listed.state, DomainState::ShutOff);
    let seen = listed.build.as_ref().and_then(|build| build.owner.as_ref());
    assert_eq!(seen.unwrap().liveness(&owner), Liveness::Alive);
    assert_eq!(rivals(&list, "another", &claimed.volumes[0]).count(), 1);
    assert_eq!(rivals(&list, &build, &claimed.volumes[0]).count(), 0);

    let changed = DomainSpec {
        memory_mib: 96,
        disks: Vec::new(),
        build: Some(claimed.clone()),
        ..spec
    };
    hypervisor.update_domain(&id, &changed).await.unwrap();
    assert_eq!(known().await, Some(claimed.clone()));

    // What a running domain says is changed for now and for later.
    hypervisor.start_domain(&id).await.unwrap();
    assert_fails!(
        hypervisor.update_domain(&id, &changed).await,
        Error::DomainState { .. }
    );
    let released = BuildRecord {
        volumes: Vec::new(),
        ..claimed
    };
    hypervisor.set_build_record(&id, &released).await.unwrap();
    assert_eq!(known().await, Some(released.clone()));
    hypervisor.destroy_domain(&id).await.unwrap();
    assert_eq!(known().await, Some(released));
    place.remove(&id).await;
    assert_fails!(
        hypervisor.build_record(&id).await,
        Error::NoSuchDomain { .. }
    );
}

pub(crate) async fn a_record_of_another_build_is_not_written(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = DomainSpec {
        build: Some(BuildRecord::new("one")),
        ..place.domain()
    };
    let id = hypervisor.define_domain(&spec).await.unwrap();
    let strange = BuildRecord::new("another");
    assert_fails!(
        hypervisor.set_build_record(&id, &strange).await,
        Error::NotOurs { .. }
    );
    for build in [Some(strange), None] {
        let stolen = DomainSpec {
            build,
            ..spec.clone()
        };
        assert_fails!(
            hypervisor.update_domain(&id, &stolen).await,
            Error::NotOurs { .. }
        );
    }
    let known = hypervisor.build_record(&id).await.unwrap();
    assert_eq!(known, Some(BuildRecord::new("one")));
    place.remove(&id).await;
}

pub(crate) async fn domains_of_others_have_no_record_and_get_none(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    assert_eq!(hypervisor.build_record(&id).await.unwrap(), None);
    let record = BuildRecord::new("1");
    assert_fails!(
        hypervisor.set_build_record(&id, &record).await,
        Error::NotOurs { .. }
    );
    let stolen = DomainSpec {
        build: Some(record),
        ..place.domain()
    };
    assert_fails!(
        hypervisor.update_domain(&id, &stolen).await,
        Error::NotOurs { .. }
    );
    place.remove(&id).await;
}

pub(crate) async fn what_xml_cannot_hold_is_refused(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = DomainSpec {
        build: Some(BuildRecord::new("one")),
        ..place.domain()
    };
    let id = hypervisor.define_domain(&spec).await.unwrap();
    for name in ["a\0b", "a\u{1b}[2J", "a\u{fffe}"] {
        let record = BuildRecord {
            volumes: vec![VolumeId::new(&place.pool, name)],
            ..BuildRecord::new("one")
        };
        assert_fails!(
            hypervisor.set_build_record(&id, &record).await,
            Error::InvalidValue { .. }
        );
    }
    let known = hypervisor.build_record(&id).await.unwrap();
    assert_eq!(known, Some(BuildRecord::new("one")));
    place.remove(&id).await;
}
