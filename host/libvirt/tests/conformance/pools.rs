//! The hypervisor itself, its pools and networks.
use lvhost_libvirt::*;

use crate::place::{Place, assert_fails};

const MISSING: &str = "lvhost-test-there-is-none";

pub(crate) async fn facts_say_what_is_there(place: &Place) {
    let facts = place.hypervisor.facts().await.unwrap();
    assert!(!facts.host.is_empty() && !facts.hypervisor.is_empty());
    assert_eq!(facts.arch, "x86_64");
    assert!(facts.uri.expose().contains("://"), "{facts:?}");
    let capabilities = place.hypervisor.capabilities().await.unwrap();
    assert!(capabilities.offers("qemu", "x86_64"), "{capabilities:?}");
    let kind = DomainKind {
        domain_type: "qemu".into(),
        arch: "x86_64".into(),
        machine: None,
    };
    let known = place.hypervisor.domain_capabilities(&kind).await.unwrap();
    assert!(known.disk_buses.contains(&DiskBus::Virtio), "{known:?}");
    let pool = place.hypervisor.pool(&place.pool).await.unwrap();
    assert_eq!(
        (pool.name, pool.kind.as_str(), pool.active),
        (place.pool.clone(), "dir", true)
    );
    assert!(pool.available <= pool.capacity && pool.target_path.is_some());
}

pub(crate) async fn pools_and_networks_are_sorted_and_those_missing_name_the_others(place: &Place) {
    let hypervisor = &place.hypervisor;
    let pools = hypervisor.pools().await.unwrap();
    let networks = hypervisor.networks().await.unwrap();
    assert!(pools.is_sorted() && networks.is_sorted());
    assert!(pools.contains(&place.pool));
    assert!(!networks.is_empty());
    match hypervisor.pool(MISSING).await {
        Err(Error::NoSuchPool { name, existing }) => {
            assert_eq!(name, MISSING);
            assert!(existing.contains(&place.pool));
        }
        other => panic!("{other:?}"),
    }
    match hypervisor.network(MISSING).await {
        Err(Error::NoSuchNetwork { name, existing }) => {
            assert_eq!(name, MISSING);
            assert!(existing.contains(&networks[0]));
        }
        other => panic!("{other:?}"),
    }
    for name in ["", "a\0b"] {
        assert!(hypervisor.pool(name).await.is_err(), "{name:?}");
        assert!(hypervisor.network(name).await.is_err(), "{name:?}");
    }
}

pub(crate) async fn what_is_not_started_is_told_apart_from_what_is_missing(place: &Place) {
    let off = place.not_started();
    let hypervisor = &place.hypervisor;
    assert_fails!(hypervisor.pool(&off.name).await, Error::PoolInactive { .. });
    assert_fails!(
        hypervisor.list_volumes(&off.name).await,
        Error::PoolInactive { .. }
    );
    let volume = VolumeId::new(&off.name, "x");
    assert_fails!(hypervisor.volume(&volume).await, Error::PoolInactive { .. });
    assert_fails!(
        hypervisor.delete_volume(&volume).await,
        Error::PoolInactive { .. }
    );
    assert_fails!(
        hypervisor.network(&off.name).await,
        Error::NetworkInactive { .. }
    );
    assert!(hypervisor.pools().await.unwrap().contains(&off.name));
    assert!(hypervisor.networks().await.unwrap().contains(&off.name));
}

pub(crate) async fn every_call_on_a_volume_tells_of_a_missing_pool(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = VolumeId::new(MISSING, "x");
    let spec = VolumeSpec {
        id: id.clone(),
        ..place.volume("raw", 1 << 20)
    };
    assert_fails!(
        hypervisor.list_volumes(MISSING).await,
        Error::NoSuchPool { .. }
    );
    assert_fails!(hypervisor.volume(&id).await, Error::NoSuchPool { .. });
    assert_fails!(
        hypervisor.create_volume(&spec).await,
        Error::NoSuchPool { .. }
    );
    assert_fails!(
        hypervisor.clone_volume(&spec, &id, "raw").await,
        Error::NoSuchPool { .. }
    );
    assert_fails!(
        hypervisor.resize_volume(&id, "raw", 1).await,
        Error::NoSuchPool { .. }
    );
    assert_fails!(
        hypervisor.delete_volume(&id).await,
        Error::NoSuchPool { .. }
    );
    assert_fails!(
        hypervisor.open_upload(&id, None).await,
        Error::NoSuchPool { .. }
    );
}

pub(crate) async fn devices_of_the_host_are_looked_up(place: &Place) {
    let hypervisor = &place.hypervisor;
    let device = hypervisor.host_device("lo").await.unwrap().unwrap();
    assert_eq!((device.name.as_str(), device.is_bridge), ("lo", false));
    for name in ["lvhost-none0", "", "../lo", "lo/", "."] {
        assert_eq!(
            hypervisor.host_device(name).await.unwrap(),
            None,
            "{name:?}"
        );
    }
}
