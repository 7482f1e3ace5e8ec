//! Machine code of strangers' components, kept from one command to the next: one with an interpreter in it takes ten
//! seconds and more to compile.
//!
//! ```text
//!  wasm ─► subject ─► folder: the user's own? ─► file: the same? ─► sealed with the key? ─► code, description
//!                              │                      │                     │
//!                              └───────────────── no ─┴─────────────────────┴─► compiled anew, in silence
//! ```
//!
//! Machine code can't be checked, so what is kept has to be known to be what lvhost has made on this machine. Each file
//! has a seal ([`seal`]), made with a key that lies in another folder: caches are copied and shared, and restored by
//! CI systems from other branches' jobs, and the key is not in them. What is sealed is the code together with what it
//! was made of: the component's bytes, the compiler with its settings and the processor's features, and lvhost's
//! version. Folders and files are opened by what is held, and are the user's own ([`OwnFolder`]).
//!
//! Whoever has the key could make a seal: that is whoever can read this user's files. And still the code runs where all
//! code of strangers runs, in a process that has nothing ([`child`](crate::child)).

mod seal;

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use lvhost_regular_file::OwnFolder;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use self::seal::{KEY, Key, MAGIC, SEAL};
use crate::limits;
use crate::types::Description;
use crate::untrusted::Unchecked;

/// Where compiled components are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledPlaces {
    /// The folder of what is kept. It can be deleted at any time.
    pub cache: PathBuf,
    /// The folder of the key, which must not be inside of one that is copied or shared.
    pub key: PathBuf,
}

/// The name of the key's file.
const KEY_FILE: &str = "key";

/// Bytes of all that is kept: some thirty components with an interpreter in each.
const MOST_KEPT: u64 = 2 << 30;

/// What is kept of a component.
pub(crate) struct CompiledComponent {
    /// What it said of itself.
    pub(crate) description: Unchecked<Description>,
    pub(crate) code: Bytes,
}

/// A compiler with its settings and the processor that it compiles for.
pub(crate) struct Compiler(blake3::Hash);

/// What code is made of.
pub(crate) struct Subject {
    bytes: Vec<u8>,
}

impl Compiler {
    /// That of an engine which compiles.
    pub(crate) fn of(engine: &Engine) -> Self {
        // The whole state, where one number would do if nobody meant harm.
        let mut settings = Collected(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut settings);
        Self(settings.0.finalize())
    }
}

impl Subject {
    /// `wasm` compiled by `compiler`, in this version of lvhost.
    pub(crate) fn new(compiler: &Compiler, wasm: &[u8]) -> Self {
        let mut bytes = Vec::new();
        for part in [
            env!("CARGO_PKG_VERSION").as_bytes(),
            compiler.0.as_bytes(),
            blake3::hash(wasm).as_bytes(),
        ] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        Self { bytes }
    }

    /// The file's name. Who is led to another file by it finds another seal there.
    fn file_name(&self) -> String {
        blake3::hash(&self.bytes).to_hex().to_string()
    }
}

/// Feeds what is hashed to a digest that nobody can find a second text for.
struct Collected(blake3::Hasher);

impl Hasher for Collected {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Nobody asks for it.
    fn finish(&self) -> u64 {
        0
    }
}

/// What a file says before the code.
#[derive(Serialize, Deserialize)]
struct Head {
    description: Unchecked<Description>,
}

impl CompiledPlaces {
    /// What is kept for `subject`; `None` as well when it can't be used, for whatever reason.
    pub(crate) fn get(&self, subject: &Subject) -> Option<CompiledComponent> {
        let kept = self.try_get(subject);
        if let Err(error) = &kept
            && error.kind() != io::ErrorKind::NotFound
        {
            let folder = self.cache.display();
            tracing::debug!("a compiled component in {folder} is not used: {error}");
        }
        kept.ok()
    }

    fn try_get(&self, subject: &Subject) -> io::Result<CompiledComponent> {
        let file = OwnFolder::open(&self.cache)?.secret_file(&subject.file_name())?;
        let key = key(&OwnFolder::open(&self.key)?)?;
        let most = MAGIC.len() + SEAL + limits::SAID + limits::CODE_SIZE;
        let content = Bytes::from(content(&file, most)?);
        let sealed = key
            .open(&subject.bytes, &content)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it has another seal"))?;
        let head: (Head, &[u8]) = postcard::take_from_bytes(sealed).map_err(io::Error::other)?;
        // Those that were not used for long make room.
        let _ = file.set_modified(SystemTime::now());
        let (Head { description }, code) = head;
        Ok(CompiledComponent {
            description,
            code: content.slice_ref(code),
        })
    }

    /// Keeps it, if that can be done: a later command compiles anew if not.
    pub(crate) fn put(&self, subject: &Subject, component: CompiledComponent) {
        if let Err(error) = self.try_put(subject, component) {
            let folder = self.cache.display();
            tracing::debug!("a compiled component can't be kept in {folder}: {error}");
        }
    }

    fn try_put(&self, subject: &Subject, component: CompiledComponent) -> io::Result<()> {
        let (cache, keys) = (OwnFolder::make(&self.cache)?, OwnFolder::make(&self.key)?);
        let key = key(&keys).or_else(|_| make_key(&keys))?;
        let mut content = vec![0; MAGIC.len() + SEAL];
        let head = Head {
            description: component.description,
        };
        content = postcard::to_extend(&head, content).map_err(io::Error::other)?;
        content.extend(&component.code);
        key.close(&subject.bytes, &mut content);
        make_room(&cache, MOST_KEPT.saturating_sub(content.len() as u64))?;
        cache.write(&subject.file_name(), &content)
    }
}

/// What is in a file of `most` bytes at most.
fn content(file: &File, most: usize) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    let mut content = Vec::with_capacity(length);
    file.take(most as u64).read_to_end(&mut content)?;
    Ok(content)
}

fn key(folder: &OwnFolder) -> io::Result<Key> {
    let key = content(&folder.secret_file(KEY_FILE)?, KEY)?;
    let key = key.try_into();
    Ok(Key(key.map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "the key is too short")
    })?))
}

fn make_key(folder: &OwnFolder) -> io::Result<Key> {
    let key = Key::random().ok_or_else(|| io::Error::other("there are no random numbers"))?;
    match folder.write_new(KEY_FILE, &key.0) {
        Ok(()) => Ok(key),
        // Another process was as far as this one: the first one's holds.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self::key(folder),
        Err(error) => Err(error),
    }
}

/// Removes files, those first that were not used for the longest time, until all that are left have `most` bytes at
/// most.
fn make_room(folder: &OwnFolder, most: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for name in folder.names()? {
        // What is no file takes no room worth counting.
        if let Ok(metadata) = folder.anybodys_file(&name).and_then(|it| it.metadata()) {
            files.push((metadata.modified()?, metadata.len(), name));
        }
    }
    files.sort();
    let mut sum: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (_, length, name) in files {
        if sum <= most {
            break;
        }
        folder.remove(&name)?;
        sum -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
