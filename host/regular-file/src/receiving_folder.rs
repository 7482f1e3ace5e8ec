//! A folder that takes what somebody else names, such as the files of a guest's folder.
//!
//! ```text
//!  a path of the user's ─► open: held ─┬─ name of a file ───► beside it, then in its place: a link is replaced
//!                                      └─ name of a folder ─► held: a link is refused
//! ```
//! Whoever names what is in it could name a link that is there already, and so be led out of it. So each folder
//! is held open, all is made beneath what is held, and no link is followed. Rights come from elsewhere too: the
//! user's umask takes some away, as from everything that is made here.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat, statat};
use rustix::io::Errno;

use crate::Replacement;

/// The rights of a new folder, before the user's umask takes some away.
const CREATED: u32 = 0o777;

/// What is said of a link.
const LINK: &str =
    "it is a link, and who named it has not made it: remove it, or name another folder";

/// A folder that is held open.
#[derive(Debug, Clone)]
pub struct ReceivingFolder(Arc<OwnedFd>);

impl ReceivingFolder {
    /// Opens a folder that the user has named. Links are followed.
    ///
    /// # Errors
    /// Those of opening a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = openat(CWD, path.as_ref(), flags, Mode::empty())?;
        Ok(Self(Arc::new(held)))
    }

    /// A folder in it, and whether it was made.
    ///
    /// # Errors
    /// Those of making and opening a folder; there is a link, or something else, by that name.
    pub fn folder(&self, name: &str) -> io::Result<(Self, bool)> {
        check_name(name)?;
        let made = match mkdirat(&self.0, name, Mode::from_raw_mode(CREATED)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.0, name, flags, Mode::empty()) {
            Ok(held) => Ok((Self(Arc::new(held)), made)),
            Err(Errno::LOOP | Errno::NOTDIR) if self.is_link(name) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, LINK))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an empty file to be put into it under a name, in place of a file or a link that is there.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn file(&self, name: &str) -> io::Result<Replacement> {
        check_name(name)?;
        Replacement::within(&self.0, self.path(), name)
    }

    /// Gives the folder, which was made by [`folder`](Self::folder), rights that somebody else has chosen.
    ///
    /// # Errors
    /// Those of changing rights.
    pub fn set_rights(&self, mode: u32) -> io::Result<()> {
        let allowed = fstat(&self.0)?.st_mode;
        Ok(fchmod(
            &self.0,
            Mode::from_raw_mode(mode & allowed & CREATED),
        )?)
    }

    fn is_link(&self, name: &str) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    }

    /// By which this process finds the folder, whatever becomes of its own path.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// What a new file may have of the rights `mode` that somebody else has chosen. Who may read it by the user's
/// umask may run it too.
pub(crate) fn allowed(file: &File, mode: u32) -> io::Result<Permissions> {
    let own = file.metadata()?.permissions().mode();
    let usual = own | (own & 0o444) >> 2;
    Ok(Permissions::from_mode(mode & usual & CREATED))
}

/// A name leads nowhere else.
fn check_name(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        let message = format!("{name:?} is no name of a file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn put(folder: &ReceivingFolder, name: &str, mode: Option<u32>) -> io::Result<()> {
        let mut file = folder.file(name)?;
        file.as_file().write_all(b"new")?;
        if let Some(mode) = mode {
            file.set_rights(mode)?;
        }
        file.finish()
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn no_name_leads_out_of_it() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        std::fs::create_dir_all(at("real/inner")).unwrap();
        std::fs::create_dir(at("beside")).unwrap();
        std::fs::write(at("beside/precious"), "precious").unwrap();
        symlink("real", at("users")).unwrap();
        symlink("../beside", at("real/folder")).unwrap();
        symlink("../beside/precious", at("real/file")).unwrap();
        symlink("../beside/none", at("real/dangling")).unwrap();
        symlink("inner", at("real/within")).unwrap();
        let folder = ReceivingFolder::open(at("users")).unwrap();
        for name in ["folder", "within", "dangling", "file"] {
            let error = folder.folder(name).unwrap_err();
            assert_eq!(error.to_string(), LINK, "{name}");
        }
        for name in ["file", "dangling", "folder", "plain"] {
            put(&folder, name, Some(0o644)).unwrap();
            let path = at("real").join(name);
            assert!(path.symlink_metadata().unwrap().is_file(), "{name}");
            assert_eq!(std::fs::read_to_string(path).unwrap(), "new");
            assert!(folder.folder(name).is_err(), "{name} is a file");
        }
        assert!(put(&folder, "inner", None).is_err(), "it is a folder");
        for name in ["", ".", "..", "../beside", "/tmp", "inner/a", "a\0b"] {
            assert!(folder.folder(name).is_err() && put(&folder, name, None).is_err());
        }
        let precious = std::fs::read_to_string(at("beside/precious")).unwrap();
        assert_eq!(precious, "precious");
        assert_eq!(std::fs::read_dir(at("beside")).unwrap().count(), 1);
        let names = std::fs::read_dir(at("real")).unwrap().count();
        assert_eq!(names, 6, "nothing unfinished is left");
    }

    #[test]
    fn it_is_held_whatever_becomes_of_its_path() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        for name in ["a/b", "other/b"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let (inner, made) = ReceivingFolder::open(at("a")).unwrap().folder("b").unwrap();
        assert!(!made);
        let begun = inner.file("begun").unwrap();
        std::fs::rename(at("a"), at("away")).unwrap();
        symlink("other", at("a")).unwrap();
        begun.finish().unwrap();
        put(&inner, "later", None).unwrap();
        inner.folder("folder").unwrap();
        for name in ["begun", "later", "folder"] {
            assert!(at("away/b").join(name).exists(), "{name}");
            assert!(!at("other/b").join(name).exists(), "{name}");
        }
    }

    #[test]
    fn nobody_gets_rights_that_the_umask_takes_away() {
        let outer = tempfile::tempdir().unwrap();
        let at = |name: &str| outer.path().join(name);
        std::fs::write(at("usual"), "").unwrap();
        std::fs::create_dir(at("usual folder")).unwrap();
        let (file_usual, folder_usual) = (mode(&at("usual")), mode(&at("usual folder")));
        let folder = ReceivingFolder::open(outer.path()).unwrap();
        for asked in [0o777, 0o7777, 0o666, 0o640, 0o600, 0o400, 0] {
            put(&folder, "file", Some(asked)).unwrap();
            let found = mode(&at("file"));
            let expected = asked & (file_usual | (file_usual & 0o444) >> 2) & 0o777;
            assert_eq!(found, expected, "{asked:o}");
            let (made, is_new) = folder.folder("folder").unwrap();
            assert!(is_new);
            made.set_rights(asked | 0o700).unwrap();
            let expected = (asked | 0o700) & folder_usual;
            assert_eq!(mode(&at("folder")), expected, "{asked:o}");
            std::fs::remove_dir(at("folder")).unwrap();
        }
        put(&folder, "plain", None).unwrap();
        assert_eq!(mode(&at("plain")), file_usual);
    }
}
