//! Opens, reads and replaces files whose paths come from a user or a template, and which may be anything.
//!
//! A named pipe waits for somebody to write, a device may do something when it is opened, a
//! folder can be opened and not read, and some files have no end. So only regular files are opened,
//! without ever waiting, and what is read into memory has a bound.
//!
//! ```text
//!  path ─► look: not regular? refuse ─► open, not waiting ─► is what is held regular? ─► read up to the bound
//! ```
//! The first look keeps devices closed; the second one, at the open file, is what counts: between the
//! two somebody may have put something else there.
//!
//! The same where something is written: a pipe that nobody reads would be waited for, and a device may do
//! anything. Only `/dev/null`, which does nothing, may stand in the place of a file.
//!
//! What is written comes to its path when it is whole, and not before ([`Replacement`], [`UnfinishedFile`]). Where
//! its name comes from elsewhere, it stays in the folder that it is for ([`ReceivingFolder`]).
//!
//! What is believed because of who could have put it there lies in an [`OwnFolder`].

#![forbid(unsafe_code)]

mod own_folder;
mod receiving_folder;
mod replacement;
mod unfinished;
mod written;

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

pub use self::own_folder::{NotOwn, OwnFolder, UNFINISHED, not_own};
pub use self::receiving_folder::ReceivingFolder;
pub use self::replacement::Replacement;
pub use self::unfinished::UnfinishedFile;
pub use self::written::check_place;
use self::written::create;

/// Opens the regular file at `path` for reading. Links are followed.
///
/// # Errors
/// Those of the file system; [`io::ErrorKind::IsADirectory`] for a folder, and
/// [`io::ErrorKind::InvalidInput`] with its kind for anything else that is no regular file.
pub fn open(path: impl AsRef<Path>) -> io::Result<(File, Metadata)> {
    let path = path.as_ref();
    check(std::fs::metadata(path)?.file_type())?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(not_waiting())
        .open(path)?;
    let metadata = file.metadata()?;
    check(metadata.file_type())?;
    Ok((file, metadata))
}

/// The whole content of the regular file at `path`, at most `most` bytes.
///
/// # Errors
/// As for [`open`]; [`io::ErrorKind::FileTooLarge`] for a file that has more.
pub fn read(path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    // Not what the metadata say: files of `/proc` have a length of 0, and others grow.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// The whole text of the regular file at `path`, at most `most` bytes.
///
/// # Errors
/// As for [`read`]; [`io::ErrorKind::InvalidData`] for what is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

fn too_large(most: u64) -> io::Error {
    let bound = match most {
        most if most >= 1 << 20 => format!("{} MiB", most >> 20),
        most if most >= 1 << 10 => format!("{} KiB", most >> 10),
        most => format!("{most} bytes"),
    };
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it has more than {bound}"),
    )
}

/// Flags with which nothing is waited for and no terminal is taken over.
fn not_waiting() -> i32 {
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

fn check(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let kind = match kind {
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    };
    let message = format!("it is {kind}, and must be a regular file");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn make_pipe(path: &Path) {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, path, FileType::Fifo, mode, 0).unwrap();
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make_pipe(&at("pipe"));
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("pipe", at("link")).unwrap();
        let cases = [
            ("pipe", ErrorKind::InvalidInput, "a pipe"),
            ("link", ErrorKind::InvalidInput, "a pipe"),
            ("socket", ErrorKind::InvalidInput, "a socket"),
            ("/dev/zero", ErrorKind::InvalidInput, "a device"),
            (".", ErrorKind::IsADirectory, "directory"),
            ("nothing", ErrorKind::NotFound, ""),
        ];
        for (name, kind, said) in cases {
            for error in [
                open(at(name)).map(drop).unwrap_err(),
                read(at(name), 10).unwrap_err(),
            ] {
                assert_eq!(error.kind(), kind, "{name}: {error}");
                assert!(error.to_string().contains(said), "{name}: {error}");
            }
        }
    }

    #[test]
    fn no_more_is_read_than_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "äbc").unwrap();
        assert_eq!(read(&path, 4).unwrap(), "äbc".as_bytes());
        assert_eq!(read_to_string(&path, 4).unwrap(), "äbc");
        let error = read(&path, 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it has more than 3 bytes");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let error = read_to_string(&path, 2 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 2 MiB");
        // The length of such a file is not known beforehand.
        assert!(!read("/proc/self/status", 1 << 20).unwrap().is_empty());
        std::fs::write(&path, [0xff]).unwrap();
        let error = read_to_string(&path, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    /// Whatever is put in the place of what was looked at: it is the open file that is judged.
    #[test]
    fn a_pipe_that_takes_the_place_of_a_file_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        make_pipe(&at("pipe"));
        symlink("file", at("path")).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for target in ["pipe", "file"].into_iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    symlink(target, at("next")).unwrap();
                    std::fs::rename(at("next"), at("path")).unwrap();
                }
            });
            for _ in 0..2_000 {
                match read(at("path"), 10) {
                    Ok(bytes) => assert_eq!(bytes, b"text"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
                }
            }
            over.store(true, Ordering::Relaxed);
        });
    }
}
