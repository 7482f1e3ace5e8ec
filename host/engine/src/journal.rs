//! What lvhost itself has made, written down on this machine.
//!
//! A name shows nothing: a volume of the name that a template asks for may be anybody's. Nor does the
//! record in a domain's metadata, which every user of the hypervisor can write. So each volume that a
//! build makes gets an entry here, and what has none is not removed without the user's own word.
//!
//! ```text
//!            making                made                      kept
//!  (none) ───────────► Making ────────────► Made ────────────────────► Artifact
//!     ▲   before it is    │  libvirt has made   │ the build succeeded     │
//!     │   made            │  it                 │                         │
//!     └───────────────────┴─────────────────────┴─────────────────────────┘
//!                 forget: it was deleted, or was not made
//! ```
//!
//! So has the copy of an artifact in its folder on this machine ([`files`]).
//!
//! Each volume has a file of its own, whose name is a hash of the hypervisor, pool and volume; so builds
//! at the same time don't disturb each other, and what is half written is never read. An entry names the
//! hypervisor by its host and not by the URI alone, since the same URI may lead elsewhere tomorrow.

mod files;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lvhost_libvirt::{Hypervisor, VolumeFacts, VolumeId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use uuid::Uuid;

pub(crate) use files::known_path;
pub use files::{FileEntry, FileIdentity};

/// Bytes of an entry that are read. The longest names and paths that libvirt has make a few KiB.
const ENTRY_BYTES: u64 = 64 << 10;

/// Entries that are kept; beyond that the oldest go. At a few hundred bytes each they stay below the
/// size of one picture, and nobody replaces an image that is ten thousand builds old.
const ENTRIES: usize = 10_000;

/// What the names of entries are hashed in.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c76_686f_7374_4a4f_8552_4e41_4c00_0001);

/// How the names of files begin that are not whole yet.
const UNFINISHED: &str = ".new-";

/// No write takes as long as this.
const OLD: Duration = Duration::from_secs(60 * 60);

/// Bits of a mode that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// The journal can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the journal of what lvhost makes can't be {action} in {}", folder.display())]
pub struct JournalError {
    /// `read`, `written`.
    pub action: &'static str,
    /// Its folder.
    pub folder: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// How far a volume has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is about to be made.
    Making,
    /// It was made.
    Made,
    /// It was made, and the build that made it has succeeded: it is the user's.
    Artifact,
}

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The hypervisor, see [`HypervisorId`].
    hypervisor: String,
    pool: String,
    volume: String,
    /// The build that makes it.
    #[serde(with = "uuid_text")]
    pub build: Uuid,
    /// How far it has come.
    pub stage: Stage,
    /// libvirt's key of it, once it was made.
    key: Option<String>,
    /// Its path at the hypervisor, once it was made.
    path: Option<String>,
    /// Its file, where that is one of this machine.
    file: Option<FileIdentity>,
}

/// A UUID as text: what `uuid` itself could do with a feature that everything would be built with.
mod uuid_text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(uuid: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(uuid)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Uuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uuid::parse_str(&text).map_err(de::Error::custom)
    }
}

impl Entry {
    /// A volume that the build `build` makes or has made, with what the hypervisor knows of it since.
    pub fn new(
        hypervisor: &HypervisorId,
        volume: &VolumeId,
        build: Uuid,
        stage: Stage,
        facts: Option<&VolumeFacts>,
    ) -> Self {
        Self {
            hypervisor: hypervisor.name.clone(),
            pool: volume.pool.clone(),
            volume: volume.name.clone(),
            build,
            stage,
            key: facts.map(|facts| facts.key.clone()),
            path: facts.map(|facts| facts.path.clone()),
            file: facts.and_then(|facts| hypervisor.file(facts)),
        }
    }

    fn is_of(&self, hypervisor: &HypervisorId, volume: &VolumeId) -> bool {
        self.hypervisor == hypervisor.name && self.pool == volume.pool && self.volume == volume.name
    }

