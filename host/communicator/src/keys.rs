//! SSH key pairs: made for a template's `data "sshkey"`, and read from what a user names.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::Error::KeyIsEncrypted;
use russh::keys::ssh_key::private::RsaKeypair;
use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{EcdsaCurve, PrivateKey};
use secrecy::{ExposeSecret, SecretString};

/// The smallest RSA key that is made, in bits: OpenSSH refuses smaller ones as too weak.
pub const RSA_BITS_MINIMUM: usize = 2048;
/// The largest RSA key that is made, in bits: beyond it generation takes minutes.
pub const RSA_BITS_MAXIMUM: usize = 8192;

/// Bits of an RSA key where none are named: Packer's default.
const RSA_BITS_DEFAULT: usize = 4096;

/// The largest key file that is read, in bytes: an RSA key of 16384 bits takes 13 kB.
const FILE_MAXIMUM: u64 = 64 * 1024;

/// The kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519: small, fast, and known to every OpenSSH since 6.5.
    Ed25519,
    /// RSA with this many bits, [`RSA_BITS_MINIMUM`] to [`RSA_BITS_MAXIMUM`]. Slow to make.
    Rsa(usize),
    /// ECDSA over NIST P-256.
    EcdsaP256,
    /// ECDSA over NIST P-384.
    EcdsaP384,
    /// ECDSA over NIST P-521.
    EcdsaP521,
}

impl Algorithm {
    /// The algorithm that Packer's `temporary_key_pair_type` and `temporary_key_pair_bits` stand
    /// for, with Packer's numbers of bits where none is given: 4096 for `rsa`, 521 for `ecdsa`.
    ///
    /// # Errors
    /// There is no such kind, or not with so many bits.
    pub fn named(kind: &str, bits: Option<usize>) -> Result<Self, Error> {
        match (kind, bits) {
            ("ed25519", _) => Ok(Self::Ed25519),
            ("ecdsa", Some(256)) => Ok(Self::EcdsaP256),
            ("ecdsa", Some(384)) => Ok(Self::EcdsaP384),
            ("ecdsa", Some(521) | None) => Ok(Self::EcdsaP521),
            ("ecdsa", Some(bits)) => Err(Error::EcdsaBits { bits }),
            ("rsa", bits) => {
                let bits = bits.unwrap_or(RSA_BITS_DEFAULT);
                if (RSA_BITS_MINIMUM..=RSA_BITS_MAXIMUM).contains(&bits) {
                    Ok(Self::Rsa(bits))
                } else {
                    Err(Error::RsaBits { bits })
                }
            }
            (kind, _) => Err(Error::Kind {
                kind: kind.to_owned(),
            }),
        }
    }
}

/// Both halves of a key, as OpenSSH writes them.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// One line for `authorized_keys`: algorithm, key, and the comment if there is one.
    pub public_openssh: String,
    /// The private half as an unencrypted `OPENSSH PRIVATE KEY` file, newline at its end.
    pub private_openssh: SecretString,
}

/// Why a key could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An RSA key of a size that is not made.
    #[error(
        "an RSA key of {bits} bits is not supported: choose {RSA_BITS_MINIMUM} to \
         {RSA_BITS_MAXIMUM}"
    )]
    RsaBits {
        /// The size asked for.
        bits: usize,
    },
    /// An ECDSA key of a size that is not made.
    #[error("an ECDSA key of {bits} bits is not supported: choose 256, 384 or 521")]
    EcdsaBits {
        /// The size asked for.
        bits: usize,
    },
    /// A kind of key that is not made. DSA is one: OpenSSH has not taken it since 7.0.
    #[error("an SSH key of the type {kind:?} is not supported: choose ed25519, ecdsa or rsa")]
    Kind {
        /// The name given.
        kind: String,
    },
    /// The comment would break the key's one line.
    #[error("the comment of an SSH key must be one line")]
    Comment,
    /// The key could not be made or written down.
    #[error("cannot make an SSH key")]
    Generate(#[source] russh::keys::Error),
    /// A private key file could not be read.
    #[error("cannot read the SSH private key {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A private key is encrypted and no passphrase was given.
    #[error("the SSH private key {name} is encrypted and no passphrase was given")]
    PassphraseMissing {
        /// The file, or what the key is called.
        name: String,
    },
    /// A certificate cannot be used.
    #[error("the SSH certificate {} cannot be used: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The program ended while the key was being decrypted.
    #[error("the work on an SSH private key was stopped")]
    Stopped(#[source] tokio::task::JoinError),
    /// A private key could not be decrypted or understood.
    #[error(
        "the SSH private key {name} cannot be used: is it a complete OpenSSH or PEM private key, \
         and the passphrase right?"
    )]
    Parse {
        /// The file, or what the key is called.
        name: String,
        /// What the parser said.
        #[source]
        source: russh::keys::Error,
    },
}

