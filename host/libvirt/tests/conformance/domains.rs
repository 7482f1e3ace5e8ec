//! Domains from their definition to their end.
use lvhost_libvirt::*;
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use crate::place::{PATIENCE, Place, assert_fails};

async fn turns_to(state: &mut watch::Receiver<DomainState>, wanted: DomainState) {
    let reached = timeout(PATIENCE, state.wait_for(|state| *state == wanted)).await;
    assert!(reached.is_ok(), "it never was {wanted:?}");
}

pub(crate) async fn a_domain_lives_and_goes(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = place.domain();
    let id = hypervisor.define_domain(&spec).await.unwrap();
    assert_eq!(id.name, spec.name);
    let state = async || hypervisor.domain_state(&id).await.unwrap();
    assert_eq!(state().await, DomainState::ShutOff);
    hypervisor.start_domain(&id).await.unwrap();
    assert_eq!(state().await, DomainState::Running);
    assert_fails!(
        hypervisor.start_domain(&id).await,
        Error::DomainState { .. }
    );
    assert_fails!(
        hypervisor.start_domain_paused(&id).await,
        Error::DomainState { .. }
    );
    assert_fails!(
        hypervisor.undefine_domain(&id).await,
        Error::DomainState { .. }
    );
    hypervisor.destroy_domain(&id).await.unwrap();
    hypervisor.destroy_domain(&id).await.unwrap();
    hypervisor.shutdown_domain(&id, None).await.unwrap();
    assert_eq!(state().await, DomainState::ShutOff);
    hypervisor.undefine_domain(&id).await.unwrap();
    assert_eq!(state().await, DomainState::Gone);
}

pub(crate) async fn events_tell_of_a_domains_life(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    let mut state = hypervisor.watch_domain(&id).await.unwrap();
    let mut second = hypervisor.watch_domain(&id).await.unwrap();
    assert_eq!(*state.borrow_and_update(), DomainState::ShutOff);
    hypervisor.start_domain(&id).await.unwrap();
    turns_to(&mut state, DomainState::Running).await;
    turns_to(&mut second, DomainState::Running).await;
    let mut late = hypervisor.watch_domain(&id).await.unwrap();
    assert_eq!(*late.borrow_and_update(), DomainState::Running);
    hypervisor.destroy_domain(&id).await.unwrap();
    turns_to(&mut state, DomainState::ShutOff).await;
    hypervisor.undefine_domain(&id).await.unwrap();
    turns_to(&mut state, DomainState::Gone).await;
    turns_to(&mut second, DomainState::Gone).await;
}

pub(crate) async fn a_name_or_uuid_that_is_taken_is_refused(place: &Place) {
    let hypervisor = &place.hypervisor;
    let spec = DomainSpec {
        uuid: Some(Uuid::new_v4()),
        ..place.domain()
    };
    let id = hypervisor.define_domain(&spec).await.unwrap();
    assert_eq!(Some(id.uuid), spec.uuid);
    let same_name = DomainSpec {
        uuid: None,
        ..spec.clone()
    };
    let same_uuid = DomainSpec {
        uuid: spec.uuid,
        ..place.domain()
    };
    for taken in [&spec, &same_name, &same_uuid] {
        assert_fails!(
            hypervisor.define_domain(taken).await,
            Error::DomainExists { .. }
        );
    }
    hypervisor.undefine_domain(&id).await.unwrap();
    let id = hypervisor.define_domain(&spec).await.unwrap();
    hypervisor.undefine_domain(&id).await.unwrap();
}

pub(crate) async fn names_that_no_domain_can_have_are_refused(place: &Place) {
    for name in ["", "a/b", "a\nb", "a\0b", "a\u{1}b"] {
        let spec = DomainSpec {
            name: name.into(),
            ..place.domain()
        };
        let refused = place.hypervisor.define_domain(&spec).await;
        if let Ok(id) = &refused {
            place.remove(id).await;
        }
        assert!(refused.is_err(), "{name:?} was defined: {refused:?}");
    }
}

pub(crate) async fn a_domain_that_is_gone_is_no_obstacle(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    hypervisor.undefine_domain(&id).await.unwrap();
    hypervisor.destroy_domain(&id).await.unwrap();
    hypervisor.undefine_domain(&id).await.unwrap();
    hypervisor
        .shutdown_domain(&id, Some(ShutdownMode::Acpi))
        .await
        .unwrap();
    let mut state = hypervisor.watch_domain(&id).await.unwrap();
    assert_eq!(*state.borrow_and_update(), DomainState::Gone);
    assert_fails!(
        hypervisor.start_domain(&id).await,
        Error::NoSuchDomain { .. }
    );
    assert_fails!(
        hypervisor.resume_domain(&id).await,
        Error::NoSuchDomain { .. }
    );
    assert_fails!(
        hypervisor.update_domain(&id, &place.domain()).await,
        Error::NoSuchDomain { .. }
    );
}

