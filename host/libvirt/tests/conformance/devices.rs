//! A guest's console, keyboard, screen and addresses.
use std::time::Duration;

use lvhost_libvirt::*;
use tokio::time::timeout;

use crate::place::{PATIENCE, Place, assert_fails};

const HOLD: Duration = Duration::from_millis(20);

pub(crate) async fn a_guest_that_is_off_has_no_console_keys_or_screen(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    assert_fails!(
        hypervisor.open_console(&id, None).await,
        Error::DomainState { .. }
    );
    assert_fails!(
        hypervisor
            .send_keys(&id, KeyCodeSet::Linux, &[30], HOLD)
            .await,
        Error::DomainState { .. }
    );
    assert_fails!(hypervisor.screenshot(&id).await, Error::DomainState { .. });
    hypervisor.undefine_domain(&id).await.unwrap();
}

pub(crate) async fn a_guest_that_is_gone_is_named(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    hypervisor.undefine_domain(&id).await.unwrap();
    assert_fails!(
        hypervisor.open_console(&id, None).await,
        Error::NoSuchDomain { .. }
    );
    assert_fails!(
        hypervisor
            .send_keys(&id, KeyCodeSet::Linux, &[30], HOLD)
            .await,
        Error::NoSuchDomain { .. }
    );
    assert_fails!(hypervisor.screenshot(&id).await, Error::NoSuchDomain { .. });
}

pub(crate) async fn keys_are_counted_and_screens_may_be_missing(place: &Place) {
    let hypervisor = &place.hypervisor;
    let headless = hypervisor.define_domain(&place.domain()).await.unwrap();
    hypervisor.start_domain(&headless).await.unwrap();
    for codes in [&[][..], &[30; MAX_KEYS + 1]] {
        assert_fails!(
            hypervisor
                .send_keys(&headless, KeyCodeSet::Linux, codes, HOLD)
                .await,
            Error::InvalidValue { .. }
        );
    }
    hypervisor
        .send_keys(&headless, KeyCodeSet::Linux, &[30; MAX_KEYS], HOLD)
        .await
        .unwrap();
    assert_fails!(
        hypervisor.screenshot(&headless).await,
        Error::NotSupported { .. }
    );
    place.remove(&headless).await;
    let spec = DomainSpec {
        graphics: vec![Graphics::Vnc(GraphicsServer::default())],
        ..place.domain()
    };
    let seen = hypervisor.define_domain(&spec).await.unwrap();
    hypervisor.start_domain(&seen).await.unwrap();
    let picture = hypervisor.screenshot(&seen).await.unwrap();
    assert!(picture.png.starts_with(b"\x89PNG") && picture.width > 0 && picture.height > 0);
    place.remove(&seen).await;
}

pub(crate) async fn a_console_ends_with_its_guest(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    hypervisor.start_domain_paused(&id).await.unwrap();
    for known in [None, Some("serial-console"), Some("ua-serial-console")] {
        drop(hypervisor.open_console(&id, known).await.unwrap());
    }
    let unknown = hypervisor.open_console(&id, Some("there-is-none")).await;
    assert_fails!(unknown, Error::Libvirt { .. });
    let mut first = hypervisor.open_console(&id, None).await.unwrap();
    let mut console = hypervisor.open_console(&id, None).await.unwrap();
    // The second has taken it from the first. libvirt tells that as an end or as a failure.
    let end = timeout(PATIENCE, first.read()).await.unwrap();
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    hypervisor.destroy_domain(&id).await.unwrap();
    let all = async { while console.read().await.unwrap().is_some() {} };
    assert!(timeout(PATIENCE, all).await.is_ok(), "it never ended");
    hypervisor.undefine_domain(&id).await.unwrap();
}

pub(crate) async fn guests_have_no_addresses_before_they_have_booted(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    let none = async || {
        for source in AddressSource::ALL {
            let addresses = hypervisor.interface_addresses(&id, *source).await.unwrap();
            assert_eq!(addresses, [], "{source}");
        }
    };
    none().await;
    hypervisor.start_domain(&id).await.unwrap();
    none().await;
    place.remove(&id).await;
    none().await;
}
