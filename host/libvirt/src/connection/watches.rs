//! Who watches which domain, and what libvirt's events mean to them.
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;

use crate::{DomainState, Result};

/// A lifecycle event, as far as it changes a domain's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The domain entered a state.
    Entered(DomainState),
    /// The definition was removed; a domain that runs keeps running until it stops.
    Undefined,
}

/// The watched domains of one connection, and whether that still stands.
#[derive(Debug, Default)]
pub(super) struct Watches {
    inner: Mutex<Inner>,
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    domains: HashMap<Uuid, Watched>,
}

#[derive(Debug)]
struct Watched {
    sender: watch::Sender<DomainState>,
    /// Events so far. A state that was asked for before an event came is older than the event.
    events: u64,
}

impl Watches {
    /// Watches a domain; `query` asks for its present state and may block.
    pub(super) fn watch(
        &self,
        domain: Uuid,
        query: impl FnOnce() -> Result<DomainState>,
    ) -> Result<watch::Receiver<DomainState>> {
        // Events count from here on, so that none is lost between the question and its answer.
        let before = {
            let mut inner = self.lock();
            inner.forget_unwatched();
            let watched = inner.domains.entry(domain).or_insert_with(|| Watched {
                sender: watch::Sender::new(DomainState::Disconnected),
                events: 0,
            });
            (watched.events, watched.sender.subscribe())
        };
        let (events, receiver) = before;
        let state = query()?;
        let inner = self.lock();
        if let Some(watched) = inner.domains.get(&domain)
            && watched.events == events
            && !self.is_closed()
        {
            watched
                .sender
                .send_if_modified(|now| std::mem::replace(now, state) != state);
        }
        Ok(receiver)
    }

    /// Called by the event thread.
    pub(super) fn event(&self, domain: Uuid, event: Event) {
        let mut inner = self.lock();
        let Some(watched) = inner.domains.get_mut(&domain) else {
            return;
        };
        let state = match event {
            Event::Entered(state) => state,
            Event::Undefined if watched.sender.borrow().is_off() => DomainState::Gone,
            Event::Undefined => return,
        };
        watched.events += 1;
        watched
            .sender
            .send_if_modified(|now| std::mem::replace(now, state) != state);
    }

    /// Called by the event thread when the connection is lost.
    pub(super) fn closed(&self) {
        let inner = self.lock();
        self.closed.send_replace(true);
        for watched in inner.domains.values() {
            watched.sender.send_replace(DomainState::Disconnected);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Turns true when the connection is lost.
    pub(super) fn watch_connection(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget_unwatched(&mut self) {
        self.domains
            .retain(|_, watched| watched.sender.receiver_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Uuid = Uuid::from_u128(7);

    #[test]
    fn an_event_during_the_query_wins_over_the_answer() {
        let watches = Watches::default();
        let receiver = watches
            .watch(DOMAIN, || {
                watches.event(DOMAIN, Event::Entered(DomainState::ShutOff));
                Ok(DomainState::Running)
            })
            .unwrap();
        assert_eq!(*receiver.borrow(), DomainState::ShutOff);
    }

    #[test]
    fn a_running_domain_that_loses_its_definition_is_gone_only_when_it_stops() {
        let watches = Watches::default();
        let receiver = watches.watch(DOMAIN, || Ok(DomainState::Running)).unwrap();
        watches.event(DOMAIN, Event::Undefined);
        assert_eq!(*receiver.borrow(), DomainState::Running);
        watches.event(DOMAIN, Event::Entered(DomainState::ShutOff));
        watches.event(DOMAIN, Event::Undefined);
        assert_eq!(*receiver.borrow(), DomainState::Gone);
    }

    #[test]
    fn a_lost_connection_reaches_those_who_watch_and_those_who_come_later() {
        let watches = Watches::default();
        let early = watches.watch(DOMAIN, || Ok(DomainState::Running)).unwrap();
        watches.closed();
        let late = watches
            .watch(Uuid::from_u128(8), || Ok(DomainState::Running))
            .unwrap();
        assert_eq!(*early.borrow(), DomainState::Disconnected);
        assert_eq!(*late.borrow(), DomainState::Disconnected);
    }

    #[test]
    fn domains_nobody_watches_are_forgotten() {
        let watches = Watches::default();
        drop(watches.watch(DOMAIN, || Ok(DomainState::Running)).unwrap());
        let _kept = watches
            .watch(Uuid::from_u128(8), || Ok(DomainState::Running))
            .unwrap();
        assert_eq!(watches.lock().domains.len(), 1);
    }
}
