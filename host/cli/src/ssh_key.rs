//! The SSH keys behind `data "sshkey"`: made once, kept in the cache, private to the user.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lvhost_communicator::keys::{self, Algorithm, KeyPair};
use secrecy::{ExposeSecret, SecretString};

/// Bits of an RSA key: what the plugin makes, and the least that OpenSSH takes.
const RSA_BITS: usize = keys::RSA_BITS_MINIMUM;

/// Bytes of a key file. An RSA key of 8192 bits has 6 KiB.
const KEY_FILE_SIZE: u64 = 64 << 10;

/// Characters of a key's name, which is part of a file's name.
const NAME_LENGTH: usize = 100;

/// The kinds of keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    /// Known to every SSH server there is, and allowed where only what FIPS knows is.
    Rsa,
    /// Made in no time.
    Ed25519,
}

impl KeyType {
    /// The kind a template calls `name`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "rsa" => Some(Self::Rsa),
            "ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::Rsa(RSA_BITS),
            Self::Ed25519 => Algorithm::Ed25519,
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The name can't be part of a file's name.
    #[error(
        "`{0}` can't be the name of a key: use letters, digits, `-`, `_` and `.`, \
         at most {NAME_LENGTH}"
    )]
    Name(String),
    /// The key can't be made, or what is in the file is none.
    #[error(transparent)]
    Key(#[from] keys::Error),
    /// A file or folder of the cache.
    #[error("can't {action} {}", path.display())]
    File {
        /// `read`, `write`, `make`.
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A key that is there.
#[derive(Debug)]
pub(crate) struct StoredKey {
    /// For `authorized_keys`.
    pub(crate) public_key: String,
    /// Where the private half is.
    pub(crate) private_key_path: PathBuf,
}

/// A folder of keys.
pub(crate) struct KeyStore {
    folder: PathBuf,
}

impl KeyStore {
    /// The keys in `folder`, which is made when the first key is.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether a key can be called `name`.
    pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > NAME_LENGTH || !name.bytes().all(harmless) {
            return Err(KeyError::Name(name.to_owned()));
        }
        Ok(())
    }

    /// The key called `name`, made if it isn't there yet.
    ///
    /// # Errors
    /// When it can't be made, kept or read.
    pub(crate) fn key(&self, name: &str, key_type: KeyType) -> Result<StoredKey, KeyError> {
        if let Some(key) = self.existing_key(name, key_type)? {
            return Ok(key);
        }
        let path = self.path(name, key_type);
        Ok(StoredKey {
            public_key: self.make(&path, name, key_type)?.public_openssh,
            private_key_path: path,
        })
    }

    /// The key called `name`, if it is there.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn existing_key(
        &self,
        name: &str,
        key_type: KeyType,
    ) -> Result<Option<StoredKey>, KeyError> {
        Self::check_name(name)?;
        let path = self.path(name, key_type);
        Ok(read(&path, name)?.map(|pair| StoredKey {
            public_key: pair.public_openssh,
            private_key_path: path,
        }))
    }

    fn path(&self, name: &str, key_type: KeyType) -> PathBuf {
        let file = format!("ssh_private_key_{name}_{}.pem", key_type.as_str());
        self.folder.join(file)
    }

    fn make(&self, path: &Path, name: &str, key_type: KeyType) -> Result<KeyPair, KeyError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| KeyError::File {
                action,
                path,
                source,
            }
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.folder)
            .map_err(failed("make", &self.folder))?;
        let pair = keys::generate(key_type.algorithm(), name)?;
        // Under a name of its own, readable to the user alone, and renamed when it is whole.
        let mut file =
            tempfile::NamedTempFile::new_in(&self.folder).map_err(failed("write", &self.folder))?;
        file.write_all(pair.private_openssh.expose_secret().as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .map_err(failed("write", file.path()))?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(pair),
            // Another lvhost was faster: its key counts.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                read(path, name)?.ok_or_else(|| failed("read", path)(error.error))
            }
            Err(error) => Err(failed("write", path)(error.error)),
        }
    }
}

/// The key in the file at `path`; `None` if there is no such file.
fn read(path: &Path, name: &str) -> Result<Option<KeyPair>, KeyError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(KEY_FILE_SIZE).read_to_string(&mut text));
    match read {
        Ok(_) => {
            let shown = path.display().to_string();
            Ok(Some(keys::read(
                &shown,
                &SecretString::from(text),
                None,
                name,
            )?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::File {
            action: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_private() {
        let cache = tempfile::tempdir().unwrap();
        let store = KeyStore::new(cache.path().join("sshkey"));
        let made = store.key("web-1", KeyType::Ed25519).unwrap();
        let again = store.key("web-1", KeyType::Ed25519).unwrap();
        let other = store.key("web-2", KeyType::Ed25519).unwrap();
        assert!(made.public_key.ends_with(" web-1"), "{}", made.public_key);
        assert_eq!(made.public_key, again.public_key);
        assert_ne!(made.public_key, other.public_key);
        assert_eq!(mode(&made.private_key_path), 0o600);
        assert_eq!(mode(&cache.path().join("sshkey")), 0o700);
        // Nothing half-made stays behind.
        assert_eq!(
            fs::read_dir(cache.path().join("sshkey")).unwrap().count(),
            2
        );
    }

    #[test]
    fn names_stay_in_the_folder() {
        for name in ["", "../x", "a/b", "a b", "ä", &"x".repeat(NAME_LENGTH + 1)] {
            let refusal = KeyStore::check_name(name).unwrap_err();
            assert!(matches!(refusal, KeyError::Name(_)), "{name}");
        }
        assert!(KeyStore::check_name("build.web-1_x").is_ok());
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_and_not_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("ssh_private_key_packer_rsa.pem");
        fs::write(&path, "precious").unwrap();
        let error = KeyStore::new(cache.path().to_owned())
            .key("packer", KeyType::Rsa)
            .unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
