//! A file without a name until it is whole, so that not even a killed process leaves half of one.
//!
//! ```text
//!  create ─┬─► without a name ──────────────────────────► persist: it gets its name
//!          └─► the file system can't: a hidden name ────► persist: it is renamed
//! ```

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::{Builder, NamedTempFile};

/// The rights of a new file, before the user's umask takes some away.
const CREATED: u32 = 0o666;

/// How files begin that have to have a name before their time.
const HIDDEN: &str = ".lvhost-";

/// A file that is gone when it is dropped.
#[derive(Debug)]
pub enum UnfinishedFile {
    /// It is gone with the process as well.
    Unnamed(File),
    /// It would stay if the process were killed.
    Named(NamedTempFile),
}

impl UnfinishedFile {
    /// Makes a file for [`persist`](Self::persist) to a path in `directory`.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn create(directory: &Path) -> io::Result<Self> {
        match unnamed(directory) {
            Ok(file) => Ok(Self::Unnamed(file)),
            // Network file systems can't, and neither can overlays on old kernels. What fails for
            // another reason fails again.
            Err(_) => Builder::new()
                .prefix(HIDDEN)
                .permissions(Permissions::from_mode(CREATED))
                .tempfile_in(directory)
                .map(Self::Named),
        }
    }

    /// The file.
    pub fn as_file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// A path by which this process can open the file again, for as long as it has no name of its own.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Unnamed(file) => own_path(file),
            Self::Named(file) => file.path().to_owned(),
        }
    }

    /// Gives the file its name, which nothing may have now.
    ///
    /// # Errors
    /// Those of naming a file, [`io::ErrorKind::AlreadyExists`] among them; it is gone then.
    pub fn persist_new(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Named(file) => file
                .persist_noclobber(path)
                .map(drop)
                .map_err(io::Error::from),
            Self::Unnamed(file) => link(&file, path),
        }
    }

    /// Gives the file its name, in place of a file that has it now.
    ///
    /// # Errors
    /// Those of naming a file; it is gone then.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        let file = match self {
            Self::Named(file) => return file.persist(path).map(drop).map_err(Into::into),
            Self::Unnamed(file) => file,
        };
        match link(&file, path) {
            // Only a file with a name can take another one's place.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let directory = path.parent().unwrap_or(Path::new("."));
                let named = Builder::new()
                    .prefix(HIDDEN)
                    .make_in(directory, |path| link(&file, path))?;
                named.persist(path).map_err(Into::into)
            }
            result => result,
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_directory: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn unnamed(directory: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};

    let how = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(open(directory, how, Mode::from_raw_mode(CREATED))?);
    // Without it the file could never be named.
    if !own_path(&file).exists() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(file)
}

/// By which the system finds a file that has no name.
fn own_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    linkat(CWD, own_path(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_seen_before_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        for text in ["first", "second"] {
            let before = names(folder.path());
            let dropped = UnfinishedFile::create(folder.path()).unwrap();
            dropped.as_file().write_all(b"half").unwrap();
            assert_eq!(std::fs::read(dropped.path()).unwrap(), b"half");
            if matches!(dropped, UnfinishedFile::Unnamed(_)) {
                assert_eq!(names(folder.path()), before);
            }
            drop(dropped);
            let file = UnfinishedFile::create(folder.path()).unwrap();
            file.as_file().write_all(text.as_bytes()).unwrap();
            file.persist(&path).unwrap();
            assert_eq!(names(folder.path()), ["copy"]);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_file_with_a_hidden_name_gets_its_own_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        let file = NamedTempFile::new_in(folder.path()).unwrap();
        file.as_file().write_all(b"text").unwrap();
        UnfinishedFile::Named(file).persist(&path).unwrap();
        assert_eq!(names(folder.path()), ["copy"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }

    #[test]
    fn what_is_there_stays_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        let unnamed = || UnfinishedFile::create(folder.path()).unwrap();
        let named = || UnfinishedFile::Named(NamedTempFile::new_in(folder.path()).unwrap());
        for make in [&unnamed as &dyn Fn() -> UnfinishedFile, &named] {
            std::fs::write(&path, "precious").unwrap();
            let error = make().persist_new(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&path).unwrap(), b"precious");
            std::fs::remove_file(&path).unwrap();
            make().persist_new(&path).unwrap();
            assert_eq!(names(folder.path()), ["copy"]);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = UnfinishedFile::create(&folder.path().join("none")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
