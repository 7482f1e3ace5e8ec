//! The lifecycle on libvirt's test driver, which lives in this process and needs no daemon.
//! `test:///default` is one world for the whole process; a connection to a file has a world of its
//! own.
use std::time::Duration;

use tokio::{sync::watch, time::timeout};

use crate::*;

/// More than any event takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const WORLD: &str = concat!(
    "test://",
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/world.xml"
);

async fn connect() -> Libvirt {
    Libvirt::connect(WORLD).await.unwrap()
}

async fn wait_for(receiver: &mut watch::Receiver<DomainState>, wanted: DomainState) {
    timeout(PATIENCE, receiver.wait_for(|state| *state == wanted))
        .await
        .unwrap_or_else(|_| panic!("{wanted:?} never came"))
        .unwrap();
}

fn volume(name: &str) -> VolumeSpec {
    VolumeSpec {
        id: VolumeId::new("default-pool", name),
        capacity: 1 << 20,
        allocation: Some(0),
        format: Some("qcow2".into()),
        backing: None,
    }
}

fn test_domain(name: &str) -> DomainSpec {
    DomainSpec {
        domain_type: "test".into(),
        arch: "i686".into(),
        ..DomainSpec::new(name)
    }
}

#[tokio::test]
async fn a_domain_lives_and_dies_and_its_watcher_sees_it() {
    let libvirt = connect().await;
    let id = libvirt
        .define_domain(&test_domain("a <life> & more"))
        .await
        .unwrap();
    let mut state = libvirt.watch_domain(&id).await.unwrap();
    assert_eq!(*state.borrow(), DomainState::ShutOff);

    libvirt.start_domain(&id).await.unwrap();
    wait_for(&mut state, DomainState::Running).await;
    assert_eq!(
        libvirt.domain_state(&id).await.unwrap(),
        DomainState::Running
    );
    let again = libvirt.start_domain(&id).await.unwrap_err();
    assert!(matches!(again, Error::DomainState { .. }), "{again:?}");
    let undefined = libvirt.undefine_domain(&id).await.unwrap_err();
    assert!(
        matches!(undefined, Error::DomainState { .. }),
        "{undefined:?}"
    );

    libvirt.shutdown_domain(&id, None).await.unwrap();
    wait_for(&mut state, DomainState::ShutOff).await;
    libvirt.shutdown_domain(&id, None).await.unwrap();
    libvirt.destroy_domain(&id).await.unwrap();

    libvirt.start_domain(&id).await.unwrap();
    libvirt.destroy_domain(&id).await.unwrap();
    wait_for(&mut state, DomainState::ShutOff).await;
    libvirt.undefine_domain(&id).await.unwrap();
    wait_for(&mut state, DomainState::Gone).await;
    assert_eq!(libvirt.domain_state(&id).await.unwrap(), DomainState::Gone);
    libvirt
        .shutdown_domain(&id, Some(ShutdownMode::Acpi))
        .await
        .unwrap();
    libvirt.destroy_domain(&id).await.unwrap();
    libvirt.undefine_domain(&id).await.unwrap();
}

#[tokio::test]
async fn nothing_is_ever_redefined() {
    let libvirt = connect().await;
    let spec = DomainSpec {
        uuid: Some(uuid::Uuid::from_u128(1)),
        ..test_domain("vm")
    };
    let id = libvirt.define_domain(&spec).await.unwrap();
    assert_eq!(id.uuid, uuid::Uuid::from_u128(1));
    let same_uuid = DomainSpec {
        name: "other".into(),
        ..spec.clone()
    };
    let same_name = DomainSpec {
        uuid: None,
        ..spec.clone()
    };
    for spec in [spec, same_uuid, same_name] {
        let error = libvirt.define_domain(&spec).await.unwrap_err();
        assert!(matches!(error, Error::DomainExists { .. }), "{error:?}");
    }
}

