//! A folder that nobody else can write to, held open, and the files in it by their names.
//!
//! What is in such a folder is believed because of who could have put it there. So its owner and its mode are
//! looked at when it is opened, and from then on its files are opened beneath that very folder: without
//! following a link, and each with a look at who owns what is open. Other users, and programs that run as
//! them, then have no say in it, whatever becomes of its path.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, linkat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

/// What the name of a file begins with until it is complete and gets its own.
pub const UNFINISHED: &str = ".new-";

/// The bits of a mode by which group and others can write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The bits of a mode by which group and others can do anything.
const ANYTHING_BY_OTHERS: u32 = 0o077;

/// The system's administrator, who can do everything anyway.
const ROOT: u32 = 0;

/// A folder of the user's own.
#[derive(Debug)]
pub struct OwnFolder {
    held: OwnedFd,
    path: PathBuf,
}

/// Why a folder or a file in it is not believed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotOwn {
    /// Somebody else's.
    #[error(
        "it belongs to another user (id {owner}), who could have put anything there; if it is to be yours, \
         look at what is in it and run `chown -R {user}` on it, or remove it"
    )]
    Owner {
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Everybody's.
    #[error(
        "other users can write to it (mode {mode:04o}); look at what is in it and run `chmod go-w` on it"
    )]
    Writable {
        /// Its mode.
        mode: u32,
    },
    /// A secret that others can read.
    #[error("other users can read it (mode {mode:04o}); run `chmod go-rwx` on it if nobody has")]
    Readable {
        /// Its mode.
        mode: u32,
    },
    /// Something that is no file.
    #[error("it is a link, a folder or a device, and no file; remove it")]
    NotAFile,
}

impl From<NotOwn> for io::Error {
    fn from(error: NotOwn) -> Self {
        Self::other(error)
    }
}

/// Judges who could have made something and what others may do with it.
fn judge(owner: u32, mode: u32, forbidden: u32, user: u32) -> Result<(), NotOwn> {
    let mode = mode & 0o7777;
    if owner != user && owner != ROOT {
        return Err(NotOwn::Owner { owner, user });
    }
    if mode & forbidden & WRITABLE_BY_OTHERS != 0 {
        return Err(NotOwn::Writable { mode });
    }
    if mode & forbidden != 0 {
        return Err(NotOwn::Readable { mode });
    }
    Ok(())
}

/// Why an error says that something is not the user's own, if it does.
pub fn not_own(error: &io::Error) -> Option<&NotOwn> {
    error.get_ref()?.downcast_ref()
}

impl OwnFolder {
    /// Opens the folder at a path, and makes it, with those above it, if it isn't there. Links on the way are
    /// followed.
    ///
    /// # Errors
    /// Those of opening or making it; others than its owner can write to it ([`not_own`]).
    pub fn make(path: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        Self::open(path)
    }

