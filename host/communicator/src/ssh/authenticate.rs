//! Proving to a server who we are: each credential in its turn.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;

use super::attempt::{Failure, Stage};
use super::callbacks::Callbacks;
use super::certificate::KeyHolder;
use super::credential::{Credential, Proof};
use super::questions::{Prompt, Questions, Round};
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
    let mut login = Login {
        handle,
        server,
        name,
        username,
        trying: "no credential at all".to_owned(),
        offered: MethodSet::empty(),
        refusals: Vec::new(),
    };
    // Asks what the guest offers, and does not count as a try. Some guests let in anyone.
    let asked = login.handle.authenticate_none(username).await;
    let asked = asked.map_err(|error| login.broken(&error))?;
    if login.note(asked)? {
        return Ok(login.trying);
    }
    for credential in credentials {
        login.trying = credential.name().to_owned();
        let mut methods = credential.methods().to_vec();
        methods.retain(|method| login.offered.contains(method));
        if methods.is_empty() {
            login
                .refusals
                .push(format!("{server} takes nothing like {}", credential.name()));
            continue;
        }
        let accepted = match &credential.proof {
            Proof::Key(key) => login.key(key).await?,
            Proof::Password(password) => login.password(password, &methods).await?,
            Proof::Agent(socket) => login.agent(socket).await?,
            Proof::Certificate(key, certificate) => login.certificate(key, certificate).await?,
            Proof::Interactive(questions) => login.questions(Answers::Asked(questions)).await?,
        };
        if accepted {
            return Ok(login.trying);
        }
        login
            .refusals
            .push(format!("{} was refused", credential.name()));
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

/// Where the answers to a server's questions come from.
enum Answers<'a> {
    /// The password is the answer to one question, if what is typed there is not shown. Whoever asks
    /// more than that wants something else, or the password where it does not belong.
    Password {
        password: &'a SecretString,
        is_given: bool,
    },
    /// From somebody.
    Asked(&'a Arc<dyn Questions>),
}

/// A login under way.
struct Login<'a> {
    handle: &'a mut Handle<Callbacks>,
    server: Server,
    name: &'a str,
    username: &'a str,
    /// The credential at work.
    trying: String,
    /// What the server says may continue the login.
    offered: MethodSet,
    refusals: Vec<String>,
}

impl Login<'_> {
    /// A login that the transport broke off.
    fn broken(&self, error: &russh::Error) -> Failure {
        Failure {
            stage: Stage::Handshake,
            reason: describe(error, self.server),
        }
    }

    /// Takes in the guest's answer: whether we are in.
    fn note(&mut self, answer: AuthResult) -> Result<bool, Failure> {
        match answer {
            AuthResult::Success => Ok(true),
            // russh answers a connection that ended during a login with a refusal.
            AuthResult::Failure { .. } if self.handle.is_closed() => {
                self.refusals.push(format!(
                    "{} was refused and the connection closed",
                    self.trying
                ));
                Err(self.refused())
            }
            AuthResult::Failure {
                remaining_methods, ..
            } => {
                self.offered = remaining_methods;
                Ok(false)
            }
        }
    }

    fn refused(&self) -> Failure {
        let offered: Vec<&str> = self.offered.iter().map(Into::into).collect();
        let mut reason = format!("login refused: {}", self.refusals.join(", "));
        if !offered.is_empty() {
            let _ = write!(reason, "; {} accepts {}", self.server, offered.join(", "));
        }
        Failure {
            stage: Stage::Authenticate,
            reason,
        }
    }

    async fn key(&mut self, key: &Arc<PrivateKey>) -> Result<bool, Failure> {
        let hash = self.hash(key.algorithm().is_rsa()).await?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        let answer = self.handle.authenticate_publickey(self.username, key).await;
        self.note(answer.map_err(|error| self.broken(&error))?)
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
        key: &Arc<PrivateKey>,
        certificate: &Certificate,
    ) -> Result<bool, Failure> {
        let hash = self.hash(key.algorithm().is_rsa()).await?;
        let mut holder = KeyHolder(Arc::clone(key));
        let answer = self
            .handle
            .authenticate_certificate_with(self.username, certificate.clone(), hash, &mut holder)
            .await;
        match answer {
            Ok(answer) => self.note(answer),
            Err(error) => {
                self.refusals
                    .push(format!("{} did not sign: {error}", self.trying));
                Ok(false)
            }
        }
    }

    async fn agent(&mut self, socket: &Path) -> Result<bool, Failure> {
        let (mut agent, identities) = match identities(socket).await {
            Ok(found) => found,
            Err(error) => {
                self.refusals
                    .push(format!("{} did not list its keys: {error}", self.trying));
                return Ok(false);
            }
        };
        if identities.is_empty() {
            self.refusals.push(format!("{} holds no keys", self.trying));
        }
        for identity in identities {
            let rsa = identity.public_key().algorithm().is_rsa();
            let hash = self.hash(rsa).await?;
            let answer = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    self.handle
                        .authenticate_publickey_with(self.username, key, hash, &mut agent)
                        .await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    self.handle
                        .authenticate_certificate_with(self.username, certificate, hash, &mut agent)
                        .await
                }
            };
            match answer {
                Ok(answer) if self.note(answer.clone())? => return Ok(true),
                Ok(_) => {}
                // An agent may hold a key it will not sign with; the next one may do.
                Err(error) => {
                    self.refusals
                        .push(format!("{} did not sign: {error}", self.trying));
                }
            }
            if !self.offered.contains(&MethodKind::PublicKey) {
                break;
            }
        }
        Ok(false)
    }

    async fn password(
        &mut self,
        password: &SecretString,
        methods: &[MethodKind],
    ) -> Result<bool, Failure> {
        for method in methods {
            let accepted = if *method == MethodKind::Password {
                let password = password.expose_secret();
                let answer = self
                    .handle
                    .authenticate_password(self.username, password)
                    .await;
                self.note(answer.map_err(|error| self.broken(&error))?)?
            } else {
                let answers = Answers::Password {
                    password,
                    is_given: false,
                };
                self.questions(answers).await?
            };
            if accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers the questions of a keyboard-interactive login.
    async fn questions(&mut self, mut answers: Answers<'_>) -> Result<bool, Failure> {
        let none = None::<String>;
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(self.username, none)
            .await;
        let mut rounds = 0;
        loop {
            match answer.map_err(|error| self.broken(&error))? {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                } => {
                    return self.note(AuthResult::Failure {
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
                        self.refusals
                            .push(format!("{} does not stop asking", self.server));
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
                            self.refusals.push(reason);
                            return Err(self.refused());
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

impl Answers<'_> {
    /// One answer for each prompt.
    ///
    /// # Errors
    /// The login is given up, in words for the user.
    async fn to(&mut self, round: &Round) -> Result<Vec<String>, String> {
        let answers = match self {
            Self::Password { password, is_given } => match round.prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !std::mem::replace(is_given, true) => {
                    vec![password.clone()]
                }
                [.., last] => {
                    return Err(format!(
                        "it asks for more than the password: {:?} was not answered",
                        last.text
                    ));
                }
            },
            Self::Asked(questions) => questions
                .answer(round)
                .await
                .filter(|answers| answers.len() == round.prompts.len())
                .ok_or_else(|| "its questions were not answered".to_owned())?,
        };
        let exposed = answers
            .iter()
            .map(|answer| answer.expose_secret().to_owned());
        Ok(exposed.collect())
    }
}
