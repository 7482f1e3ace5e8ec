//! The fake says what was done to it, and does what it was told to. That it keeps libvirt's rules is
//! shown where both are tried, in `tests/conformance`.
use std::{io::Write, os::unix::fs::FileExt, sync::Arc, time::Duration};

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
            DiskFormat::raw(),
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
    assert_eq!((facts.allocation, facts.capacity), (100, 1000));
}

#[tokio::test]
async fn uploads_of_another_length_are_refused() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
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
    let header = super::guess::empty_qcow2(5 << 30, None);
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
        fake.clone_volume(&clone, &volume.id, "qcow2")
            .await
            .unwrap()
            .capacity,
        5 << 30
    );
    assert_eq!(fake.read_volume(&clone.id, 0, 3).unwrap(), b"QFI");
    assert!(matches!(
        fake.resize_volume(&clone.id, "qcow2", 1).await,
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
        inactive.to_string().contains("virsh -c URI pool-start off"),
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

fn of_build(id: &str) -> DomainSpec {
    DomainSpec {
        build: Some(BuildRecord::new(id)),
        ..DomainSpec::new("vm")
    }
}

#[tokio::test]
async fn consoles_tell_what_is_written_after_they_are_opened() {
    let fake = FakeHypervisor::new();
    fake.set_boot_output("booting\n");
    let id = fake.define_domain(&of_build("1")).await.unwrap();
    assert!(matches!(
        fake.open_console(&id, None).await.map(drop),
        Err(Error::DomainState { .. })
    ));
    fake.start_domain_paused(&id).await.unwrap();
    assert_eq!(fake.domain_state(&id).await.unwrap(), DomainState::Paused);
    let mut first = fake.open_console(&id, None).await.unwrap();
    let mut console = fake
        .open_console(&id, Some("serial-console"))
        .await
        .unwrap();
    // The second has taken it from the first.
    assert_eq!(first.read().await.unwrap(), None);
    fake.resume_domain(&id).await.unwrap();
    fake.resume_domain(&id).await.unwrap();
    assert_eq!(console.read().await.unwrap().unwrap(), "booting\n");
    fake.write_console("vm", "login: ");
    assert_eq!(console.read().await.unwrap().unwrap(), "login: ");
    fake.power_off("vm");
    assert_eq!(console.read().await.unwrap(), None);
    assert!(matches!(
        fake.resume_domain(&id).await,
        Err(Error::DomainState { .. })
    ));
    fake.start_domain(&id).await.unwrap();
    assert!(fake.open_console(&id, Some("nope")).await.is_err());
    let mut cut = fake.open_console(&id, None).await.unwrap();
    fake.disconnect();
    assert!(matches!(cut.read().await, Err(Error::Disconnected { .. })));
}

#[tokio::test]
async fn keys_and_pictures_need_a_running_guest() {
    let fake = FakeHypervisor::new();
    let hold = Duration::from_millis(50);
    let id = fake.define_domain(&of_build("1")).await.unwrap();
    let press = |codes: &'static [u32]| fake.send_keys(&id, KeyCodeSet::Linux, codes, hold);
    assert!(matches!(press(&[1]).await, Err(Error::DomainState { .. })));
    fake.start_domain(&id).await.unwrap();
    for codes in [&[][..], &[1; MAX_KEYS + 1]] {
        assert!(matches!(
            press(codes).await,
            Err(Error::InvalidValue { .. })
        ));
    }
    press(&[42, 30]).await.unwrap();
    assert_eq!(fake.keys()[0].codes, [42, 30]);
    assert!(matches!(
        fake.screenshot(&id).await,
        Err(Error::NotSupported { .. })
    ));
    let seen = DomainSpec {
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        ..DomainSpec::new("seen")
    };
    let seen = fake.define_domain(&seen).await.unwrap();
    fake.start_domain(&seen).await.unwrap();
    let picture = fake.screenshot(&seen).await.unwrap();
    assert_eq!((picture.width, picture.height), (1, 1));
}

#[tokio::test]
async fn downloads_give_what_was_uploaded() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.add_volume(&volume, b"data").unwrap();
    let file = Arc::new(tempfile::tempfile().unwrap());
    let progress = Progress::default();
    let sink = Box::new(SparseFile::new(Arc::clone(&file)));
    fake.download_volume(&volume.id, sink, progress.clone())
        .await
        .unwrap();
    assert_eq!(file.metadata().unwrap().len(), volume.capacity);
    assert_eq!(progress.bytes(), volume.capacity);
    let mut bytes = [1; 6];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"data\0\0");
    let read_only = Arc::new(std::fs::File::open("/dev/zero").unwrap());
    let sink = Box::new(SparseFile::new(read_only));
    let unwritable = fake.download_volume(&volume.id, sink, progress).await;
    assert!(matches!(unwritable, Err(Error::WriteTarget { .. })));
}

