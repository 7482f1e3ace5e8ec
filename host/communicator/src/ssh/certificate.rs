//! User certificates: a public key with an authority's word for it (OpenSSH's PROTOCOL.certkeys).

use std::path::Path;
use std::sync::Arc;

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::{self, Encode};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{Certificate, HashAlg, PrivateKey};
use secrecy::ExposeSecret;

use crate::keys;

/// Reads the certificate in the file `path` and sees that it is one of `key`'s owner.
pub(super) async fn read(path: &Path, key: &PrivateKey) -> Result<Certificate, keys::Error> {
    let unfit = |reason: &str| keys::Error::Certificate {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let text = keys::read_text(path)
        .await
        .map_err(|error| unfit(&format!("it cannot be read ({error})")))?;
    let certificate = Certificate::from_openssh(text.expose_secret().trim())
        .map_err(|error| unfit(&format!("it is no OpenSSH certificate ({error})")))?;
    if certificate.cert_type() != CertType::User {
        return Err(unfit("it is a certificate of a host, not of a user"));
    }
    if certificate.public_key() != key.public_key().key_data() {
        return Err(unfit(
            "it was made for another key than the private key it is used with",
        ));
    }
    Ok(certificate)
}

/// Signs with a private key in the way that russh lets an agent sign. Its own way with a
/// certificate signs by SHA-1 where the key is RSA, which no server of today accepts.
pub(super) struct KeyHolder(pub(super) Arc<PrivateKey>);

/// Why a login was not signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error("the connection ended")]
    Sent(#[from] russh::SendError),
    #[error(transparent)]
    Sign(#[from] russh::keys::signature::Error),
    #[error(transparent)]
    Encode(#[from] ssh_encoding::Error),
}

impl Signer for KeyHolder {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signature = match self.0.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&data)?,
            other => other.try_sign(&data)?,
        };
        // The signature is a string that holds the encoded signature, behind what was signed.
        signature.encode_prefixed(&mut data)?;
        Ok(data)
    }
}
