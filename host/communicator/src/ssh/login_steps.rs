//! What is offered next in a login, and what is said when nothing is left. Pure.
//!
//! ```text
//!   the server says what may continue
//!        │
//!        ▼                                        success
//!   is there a proof for it? ── yes ──► offered ─────────────► in
//!        ▲  │ no                         │   │
//!        │  ▼                            │   │ refused: not again in this step
//!        │ given up                      │   ▼
//!        │                               │  (ask again)
//!        └── next step ◄── accepted ◄────┘ success in part: this proof is spent, and what was
//!                                          refused before may be right now
//! ```
//!
//! A server may want several proofs, in an order of its own (`AuthenticationMethods` of OpenSSH), and
//! counts what it refuses (`MaxAuthTries`). So of what fits, what was never refused goes first, nothing
//! goes twice in one step, and the same key is offered once even if a file and the agent have it. An
//! empty keyboard-interactive login, which only hears announcements, goes last.

use russh::MethodKind;

use super::session::Server;

/// The steps of one login: OpenSSH's own lists have two or three.
const STEPS_MAXIMUM: usize = 8;

/// A proof with the method to use it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// Which of the proofs, by its number; none is an empty keyboard-interactive login.
    pub(super) proof: Option<usize>,
    pub(super) method: MethodKind,
    /// Whether the server has accepted this in a step before.
    pub(super) again: bool,
}

/// What there is to offer.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The number of its proof.
    pub(super) proof: usize,
    /// What it is, for the user.
    pub(super) name: String,
    /// The methods that it can be used with, best first.
    pub(super) methods: Vec<MethodKind>,
    /// What tells a key from others.
    pub(super) identity: Option<String>,
    /// Whether it may serve in more than one step.
    pub(super) repeats: bool,
}

/// A login under way.
#[derive(Debug)]
pub(super) struct Steps {
    server: Server,
    candidates: Vec<Candidate>,
    /// What the server says may continue.
    offered: Vec<MethodKind>,
    /// Refused and accepted offers, with the step it was.
    refused: Vec<(Offer, usize)>,
    accepted: Vec<Offer>,
    /// What became of the offers, in words.
    told: Vec<String>,
}

