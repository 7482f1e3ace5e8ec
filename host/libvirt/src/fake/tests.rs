//! The fake keeps the rules that real hypervisors keep, and says what was done to it.
use std::{io::Write, sync::Arc};

use bytes::Bytes;

use super::*;
use crate::*;

fn spec(name: &str) -> VolumeSpec {
    VolumeSpec {
        id: VolumeId::new("default", name),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("raw".into()),
        backing: None,
    }
}

async fn running(fake: &FakeHypervisor, volume: &VolumeId) -> DomainId {
    let spec = DomainSpec {
        disks: vec![Disk::new(
            DiskSource::Volume(volume.clone()),
            DiskDevice::Disk,
        )],
        interfaces: vec![Interface::new(InterfaceSource::Network {
            network: "default".into(),
        })],
        ..DomainSpec::new("vm")
    };
    let id = fake.define_domain(&spec).await.unwrap();
    fake.start_domain(&id).await.unwrap();
    id
}

#[tokio::test]
async fn volumes_of_running_domains_stay() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    let id = running(&fake, &volume.id).await;
    let delete = fake.delete_volume(&volume.id).await.unwrap_err();
    assert!(matches!(delete, Error::VolumeInUse { .. }), "{delete:?}");
    assert!(matches!(
        fake.open_upload(&volume.id, Some(1)).await.map(drop),
        Err(Error::VolumeInUse { .. })
    ));
    let undefine = fake.undefine_domain(&id).await.unwrap_err();
    assert!(
        matches!(undefine, Error::DomainState { .. }),
        "{undefine:?}"
    );
    fake.destroy_domain(&id).await.unwrap();
    fake.undefine_domain(&id).await.unwrap();
    fake.delete_volume(&volume.id).await.unwrap();
    assert!(matches!(
        fake.delete_volume(&volume.id).await,
        Err(Error::NoSuchVolume { .. })
    ));
    assert!(fake.volumes().is_empty() && fake.domains().is_empty());
}

#[tokio::test]
async fn a_domain_does_not_start_without_what_it_names() {
    let fake = FakeHypervisor::new();
    let disk = Disk::new(
        DiskSource::Volume(VolumeId::new("default", "x")),
        DiskDevice::Disk,
    );
    let with_disk = DomainSpec {
        disks: vec![disk],
        ..DomainSpec::new("disk")
    };
    let id = fake.define_domain(&with_disk).await.unwrap();
    assert!(matches!(
        fake.start_domain(&id).await,
        Err(Error::NoSuchVolume { .. })
    ));
    fake.add_network("off", false);
    let interface = Interface::new(InterfaceSource::Network {
        network: "off".into(),
    });
    let with_network = DomainSpec {
        interfaces: vec![interface],
        ..DomainSpec::new("network")
    };
    let id = fake.define_domain(&with_network).await.unwrap();
    assert!(matches!(
        fake.start_domain(&id).await,
        Err(Error::NetworkInactive { .. })
    ));
    assert!(matches!(
        fake.define_domain(&with_network).await,
        Err(Error::DomainExists { .. })
    ));
}

#[tokio::test]
async fn uploads_arrive_when_they_finish_and_not_before() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"xxfile").unwrap();
    let mut upload = fake.open_upload(&volume.id, Some(1000)).await.unwrap();
    upload.data(Bytes::from_static(b"data")).await.unwrap();
    upload.hole(900).await.unwrap();
    upload.file(Arc::new(file), 2, 4).await.unwrap();
    upload.data(Bytes::from(vec![9; 92])).await.unwrap();
    assert_eq!(fake.read_volume(&volume.id, 0, 4).unwrap(), [0; 4]);
    upload.finish().await.unwrap();
    assert_eq!(fake.read_volume(&volume.id, 0, 5).unwrap(), b"data\0");
    assert_eq!(fake.read_volume(&volume.id, 903, 6).unwrap(), b"\0file\x09");
    let facts = fake.volume(&volume.id).await.unwrap().unwrap();
    assert_eq!((facts.allocation, facts.capacity), (100, 1 << 20));
}

#[tokio::test]
async fn uploads_of_another_length_are_refused() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    assert!(matches!(
        fake.open_upload(&volume.id, Some((1 << 20) + 1))
            .await
            .map(drop),
        Err(Error::Upload { .. })
    ));
    let mut long = fake.open_upload(&volume.id, Some(3)).await.unwrap();
    assert!(matches!(
        long.data(Bytes::from_static(b"four")).await,
        Err(Error::Upload { .. })
    ));
    drop(long);
    assert_eq!(fake.operations().last().unwrap().call, Call::UploadAbort);
    let short = fake.open_upload(&volume.id, Some(3)).await.unwrap();
    assert!(matches!(short.finish().await, Err(Error::Upload { .. })));
}

