//! Unfinished downloads.
//!
//! A partial file is continued only from a *checkpoint*: an offset and the SHA-256 of all bytes
//! before it, with the strong entity tag of the version they belong to. Whatever a crash, a full
//! disk or another program did to the file, bytes that don't hash to the checkpoint are thrown
//! away, so nothing is ever appended to something unrelated.

use std::fs::File;
use std::io;
use std::sync::Arc;

use lvhost_regular_file::OwnFolder;
use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, Folders, read_json, remove, write_json};
use crate::SafeUrl;
use crate::digest::{Algorithm, Digest};

/// How far a partial file can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The strong entity tag of the version.
    pub(crate) etag: String,
    /// Bytes received.
    pub(crate) offset: u64,
    /// Their SHA-256, in hex.
    sha256: String,
}

impl Checkpoint {
    pub(crate) fn new(etag: String, offset: u64, sha256: &Digest) -> Self {
        Self {
            etag,
            offset,
            sha256: sha256.to_string(),
        }
    }

    /// The digest of the bytes before the offset; `None` if the record is damaged.
    pub(crate) fn sha256(&self) -> Option<Digest> {
        Digest::from_hex(Algorithm::Sha256, &self.sha256)
    }
}

/// What is stored of a checkpoint.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// For people who look into the cache; without secrets.
    pub(super) url: String,
    #[serde(flatten)]
    checkpoint: Checkpoint,
}

/// The place of one URL's unfinished download. Use it only under the URL's lock.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    folders: Arc<Folders>,
    name: String,
    url: String,
}

impl Cache {
    /// Where a URL's download is written.
    pub(crate) fn partial(&self, url: &SafeUrl) -> Partial {
        Partial {
            folders: Arc::clone(&self.folders),
            name: self.url_key(url),
            url: url.to_string(),
        }
    }
}

impl Partial {
    fn folder(&self) -> &OwnFolder {
        &self.folders.partial
    }

    /// Opens the file, empty if it is new.
    pub(crate) fn open(&self) -> Result<File, CacheError> {
        let opened = self.folder().make_file(&self.name);
        opened.map_err(|source| self.error(source))
    }

    /// Gives the file another name, in another folder.
    pub(super) fn rename(&self, folder: &OwnFolder, name: &str) -> io::Result<()> {
        self.folder().rename(&self.name, folder, name)
    }

    /// The last checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        read_json::<Record>(self.folder(), &record_name(&self.name)).map(|record| record.checkpoint)
    }

    /// Remembers a checkpoint in place of the last one.
    pub(crate) fn store(&self, checkpoint: &Checkpoint) -> Result<(), CacheError> {
        let record = Record {
            url: self.url.clone(),
            checkpoint: checkpoint.clone(),
        };
        write_json(self.folder(), &record_name(&self.name), &record)
    }

    /// Forgets the checkpoint; the bytes are worth nothing then.
    pub(crate) fn forget(&self) -> Result<(), CacheError> {
        remove(self.folder(), &record_name(&self.name))
    }

    /// Removes file and checkpoint.
    pub(crate) fn discard(&self) -> Result<(), CacheError> {
        self.forget()?;
        remove(self.folder(), &self.name)
    }

    /// An error of writing the file.
    pub(crate) fn error(&self, source: io::Error) -> CacheError {
        CacheError::new("write", &self.folder().path().join(&self.name), source)
    }
}

/// What the record of a partial file is called.
pub(super) fn record_name(name: &str) -> String {
    format!("{name}.json")
}