pub(crate) async fn a_domain_does_not_start_without_what_it_names(place: &Place) {
    let hypervisor = &place.hypervisor;
    let volume = place.volume("raw", 1 << 20);
    let with_disk = DomainSpec {
        disks: vec![Disk::new(
            DiskSource::Volume(volume.id.clone()),
            DiskDevice::Disk,
            DiskFormat::raw(),
        )],
        ..place.domain()
    };
    let off = place.not_started();
    let with_network = DomainSpec {
        interfaces: vec![Interface::new(InterfaceSource::Network {
            network: off.name.clone(),
        })],
        ..place.domain()
    };
    for spec in [with_disk, with_network] {
        // It can be defined before what it names is there.
        let id = hypervisor.define_domain(&spec).await.unwrap();
        let refused = hypervisor.start_domain(&id).await;
        assert!(matches!(refused, Err(Error::Libvirt { .. })), "{refused:?}");
        assert_eq!(
            hypervisor.domain_state(&id).await.unwrap(),
            DomainState::ShutOff
        );
        hypervisor.undefine_domain(&id).await.unwrap();
    }
}

pub(crate) async fn a_paused_guest_is_resumed(place: &Place) {
    let hypervisor = &place.hypervisor;
    let id = hypervisor.define_domain(&place.domain()).await.unwrap();
    assert_fails!(
        hypervisor.resume_domain(&id).await,
        Error::DomainState { .. }
    );
    hypervisor.start_domain_paused(&id).await.unwrap();
    assert_eq!(
        hypervisor.domain_state(&id).await.unwrap(),
        DomainState::Paused
    );
    hypervisor.resume_domain(&id).await.unwrap();
    hypervisor.resume_domain(&id).await.unwrap();
    assert_eq!(
        hypervisor.domain_state(&id).await.unwrap(),
        DomainState::Running
    );
    place.remove(&id).await;
}

pub(crate) async fn a_list_of_domains_tells_what_they_are_made_of(place: &Place) {
    let hypervisor = &place.hypervisor;
    let base = place.volume("qcow2", 1 << 20);
    let base_facts = hypervisor.create_volume(&base).await.unwrap();
    let top = VolumeSpec {
        backing: Some(Backing {
            path: base_facts.path.clone(),
            format: Some("qcow2".into()),
        }),
        ..place.volume("qcow2", 1 << 20)
    };
    let top_facts = hypervisor.create_volume(&top).await.unwrap();
    let sources = [
        DiskSource::Volume(top.id.clone()),
        DiskSource::File(top_facts.path),
    ];
    for source in sources {
        let disk = Disk::new(source.clone(), DiskDevice::Disk, DiskFormat::new("qcow2"));
        let spec = DomainSpec {
            disks: vec![disk],
            ..place.domain()
        };
        let id = hypervisor.define_domain(&spec).await.unwrap();
        let uses = async || {
            let list = hypervisor.list_domains().await.unwrap();
            let facts = list.into_iter().find(|facts| facts.id == id);
            facts.unwrap().uses
        };
        assert!(uses().await.contains(&source));
        hypervisor.start_domain_paused(&id).await.unwrap();
        assert!(uses().await.contains(&source));
        place.remove(&id).await;
    }
    for id in [&top.id, &base.id] {
        hypervisor.delete_volume(id).await.unwrap();
    }
}

pub(crate) async fn domains_are_listed_by_name_with_their_state(place: &Place) {
    let hypervisor = &place.hypervisor;
    let running = hypervisor.define_domain(&place.domain()).await.unwrap();
    let off = hypervisor.define_domain(&place.domain()).await.unwrap();
    hypervisor.start_domain(&running).await.unwrap();
    let list = hypervisor.list_domains().await.unwrap();
    assert!(list.is_sorted_by_key(|facts| &facts.id.name));
    let state = |id: &DomainId| {
        let facts = list.iter().find(|facts| facts.id == *id).unwrap();
        (facts.state, facts.build.clone())
    };
    assert_eq!(state(&running), (DomainState::Running, None));
    assert_eq!(state(&off), (DomainState::ShutOff, None));
    place.remove(&running).await;
    place.remove(&off).await;
    let list = hypervisor.list_domains().await.unwrap();
    assert!(
        list.iter()
            .all(|facts| facts.id != running && facts.id != off)
    );
}
