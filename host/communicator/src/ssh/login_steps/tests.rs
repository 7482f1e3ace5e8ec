//! A server with `AuthenticationMethods`, as a value, and what we offer it.

use MethodKind::{GssapiWithMic, HostBased, KeyboardInteractive, Password, PublicKey};
use proptest::prelude::*;

use super::*;

/// What there is: a key, another one, the same once more from an agent, a password, somebody to ask.
fn candidate(proof: usize) -> Candidate {
    let (name, methods, identity, repeats) = match proof {
        0 => ("the key", vec![PublicKey], Some("a"), false),
        1 => ("the other key", vec![PublicKey], Some("b"), false),
        2 => ("the agent's key", vec![PublicKey], Some("a"), false),
        3 => (
            "the password",
            vec![Password, KeyboardInteractive],
            None,
            true,
        ),
        _ => ("somebody", vec![KeyboardInteractive], None, true),
    };
    Candidate {
        proof,
        name: name.to_owned(),
        methods,
        identity: identity.map(str::to_owned),
        repeats,
    }
}

/// A server that does as OpenSSH's: each of its lists has to be gone through from the left.
struct Sshd {
    lists: Vec<Vec<MethodKind>>,
    /// The proofs that it takes, and whether it asks nothing in keyboard-interactive logins.
    knows: Vec<usize>,
    asks_nothing: bool,
    used_keys: Vec<String>,
    tries: usize,
}

enum Answer {
    In,
    Part,
    No,
}

impl Sshd {
    fn new(lists: &[&[MethodKind]], knows: &[usize]) -> Self {
        Self {
            lists: lists.iter().map(|list| list.to_vec()).collect(),
            knows: knows.to_vec(),
            asks_nothing: false,
            used_keys: Vec::new(),
            tries: 0,
        }
    }

    fn may_continue(&self) -> Vec<MethodKind> {
        let mut methods = Vec::new();
        for method in self.lists.iter().filter_map(|list| list.first()) {
            if !methods.contains(method) {
                methods.push(*method);
            }
        }
        methods
    }

    fn judge(&mut self, offer: Offer) -> Answer {
        let is_known = match offer.proof {
            None => self.asks_nothing,
            Some(_) if offer.method == KeyboardInteractive && self.asks_nothing => true,
            Some(proof) => self.knows.contains(&proof),
        };
        let identity = offer.proof.and_then(|proof| candidate(proof).identity);
        let is_used = identity
            .as_ref()
            .is_some_and(|it| self.used_keys.contains(it));
        if !is_known || is_used || !self.may_continue().contains(&offer.method) {
            self.tries += 1;
            return Answer::No;
        }
        self.used_keys.extend(identity);
        self.lists.retain_mut(|list| {
            let goes_on = list.first() == Some(&offer.method);
            if goes_on {
                list.remove(0);
            }
            true
        });
        if self.lists.iter().any(Vec::is_empty) {
            Answer::In
        } else {
            Answer::Part
        }
    }
}

/// Logs in with these proofs; what was offered, and the reason if it failed.
fn log_in(sshd: &mut Sshd, proofs: &[usize]) -> (Vec<Offer>, Result<String, String>) {
    let all = proofs.iter().map(|proof| candidate(*proof)).collect();
    let mut steps = Steps::new(Server::Guest, all);
    let mut offers = Vec::new();
    steps.may_continue(&sshd.may_continue());
    while let Some(offer) = steps.next() {
        offers.push(offer);
        match sshd.judge(offer) {
            Answer::In => return (offers, Ok(steps.method(offer))),
            Answer::Part => steps.accepted(offer),
            Answer::No => steps.refused(offer, None),
        }
        steps.may_continue(&sshd.may_continue());
        assert!(offers.len() < 100, "{offers:?}");
    }
    (offers, Err(steps.failure()))
}

/// The lists of a server, the proofs that there are, those that it takes, and what has convinced it.
type Row = (
    &'static [&'static [MethodKind]],
    &'static [usize],
    &'static [usize],
    &'static str,
);

