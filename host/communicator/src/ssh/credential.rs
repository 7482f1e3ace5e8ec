//! What a user gave to log in with, made ready once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::MethodKind;
use russh::keys::{Certificate, HashAlg, PrivateKey, PublicKey};
use secrecy::SecretString;
use tokio::net::UnixStream;

use super::attempt::ConnectError;
use super::certificate;
use super::questions::{ANSWER_TIMEOUT, Questions};
use super::settings::{Authentication, Settings};
use crate::error::Result;
use crate::keys;

/// One way to authenticate, ready for use.
pub(super) struct Credential {
    name: String,
    pub(super) proof: Proof,
}

/// What proves who we are.
pub(super) enum Proof {
    Key(Arc<PrivateKey>),
    Certificate(Arc<PrivateKey>, Box<Certificate>),
    Password(SecretString),
    Agent(PathBuf),
    Interactive(Arc<dyn Questions>),
}

impl Credential {
    /// Reads and decrypts what `authentication` names. What is missing now will be missing later:
    /// the wait for the guest does not begin.
    pub(super) async fn prepare(authentication: &Authentication) -> Result<Self> {
        Ok(match authentication {
            Authentication::KeyFile { path, passphrase } => Self {
                name: format!("the key file {}", path.display()),
                proof: Proof::Key(key_in(path, passphrase.as_ref()).await?),
            },
            Authentication::Certificate {
                key,
                passphrase,
                certificate,
            } => {
                let key = key_in(key, passphrase.as_ref()).await?;
                let read = certificate::read(certificate, &key).await?;
                Self {
                    name: format!("the certificate {}", certificate.display()),
                    proof: Proof::Certificate(key, Box::new(read)),
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
            Authentication::Interactive(questions) => Self {
                name: "answers to its questions".to_owned(),
                proof: Proof::Interactive(Arc::clone(questions)),
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

    /// Whether somebody has to be waited for.
    fn is_interactive(&self) -> bool {
        matches!(self.proof, Proof::Interactive(_))
    }

    /// Whether a server may have it in more than one step: a key that was accepted once is no further
    /// proof.
    pub(super) fn repeats(&self) -> bool {
        matches!(self.proof, Proof::Password(_) | Proof::Interactive(_))
    }

    /// What tells a key from other keys.
    pub(super) fn identity(&self) -> Option<String> {
        match &self.proof {
            Proof::Key(key) => Some(key_identity(key.public_key())),
            Proof::Certificate(_, certificate) => Some(certificate_identity(certificate)),
            Proof::Password(_) | Proof::Agent(_) | Proof::Interactive(_) => None,
        }
    }

    /// The methods that it can be used with.
    pub(super) fn methods(&self) -> &'static [MethodKind] {
        match self.proof {
            Proof::Key(_) | Proof::Certificate(..) | Proof::Agent(_) => &[MethodKind::PublicKey],
            Proof::Interactive(_) => &[MethodKind::KeyboardInteractive],
            Proof::Password(_) => &[MethodKind::Password, MethodKind::KeyboardInteractive],
        }
    }
}

/// What tells a key from other keys, whoever holds it.
pub(super) fn key_identity(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The same of a certificate: the key in it is another proof by itself.
pub(super) fn certificate_identity(certificate: &Certificate) -> String {
    let key = certificate.public_key().fingerprint(HashAlg::Sha256);
    format!("certificate {} of {key}", certificate.serial())
}

/// The private key in the file `path`.
async fn key_in(path: &Path, passphrase: Option<&SecretString>) -> Result<Arc<PrivateKey>> {
    let text = keys::read_text(path)
        .await
        .map_err(|source| keys::Error::Read {
            path: path.to_owned(),
            source,
        })?;
    decrypt(path.display().to_string(), text, passphrase.cloned()).await
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

/// How long key exchange and login may take: longer where somebody has to answer questions.
pub(super) fn login_bound(settings: &Settings, credentials: &[Credential]) -> Duration {
    if credentials.iter().any(Credential::is_interactive) {
        settings.attempt_timeout.max(ANSWER_TIMEOUT)
    } else {
        settings.attempt_timeout
    }
}
