//! What tells a file from another one of its name, and the entries of files that builds have written on this
//! machine.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NAMESPACE, uuid_text};

/// What tells a file from another one that takes its place under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    // Without the device: file systems without one of their own get another number at each mount.
    inode: u64,
    /// When it was made, in nanoseconds since 1970, where the file system knows.
    born: Option<u64>,
}

impl FileIdentity {
    /// That of a regular file of this machine that can be looked at. Device nodes of volumes get other
    /// numbers at each boot, so they have none.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some(Self::in_metadata(&metadata))
    }

    fn in_metadata(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            born: nanoseconds(metadata.created()),
        }
    }
}

fn nanoseconds(time: io::Result<SystemTime>) -> Option<u64> {
    let since = time.ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// A file that a build has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The build.
    #[serde(with = "uuid_text")]
    pub build: Uuid,
    identity: FileIdentity,
    length: u64,
    /// When it was last written to, as [`FileIdentity::born`].
    written: Option<u64>,
}

impl FileEntry {
    /// A file that the build `build` has written, and that may have no name yet.
    ///
    /// # Errors
    /// It can't be looked at.
    pub fn new(build: Uuid, file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            build,
            identity: FileIdentity::in_metadata(&metadata),
            length: metadata.len(),
            written: nanoseconds(metadata.modified()),
        })
    }

    /// Whether what is there now is that file, links not followed. Where the file system does not know when a
    /// file was made, and may have given its number to another one, it must be unchanged as well.
    pub fn is_same(&self, now: &Metadata) -> bool {
        let is_unchanged =
            || (self.length, self.written) == (now.len(), nanoseconds(now.modified()));
        now.is_file()
            && self.identity == FileIdentity::in_metadata(now)
            && (self.identity.born.is_some() || is_unchanged())
    }
}

/// The path of a file by which it is known, whatever way leads to its folder; `None` if that is not there.
///
/// # Errors
/// Those of looking up the folder; a path without a name.
pub(crate) fn known_path(path: &Path) -> io::Result<Option<PathBuf>> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(Some(folder.join(name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of a file's entry; `None` if its folder is not there.
pub(super) fn entry_name(path: &Path) -> io::Result<Option<String>> {
    // Texts of volumes begin with a number.
    let named = |path: PathBuf| [b"file:", path.as_os_str().as_bytes()].concat();
    let path = known_path(path)?;
    Ok(path.map(|path| Uuid::new_v5(&NAMESPACE, &named(path)).to_string()))
}