#[tokio::test]
async fn a_qcow2_header_decides_the_capacity() {
    let fake = FakeHypervisor::new();
    let volume = VolumeSpec {
        format: Some("qcow2".into()),
        ..spec("image")
    };
    let mut header = vec![0; 104];
    header[..4].copy_from_slice(b"QFI\xfb");
    header[24..32].copy_from_slice(&(5_u64 << 30).to_be_bytes());
    fake.add_volume(&volume, &header).unwrap();
    assert_eq!(
        fake.volume(&volume.id).await.unwrap().unwrap().capacity,
        5 << 30
    );
    let clone = VolumeSpec {
        id: VolumeId::new("default", "clone"),
        ..volume.clone()
    };
    assert_eq!(
        fake.clone_volume(&clone, &volume.id)
            .await
            .unwrap()
            .capacity,
        5 << 30
    );
    assert_eq!(fake.read_volume(&clone.id, 0, 3).unwrap(), b"QFI");
    assert!(matches!(
        fake.resize_volume(&clone.id, 1).await,
        Err(Error::InvalidValue { .. })
    ));
}

#[tokio::test]
async fn pools_are_missing_inactive_or_full() {
    let fake = FakeHypervisor::new();
    fake.add_pool("off", 1, false);
    fake.add_pool("small", 10, true);
    let missing = fake.pool("nope").await.unwrap_err();
    assert!(
        missing
            .to_string()
            .ends_with("the pools are: default, off, small"),
        "{missing}"
    );
    let inactive = fake.pool("off").await.unwrap_err();
    assert!(
        inactive.to_string().contains("virsh pool-start off"),
        "{inactive}"
    );
    let full = VolumeSpec {
        id: VolumeId::new("small", "v"),
        allocation: None,
        ..spec("v")
    };
    assert!(matches!(
        fake.create_volume(&full).await,
        Err(Error::NoSpace { .. })
    ));
    let sparse = VolumeSpec {
        allocation: Some(0),
        ..full
    };
    fake.create_volume(&sparse).await.unwrap();
    assert!(matches!(
        fake.create_volume(&sparse).await,
        Err(Error::VolumeExists { .. })
    ));
}

#[tokio::test]
async fn failures_come_where_they_were_ordered() {
    let fake = FakeHypervisor::new();
    fake.pools().await.unwrap();
    fake.fail_at(2);
    fake.pools().await.unwrap();
    fake.pools().await.unwrap_err();
    fake.pools().await.unwrap();
    fake.fail_on_with(Call::Networks, || Error::KvmUnusable {
        message: "no".into(),
    });
    assert!(matches!(
        fake.networks().await,
        Err(Error::KvmUnusable { .. })
    ));
    assert!(matches!(
        fake.networks().await,
        Err(Error::KvmUnusable { .. })
    ));
    fake.clear_failures();
    fake.networks().await.unwrap();
    let failed: Vec<bool> = fake
        .operations()
        .iter()
        .map(|operation| operation.failed)
        .collect();
    assert_eq!(failed, [false, false, true, false, true, true, false]);
}

#[tokio::test]
async fn guests_react_as_they_were_told() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    let id = running(&fake, &volume.id).await;
    let mut state = fake.watch_domain(&id).await.unwrap();
    assert_eq!(*state.borrow_and_update(), DomainState::Running);

    fake.set_shutdown_reaction(ShutdownReaction::Ignores);
    fake.shutdown_domain(&id, Some(ShutdownMode::Acpi))
        .await
        .unwrap();
    assert!(!state.has_changed().unwrap());
    fake.set_shutdown_reaction(ShutdownReaction::Hangs);
    fake.shutdown_domain(&id, None).await.unwrap();
    assert_eq!(*state.borrow_and_update(), DomainState::ShuttingDown);
    fake.power_off("vm");
    assert_eq!(*state.borrow_and_update(), DomainState::ShutOff);
    fake.shutdown_domain(&id, None).await.unwrap();
    fake.start_domain(&id).await.unwrap();
    fake.crash("vm");
    assert_eq!(*state.borrow_and_update(), DomainState::Crashed);
    fake.undefine_domain(&id).await.unwrap();
    assert_eq!(*state.borrow_and_update(), DomainState::Gone);
    assert_eq!(fake.domain_state(&id).await.unwrap(), DomainState::Gone);
    fake.disconnect();
    assert!(matches!(
        fake.domain_state(&id).await,
        Err(Error::Disconnected { .. })
    ));
}

#[tokio::test]
async fn addresses_appear_late() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    let address = InterfaceAddress {
        name: "eth0".into(),
        mac: None,
        ip: "192.0.2.1".parse().unwrap(),
        prefix: 24,
    };
    fake.set_addresses(AddressSource::Lease, vec![address.clone()]);
    fake.delay_addresses(1);
    let id = running(&fake, &volume.id).await;
    let lease = || fake.interface_addresses(&id, AddressSource::Lease);
    assert_eq!(lease().await.unwrap(), []);
    assert_eq!(lease().await.unwrap(), [address]);
    assert_eq!(
        fake.interface_addresses(&id, AddressSource::Agent)
            .await
            .unwrap(),
        []
    );
    fake.power_off("vm");
    assert_eq!(lease().await.unwrap(), []);
}
