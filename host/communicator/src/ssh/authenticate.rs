//! Proving to a server who we are: what [`Steps`] says is offered, one after the other.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;

use super::answers::Answers;
use super::attempt::{Failure, Stage};
use super::callbacks::Callbacks;
use super::certificate::KeyHolder;
use super::credential::{Credential, Proof, certificate_identity, key_identity};
use super::login_steps::{Candidate, Offer, Steps};
use super::questions::{Prompt, Round};
use super::session::{Server, describe, readable};

/// How often a server may ask its questions in one keyboard-interactive login.
const QUESTIONS_MAXIMUM: usize = 8;
/// The prompts in one round: real ones have one or two.
const PROMPTS_MAXIMUM: usize = 16;

/// Logs in and returns what the server accepted. `name` is what the server is called where somebody
/// has to answer its questions.
pub(super) async fn log_in(
    handle: &mut Handle<Callbacks>,
    (server, name): (Server, &str),
    username: &str,
    credentials: &[Credential],
) -> Result<String, Failure> {
    let proofs: Vec<HeldProof<'_>> = credentials
        .iter()
        .map(|one| HeldProof::Own(&one.proof))
        .collect();
    let candidates = credentials
        .iter()
        .enumerate()
        .map(|(proof, one)| Candidate {
            proof,
            name: one.name().to_owned(),
            methods: one.methods().to_vec(),
            identity: one.identity(),
            repeats: one.repeats(),
        });
    let mut login = Login {
        handle,
        server,
        name,
        username,
        steps: Steps::new(server, candidates.collect()),
        proofs,
        agents: Vec::new(),
    };
    // Asks what the guest offers, and does not count as a try. Some guests let in anyone.
    let asked = login.handle.authenticate_none(username).await;
    match asked.map_err(|error| login.broken(&error))? {
        AuthResult::Success => return Ok("no credential at all".to_owned()),
        AuthResult::Failure {
            remaining_methods, ..
        } if !login.handle.is_closed() => login.steps.may_continue(&remaining_methods),
        AuthResult::Failure { .. } => {
            let remark = "no credential at all was refused and the connection closed";
            login.steps.remark(remark.to_owned());
            return Err(login.refused());
        }
    }
    while let Some(offer) = login.steps.next() {
        match login.offer(offer).await? {
            OfferOutcome::Nothing => {}
            OfferOutcome::No(remark) => login.steps.refused(offer, Some(remark)),
            OfferOutcome::Answer(AuthResult::Success) => return Ok(login.steps.method(offer)),
            // russh answers a connection that ended during a login with a refusal.
            OfferOutcome::Answer(AuthResult::Failure { .. }) if login.handle.is_closed() => {
                let name = login.steps.name(offer);
                let remark = format!("{name} was refused and the connection closed");
                login.steps.refused(offer, Some(remark));
                return Err(login.refused());
            }
            OfferOutcome::Answer(AuthResult::Failure {
                remaining_methods,
                partial_success,
            }) => {
                if partial_success {
                    login.steps.accepted(offer);
                } else {
                    login.steps.refused(offer, None);
                }
                login.steps.may_continue(&remaining_methods);
            }
        }
    }
    Err(login.refused())
}

/// Connects to an agent and asks for its keys.
async fn identities(
    socket: &Path,
) -> Result<(AgentClient<UnixStream>, Vec<AgentIdentity>), russh::keys::Error> {
    let mut agent = AgentClient::connect_uds(socket).await?;
    let identities = agent.request_identities().await?;
    Ok((agent, identities))
}

/// A proof, whoever has it.
#[derive(Clone, Copy)]
enum HeldProof<'a> {
    Own(&'a Proof),
    /// The key of this number in the agent of this number.
    Agents(usize, usize),
}

/// An agent that has been asked for its keys.
type Agent = (AgentClient<UnixStream>, Vec<AgentIdentity>);