#[tokio::test]
async fn pools_without_formats_take_raw_volumes_only() {
    let fake = FakeHypervisor::new();
    fake.add_pool_of("logical", "vg", 1 << 30, true);
    let volume = VolumeSpec {
        id: VolumeId::new("vg", "lv"),
        ..spec("lv")
    };
    let facts = fake.create_volume(&volume).await.unwrap();
    assert_eq!(
        (facts.guessed_format, facts.allocation),
        (None, volume.capacity)
    );
    let image = VolumeSpec {
        id: VolumeId::new("vg", "image"),
        format: Some("qcow2".into()),
        ..volume
    };
    let refused = fake.create_volume(&image).await.unwrap_err();
    assert!(refused.to_string().contains("logical"), "{refused}");
    assert_eq!(fake.list_volumes("vg").await.unwrap(), ["lv"]);
    let large = VolumeSpec {
        id: VolumeId::new("vg", "large"),
        capacity: 2 << 30,
        ..spec("large")
    };
    let full = fake.create_volume(&large).await.unwrap_err().to_string();
    assert!(
        full.contains("(2147483648 bytes are needed, 1072693248 are free)"),
        "{full}"
    );
}

#[tokio::test]
async fn every_new_call_can_be_made_to_fail() {
    let fake = FakeHypervisor::new();
    let volume = spec("disk");
    fake.create_volume(&volume).await.unwrap();
    let id = fake.define_domain(&of_build("1")).await.unwrap();
    let kind = DomainKind {
        domain_type: "kvm".into(),
        arch: "x86_64".into(),
        machine: None,
    };
    assert!(fake.capabilities().await.unwrap().offers("kvm", "x86_64"));
    assert!(fake.domain_capabilities(&kind).await.unwrap().secure_boot);
    fake.set_capabilities(Capabilities::default(), DomainCapabilities::default());
    assert!(matches!(
        fake.domain_capabilities(&kind).await,
        Err(Error::KvmUnusable { .. })
    ));
    for call in Call::ALL {
        fake.fail_on(*call);
    }
    let record = BuildRecord::new("1");
    let sink = || Box::new(SparseFile::new(Arc::new(tempfile::tempfile().unwrap())));
    let results = [
        fake.capabilities().await.map(drop),
        fake.domain_capabilities(&kind).await.map(drop),
        fake.list_volumes("default").await.map(drop),
        fake.download_volume(&volume.id, sink(), Progress::default())
            .await,
        fake.list_domains().await.map(drop),
        fake.update_domain(&id, &of_build("1")).await,
        fake.build_record(&id).await.map(drop),
        fake.set_build_record(&id, &record).await,
        fake.start_domain_paused(&id).await,
        fake.resume_domain(&id).await,
        fake.send_keys(&id, KeyCodeSet::Linux, &[1], Duration::ZERO)
            .await,
        fake.screenshot(&id).await.map(drop),
        fake.open_console(&id, None).await.map(drop),
    ];
    for result in results {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("injected failure"), "{error}");
    }
}