impl Steps {
    pub(super) fn new(server: Server, candidates: Vec<Candidate>) -> Self {
        Self {
            server,
            candidates,
            offered: Vec::new(),
            refused: Vec::new(),
            accepted: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The server says what may continue.
    pub(super) fn may_continue(&mut self, methods: &[MethodKind]) {
        self.offered = methods.to_vec();
    }

    /// What to offer now.
    pub(super) fn next(&self) -> Option<Offer> {
        if self.accepted.len() > STEPS_MAXIMUM {
            return None;
        }
        let mut best: Option<(u8, Offer)> = None;
        for offer in self.fitting() {
            if let Some(rank) = self.rank(offer)
                && best.is_none_or(|(least, _)| rank < least)
            {
                best = Some((rank, offer));
            }
        }
        best.map(|(_, offer)| offer)
    }

    /// Everything of a kind that the server takes, in the user's order.
    fn fitting(&self) -> impl Iterator<Item = Offer> + '_ {
        let own = self.candidates.iter().flat_map(|candidate| {
            candidate.methods.iter().map(|method| Offer {
                proof: Some(candidate.proof),
                method: *method,
                again: false,
            })
        });
        let empty = Offer {
            proof: None,
            method: MethodKind::KeyboardInteractive,
            again: false,
        };
        own.chain([empty])
            .map(|offer| Offer {
                again: self.accepted.iter().any(|one| one.is_same(offer)),
                ..offer
            })
            .filter(|offer| self.offered.contains(&offer.method))
    }

    /// How late it is offered; nothing if not at all.
    fn rank(&self, offer: Offer) -> Option<u8> {
        let step = self.accepted.len();
        let refused_at = |one: Offer| {
            let of_one = self.refused.iter().filter(|(other, _)| other.is_same(one));
            of_one.map(|(_, step)| *step).max()
        };
        let Some(proof) = offer.proof else {
            // Where something of ours was refused, it is no use, and a try.
            let is_useful = step > 0 || self.refused.is_empty();
            return (is_useful && refused_at(offer) != Some(step)).then_some(3);
        };
        let candidate = self.candidate(proof)?;
        let twins = self.candidates.iter().filter(|other| {
            other.proof != proof && other.identity.is_some() && other.identity == candidate.identity
        });
        let of_twins = twins.map(|twin| Offer {
            proof: Some(twin.proof),
            ..offer
        });
        for twin in of_twins {
            let is_spent = self.accepted.iter().any(|one| one.is_same(twin));
            if is_spent || refused_at(twin) == Some(step) {
                return None;
            }
        }
        match refused_at(offer) {
            Some(at) if at == step => None,
            _ if offer.again => candidate.repeats.then_some(2),
            Some(_) => Some(1),
            None => Some(0),
        }
    }

    fn candidate(&self, proof: usize) -> Option<&Candidate> {
        self.candidates.iter().find(|one| one.proof == proof)
    }

    /// What an offer is called.
    pub(super) fn name(&self, offer: Offer) -> String {
        let candidate = offer.proof.and_then(|proof| self.candidate(proof));
        candidate.map_or_else(
            || "a keyboard-interactive login without answers".to_owned(),
            |candidate| candidate.name.clone(),
        )
    }

    /// In place of a proof that is many, such as an agent, there are these.
    pub(super) fn expand(&mut self, proof: usize, with: Vec<Candidate>) {
        let at = self.candidates.iter().position(|one| one.proof == proof);
        if let Some(at) = at {
            self.candidates.splice(at..=at, with);
        }
    }

    /// The server has refused this. `remark` is what to say in place of that.
    pub(super) fn refused(&mut self, offer: Offer, remark: Option<String>) {
        let told = remark.unwrap_or_else(|| format!("{} was refused", self.name(offer)));
        self.told.push(told);
        self.refused.push((offer, self.accepted.len()));
    }

    /// The server has accepted this, and wants more.
    pub(super) fn accepted(&mut self, offer: Offer) {
        self.told.push(format!("{} was accepted", self.name(offer)));
        self.accepted.push(offer);
    }

    /// Something to be told if the login fails.
    pub(super) fn remark(&mut self, remark: String) {
        self.told.push(remark);
    }

    /// Whether something is left if this fails.
    pub(super) fn has_other(&self, offer: Offer) -> bool {
        self.fitting().any(|other| {
            other.proof.is_some() && !other.is_same(offer) && self.rank(other).is_some()
        })
    }

    /// What has convinced the server.
    pub(super) fn method(&self, last: Offer) -> String {
        let all = self.accepted.iter().chain([&last]);
        let names: Vec<String> = all.map(|offer| self.name(*offer)).collect();
        names.join(" and ")
    }

    /// Why the login failed, and what to do.
    pub(super) fn failure(&self) -> String {
        let was_offered = |candidate: &&Candidate| {
            let tried = self.refused.iter().map(|(offer, _)| offer);
            tried
                .chain(&self.accepted)
                .any(|offer| offer.proof == Some(candidate.proof))
        };
        let unfit = self
            .candidates
            .iter()
            .filter(|candidate| !was_offered(candidate) && !self.fits(candidate))
            .map(|candidate| format!("{} takes nothing like {}", self.server, candidate.name));
        let told: Vec<String> = unfit.chain(self.told.iter().cloned()).collect();
        let mut reason = format!("login refused: {}", told.join(", "));
        if self.offered.is_empty() {
            return reason;
        }
        let names: Vec<&str> = self.offered.iter().map(Into::into).collect();
        let names = names.join(", ");
        let server = self.server;
        if self.accepted.is_empty() {
            reason.push_str(&format!("; {server} accepts {names}"));
        } else {
            reason.push_str(&format!("; {server} wants one more step by {names}"));
        }
        if !self.accepted.is_empty() || self.refused.is_empty() {
            let mut advice: Vec<&str> = Vec::new();
            for method in &self.offered {
                let words = advice_for(self.server, *method);
                if !advice.contains(&words) {
                    advice.push(words);
                }
            }
            reason.push_str(": ");
            reason.push_str(&advice.join(", or "));
        }
        reason
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        let mut methods = candidate.methods.iter();
        methods.any(|method| self.offered.contains(method))
    }
}

impl Offer {
    fn is_same(self, other: Self) -> bool {
        (self.proof, self.method) == (other.proof, other.method)
    }
}

/// What to write where a server wants this.
fn advice_for(server: Server, method: MethodKind) -> &'static str {
    match (method, server) {
        (MethodKind::PublicKey, Server::Guest) => {
            "give a key that it knows, and that it has not had yet (ssh_private_key_file, \
             ssh_agent_auth)"
        }
        (MethodKind::PublicKey, Server::Bastion) => {
            "give a key that it knows, and that it has not had yet (ssh_bastion_private_key_file, \
             ssh_bastion_agent_auth)"
        }
        (MethodKind::Password, Server::Guest) => "set ssh_password",
        (MethodKind::Password, Server::Bastion) => "set ssh_bastion_password",
        (MethodKind::KeyboardInteractive, Server::Guest) => {
            "set ssh_password if what it asks for is the password; nothing else can be answered"
        }
        (MethodKind::KeyboardInteractive, Server::Bastion) => {
            "set ssh_bastion_password if what it asks for is the password, and \
             ssh_bastion_interactive = true to answer yourself"
        }
        (MethodKind::HostBased | MethodKind::GssapiWithMic | MethodKind::None, _) => {
            "lvhost has no hostbased and no gssapi-with-mic: let its sshd_config \
             (AuthenticationMethods) take publickey, password or keyboard-interactive"
        }
    }
}

#[cfg(test)]
mod tests;