#[test]
fn every_order_of_methods_is_gone_through_without_a_wasted_try() {
    let table: &[Row] = &[
        (&[&[PublicKey]], &[0], &[0], "the key"),
        (
            &[&[PublicKey, Password]],
            &[0, 3],
            &[0, 3],
            "the key and the password",
        ),
        (
            &[&[Password, PublicKey]],
            &[0, 3],
            &[0, 3],
            "the password and the key",
        ),
        (
            &[&[PublicKey, KeyboardInteractive]],
            &[0, 3],
            &[0, 3],
            "the key and the password",
        ),
        (
            &[&[KeyboardInteractive, PublicKey]],
            &[0, 3],
            &[0, 3],
            "the password and the key",
        ),
        (
            &[&[PublicKey, PublicKey]],
            &[0, 1],
            &[0, 1],
            "the key and the other key",
        ),
        (
            &[&[PublicKey, PublicKey]],
            &[0, 2, 1],
            &[0, 1, 2],
            "the key and the other key",
        ),
        (
            &[&[PublicKey, PublicKey, Password]],
            &[0, 1, 3],
            &[0, 1, 3],
            "the key and the other key and the password",
        ),
        (
            &[&[Password, KeyboardInteractive]],
            &[0, 3],
            &[3],
            "the password and the password",
        ),
        (
            &[&[Password, Password]],
            &[3],
            &[3],
            "the password and the password",
        ),
        (
            &[&[Password, KeyboardInteractive, PublicKey]],
            &[0, 3],
            &[0, 3],
            "the password and the password and the key",
        ),
        (
            &[&[HostBased, PublicKey], &[Password, PublicKey]],
            &[0, 3],
            &[0, 3],
            "the password and the key",
        ),
        (
            &[&[KeyboardInteractive, KeyboardInteractive]],
            &[4],
            &[4],
            "somebody and somebody",
        ),
        (
            &[&[PublicKey, Password], &[PublicKey, KeyboardInteractive]],
            &[0, 4],
            &[0, 4],
            "the key and somebody",
        ),
    ];
    for (lists, proofs, knows, expected) in table {
        let mut sshd = Sshd::new(lists, knows);
        let (offers, ended) = log_in(&mut sshd, proofs);
        assert_eq!(ended.as_deref(), Ok(*expected), "{lists:?}: {offers:?}");
        assert_eq!(sshd.tries, 0, "{lists:?}: {offers:?}");
    }
}

#[test]
fn questions_that_are_none_need_no_password() {
    for lists in [
        &[PublicKey, KeyboardInteractive][..],
        &[KeyboardInteractive, PublicKey],
        &[KeyboardInteractive, PublicKey, KeyboardInteractive],
    ] {
        let mut sshd = Sshd::new(&[lists], &[0]);
        sshd.asks_nothing = true;
        let (offers, ended) = log_in(&mut sshd, &[0]);
        assert!(ended.is_ok(), "{lists:?}: {offers:?} {ended:?}");
        assert_eq!(sshd.tries, 0, "{lists:?}");
    }
    // A key that is refused costs one try, and not another one for questions.
    let mut sshd = Sshd::new(&[&[PublicKey], &[KeyboardInteractive]], &[]);
    assert!(log_in(&mut sshd, &[0]).1.is_err());
    assert_eq!(sshd.tries, 1);
}