/// What came of an offer.
enum OfferOutcome {
    /// The server's answer.
    Answer(AuthResult),
    /// It was not made after all, in words.
    No(String),
    /// There are others in its place.
    Nothing,
}

/// A login under way.
struct Login<'a> {
    handle: &'a mut Handle<Callbacks>,
    server: Server,
    name: &'a str,
    username: &'a str,
    steps: Steps,
    proofs: Vec<HeldProof<'a>>,
    agents: Vec<Agent>,
}

impl Login<'_> {
    /// A login that the transport broke off.
    fn broken(&self, error: &russh::Error) -> Failure {
        Failure {
            stage: Stage::Handshake,
            reason: describe(error, self.server),
        }
    }

    fn refused(&self) -> Failure {
        Failure {
            stage: Stage::Authenticate,
            reason: self.steps.failure(),
        }
    }

    /// Makes an offer.
    async fn offer(&mut self, offer: Offer) -> Result<OfferOutcome, Failure> {
        let held = offer
            .proof
            .and_then(|proof| self.proofs.get(proof).copied());
        let answer = match held {
            None => self.questions(offer, Answers::None).await?,
            Some(HeldProof::Agents(agent, number)) => {
                return self.agents_key(offer, agent, number).await;
            }
            Some(HeldProof::Own(proof)) => match proof {
                Proof::Key(key) => self.key(key).await?,
                Proof::Password(password) if offer.method == MethodKind::Password => {
                    self.password(password).await?
                }
                Proof::Password(password) => {
                    let answers = Answers::Password {
                        password,
                        is_given: false,
                        again: offer.again,
                    };
                    self.questions(offer, answers).await?
                }
                Proof::Interactive(questions) => {
                    self.questions(offer, Answers::Asked(questions)).await?
                }
                Proof::Certificate(key, certificate) => {
                    return self.certificate(offer, key, certificate).await;
                }
                Proof::Agent(socket) => return self.agent(offer, socket).await,
            },
        };
        Ok(OfferOutcome::Answer(answer))
    }

    async fn key(&mut self, key: &Arc<PrivateKey>) -> Result<AuthResult, Failure> {
        let hash = self.hash(key.algorithm().is_rsa()).await?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let answer = self.handle.authenticate_publickey(self.username, key).await;
        answer.map_err(|error| self.broken(&error))
    }

    /// The hash to sign with, which only RSA leaves open: the strongest the guest names, SHA-256
    /// for one that names none.
    async fn hash(&self, rsa: bool) -> Result<Option<HashAlg>, Failure> {
        if !rsa {
            return Ok(None);
        }
        let named = self.handle.best_supported_rsa_hash().await;
        Ok(named
            .map_err(|error| self.broken(&error))?
            .unwrap_or(Some(HashAlg::Sha256)))
    }

    async fn certificate(
        &mut self,
        offer: Offer,
        key: &Arc<PrivateKey>,
        certificate: &Certificate,
    ) -> Result<OfferOutcome, Failure> {
        let hash = self.hash(key.algorithm().is_rsa()).await?;
        let mut holder = KeyHolder(Arc::clone(key));
        let answer = self
            .handle
            .authenticate_certificate_with(self.username, certificate.clone(), hash, &mut holder)
            .await;
        Ok(answer.map_or_else(|error| self.unsigned(offer, &error), OfferOutcome::Answer))
    }

    fn unsigned(&self, offer: Offer, error: &dyn std::fmt::Display) -> OfferOutcome {
        OfferOutcome::No(format!("{} did not sign: {error}", self.steps.name(offer)))
    }

    /// Puts the keys of an agent in its place.
    async fn agent(&mut self, offer: Offer, socket: &Path) -> Result<OfferOutcome, Failure> {
        let name = self.steps.name(offer);
        let agent = match identities(socket).await {
            Ok(agent) => agent,
            Err(error) => {
                return Ok(OfferOutcome::No(format!(
                    "{name} did not list its keys: {error}"
                )));
            }
        };
        if agent.1.is_empty() {
            return Ok(OfferOutcome::No(format!("{name} holds no keys")));
        }
        let mut keys = Vec::with_capacity(agent.1.len());
        for (number, identity) in agent.1.iter().enumerate() {
            let told = identity.comment();
            keys.push(Candidate {
                proof: self.proofs.len(),
                name: match told.is_empty() {
                    true => format!("key {} of {name}", number + 1),
                    false => format!("the key {:?} of {name}", readable(told)),
                },
                methods: vec![MethodKind::PublicKey],
                identity: Some(match identity {
                    AgentIdentity::PublicKey { key, .. } => key_identity(key),
                    AgentIdentity::Certificate { certificate, .. } => {
                        certificate_identity(certificate)
                    }
                }),
                repeats: false,
            });
            self.proofs
                .push(HeldProof::Agents(self.agents.len(), number));
        }
        self.agents.push(agent);
        if let Some(proof) = offer.proof {
            self.steps.expand(proof, keys);
        }
        Ok(OfferOutcome::Nothing)
    }

    /// Offers a key of an agent, which may hold one that it will not sign with.
    async fn agents_key(
        &mut self,
        offer: Offer,
        agent: usize,
        number: usize,
    ) -> Result<OfferOutcome, Failure> {
        let held = self
            .agents
            .get(agent)
            .and_then(|(_, keys)| keys.get(number));
        let Some(identity) = held.cloned() else {
            return Ok(OfferOutcome::No(format!(
                "{} is gone",
                self.steps.name(offer)
            )));
        };
        let hash = self
            .hash(identity.public_key().algorithm().is_rsa())
            .await?;
        let Some((client, _)) = self.agents.get_mut(agent) else {
            return Ok(OfferOutcome::No(format!(
                "{} is gone",
                self.steps.name(offer)
            )));
        };
        let answer = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                self.handle
                    .authenticate_publickey_with(self.username, key, hash, client)
                    .await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                self.handle
                    .authenticate_certificate_with(self.username, certificate, hash, client)
                    .await
            }
        };
        Ok(answer.map_or_else(|error| self.unsigned(offer, &error), OfferOutcome::Answer))
    }

    async fn password(&mut self, password: &SecretString) -> Result<AuthResult, Failure> {
        let answer = self
            .handle
            .authenticate_password(self.username, password.expose_secret())
            .await;
        answer.map_err(|error| self.broken(&error))
    }

    /// Answers the questions of a keyboard-interactive login.
    async fn questions(
        &mut self,
        offer: Offer,
        mut answers: Answers<'_>,
    ) -> Result<AuthResult, Failure> {
        let none = None::<String>;
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(self.username, none)
            .await;
        let mut rounds = 0;
        loop {
            match answer.map_err(|error| self.broken(&error))? {
                KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    return Ok(AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    });
                }
                KeyboardInteractiveAuthResponse::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => {
                    rounds += 1;
                    if rounds > QUESTIONS_MAXIMUM || prompts.len() > PROMPTS_MAXIMUM {
                        self.steps
                            .remark(format!("{} does not stop asking", self.server));
                        return Err(self.refused());
                    }
                    let round = Round {
                        server: self.name.to_owned(),
                        name: readable(&name),
                        instructions: readable(&instructions),
                        prompts: prompts
                            .iter()
                            .map(|prompt| Prompt {
                                text: readable(&prompt.prompt),
                                echo: prompt.echo,
                            })
                            .collect(),
                    };
                    let responses = match answers.to(&round).await {
                        Ok(responses) => responses,
                        Err(reason) => {
                            self.steps.remark(reason);
                            if !self.steps.has_other(offer) {
                                return Err(self.refused());
                            }
                            // Nothing, so that the server asks for something else.
                            vec![String::new(); round.prompts.len()]
                        }
                    };
                    answer = self
                        .handle
                        .authenticate_keyboard_interactive_respond(responses)
                        .await;
                }
            }
        }
    }
}