/// Makes a new key pair from the system's random numbers.
///
/// This computes, for a large RSA key for seconds: call it where blocking is allowed.
pub fn generate(algorithm: Algorithm, comment: &str) -> Result<KeyPair, Error> {
    let generate = |source: ssh_key::Error| Error::Generate(source.into());
    let mut random = rand::rng();
    let key = match algorithm {
        Algorithm::Rsa(bits) if !(RSA_BITS_MINIMUM..=RSA_BITS_MAXIMUM).contains(&bits) => {
            return Err(Error::RsaBits { bits });
        }
        Algorithm::Rsa(bits) => {
            RsaKeypair::random(&mut random, bits).and_then(|pair| PrivateKey::new(pair.into(), ""))
        }
        Algorithm::Ed25519 => PrivateKey::random(&mut random, ssh_key::Algorithm::Ed25519),
        Algorithm::EcdsaP256 => ecdsa(&mut random, EcdsaCurve::NistP256),
        Algorithm::EcdsaP384 => ecdsa(&mut random, EcdsaCurve::NistP384),
        Algorithm::EcdsaP521 => ecdsa(&mut random, EcdsaCurve::NistP521),
    };
    write(key.map_err(generate)?, comment)
}

/// Reads a private key that was made before, in any form [`Authentication::KeyFile`] takes, and
/// gives it `comment`. `name` stands for the key in errors.
///
/// [`Authentication::KeyFile`]: crate::ssh::Authentication::KeyFile
pub fn read(
    name: &str,
    private: &SecretString,
    passphrase: Option<&SecretString>,
    comment: &str,
) -> Result<KeyPair, Error> {
    write(parse(name, private, passphrase)?, comment)
}

/// Reads the unencrypted private key in the file `path`, as [`read`] does, without a comment.
///
/// # Errors
/// The file cannot be read, or holds no such key.
pub async fn read_file(path: &Path) -> Result<KeyPair, Error> {
    let text = read_text(path).await.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    read(&path.display().to_string(), &text, None, "")
}

/// The text of a key file.
pub(crate) async fn read_text(path: &Path) -> io::Result<SecretString> {
    let path = path.to_owned();
    let read = move || lvhost_regular_file::read_to_string(path, FILE_MAXIMUM);
    let text = tokio::task::spawn_blocking(read)
        .await
        .map_err(io::Error::other)??;
    Ok(SecretString::from(text))
}