    /// Whether a volume of the same name is the one that was written down, as far as that can be seen.
    pub fn is_same(&self, hypervisor: &HypervisorId, facts: &VolumeFacts) -> bool {
        let is_same_text =
            |known: &Option<String>, now: &str| known.as_deref().is_none_or(|known| known == now);
        let file = hypervisor.file(facts);
        is_same_text(&self.key, &facts.key)
            && is_same_text(&self.path, &facts.path)
            && (self.file.is_none() || file.is_none() || self.file == file)
    }

    /// Whether the volume's file was looked at, so that another one in its place is told by it.
    pub(crate) fn knows_its_file(&self, hypervisor: &HypervisorId, facts: &VolumeFacts) -> bool {
        self.file.is_some() && hypervisor.file(facts).is_some()
    }
}

/// Which hypervisor something is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HypervisorId {
    name: String,
    is_local: bool,
}

impl HypervisorId {
    /// Asks a hypervisor who it is. One of this machine is named by its driver and path; one elsewhere
    /// also by the UUID of its host, since names of hosts are taken twice.
    ///
    /// # Errors
    /// Those of the hypervisor.
    pub async fn of(hypervisor: &dyn Hypervisor) -> lvhost_libvirt::Result<Self> {
        let facts = hypervisor.facts().await?;
        let host_uuid = match facts.is_local {
            true => None,
            false => hypervisor.capabilities().await?.host_uuid,
        };
        let uuid = host_uuid.map_or(String::new(), |uuid| format!(" {uuid}"));
        let (driver, path) = driver_and_path(facts.uri.expose());
        Ok(Self {
            name: format!("{driver}://{}{path}{uuid}", facts.host),
            is_local: facts.is_local,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_local: true,
        }
    }

    /// The file of a volume, if it is one of this machine.
    fn file(&self, facts: &VolumeFacts) -> Option<FileIdentity> {
        let path = Path::new(&facts.path);
        self.is_local.then(|| FileIdentity::of(path)).flatten()
    }

    /// Whether a file is there, as far as this process can see.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.is_local && Path::new(path).exists()
    }

    /// The file's name of an entry.
    fn file_name(&self, volume: &VolumeId) -> String {
        // Lengths keep `a` + `bc` from `ab` + `c`.
        let parts = [&self.name, &volume.pool, &volume.name];
        let text: String = parts.map(|part| format!("{}:{part}", part.len())).concat();
        Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
    }
}

/// Of `qemu+ssh://user@host/system?keyfile=x` the `qemu` and `/system`: what is the same whichever way
/// leads there.
fn driver_and_path(uri: &str) -> (&str, &str) {
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    let driver = scheme.split('+').next().unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.find('/').map_or("", |start| &rest[start..]);
    (driver, path.split(['?', '#']).next().unwrap_or_default())
}

