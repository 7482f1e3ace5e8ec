//! The host key that a server keeps from the first log-in on.
//!
//! ```text
//!   none held ──► any key, log-in refused ──► none held
//!       │                                        ▲ an installer's server gives way to the system's
//!       └──► any key, log-in works ──► held ──► the same key ──► logged in again
//!                                       └─────► another key ───► refused: no credential is sent
//! ```
//!
//! Nobody can know the key of a guest that was made minutes ago, so the first one is believed. What
//! lets us in is what the build works with from then on: a server with another key is not it. A key
//! that was seen at a refused log-in holds nothing, since that is how systems are installed: the
//! installer's own server is up for a while, with keys of its own and without our user.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use russh::Preferred;
use russh::keys::{HashAlg, PublicKey};

use super::attempt::HostKey;
use super::known_hosts::KnownKeys;

/// The key of one server over all connections to it.
#[derive(Debug, Default)]
pub(super) struct HeldKey(Mutex<Option<PublicKey>>);

impl HeldKey {
    /// Whether a server that shows `key` may be spoken to.
    pub(super) fn admits(&self, key: &PublicKey) -> bool {
        self.get()
            .is_none_or(|held| held.key_data() == key.key_data())
    }

    /// The server that showed `key` has let us in.
    pub(super) fn hold(&self, key: &PublicKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
    }

    /// The key that is held, for messages.
    pub(super) fn shown(&self) -> Option<HostKey> {
        self.get().map(|key| HostKey::of(&key))
    }

    /// `preferred` with the kind of the held key first: a server with keys of several kinds shows
    /// the one it is asked for.
    pub(super) fn preferring(&self, mut preferred: Preferred) -> Preferred {
        if let Some(held) = self.get() {
            let mut algorithms = KnownKeys::of(held).algorithms();
            let others = preferred.key.iter().filter(|it| !algorithms.contains(it));
            let others: Vec<_> = others.cloned().collect();
            algorithms.extend(others);
            preferred.key = Cow::Owned(algorithms);
        }
        preferred
    }

    fn get(&self) -> Option<PublicKey> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl HostKey {
    /// What is told of `key`.
    pub(super) fn of(key: &PublicKey) -> Self {
        Self {
            algorithm: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, generate};

    fn public(algorithm: Algorithm) -> PublicKey {
        PublicKey::from_openssh(&generate(algorithm, "").unwrap().public_openssh).unwrap()
    }

    #[test]
    fn the_first_key_that_let_us_in_holds() {
        let (first, second) = (public(Algorithm::Ed25519), public(Algorithm::EcdsaP256));
        let held = HeldKey::default();
        assert!(held.admits(&first) && held.admits(&second));
        held.hold(&first);
        assert!(held.admits(&first) && !held.admits(&second));
        assert_eq!(held.shown(), Some(HostKey::of(&first)));
    }

    #[test]
    fn a_server_is_asked_for_the_kind_of_key_that_is_held() {
        let names = |held: &HeldKey| -> Vec<String> {
            let preferred = held.preferring(Preferred::DEFAULT);
            preferred.key.iter().map(ToString::to_string).collect()
        };
        let held = HeldKey::default();
        let before = names(&held);
        held.hold(&public(Algorithm::Rsa(2048)));
        let after = names(&held);
        assert_eq!(after[..2], ["rsa-sha2-512", "rsa-sha2-256"]);
        assert!(before.iter().all(|name| after.contains(name)), "{after:?}");
    }
}
