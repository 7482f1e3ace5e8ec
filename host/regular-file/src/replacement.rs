//! Writes what is going to be at a path beside it, and puts it there once it is whole.
//!
//! ```text
//!  begin ─┬─ nothing there, or a regular file ─► a file beside it ─► finish: it takes the place
//!         │                                          └─ dropped: all is as it was
//!         └─ /dev/null ────────────────────────► that itself, as there is nothing to lose
//! ```
//! A link stays a link: what it leads to is replaced. A file that is replaced keeps its rights, if it was the
//! user's own. Where others may put links too, as in `/tmp`, only a link of the user's or of the folder's owner
//! is followed: the rule that Linux has for opening files (`fs.protected_symlinks`, proc_sys_fs(5)), which
//! looking for the last link by ourselves would get around.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::geteuid;

use crate::receiving_folder::allowed;
use crate::{UnfinishedFile, check_place, create};

/// Links that are followed one after the other; as many as Linux follows.
const LINKS: usize = 40;

/// Of what is made in a moment in which what was there has gone.
const MODE: u32 = 0o600;

/// The rights of a file that it hands on to the one in its place: none to become its owner by running it.
const RIGHTS: u32 = 0o777;

/// A folder in which everybody may make files, and remove their own only.
const SHARED: u32 = 0o1002;

/// What is going to be at a path. Dropped before it is finished, it leaves what was there.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    target: Target,
    /// What the path is found by, if it is a folder that is held.
    held: Option<Arc<OwnedFd>>,
}

#[derive(Debug)]
enum Target {
    Beside {
        file: UnfinishedFile,
        /// Those that it gets, if they are others than those of a new file.
        permissions: Option<Permissions>,
        /// Whether there was a file.
        replaces: bool,
    },
    Itself(File),
}

impl Replacement {
    /// Makes an empty file to be put at `path` later. The folder must be there.
    ///
    /// # Errors
    /// Those of making a file, and of [`check_place`].
    pub fn begin(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with(path.as_ref(), |there| there.and_then(kept))
    }

    /// The same for what nobody but the user may read, whatever was there.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub fn begin_private(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::with(path.as_ref(), |_| Some(Permissions::from_mode(MODE)))
    }

    fn with(
        path: &Path,
        permissions: impl FnOnce(Option<&Metadata>) -> Option<Permissions>,
    ) -> io::Result<Self> {
        let path = without_links(path)?;
        let there = match path.symlink_metadata() {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        check_place(&path)?;
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let target = Target::Itself(create(&path, MODE)?);
            return Ok(Self {
                path,
                target,
                held: None,
            });
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let target = Target::Beside {
            file: UnfinishedFile::create(folder)?,
            permissions: permissions(there.as_ref()),
            replaces: there.is_some(),
        };
        Ok(Self {
            path,
            target,
            held: None,
        })
    }

    /// The same for a name in a folder that is held, and that `folder` leads to. A link of that name is replaced.
    pub(crate) fn within(held: &Arc<OwnedFd>, folder: PathBuf, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        let there = path.symlink_metadata().ok();
        let there = there.filter(Metadata::is_file);
        let target = Target::Beside {
            file: UnfinishedFile::create(&folder)?,
            permissions: there.as_ref().and_then(kept),
            replaces: there.is_some(),
        };
        Ok(Self {
            path,
            target,
            held: Some(Arc::clone(held)),
        })
    }

    /// Gives the file rights that somebody else has chosen, as far as the user's umask lets them.
    ///
    /// # Errors
    /// Those of looking at a file.
    pub fn set_rights(&mut self, mode: u32) -> io::Result<()> {
        if let Target::Beside {
            file, permissions, ..
        } = &mut self.target
        {
            *permissions = Some(allowed(file.as_file(), mode)?);
        }
        Ok(())
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
        let Target::Beside {
            file,
            permissions,
            replaces,
        } = self.target
        else {
            return Ok(());
        };
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        if replaces {
            // Some file systems say only now that there is no room, and something would be lost.
            file.as_file().sync_data()?;
        }
        let put = file.persist(&self.path);
        drop(self.held);
        put
    }
}

