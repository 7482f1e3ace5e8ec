//! Proving to the guest who we are: what a user gave, made ready once, and tried at every attempt.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;

use super::session::{Guest, describe};
use super::{Authentication, ConnectError, Failure, Stage};
use crate::error::Result;
use crate::keys;

/// The largest private key file that is read, in bytes: an RSA key of 16384 bits takes 13 kB.
const KEY_FILE_MAXIMUM: u64 = 64 * 1024;
/// How often the guest may ask its questions in one keyboard-interactive login.
const QUESTIONS_MAXIMUM: usize = 8;

/// One way to authenticate, ready for use.
pub(super) struct Credential {
    name: String,
    proof: Proof,
}

enum Proof {
    Key(Arc<PrivateKey>),
    Password(SecretString),
    Agent(PathBuf),
}

impl Credential {
    /// Reads and decrypts what `authentication` names. What is missing now will be missing later:
    /// the wait for the guest does not begin.
    pub(super) async fn prepare(authentication: &Authentication) -> Result<Self> {
        Ok(match authentication {
            Authentication::KeyFile { path, passphrase } => {
                let text = read_key_file(path)
                    .await
                    .map_err(|source| keys::Error::Read {
                        path: path.clone(),
                        source,
                    })?;
                let name = path.display().to_string();
                let key = decrypt(name.clone(), text, passphrase.clone()).await?;
                Self {
                    name: format!("the key file {name}"),
                    proof: Proof::Key(key),
                }
            }
            Authentication::Key(text) => {
                let key = decrypt("of this build".to_owned(), text.clone(), None).await?;
                Self {
                    name: "the build's key".to_owned(),
                    proof: Proof::Key(key),
                }
            }
            Authentication::Password(password) => Self {
                name: "the password".to_owned(),
                proof: Proof::Password(password.clone()),
            },
            Authentication::Agent { socket } => {
                UnixStream::connect(socket)
                    .await
                    .map_err(|source| ConnectError::Agent {
                        socket: socket.clone(),
                        source,
                    })?;
                Self {
                    name: format!("the SSH agent at {}", socket.display()),
                    proof: Proof::Agent(socket.clone()),
                }
            }
        })
    }

    /// What this is, for the user.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn methods(&self) -> &'static [MethodKind] {
        match self.proof {
            Proof::Key(_) | Proof::Agent(_) => &[MethodKind::PublicKey],
            Proof::Password(_) => &[MethodKind::Password, MethodKind::KeyboardInteractive],
        }
    }
}

async fn read_key_file(path: &Path) -> io::Result<SecretString> {
    let length = tokio::fs::metadata(path).await?.len();
    if length > KEY_FILE_MAXIMUM {
        return Err(io::Error::other(format!(
            "{length} bytes are too many for a private key"
        )));
    }
    Ok(SecretString::from(tokio::fs::read_to_string(path).await?))
}

/// Parses a key away from the runtime's threads: a passphrase is made expensive to try on purpose.
async fn decrypt(
    name: String,
    text: SecretString,
    passphrase: Option<SecretString>,
) -> Result<Arc<PrivateKey>> {
    let parsed =
        tokio::task::spawn_blocking(move || keys::parse(&name, &text, passphrase.as_ref()));
    Ok(Arc::new(parsed.await.map_err(keys::Error::Stopped)??))
}

/// Logs in and returns what the guest accepted.
pub(super) async fn log_in(
    handle: &mut Handle<Guest>,
    username: &str,
    credentials: &[Credential],
) -> Result<String, Failure> {
    let mut login = Login {
        handle,
        username,
        trying: "no credential at all".to_owned(),
        offered: MethodSet::empty(),
        refusals: Vec::new(),
    };
    // Asks what the guest offers, and does not count as a try. Some guests let in anyone.
    let asked = login.handle.authenticate_none(username).await;
    if login.note(asked.map_err(broken)?)? {
        return Ok(login.trying);
    }
    for credential in credentials {
        login.trying = credential.name.clone();
        let mut methods = credential.methods().to_vec();
        methods.retain(|method| login.offered.contains(method));
        if methods.is_empty() {
            login
                .refusals
                .push(format!("the guest takes nothing like {}", credential.name));
            continue;
        }
        let accepted = match &credential.proof {
            Proof::Key(key) => login.key(key).await?,
            Proof::Password(password) => login.password(password, &methods).await?,
            Proof::Agent(socket) => login.agent(socket).await?,
        };
        if accepted {
            return Ok(login.trying);
        }
        login
            .refusals
            .push(format!("{} was refused", credential.name));
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

/// A login that the transport broke off.
fn broken(error: russh::Error) -> Failure {
    Failure {
        stage: Stage::Handshake,
        reason: describe(&error),
    }
}

/// A login under way.
struct Login<'a> {
    handle: &'a mut Handle<Guest>,
    username: &'a str,
    /// The credential at work.
    trying: String,
    /// What the guest says may continue the login.
    offered: MethodSet,
    refusals: Vec<String>,
}

impl Login<'_> {
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
            reason.push_str("; the guest accepts ");
            reason.push_str(&offered.join(", "));
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
        self.note(answer.map_err(broken)?)
    }

    /// The hash to sign with, which only RSA leaves open: the strongest the guest names, SHA-256 for
    /// one that names none.
    async fn hash(&self, rsa: bool) -> Result<Option<HashAlg>, Failure> {
        if !rsa {
            return Ok(None);
        }
        let named = self.handle.best_supported_rsa_hash().await;
        Ok(named.map_err(broken)?.unwrap_or(Some(HashAlg::Sha256)))
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
                self.note(answer.map_err(broken)?)?
            } else {
                self.questions(password).await?
            };
            if accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers every question of a keyboard-interactive login with the password.
    async fn questions(&mut self, password: &SecretString) -> Result<bool, Failure> {
        let none = None::<String>;
        let mut answer = self
            .handle
            .authenticate_keyboard_interactive_start(self.username, none)
            .await;
        let mut rounds = 0;
        loop {
            match answer.map_err(broken)? {
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
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    rounds += 1;
                    if rounds > QUESTIONS_MAXIMUM {
                        self.refusals
                            .push("the guest does not stop asking".to_owned());
                        return Err(self.refused());
                    }
                    let answers = vec![password.expose_secret().to_owned(); prompts.len()];
                    answer = self
                        .handle
                        .authenticate_keyboard_interactive_respond(answers)
                        .await;
                }
            }
        }
    }
}
