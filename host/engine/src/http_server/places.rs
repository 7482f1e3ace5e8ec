//! Who has a connection to the HTTP server: so many for each peer, so many in all.
//!
//! ```text
//!  enter ──► waiting for a request ◄──► answering ──► left
//!                 └─► displaced, by a newer connection that finds no place
//! ```
//!
//! Connections that wait for a request give way to new ones, those of the peer with the most first
//! and among them the one that waits longest. So nobody keeps others out by connecting and saying
//! nothing, or half a request; and not himself either, since a peer may be several: behind passt,
//! whoever is on this machine. What is being answered is left alone, and bounded by its pace.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Connections of one peer at the same time. An installer uses a handful.
pub(super) const PEER_CONNECTIONS: usize = 16;

/// Connections at the same time in all, for as many guests as a network may have beside the one
/// that is built, and far below what a process may open.
const CONNECTIONS: usize = 128;

/// All places, and who has them.
#[derive(Default)]
pub(super) struct Places(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    by_number: BTreeMap<u64, Connection>,
    /// Counts everything that happens, to tell what was first.
    events: u64,
}

struct Connection {
    peer: IpAddr,
    /// Since which event it waits for a request; `None` while it is answered.
    waiting: Option<u64>,
    displaced: CancellationToken,
}

/// A place, which is free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    displaced: CancellationToken,
}

/// Keeps a connection its place, until this is dropped.
pub(super) struct Answering {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// A place for a new connection of `peer`; `None` if all that could make room are being
    /// answered.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = one_of(peer);
        let mut taken = self.taken();
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for connection in taken.by_number.values() {
            *counts.entry(connection.peer).or_default() += 1;
        }
        let own = counts.get(&peer).copied().unwrap_or_default();
        let is_full_for_peer = own >= PEER_CONNECTIONS;
        if is_full_for_peer || taken.by_number.len() >= CONNECTIONS {
            let waiting = taken.by_number.iter().filter_map(|(number, connection)| {
                let since = connection.waiting?;
                let fits = !is_full_for_peer || connection.peer == peer;
                fits.then(|| (counts.get(&connection.peer), Reverse(since), *number))
            });
            let (_, _, number) = waiting.max()?;
            if let Some(connection) = taken.by_number.remove(&number) {
                connection.displaced.cancel();
            }
        }
        let number = taken.event();
        let displaced = CancellationToken::new();
        let connection = Connection {
            peer,
            waiting: Some(number),
            displaced: displaced.clone(),
        };
        taken.by_number.insert(number, connection);
        Some(Place {
            places: Arc::clone(self),
            number,
            displaced,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

/// Whoever has one address of IPv6 has as many as he likes of the same network.
fn one_of(peer: IpAddr) -> IpAddr {
    const NETWORK: u128 = !(u64::MAX as u128);
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & NETWORK).into(),
        ip => ip,
    }
}

impl Place {
    /// Ends when a newer connection has taken this place.
    pub(super) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// What is to be held while a request is answered.
    pub(super) fn answer(&self) -> Answering {
        if let Some(connection) = self.places.taken().by_number.get_mut(&self.number) {
            connection.waiting = None;
        }
        Answering {
            places: Arc::clone(&self.places),
            number: self.number,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let event = taken.event();
        if let Some(connection) = taken.by_number.get_mut(&self.number) {
            connection.waiting = Some(event);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        [192, 0, 2, number].into()
    }

    /// As many places as there are for one peer.
    fn fill(places: &Arc<Places>, peer: IpAddr) -> Vec<Place> {
        (0..PEER_CONNECTIONS)
            .map(|_| places.enter(peer).unwrap())
            .collect()
    }

    fn displaced(held: &[Place]) -> Vec<usize> {
        let is_displaced = |(_, place): &(usize, &Place)| place.displaced.is_cancelled();
        let held = held.iter().enumerate().filter(is_displaced);
        held.map(|(number, _)| number).collect()
    }

    #[test]
    fn who_waits_longest_makes_room_for_the_same_peer() {
        let places = Arc::new(Places::default());
        let other = places.enter(peer(2)).unwrap();
        let held = fill(&places, peer(1));
        // It was answered meanwhile, and so waits shortest; the next one is being answered.
        drop(held[0].answer());
        let answering = held[1].answer();
        let newer: Vec<_> = (0..3).map(|_| places.enter(peer(1)).unwrap()).collect();
        assert_eq!(displaced(&held), [2, 3, 4]);
        assert_eq!(displaced(&newer), [0; 0]);
        assert!(!other.displaced.is_cancelled());
        assert_eq!(places.taken().by_number.len(), PEER_CONNECTIONS + 1);
        drop((held, newer, answering, other));
        assert!(places.taken().by_number.is_empty());
    }

    #[test]
    fn what_is_answered_keeps_its_place() {
        let places = Arc::new(Places::default());
        let held = fill(&places, peer(1));
        let answering: Vec<_> = held.iter().map(Place::answer).collect();
        assert!(places.enter(peer(1)).is_none());
        assert!(places.enter(peer(2)).is_some());
        drop(answering);
        assert!(places.enter(peer(1)).is_some());
        assert_eq!(displaced(&held), [0]);
    }

    #[test]
    fn in_all_it_is_the_peer_with_the_most_who_makes_room() {
        let places = Arc::new(Places::default());
        let small: Vec<_> = (100..104)
            .map(|it| places.enter(peer(it)).unwrap())
            .collect();
        let mut large = Vec::new();
        for number in 0.. {
            if places.taken().by_number.len() == CONNECTIONS {
                break;
            }
            let number = u8::try_from(number / PEER_CONNECTIONS).unwrap();
            large.push(places.enter(peer(number)).unwrap());
        }
        let late: Vec<_> = (200..240)
            .map(|it| places.enter(peer(it)).unwrap())
            .collect();
        assert_eq!(places.taken().by_number.len(), CONNECTIONS);
        assert_eq!(displaced(&small), [0; 0]);
        assert_eq!(displaced(&late), [0; 0]);
        assert_eq!(displaced(&large).len(), late.len());
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let places = Arc::new(Places::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let held = fill(&places, address("2001:db8::1"));
        let _newer = places.enter(address("2001:db8::ffff:2")).unwrap();
        assert_eq!(displaced(&held), [0]);
        let _other = places.enter(address("2001:db8:0:1::1")).unwrap();
        assert_eq!(displaced(&held), [0]);
        // The same peer by either name.
        let held = fill(&places, address("192.0.2.1"));
        let _newer = places.enter(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(displaced(&held), [0]);
    }
}