/// What libvirt says where somebody else was faster depends on how far it had come.
#[test]
fn a_volume_that_came_in_between_is_told_from_other_trouble() {
    use super::volumes::may_exist;
    use virt::error::ErrorNumber::{InternalError, OperationFailed, OperationInvalid};

    for (number, message, expected) in [
        (
            OperationInvalid,
            "Requested operation is not valid: volume target path '/x' already exists",
            true,
        ),
        (
            InternalError,
            "internal error: storage volume name 'x' already in use.",
            true,
        ),
        (
            InternalError,
            "internal error: Child process (qemu-img convert) unexpected exit status 1",
            false,
        ),
        (
            OperationFailed,
            "operation failed: it is already in use",
            false,
        ),
    ] {
        assert_eq!(may_exist(number, message), expected, "{message}");
    }
}

#[tokio::test]
async fn volumes_are_made_cloned_found_and_deleted() {
    let libvirt = connect().await;
    let spec = volume("disk & co");
    assert_eq!(libvirt.volume(&spec.id).await.unwrap(), None);
    let made = libvirt.create_volume(&spec).await.unwrap();
    assert_eq!(
        (made.capacity, made.guessed_format.as_deref()),
        (1 << 20, Some("qcow2"))
    );
    let error = libvirt.create_volume(&spec).await.unwrap_err();
    assert!(
        matches!(&error, Error::VolumeExists { id } if *id == spec.id),
        "{error:?}"
    );

    let clone = volume("clone");
    libvirt
        .clone_volume(&clone, &spec.id, "qcow2")
        .await
        .unwrap();
    let missing = libvirt
        .clone_volume(
            &volume("x"),
            &VolumeId::new("default-pool", "missing"),
            "raw",
        )
        .await
        .unwrap_err();
    assert!(matches!(missing, Error::NoSuchVolume { .. }), "{missing:?}");

    let (found, facts) = libvirt.volume_by_path(&made.path).await.unwrap().unwrap();
    assert_eq!((found, facts), (spec.id.clone(), made));
    assert_eq!(libvirt.volume_by_path("/no/such/path").await.unwrap(), None);

    for id in [&spec.id, &clone.id] {
        libvirt.delete_volume(id).await.unwrap();
        let error = libvirt.delete_volume(id).await.unwrap_err();
        assert!(matches!(error, Error::NoSuchVolume { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_with_what_there_is() {
    let libvirt = connect().await;
    assert_eq!(libvirt.pools().await.unwrap(), ["default-pool"]);
    assert_eq!(libvirt.networks().await.unwrap(), ["default"]);
    assert_eq!(libvirt.pool("default-pool").await.unwrap().kind, "dir");
    assert_eq!(
        libvirt.network("default").await.unwrap().bridge.as_deref(),
        Some("virbr0")
    );
    let pool = libvirt.pool("nope").await.unwrap_err().to_string();
    assert_eq!(
        pool,
        "there is no storage pool \"nope\"; the pools are: default-pool"
    );
    let network = libvirt.network("nope").await.unwrap_err().to_string();
    assert_eq!(
        network,
        "there is no network \"nope\"; the networks are: default"
    );
    let volume = libvirt
        .volume(&VolumeId::new("nope", "x"))
        .await
        .unwrap_err();
    assert!(matches!(volume, Error::NoSuchPool { .. }), "{volume:?}");
}

#[tokio::test]
async fn what_the_driver_cannot_do_is_told_apart() {
    let libvirt = connect().await;
    let spec = volume("disk");
    libvirt.create_volume(&spec).await.unwrap();
    let Err(upload) = libvirt.open_upload(&spec.id, Some(1)).await else {
        panic!("the test driver has no uploads");
    };
    assert!(matches!(upload, Error::NotSupported { .. }), "{upload:?}");
    let resize = libvirt
        .resize_volume(&spec.id, "qcow2", 2 << 20)
        .await
        .unwrap_err();
    assert!(matches!(resize, Error::NotSupported { .. }), "{resize:?}");
    libvirt
        .resize_volume(&spec.id, "qcow2", 1 << 20)
        .await
        .unwrap();
    let shrink = libvirt
        .resize_volume(&spec.id, "qcow2", 1)
        .await
        .unwrap_err();
    assert!(matches!(shrink, Error::InvalidValue { .. }), "{shrink:?}");
    let id = libvirt.define_domain(&test_domain("vm")).await.unwrap();
    libvirt.start_domain(&id).await.unwrap();
    let mode = libvirt
        .shutdown_domain(&id, Some(ShutdownMode::Acpi))
        .await
        .unwrap_err();
    assert!(matches!(mode, Error::NotSupported { .. }), "{mode:?}");
}

#[tokio::test]
async fn addresses_are_read() {
    let libvirt = connect().await;
    let interface = Interface {
        mac: Some("52:54:00:AA:BB:CC".into()),
        ..Interface::new(InterfaceSource::Network {
            network: "default".into(),
        })
    };
    let spec = DomainSpec {
        interfaces: vec![interface],
        ..test_domain("vm")
    };
    let id = libvirt.define_domain(&spec).await.unwrap();
    assert_eq!(
        libvirt
            .interface_addresses(&id, AddressSource::Lease)
            .await
            .unwrap(),
        []
    );
    libvirt.start_domain(&id).await.unwrap();
    for &source in AddressSource::ALL {
        let addresses = libvirt.interface_addresses(&id, source).await.unwrap();
        assert_eq!(addresses.len(), 1, "{source}");
        assert_eq!(
            addresses[0].mac.as_deref(),
            Some("52:54:00:aa:bb:cc"),
            "{source}"
        );
        assert!(
            addresses[0].ip.is_ipv4() && addresses[0].prefix == 24,
            "{source}"
        );
    }
}

#[tokio::test]
async fn facts_are_those_of_the_driver() {
    let libvirt = Libvirt::connect("test:///default").await.unwrap();
    let facts = libvirt.facts().await.unwrap();
    assert_eq!(
        (facts.hypervisor.as_str(), facts.arch.as_str()),
        ("TEST", "i686")
    );
    assert_eq!(facts.uri.to_string(), "test:///default");
    assert!(facts.is_local);
    assert!(
        facts.libvirt_version
            >= Version {
                major: 6,
                minor: 0,
                release: 0
            }
    );
}

#[tokio::test]
async fn values_no_xml_can_say_are_refused_before_libvirt_sees_them() {
    let libvirt = connect().await;
    let errors = [
        libvirt
            .define_domain(&test_domain("a\0b"))
            .await
            .map(drop)
            .unwrap_err(),
        libvirt
            .create_volume(&volume("a\u{1}b"))
            .await
            .map(drop)
            .unwrap_err(),
        libvirt.pool("a\0b").await.map(drop).unwrap_err(),
        libvirt.network("a\0b").await.map(drop).unwrap_err(),
        libvirt
            .volume(&VolumeId::new("default-pool", "a\0b"))
            .await
            .map(drop)
            .unwrap_err(),
        libvirt.volume_by_path("/a\0b").await.map(drop).unwrap_err(),
        Libvirt::connect("test:///\0").await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::InvalidValue { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_place_that_is_not_there_is_a_connect_error_without_the_password() {
    let error = Libvirt::connect("qemu+tcp://me:secret@127.0.0.1:1/system")
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
}

#[tokio::test]
async fn events_go_on_until_the_last_connection_closes_and_then_end() {
    let libvirt = connect().await;
    let id = libvirt.define_domain(&test_domain("vm")).await.unwrap();
    let mut state = libvirt.watch_domain(&id).await.unwrap();
    drop(libvirt);
    // The senders live in the session; they go when the last worker closed it.
    let closed = async { while state.changed().await.is_ok() {} };
    timeout(PATIENCE, closed)
        .await
        .expect("the session was never closed");
}
