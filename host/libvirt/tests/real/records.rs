//! What a build writes into its domain is found again, by itself and by others.
use lvhost_libvirt::*;
use uuid::Uuid;

use crate::{daemon, domain, remove};

#[tokio::test]
async fn a_record_is_read_back_changed_and_kept_through_an_update() {
    let Some((libvirt, pool)) = daemon().await else {
        return;
    };
    let build = Uuid::new_v4().to_string();
    let owner = Owner::this_process().unwrap();
    let record = BuildRecord {
        owner: Some(owner.clone()),
        ..BuildRecord::new(&build)
    };
    let spec = DomainSpec {
        build: Some(record.clone()),
        // It can be defined before its volumes are made, so that it tells of them.
        disks: vec![Disk::new(
            DiskSource::Volume(VolumeId::new(&pool, "not there yet")),
            DiskDevice::Disk,
        )],
        ..domain()
    };
    let id = libvirt.define_domain(&spec).await.unwrap();
    assert_eq!(
        libvirt.build_record(&id).await.unwrap(),
        Some(record.clone())
    );

    let claimed = BuildRecord {
        volumes: vec![VolumeId::new(&pool, "a & <b>")],
        ..record
    };
    libvirt.set_build_record(&id, &claimed).await.unwrap();
    let list = libvirt.list_domains().await.unwrap();
    let found = list.iter().find(|facts| facts.id == id).unwrap();
    assert_eq!(found.build.as_ref(), Some(&claimed));
    assert_eq!(found.state, DomainState::ShutOff);
    let seen = found.build.as_ref().and_then(|build| build.owner.as_ref());
    assert_eq!(seen.unwrap().liveness(&owner), Liveness::Alive);
    assert_eq!(rivals(&list, "another", &claimed.volumes[0]).count(), 1);
    assert_eq!(rivals(&list, &build, &claimed.volumes[0]).count(), 0);

    let changed = DomainSpec {
        memory_mib: 96,
        disks: Vec::new(),
        build: Some(claimed.clone()),
        ..spec.clone()
    };
    libvirt.update_domain(&id, &changed).await.unwrap();
    assert_eq!(
        libvirt.build_record(&id).await.unwrap(),
        Some(claimed.clone())
    );

    let strange = BuildRecord::new("another");
    let refused = libvirt.set_build_record(&id, &strange).await;
    assert!(matches!(refused, Err(Error::NotOurs { .. })), "{refused:?}");
    let stolen = DomainSpec {
        build: Some(strange),
        ..spec
    };
    let refused = libvirt.update_domain(&id, &stolen).await;
    assert!(matches!(refused, Err(Error::NotOurs { .. })), "{refused:?}");

    // What a running domain says is changed for now and for later.
    libvirt.start_domain(&id).await.unwrap();
    let refused = libvirt.update_domain(&id, &changed).await;
    assert!(
        matches!(refused, Err(Error::DomainState { .. })),
        "{refused:?}"
    );
    let released = BuildRecord {
        volumes: Vec::new(),
        ..claimed
    };
    libvirt.set_build_record(&id, &released).await.unwrap();
    assert_eq!(
        libvirt.build_record(&id).await.unwrap(),
        Some(released.clone())
    );
    libvirt.destroy_domain(&id).await.unwrap();
    assert_eq!(libvirt.build_record(&id).await.unwrap(), Some(released));
    remove(&libvirt, &id).await;
    let gone = libvirt.build_record(&id).await;
    assert!(matches!(gone, Err(Error::NoSuchDomain { .. })), "{gone:?}");
}

#[tokio::test]
async fn domains_of_others_have_no_record_and_get_none() {
    let Some((libvirt, _)) = daemon().await else {
        return;
    };
    let id = libvirt.define_domain(&domain()).await.unwrap();
    assert_eq!(libvirt.build_record(&id).await.unwrap(), None);
    let refused = libvirt.set_build_record(&id, &BuildRecord::new("1")).await;
    assert!(matches!(refused, Err(Error::NotOurs { .. })), "{refused:?}");
    remove(&libvirt, &id).await;
}
