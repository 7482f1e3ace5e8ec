//! Writes what is going to be at a path beside it, and puts it there once it is whole.
//!
//! ```text
//!  begin ─┬─ nothing there, or a regular file ─► a file beside it ─► finish: it takes the place
//!         │                                          └─ dropped: all is as it was
//!         └─ /dev/null ────────────────────────► that itself, as there is nothing to lose
//! ```
//! A link stays a link: what it leads to is replaced. A file that is replaced keeps its rights.

use std::fs::{File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::{UnfinishedFile, check_place, create};

/// Links that are followed one after the other; as many as Linux follows.
const LINKS: usize = 40;

/// Of what is made in a moment in which what was there has gone.
const MODE: u32 = 0o600;

/// What is going to be at a path. Dropped before it is finished, it leaves what was there.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Beside {
        file: UnfinishedFile,
        /// Those of the file that is replaced.
        permissions: Option<Permissions>,
    },
    Itself(File),
}

impl Replacement {
    /// Makes an empty file to be put at `path` later. The folder must be there.
    ///
    /// # Errors
    /// Those of making a file, and of [`check_place`].
    pub fn begin(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = without_links(path.as_ref())?;
        let there = match path.symlink_metadata() {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        check_place(&path)?;
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let target = Target::Itself(create(&path, MODE)?);
            return Ok(Self { path, target });
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let target = Target::Beside {
            file: UnfinishedFile::create(folder)?,
            permissions: there.map(|metadata| metadata.permissions()),
        };
        Ok(Self { path, target })
    }

    /// What is written to.
    pub fn as_file(&self) -> &File {
        match &self.target {
            Target::Beside { file, .. } => file.as_file(),
            Target::Itself(file) => file,
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// The disk can't hold it, or the file can't be named; what was there before stays.
    pub fn finish(self) -> io::Result<()> {
        let Target::Beside { file, permissions } = self.target else {
            return Ok(());
        };
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
            // Some file systems say only now that there is no room, and something would be lost.
            file.as_file().sync_data()?;
        }
        file.persist(&self.path)
    }
}

/// Where a path leads to in the end. What the last link leads to need not be there.
fn without_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = path.read_link() else {
            return Ok(path);
        };
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    Err(io::Error::other("too many links lead from one to the next"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(path: &Path, text: &str) -> Replacement {
        let replacement = Replacement::begin(path).unwrap();
        replacement.as_file().write_all(text.as_bytes()).unwrap();
        replacement
    }

    #[test]
    fn what_is_not_finished_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(write(&path, "half"));
        assert!(names(folder.path()).is_empty());
        std::fs::write(&path, "precious").unwrap();
        let half = write(&path, "half");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        drop(half);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_rights_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("below")).unwrap();
        std::fs::write(at("below/file"), "a longer text that was there").unwrap();
        std::fs::set_permissions(at("below/file"), Permissions::from_mode(0o640)).unwrap();
        symlink("below/file", at("link")).unwrap();
        symlink("link", at("again")).unwrap();
        write(&at("again"), "new").finish().unwrap();
        assert_eq!(std::fs::read_to_string(at("below/file")).unwrap(), "new");
        let mode = at("below/file").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(at("link").is_symlink() && at("again").is_symlink());
        assert_eq!(names(&at("below")), ["file"]);
        symlink("below/none", at("dangling")).unwrap();
        write(&at("dangling"), "made").finish().unwrap();
        assert_eq!(std::fs::read_to_string(at("below/none")).unwrap(), "made");
    }

    #[test]
    fn nothing_is_written_to_and_folders_and_loops_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(Path::new("/dev/null"), "text").finish().unwrap();
        let error = Replacement::begin(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        symlink("loop", folder.path().join("loop")).unwrap();
        assert!(Replacement::begin(folder.path().join("loop")).is_err());
        assert!(Replacement::begin(folder.path().join("none/file")).is_err());
    }
}
