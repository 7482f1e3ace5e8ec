//! Host keys that are known beforehand, from a file in the form of OpenSSH's `known_hosts`.

use std::io;
use std::path::Path;

use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{Algorithm, HashAlg, PublicKey, parse_public_key_base64};

use super::attempt::ConnectError;
use super::settings::{KnownHosts, join_address};

/// Bytes of such a file that are looked at. One of ten thousand hosts has some MiB.
const FILE_SIZE: u64 = 16 << 20;

/// What a line begins with whose key must not be believed any more (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
const REVOKED: &str = "@revoked";

/// The keys of one host, of which it has to show one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownKeys {
    /// Without any, all will do that are not revoked.
    known: Vec<PublicKey>,
    /// Of whatever host: who revokes a key knows that somebody else has it.
    revoked: Vec<PublicKey>,
}

impl KnownKeys {
    /// Those that the files have for `host` at `port`, all together.
    ///
    /// # Errors
    /// They have none, and must; what they have can't be read. A file that is not there has none.
    pub(super) async fn read(
        hosts: &KnownHosts,
        host: &str,
        port: u16,
    ) -> Result<Self, ConnectError> {
        let (paths, name) = (hosts.files.clone(), host.to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let mut keys = Self {
                known: Vec::new(),
                revoked: Vec::new(),
            };
            paths
                .iter()
                .try_for_each(|path| keys.add(path, &name, port))?;
            Ok(keys)
        });
        let read = reading.await.map_err(io::Error::other).flatten();
        // Not as if nothing were known: then any key would do.
        let mut keys = read.map_err(|source| ConnectError::KnownHosts {
            address: join_address(host, port),
            source,
        })?;
        let revoked = std::mem::take(&mut keys.revoked);
        keys.known.retain(|key| !has(&revoked, key));
        keys.revoked = revoked;
        if keys.known.is_empty() && hosts.must_hold {
            return Err(ConnectError::UnknownHost {
                address: join_address(host, port),
                known_hosts: hosts.files.clone(),
            });
        }
        Ok(keys)
    }

    fn add(&mut self, path: &Path, host: &str, port: u16) -> io::Result<()> {
        // Looked at before the library opens it, which would wait for a pipe.
        let Ok(text) = lvhost_regular_file::read(path, FILE_SIZE) else {
            return Ok(());
        };
        let known = known_host_keys_path(host, port, path);
        let known = known.map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: {error}", path.display()),
            )
        })?;
        self.known.extend(known.into_iter().map(|(_, key)| key));
        let text = String::from_utf8_lossy(&text);
        let revoked = text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let key = words
                .next()
                .filter(|first| *first == REVOKED)
                .and(words.nth(2))?;
            parse_public_key_base64(key).ok()
        });
        self.revoked.extend(revoked);
        Ok(())
    }

    /// This one key.
    pub(super) fn of(key: PublicKey) -> Self {
        Self {
            known: vec![key],
            revoked: Vec::new(),
        }
    }

    /// The algorithms to ask the host for: with others it would show a key that is not known.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        for key in &self.known {
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

    /// Whether a host may show `key`; its comment says nothing.
    pub(super) fn holds(&self, key: &PublicKey) -> bool {
        let will_do = self.known.is_empty() || has(&self.known, key);
        will_do && !has(&self.revoked, key)
    }
}

fn has(keys: &[PublicKey], key: &PublicKey) -> bool {
    keys.iter().any(|one| one.key_data() == key.key_data())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

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
        let hosts = |files: &[PathBuf], must_hold| KnownHosts {
            files: files.to_vec(),
            must_hold,
        };
        let files = hosts(&[file.path().to_owned()], true);
        let known = KnownKeys::read(&files, "hv", 22).await.unwrap();
        assert!(known.holds(&first) && known.holds(&second) && !known.holds(&third));
        let names: Vec<String> = known.algorithms().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
        let known = KnownKeys::read(&files, "hv", 2222).await.unwrap();
        assert!(known.holds(&third) && !known.holds(&first));

        let missing = file.path().with_extension("missing");
        for (files, host) in [
            (files.files.clone(), "elsewhere"),
            (vec![missing.clone()], "hv"),
        ] {
            let error = KnownKeys::read(&hosts(&files, true), host, 22).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains("connect to it by ssh once"), "{error}");
            let any = KnownKeys::read(&hosts(&files, false), host, 22).await;
            assert!(any.unwrap().holds(&third));
        }
        let both = hosts(&[missing, file.path().to_owned()], false);
        let known = KnownKeys::read(&both, "hv", 22).await.unwrap();
        assert!(known.holds(&first) && !known.holds(&third));
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_read_does_not_let_any_key_do() {
        let (good, _) = public(keys::Algorithm::Ed25519);
        let file = tempfile::NamedTempFile::new().unwrap();
        for (line, is_read) in [
            ("hv ssh-new AAAAB3Nz", false),
            ("other ssh-new AAAAB3Nz", true),
        ] {
            std::fs::write(file.path(), format!("hv {good}\n{line}\n")).unwrap();
            let hosts = KnownHosts {
                files: vec![file.path().to_owned()],
                must_hold: false,
            };
            let read = KnownKeys::read(&hosts, "hv", 22).await;
            assert_eq!(read.is_ok(), is_read, "{line}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_revoked_is_believed_nowhere() {
        let (revoked, key) = public(keys::Algorithm::Ed25519);
        let (good, other) = public(keys::Algorithm::EcdsaP256);
        let file = tempfile::NamedTempFile::new().unwrap();
        for lines in [
            format!("hv {revoked}\n@revoked * {revoked}\n"),
            format!("@revoked hv {revoked}\n"),
            format!("@revoked\t*\t{revoked}\nhv {good}\nhv {revoked}"),
            format!("@revoked * {revoked}\nhv {revoked}\nhv {good}"),
        ] {
            std::fs::write(file.path(), &lines).unwrap();
            let hosts = KnownHosts {
                files: vec![file.path().to_owned()],
                must_hold: false,
            };
            let known = KnownKeys::read(&hosts, "hv", 22).await.unwrap();
            assert!(!known.holds(&key), "{lines}");
            assert!(known.holds(&other), "{lines}");
        }
    }
}