#[test]
fn a_failure_tells_the_steps_and_what_to_write() {
    let key_then_more = [&[PublicKey, KeyboardInteractive][..]];
    for (lists, proofs, knows, expected) in [
        (
            &key_then_more[..],
            &[0][..],
            &[0][..],
            "login refused: the key was accepted, a keyboard-interactive login without answers was \
             refused; the guest wants one more step by keyboard-interactive: set ssh_password if what \
             it asks for is the password; nothing else can be answered",
        ),
        (
            &[&[PublicKey, Password]],
            &[0, 3],
            &[0],
            "login refused: the key was accepted, the password was refused; the guest wants one more \
             step by password: set ssh_password",
        ),
        (
            &[&[PublicKey, PublicKey]],
            &[0, 2],
            &[0, 2],
            "login refused: the key was accepted; the guest wants one more step by publickey: give a \
             key that it knows, and that it has not had yet (ssh_private_key_file, ssh_agent_auth)",
        ),
        (
            &[&[PublicKey], &[Password]],
            &[0, 3],
            &[],
            "login refused: the key was refused, the password was refused; the guest accepts \
             publickey, password",
        ),
        (
            &[&[HostBased, PublicKey], &[GssapiWithMic]],
            &[0],
            &[0],
            "login refused: the guest takes nothing like the key; the guest accepts hostbased, \
             gssapi-with-mic: lvhost has no hostbased and no gssapi-with-mic: let its sshd_config \
             (AuthenticationMethods) take publickey, password or keyboard-interactive",
        ),
    ] {
        let mut sshd = Sshd::new(lists, knows);
        let (_, ended) = log_in(&mut sshd, proofs);
        assert_eq!(ended.unwrap_err(), expected, "{lists:?}");
    }
}

#[test]
fn an_agent_gives_place_to_its_keys() {
    let agent = Candidate {
        identity: None,
        ..candidate(9)
    };
    let mut steps = Steps::new(Server::Guest, vec![candidate(0), agent, candidate(3)]);
    steps.expand(9, vec![candidate(2), candidate(1)]);
    steps.may_continue(&[PublicKey, Password]);
    let mut offered = Vec::new();
    while let Some(offer) = steps.next() {
        offered.push((offer.proof.unwrap(), offer.method));
        steps.refused(offer, None);
    }
    // The agent's copy of the first key was no use.
    assert_eq!(offered, [(0, PublicKey), (1, PublicKey), (3, Password)]);
}

fn method() -> impl Strategy<Value = MethodKind> {
    prop_oneof![
        Just(PublicKey),
        Just(Password),
        Just(KeyboardInteractive),
        Just(HostBased)
    ]
}

proptest! {
    /// If any order of offers leads in, ours does; and none is made twice in one step.
    #[test]
    fn who_has_what_is_wanted_gets_in(
        lists in proptest::collection::vec(proptest::collection::vec(method(), 1..4), 1..4),
        order in Just(vec![0_usize, 1, 3]).prop_shuffle(),
        knows in proptest::collection::vec(prop_oneof![Just(0_usize), Just(1), Just(3)], 0..4),
    ) {
        let lists: Vec<&[MethodKind]> = lists.iter().map(Vec::as_slice).collect();
        let mut sshd = Sshd::new(&lists, &knows);
        let (offers, ended) = log_in(&mut sshd, &order);
        let keys = [0, 1].iter().filter(|key| knows.contains(key)).count();
        let can = |list: &&[MethodKind]| {
            let of = |kind| list.iter().filter(|method| **method == kind).count();
            let has_password = knows.contains(&3) || of(Password) + of(KeyboardInteractive) == 0;
            of(PublicKey) <= keys && of(HostBased) == 0 && has_password
        };
        // With several lists, what is used up on one may be missing on the other.
        if lists.len() == 1 {
            prop_assert_eq!(ended.is_ok(), can(&lists[0]), "{:?} {:?}", offers, ended);
        } else if ended.is_ok() {
            prop_assert!(lists.iter().any(can));
        }
        prop_assert!(offers.len() < 60);
    }

    /// However a server answers, there is an end.
    #[test]
    fn there_is_an_end(
        answers in proptest::collection::vec((any::<bool>(), proptest::collection::vec(method(), 0..4)), 1..8),
    ) {
        let all = [0, 1, 2, 3, 4].map(candidate).to_vec();
        let mut steps = Steps::new(Server::Bastion, all);
        let mut offers = 0;
        for (part, methods) in answers.iter().cycle() {
            steps.may_continue(methods);
            let Some(offer) = steps.next() else { break };
            offers += 1;
            prop_assert!(methods.contains(&offer.method) && offers < 100);
            match part {
                true => steps.accepted(offer),
                false => steps.refused(offer, None),
            }
        }
        prop_assert!(steps.failure().starts_with("login refused: "));
    }
}
