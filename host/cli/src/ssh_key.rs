//! The SSH keys behind `data "sshkey"`: made once, kept in the cache, private to the user. A key that others
//! could have put there, or can read, is not used: whoever knows it could log in to all that is built.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lvhost_communicator::keys::{self, Algorithm, KeyPair};
use lvhost_regular_file::OwnFolder;
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
        /// `use`, `read`, `write`.
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
        Ok(StoredKey {
            public_key: self.make(name, key_type)?.public_openssh,
            private_key_path: self.path(name, key_type),
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
        let folder = match OwnFolder::open(&self.folder) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("use", &self.folder, error)),
        };
        Ok(read(&folder, name, key_type)?.map(|pair| StoredKey {
            public_key: pair.public_openssh,
            private_key_path: self.path(name, key_type),
        }))
    }

    fn path(&self, name: &str, key_type: KeyType) -> PathBuf {
        self.folder.join(file_name(name, key_type))
    }

    fn make(&self, name: &str, key_type: KeyType) -> Result<KeyPair, KeyError> {
        let folder = OwnFolder::make(&self.folder);
        let folder = folder.map_err(|error| failed("use", &self.folder, error))?;
        let pair = keys::generate(key_type.algorithm(), name)?;
        let text = pair.private_openssh.expose_secret();
        let path = self.path(name, key_type);
        match folder.write_new(&file_name(name, key_type), text.as_bytes()) {
            Ok(()) => Ok(pair),
            // Another lvhost was faster: its key counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                read(&folder, name, key_type)?.ok_or_else(|| failed("read", &path, error))
            }
            Err(error) => Err(failed("write", &path, error)),
        }
    }
}

fn file_name(name: &str, key_type: KeyType) -> String {
    format!("ssh_private_key_{name}_{}.pem", key_type.as_str())
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> KeyError {
    KeyError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The key in the folder; `None` if there is no such file.
fn read(folder: &OwnFolder, name: &str, key_type: KeyType) -> Result<Option<KeyPair>, KeyError> {
    let file = file_name(name, key_type);
    let path = folder.path().join(&file);
    let mut text = String::new();
    let opened = folder.secret_file(&file);
    match opened.and_then(|file| file.take(KEY_FILE_SIZE).read_to_string(&mut text)) {
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
        Err(source) => Err(failed("use", &path, source)),
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

    /// A folder with a key in it, and where that is.
    fn with_a_key() -> (tempfile::TempDir, KeyStore, PathBuf) {
        let cache = tempfile::tempdir().unwrap();
        let store = KeyStore::new(cache.path().join("sshkey"));
        let path = store.key("a", KeyType::Ed25519).unwrap().private_key_path;
        (cache, store, path)
    }

    fn refused(store: &KeyStore) -> String {
        let asked = store.existing_key("a", KeyType::Ed25519);
        let made = store.key("a", KeyType::Ed25519);
        let (one, other) = (asked.unwrap_err(), made.unwrap_err());
        let shown = |error: KeyError| lvhost_engine::with_causes(&error);
        let (one, other) = (shown(one), shown(other));
        assert_eq!(one, other);
        one
    }

    #[test]
    fn a_key_that_others_may_know_or_have_put_there_is_not_used() {
        let (cache, store, path) = with_a_key();
        let folder = cache.path().join("sshkey");
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o640, 0o604, 0o660, 0o666] {
            set(&path, mode);
            let shown = refused(&store);
            assert!(
                shown.contains("run `chmod go-") && shown.contains("sshkey"),
                "{shown}"
            );
        }
        set(&path, 0o600);
        for mode in [0o770, 0o707, 0o1777] {
            set(&folder, mode);
            assert!(refused(&store).contains("other users can write to it"));
        }
        set(&folder, 0o700);
        store.existing_key("a", KeyType::Ed25519).unwrap().unwrap();
        // A link to a key, wherever it is.
        let other = store.key("b", KeyType::Ed25519).unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(other.private_key_path, &path).unwrap();
        assert!(refused(&store).contains("it is a link"));
    }

    #[test]
    fn a_key_of_another_user_is_not_used() {
        let (cache, store, path) = with_a_key();
        for planted in [path, cache.path().join("sshkey")] {
            if std::os::unix::fs::chown(&planted, Some(12345), Some(12345)).is_err() {
                eprintln!("SKIPPED: only root can give files to another user");
                return;
            }
            assert!(refused(&store).contains("belongs to another user (id 12345)"));
        }
    }
}
