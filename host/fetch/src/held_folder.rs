//! A folder that is held open: what is opened beneath it stays beneath it, whatever becomes of its path.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

/// A folder by which files are allowed. It is found by its path once. A link may lead from one place in it to
/// another; one that leads out of it is refused, also one that was put there a moment ago.
#[derive(Clone, Debug)]
pub struct HeldFolder {
    path: PathBuf,
    folder: Arc<Dir>,
}

impl HeldFolder {
    /// Opens it. This blocks on the file system.
    ///
    /// # Errors
    /// Those of opening a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: Arc::new(Dir::open_ambient_dir(path, ambient_authority())?),
            path: path.to_owned(),
        })
    }

    /// What a path is beneath the folder, by the names alone; `.` for the folder itself, `None` for what is
    /// not in it.
    pub fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let below = path.strip_prefix(&self.path).ok()?;
        let is_itself = below.as_os_str().is_empty();
        Some(if is_itself { Path::new(".") } else { below })
    }

    /// A folder beneath it. This blocks on the file system.
    ///
    /// # Errors
    /// Those of opening a folder; it is not beneath this one ([`leads_out`]).
    pub fn folder(&self, below: &Path) -> io::Result<Dir> {
        self.folder.open_dir(below)
    }

    /// A regular file beneath it, open for reading. This blocks on the file system.
    ///
    /// # Errors
    /// Those of opening a file; it is not beneath this folder ([`leads_out`]), or none.
    pub fn file(&self, below: &Path) -> io::Result<File> {
        open_regular(&self.folder, below)
    }
}

/// A regular file beneath a folder, open for reading; what it is shows when it is open. This blocks on the
/// file system.
///
/// # Errors
/// Those of opening a file; it is not beneath the folder ([`leads_out`]), or none.
pub fn open_regular(folder: &Dir, below: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags());
    regular(folder.open_with(below, &options)?.into_std())
}

/// Flags by which opening a named pipe does not wait for its other end.
pub(crate) fn flags() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

/// The file, if it is a regular one.
pub(crate) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR))
    }
}

/// What is said of what is no regular file.
pub(crate) const NOT_REGULAR: &str = "it is not a regular file";

/// Whether an error says that a path leads out of the folder that it should be beneath.
pub fn leads_out(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}