/// The rights that the file in the place of `there` gets from it. Who else has put a file there has no say in
/// who may write to ours.
fn kept(there: &Metadata) -> Option<Permissions> {
    let is_own = there.uid() == geteuid().as_raw();
    is_own.then(|| Permissions::from_mode(there.mode() & RIGHTS))
}

/// Where a path leads to in the end. What the last link leads to need not be there.
pub(crate) fn without_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = path.read_link() else {
            return Ok(path);
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let owner = path.symlink_metadata()?.uid();
        if !is_followed(owner, &folder.metadata()?, geteuid().as_raw()) {
            return Err(io::Error::other(format!(
                "{} is a link that another user has made, in a folder that everybody can write to; \
                 remove it, or name another path",
                path.display()
            )));
        }
        path = folder.join(target);
    }
    Err(io::Error::other("too many links lead from one to the next"))
}

/// Whether a link of `owner` in a folder is followed for `user`.
fn is_followed(owner: u32, folder: &Metadata, user: u32) -> bool {
    folder.mode() & SHARED != SHARED || owner == user || owner == folder.uid()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{chown, lchown, symlink};

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
    fn rights_that_another_user_has_chosen_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("new"), "").unwrap();
        let usual = at("new").metadata().unwrap().mode() & 0o7777;
        // Rights with which whoever runs the file is its owner are nobody's to hand on.
        for (owner, mode, expected) in [
            (None, 0o640, 0o640),
            (None, 0o4755, 0o755),
            (None, 0o2775, 0o775),
            (Some(12345), 0o4777, usual),
            (Some(12345), 0o666, usual),
        ] {
            std::fs::write(at("file"), "old").unwrap();
            if owner.is_some() && chown(at("file"), owner, owner).is_err() {
                eprintln!("SKIPPED: only root can give files to another user");
                continue;
            }
            std::fs::set_permissions(at("file"), Permissions::from_mode(mode)).unwrap();
            write(&at("file"), "new").finish().unwrap();
            let found = at("file").metadata().unwrap();
            assert_eq!(found.mode() & 0o7777, expected, "{owner:?} {mode:o}");
            assert_eq!(found.uid(), geteuid().as_raw());
            std::fs::remove_file(at("file")).unwrap();
        }
    }

    #[test]
    fn what_is_private_is_nobody_elses_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for owner in [None, Some(12345)] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
            // Somebody may have opened it when they still could.
            let mut reader = File::open(&path).unwrap();
            if owner.is_some() && chown(&path, owner, owner).is_err() {
                eprintln!("SKIPPED: only root can give files to another user");
                continue;
            }
            let file = Replacement::begin_private(&path).unwrap();
            let mut writer = file.as_file().try_clone().unwrap();
            file.finish().unwrap();
            writer.write_all(b"secret").unwrap();
            let found = path.metadata().unwrap();
            let user = geteuid().as_raw();
            assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, user));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "secret");
            assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
        }
    }

    #[test]
    fn another_users_link_is_not_followed_where_everybody_may_make_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("shared")).unwrap();
        std::fs::write(at("precious"), "precious").unwrap();
        symlink("../precious", at("shared/file")).unwrap();
        symlink("shared/file", at("own")).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(at("shared"), Permissions::from_mode(mode)).unwrap();
        };
        mode(0o1777);
        // The user's own, and that of the folder's owner, are.
        write(&at("shared/file"), "one").finish().unwrap();
        if lchown(at("shared/file"), Some(12345), Some(12345)).is_err() {
            eprintln!("SKIPPED: only root can give links to another user");
            return;
        }
        for path in ["shared/file", "own"] {
            let error = Replacement::begin(at(path)).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("a link that another user has made"), "{said}");
            assert!(Replacement::begin_private(at(path)).is_err());
            assert!(check_place(at(path)).is_err());
        }
        assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "one");
        chown(at("shared"), Some(12345), Some(12345)).unwrap();
        write(&at("shared/file"), "two").finish().unwrap();
        assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "two");
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
