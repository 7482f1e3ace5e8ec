//! Host keys that are known beforehand, from a file in the form of OpenSSH's `known_hosts`.

use std::path::PathBuf;

use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::attempt::ConnectError;
use super::settings::join_address;

/// The keys of one host, of which it has to show one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownKeys(Vec<PublicKey>);

impl KnownKeys {
    /// Those that the files have for `host` at `port`, all together.
    ///
    /// # Errors
    /// They have none. A file that cannot be read has none.
    pub(super) async fn read(
        files: &[PathBuf],
        host: &str,
        port: u16,
    ) -> Result<Self, ConnectError> {
        let (paths, name) = (files.to_vec(), host.to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let found = paths
                .into_iter()
                .filter_map(|path| known_host_keys_path(&name, port, path).ok());
            found.flatten().map(|(_, key)| key).collect()
        });
        let keys: Vec<PublicKey> = reading.await.unwrap_or_default();
        if keys.is_empty() {
            return Err(ConnectError::UnknownHost {
                address: join_address(host, port),
                known_hosts: files.to_vec(),
            });
        }
        Ok(Self(keys))
    }

    /// This one key.
    pub(super) fn of(key: PublicKey) -> Self {
        Self(vec![key])
    }

    /// The algorithms to ask the host for: with others it would show a key that is not known.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        for key in &self.0 {
            let with_hash = |hash| Algorithm::Rsa { hash: Some(hash) };
            let of_key = match key.algorithm() {
                Algorithm::Rsa { .. } => {
                    vec![with_hash(HashAlg::Sha512), with_hash(HashAlg::Sha256)]
                }
                other => vec![other],
            };
            algorithms.extend(of_key);
        }
        algorithms
    }

    /// Whether `key` is one of them; its comment says nothing.
    pub(super) fn holds(&self, key: &PublicKey) -> bool {
        self.0
            .iter()
            .any(|known| known.key_data() == key.key_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{self, generate};

    fn public(algorithm: keys::Algorithm) -> (String, PublicKey) {
        let text = generate(algorithm, "").unwrap().public_openssh;
        let key = PublicKey::from_openssh(&text).unwrap();
        (text.trim().to_owned(), key)
    }

    #[tokio::test]
    async fn a_host_has_the_keys_of_its_lines() {
        let (ed25519, first) = public(keys::Algorithm::Ed25519);
        let (rsa, second) = public(keys::Algorithm::Rsa(2048));
        let (other, third) = public(keys::Algorithm::EcdsaP256);
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = format!("hv {ed25519}\n[hv]:2222 {other}\nother,hv {rsa}\n# hv {other}\n");
        std::fs::write(file.path(), lines).unwrap();
        let files = [file.path().to_owned()];
        let known = KnownKeys::read(&files, "hv", 22).await.unwrap();
        assert!(known.holds(&first) && known.holds(&second) && !known.holds(&third));
        let names: Vec<String> = known.algorithms().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
        let known = KnownKeys::read(&files, "hv", 2222).await.unwrap();
        assert!(known.holds(&third) && !known.holds(&first));

        let missing = file.path().with_extension("missing");
        for (files, host) in [
            (&files[..], "elsewhere"),
            (std::slice::from_ref(&missing), "hv"),
        ] {
            let error = KnownKeys::read(files, host, 22).await.unwrap_err();
            assert!(error.to_string().contains("connect to it by ssh once"));
        }
        let both = [missing, file.path().to_owned()];
        let known = KnownKeys::read(&both, "hv", 22).await.unwrap();
        assert!(known.holds(&first));
    }
}