    /// Opens the folder at a path. Links on the way are followed.
    ///
    /// # Errors
    /// Those of opening it; others than its owner can write to it ([`not_own`]).
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::judged(openat(CWD, path, flags, Mode::empty())?, path.to_owned())
    }

    /// A folder in it, made if it isn't there.
    ///
    /// # Errors
    /// Those of [`Self::make`]; a link by that name.
    pub fn folder(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.held, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let held = openat(&self.held, name, flags, Mode::empty())?;
        Self::judged(held, self.path.join(name))
    }

    fn judged(held: OwnedFd, path: PathBuf) -> io::Result<Self> {
        let status = rustix::fs::fstat(&held)?;
        let user = geteuid().as_raw();
        judge(status.st_uid, status.st_mode, WRITABLE_BY_OTHERS, user)?;
        Ok(Self { held, path })
    }

    /// Where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file that only its owner can change, open for reading.
    ///
    /// # Errors
    /// Those of opening it; it is a link, or somebody else's ([`not_own`]).
    pub fn file(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlags::RDONLY, WRITABLE_BY_OTHERS)
    }

    /// A file that only its owner can read, open for reading.
    ///
    /// # Errors
    /// Those of [`Self::file`]; others can read it.
    pub fn secret_file(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlags::RDONLY, ANYTHING_BY_OTHERS)
    }

    /// A file for reading and writing, empty if it is new.
    ///
    /// # Errors
    /// Those of opening and making it; it is a link, or somebody else's ([`not_own`]).
    pub fn make_file(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlags::RDWR | OFlags::CREATE, 0)
    }

    fn open_file(&self, name: &str, flags: OFlags, forbidden: u32) -> io::Result<File> {
        let file = self.whatever(name, flags)?;
        let metadata = file.metadata()?;
        judge(
            metadata.uid(),
            metadata.mode(),
            forbidden,
            geteuid().as_raw(),
        )?;
        Ok(file)
    }

    /// A regular file, whosever it is, open for reading.
    ///
    /// # Errors
    /// Those of opening it; it is a link, or no file ([`not_own`]).
    pub fn anybodys_file(&self, name: &str) -> io::Result<File> {
        self.whatever(name, OFlags::RDONLY)
    }

    fn whatever(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // A named pipe would not open until somebody opens its other end.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match openat(&self.held, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(NotOwn::NotAFile.into()),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(NotOwn::NotAFile.into())
        }
    }

    /// A new file that has no name, and goes with its last handle.
    ///
    /// # Errors
    /// Those of making it.
    pub fn unnamed_file(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        match openat(&self.held, ".", flags | OFlags::TMPFILE, mode) {
            Ok(file) => Ok(file.into()),
            // A file system without.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let (file, name) = self.unfinished()?;
                self.remove(&name)?;
                Ok(file)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A new file for its owner only, under a name that is not its own yet.
    fn unfinished(&self) -> io::Result<(File, String)> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
        loop {
            let name = format!("{UNFINISHED}{:016x}", rand::random::<u64>());
            match openat(&self.held, &*name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Ok((file.into(), name)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts a whole file, for its owner only, in place of what is there by that name.
    ///
    /// # Errors
    /// Those of writing; nothing has changed then.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (mut file, unfinished) = self.unfinished()?;
        let written = file
            .write_all(bytes)
            .and_then(|()| self.rename(&unfinished, self, name));
        written.inspect_err(|_| {
            // What is left behind is removed with what is old.
            let _ = self.remove(&unfinished);
        })
    }

    /// Writes a whole file, for its owner only and safe from a power failure, unless there is one by that name.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], and those of writing.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (mut file, unfinished) = self.unfinished()?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let written = written.and_then(|()| {
            let linked = linkat(&self.held, &*unfinished, &self.held, name, AtFlags::empty());
            Ok(linked?)
        });
        let removed = self.remove(&unfinished);
        written.and(removed)
    }

    /// Gives a file another name, in this or another folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn rename(&self, name: &str, folder: &Self, new: &str) -> io::Result<()> {
        Ok(renameat(&self.held, name, &folder.held, new)?)
    }

    /// Removes a file or a link; nothing if there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.held, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all that is in it, but for those that are not Unicode: none of those is ours.
    ///
    /// # Errors
    /// Those of reading the folder.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.held)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn whose_something_is_and_what_others_may_do_decides() {
        let other = |owner| Err(NotOwn::Owner { owner, user: 1000 });
        for (owner, mode, forbidden, expected) in [
            (1000, 0o40700, WRITABLE_BY_OTHERS, Ok(())),
            (1000, 0o40755, WRITABLE_BY_OTHERS, Ok(())),
            (0, 0o40755, WRITABLE_BY_OTHERS, Ok(())),
            (1001, 0o40700, WRITABLE_BY_OTHERS, other(1001)),
            (1001, 0o40777, WRITABLE_BY_OTHERS, other(1001)),
            (
                1000,
                0o40775,
                WRITABLE_BY_OTHERS,
                Err(NotOwn::Writable { mode: 0o775 }),
            ),
            (
                1000,
                0o41777,
                WRITABLE_BY_OTHERS,
                Err(NotOwn::Writable { mode: 0o1777 }),
            ),
            (
                0,
                0o40702,
                WRITABLE_BY_OTHERS,
                Err(NotOwn::Writable { mode: 0o702 }),
            ),
            (1000, 0o100600, ANYTHING_BY_OTHERS, Ok(())),
            (
                1000,
                0o100640,
                ANYTHING_BY_OTHERS,
                Err(NotOwn::Readable { mode: 0o640 }),
            ),
            (
                1000,
                0o100620,
                ANYTHING_BY_OTHERS,
                Err(NotOwn::Writable { mode: 0o620 }),
            ),
            (1000, 0o100666, 0, Ok(())),
            (1001, 0o100600, 0, other(1001)),
        ] {
            assert_eq!(
                judge(owner, mode, forbidden, 1000),
                expected,
                "{owner} {mode:o}"
            );
        }
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        let folder = OwnFolder::make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            fs::metadata(outer.path().join("a")).unwrap().mode() & 0o777,
            0o700
        );
        folder.folder("c").unwrap();
        for (bad, good) in [(0o770, 0o750), (0o707, 0o705), (0o1777, 0o755)] {
            mode(&path, bad);
            let error = OwnFolder::make(&path).unwrap_err();
            assert!(
                matches!(not_own(&error), Some(NotOwn::Writable { .. })),
                "{error}"
            );
            mode(&path, good);
            OwnFolder::make(&path).unwrap();
            mode(&path.join("c"), bad);
            assert!(not_own(&folder.folder("c").unwrap_err()).is_some());
            mode(&path.join("c"), good);
        }
        // The user's own link to it is their choice; one in it is nobody's.
        symlink(&path, outer.path().join("link")).unwrap();
        OwnFolder::make(&outer.path().join("link")).unwrap();
        symlink("c", path.join("d")).unwrap();
        folder.folder("d").unwrap_err();
    }

    #[test]
    fn what_is_another_users_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let folder = OwnFolder::make(&outer.path().join("a")).unwrap();
        fs::write(outer.path().join("a/file"), "planted").unwrap();
        fs::create_dir(outer.path().join("a/folder")).unwrap();
        let given = ["a/file", "a/folder", "a"].map(|name| {
            std::os::unix::fs::chown(outer.path().join(name), Some(12345), Some(12345)).is_ok()
        });
        if given != [true; 3] {
            eprintln!("SKIPPED: only root can give files to another user");
            return;
        }
        let is_foreign =
            |error: &io::Error| matches!(not_own(error), Some(NotOwn::Owner { owner: 12345, .. }));
        assert!(is_foreign(
            &OwnFolder::make(&outer.path().join("a")).unwrap_err()
        ));
        for opened in [
            folder.file("file"),
            folder.secret_file("file"),
            folder.make_file("file"),
        ] {
            assert!(is_foreign(&opened.unwrap_err()));
        }
        assert!(is_foreign(&folder.folder("folder").unwrap_err()));
        folder.anybodys_file("file").unwrap();
        folder.remove("file").unwrap();
    }

    #[test]
    fn links_and_pipes_are_no_files() {
        let outer = tempfile::tempdir().unwrap();
        let folder = OwnFolder::make(&outer.path().join("a")).unwrap();
        fs::write(outer.path().join("target"), "target").unwrap();
        symlink("../target", outer.path().join("a/link")).unwrap();
        symlink("nothing", outer.path().join("a/dangling")).unwrap();
        let pipe = outer.path().join("a/pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        folder.folder("folder").unwrap();
        for name in ["link", "dangling", "pipe", "folder"] {
            for opened in [
                folder.file(name),
                folder.secret_file(name),
                folder.make_file(name),
            ] {
                let error = opened.unwrap_err();
                assert_eq!(not_own(&error), Some(&NotOwn::NotAFile), "{name}: {error}");
            }
        }
        assert_eq!(
            fs::read_to_string(outer.path().join("target")).unwrap(),
            "target"
        );
    }

    #[test]
    fn files_are_written_whole_and_for_their_owner() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a");
        let folder = OwnFolder::make(&path).unwrap();
        folder.write_new("key", b"one").unwrap();
        let error = folder.write_new("key", b"two").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let mut text = String::new();
        folder
            .secret_file("key")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "one");
        folder.write("key", b"three").unwrap();
        assert_eq!(fs::read(path.join("key")).unwrap(), b"three");
        folder.unnamed_file().unwrap();
        assert_eq!(folder.names().unwrap(), ["key"]);
        mode(&path.join("key"), 0o644);
        assert!(folder.secret_file("key").is_err() && folder.file("key").is_ok());
        mode(&path.join("key"), 0o664);
        assert!(folder.file("key").is_err());
        // Beneath the folder that was opened, whatever has its name now.
        fs::rename(&path, outer.path().join("b")).unwrap();
        fs::create_dir(&path).unwrap();
        folder.write("later", b"").unwrap();
        assert!(outer.path().join("b/later").exists());
    }
}