/// Where entries are kept.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Makes sure that entries can be written.
    ///
    /// # Errors
    /// They can't, or others could write them too.
    async fn prepare(&self) -> Result<(), JournalError>;

    /// The entry of a volume. One that can't be read shows nothing and is none.
    ///
    /// # Errors
    /// The journal is there and can't be trusted or read.
    async fn find(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<Option<Entry>, JournalError>;

    /// Writes an entry in the place of the one that the volume has.
    ///
    /// # Errors
    /// It could not be written.
    async fn write(&self, hypervisor: &HypervisorId, entry: Entry) -> Result<(), JournalError>;

    /// Forgets a volume; one that is not known is forgotten already.
    ///
    /// # Errors
    /// It could not be removed.
    async fn forget(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<(), JournalError>;

    /// The entry of a file of this machine, by its path, as [`find`](Self::find).
    ///
    /// # Errors
    /// The journal is there and can't be trusted or read.
    async fn find_file(&self, path: &Path) -> Result<Option<FileEntry>, JournalError>;

    /// Writes an entry in the place of the one that the file has.
    ///
    /// # Errors
    /// It could not be written.
    async fn write_file(&self, path: &Path, entry: FileEntry) -> Result<(), JournalError>;

    /// Forgets a file; one that is not known is forgotten already.
    ///
    /// # Errors
    /// It could not be removed.
    async fn forget_file(&self, path: &Path) -> Result<(), JournalError>;
}

/// A build's way to the journal.
#[derive(Clone)]
pub(crate) struct BuildJournal {
    pub(crate) journal: std::sync::Arc<dyn Journal>,
    pub(crate) hypervisor: HypervisorId,
    pub(crate) build: Uuid,
}

impl BuildJournal {
    /// A volume is about to be made. What was known of its name comes back by [`Self::not_made`].
    pub(crate) async fn making(&self, volume: &VolumeId) -> Result<Option<Entry>, JournalError> {
        let known = self.journal.find(&self.hypervisor, volume).await?;
        self.write(volume, Stage::Making, None).await?;
        Ok(known)
    }

    /// A volume was not made: its name says what it said before, of another build's perhaps.
    pub(crate) async fn not_made(
        &self,
        volume: &VolumeId,
        known: Option<Entry>,
    ) -> Result<(), JournalError> {
        match known {
            Some(entry) => self.journal.write(&self.hypervisor, entry).await,
            None => self.forget(volume).await,
        }
    }

    /// A volume was made.
    pub(crate) async fn made(
        &self,
        volume: &VolumeId,
        facts: &VolumeFacts,
    ) -> Result<(), JournalError> {
        self.write(volume, Stage::Made, Some(facts)).await
    }

    /// A volume is the user's from now on.
    pub(crate) async fn kept(&self, volume: &VolumeId) -> Result<(), JournalError> {
        let entry = self.journal.find(&self.hypervisor, volume).await?;
        let Some(entry) = entry.filter(|entry| entry.build == self.build) else {
            return Ok(());
        };
        let entry = Entry {
            stage: Stage::Artifact,
            ..entry
        };
        self.journal.write(&self.hypervisor, entry).await
    }

    /// Whether a volume is seen to be another one than the build has made under its name.
    pub(crate) async fn is_replaced(
        &self,
        volume: &VolumeId,
        facts: &VolumeFacts,
    ) -> Result<bool, JournalError> {
        let entry = self.journal.find(&self.hypervisor, volume).await?;
        let made = entry.filter(|entry| entry.build == self.build && entry.stage != Stage::Making);
        Ok(made.is_some_and(|entry| !entry.is_same(&self.hypervisor, facts)))
    }

    /// A volume is not there any more.
    pub(crate) async fn forget(&self, volume: &VolumeId) -> Result<(), JournalError> {
        self.journal.forget(&self.hypervisor, volume).await
    }

    async fn write(
        &self,
        volume: &VolumeId,
        stage: Stage,
        facts: Option<&VolumeFacts>,
    ) -> Result<(), JournalError> {
        let entry = Entry::new(&self.hypervisor, volume, self.build, stage, facts);
        self.journal.write(&self.hypervisor, entry).await
    }
}

/// A journal in a folder that this user alone can write to.
#[derive(Debug, Clone)]
pub struct JournalFolder {
    path: PathBuf,
}

impl JournalFolder {
    /// The journal in the folder `path`, which is made when it is needed.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, JournalError> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.map_err(io::Error::other)
            .flatten()
            .map_err(|source| JournalError {
                action,
                folder: self.path.clone(),
                source,
            })
    }
}

#[async_trait]
impl Journal for JournalFolder {
    async fn prepare(&self) -> Result<(), JournalError> {
        self.blocking("written", |folder| {
            make(folder)?;
            prune(folder)?;
            // That there is room is only seen by writing.
            unfinished(folder)?.as_file().sync_all()
        })
        .await
    }