/// The private key in `private`, decrypted.
pub(crate) fn parse(
    name: &str,
    private: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKey, Error> {
    let passphrase = passphrase.map(ExposeSecret::expose_secret);
    let parsed = russh::keys::decode_secret_key(private.expose_secret(), passphrase);
    parsed
        .and_then(|key| {
            if key.is_encrypted() {
                Err(KeyIsEncrypted)
            } else {
                Ok(key)
            }
        })
        .map_err(|source| match source {
            KeyIsEncrypted => Error::PassphraseMissing {
                name: name.to_owned(),
            },
            source => Error::Parse {
                name: name.to_owned(),
                source,
            },
        })
}

fn ecdsa(random: &mut impl rand::CryptoRng, curve: EcdsaCurve) -> ssh_key::Result<PrivateKey> {
    PrivateKey::random(random, ssh_key::Algorithm::Ecdsa { curve })
}

fn write(mut key: PrivateKey, comment: &str) -> Result<KeyPair, Error> {
    if comment.contains(char::is_control) {
        return Err(Error::Comment);
    }
    key.set_comment(comment);
    let generate = |source: ssh_key::Error| Error::Generate(source.into());
    let private = key.to_openssh(LineEnding::LF).map_err(generate)?;
    Ok(KeyPair {
        public_openssh: key.public_key().to_openssh().map_err(generate)?,
        private_openssh: SecretString::from(private.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use russh::keys::PublicKey;

    use super::*;

    #[test]
    fn every_algorithm_makes_a_pair_that_reads_back() {
        for (algorithm, name) in [
            (Algorithm::Ed25519, "ssh-ed25519"),
            (Algorithm::EcdsaP256, "ecdsa-sha2-nistp256"),
            (Algorithm::EcdsaP384, "ecdsa-sha2-nistp384"),
            (Algorithm::EcdsaP521, "ecdsa-sha2-nistp521"),
            (Algorithm::Rsa(RSA_BITS_MINIMUM), "ssh-rsa"),
        ] {
            let pair = generate(algorithm, "packer build").unwrap();
            let public = PublicKey::from_openssh(&pair.public_openssh).unwrap();
            assert!(pair.public_openssh.starts_with(&format!("{name} ")));
            assert!(pair.public_openssh.ends_with(" packer build"));
            let private = parse("test", &pair.private_openssh, None).unwrap();
            assert_eq!(private.public_key().key_data(), public.key_data());
            assert!(
                pair.private_openssh
                    .expose_secret()
                    .ends_with("-----END OPENSSH PRIVATE KEY-----\n")
            );

            let again = read("test", &pair.private_openssh, None, "other").unwrap();
            assert!(again.public_openssh.ends_with(" other"));
            assert_eq!(
                again.public_openssh.rsplit_once(' ').unwrap().0,
                pair.public_openssh.rsplit_once(" packer").unwrap().0
            );
        }
    }

    #[test]
    fn algorithms_by_the_names_of_options() {
        for (kind, bits, expected) in [
            ("ed25519", None, Ok(Algorithm::Ed25519)),
            ("ed25519", Some(4096), Ok(Algorithm::Ed25519)),
            ("ecdsa", None, Ok(Algorithm::EcdsaP521)),
            ("ecdsa", Some(256), Ok(Algorithm::EcdsaP256)),
            ("ecdsa", Some(384), Ok(Algorithm::EcdsaP384)),
            ("ecdsa", Some(521), Ok(Algorithm::EcdsaP521)),
            ("ecdsa", Some(512), Err("512 bits is not supported")),
            ("rsa", None, Ok(Algorithm::Rsa(4096))),
            ("rsa", Some(2048), Ok(Algorithm::Rsa(2048))),
            ("rsa", Some(1024), Err("choose 2048 to 8192")),
            ("rsa", Some(16384), Err("choose 2048 to 8192")),
            ("dsa", None, Err("choose ed25519, ecdsa or rsa")),
            ("RSA", None, Err("choose ed25519, ecdsa or rsa")),
        ] {
            match (Algorithm::named(kind, bits), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{kind} {bits:?}"),
                (Err(error), Err(words)) => {
                    assert!(error.to_string().contains(words), "{error}");
                }
                (found, _) => panic!("{kind} {bits:?}: {found:?}"),
            }
        }
    }

    #[test]
    fn two_keys_differ() {
        let one = || generate(Algorithm::Ed25519, "").unwrap().public_openssh;
        assert_ne!(one(), one());
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        for bits in [
            0,
            1024,
            RSA_BITS_MINIMUM - 1,
            RSA_BITS_MAXIMUM + 1,
            usize::MAX,
        ] {
            let error = generate(Algorithm::Rsa(bits), "").unwrap_err();
            assert!(matches!(error, Error::RsaBits { .. }), "{error}");
        }
        let error = generate(Algorithm::Ed25519, "two\nlines").unwrap_err();
        assert!(matches!(error, Error::Comment), "{error}");
    }

    #[test]
    fn the_private_half_does_not_show() {
        let pair = generate(Algorithm::Ed25519, "").unwrap();
        assert!(!format!("{pair:?}").contains("PRIVATE"));
        let broken = SecretString::from("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n");
        let error = parse("id_test", &broken, None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the SSH private key id_test cannot be used")
        );
        assert!(!format!("{error:?}").contains("c2VjcmV0"), "{error:?}");
    }
}