    async fn find(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<Option<Entry>, JournalError> {
        let name = hypervisor.file_name(volume);
        let entry: Option<Entry> = self
            .blocking("read", move |folder| read(folder, &name))
            .await?;
        Ok(entry.filter(|entry| entry.is_of(hypervisor, volume)))
    }

    async fn write(&self, hypervisor: &HypervisorId, entry: Entry) -> Result<(), JournalError> {
        let volume = VolumeId::new(&entry.pool, &entry.volume);
        let name = hypervisor.file_name(&volume);
        self.blocking("written", move |folder| write(folder, &name, &entry))
            .await
    }

    async fn forget(
        &self,
        hypervisor: &HypervisorId,
        volume: &VolumeId,
    ) -> Result<(), JournalError> {
        let name = hypervisor.file_name(volume);
        self.blocking("written", move |folder| forget(folder, &name))
            .await
    }

    async fn find_file(&self, path: &Path) -> Result<Option<FileEntry>, JournalError> {
        let path = path.to_owned();
        self.blocking("read", move |folder| match files::entry_name(&path)? {
            Some(name) => read(folder, &name),
            None => Ok(None),
        })
        .await
    }

    async fn write_file(&self, path: &Path, entry: FileEntry) -> Result<(), JournalError> {
        let path = path.to_owned();
        self.blocking("written", move |folder| {
            let name = files::entry_name(&path)?.ok_or(io::ErrorKind::NotFound)?;
            write(folder, &name, &entry)
        })
        .await
    }

    async fn forget_file(&self, path: &Path) -> Result<(), JournalError> {
        let path = path.to_owned();
        self.blocking("written", move |folder| match files::entry_name(&path)? {
            Some(name) => forget(folder, &name),
            None => Ok(()),
        })
        .await
    }
}

/// Makes the folder, and refuses one that others could have written to.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    check(&fs::symlink_metadata(folder)?, fs::Metadata::is_dir)
}

/// Whether something is this user's alone to write.
fn check(metadata: &fs::Metadata, is_right: fn(&fs::Metadata) -> bool) -> io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    let why = if !is_right(metadata) {
        "it is a link or something else that lvhost did not make"
    } else if metadata.uid() != own {
        "it belongs to another user"
    } else if metadata.mode() & OTHERS_WRITE != 0 {
        "others can write to it; take that from them with `chmod go-w`"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn write(folder: &Path, name: &str, entry: &impl Serialize) -> io::Result<()> {
    make(folder)?;
    let mut file = unfinished(folder)?;
    file.write_all(&serde_json::to_vec(entry)?)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    Ok(())
}

fn forget(folder: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> io::Result<Option<T>> {
    match fs::symlink_metadata(folder) {
        Ok(metadata) => check(&metadata, fs::Metadata::is_dir)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let opened = OpenOptions::new()
        .read(true)
        // Neither a link nor a pipe that nobody writes to.
        .custom_flags(
            (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
                .bits()
                .cast_signed(),
        )
        .open(folder.join(name));
    let file: File = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    check(&file.metadata()?, fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(ENTRY_BYTES).read_to_end(&mut bytes)?;
    // One of a later version, or damaged, shows nothing.
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Removes the oldest entries beyond [`ENTRIES`], and what a process that was killed has half written.
fn prune(folder: &Path) -> io::Result<()> {
    let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let Ok(written) = entry.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        if Uuid::parse_str(name).is_ok() {
            entries.push((written, entry.path()));
        } else if name.starts_with(UNFINISHED) && written.elapsed().is_ok_and(|age| age > OLD) {
            remove(&entry.path());
        }
    }
    let surplus = entries.len().saturating_sub(ENTRIES);
    entries.sort();
    for (_, path) in entries.into_iter().take(surplus) {
        remove(&path);
    }
    Ok(())
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "an old entry stays");
    }
}

/// A file that gets its name when it is whole.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)
}

#[cfg(test)]
mod tests;
