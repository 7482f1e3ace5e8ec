//! Files that are written where they are: what may stand at their paths.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::makedev;

use crate::replacement::without_links;
use crate::{check, not_waiting};

/// The numbers of `/dev/null` (Documentation/admin-guide/devices.txt of Linux).
const NULL: (u32, u32) = (1, 3);

/// Whether a file can be at `path`: there is one, or `/dev/null`, or nothing. Links are followed, but for those
/// that [`Replacement`](crate::Replacement) does not follow.
///
/// # Errors
/// As those of [`open`](crate::open) for what is no regular file.
pub fn check_place(path: impl AsRef<Path>) -> io::Result<()> {
    match std::fs::metadata(without_links(path.as_ref())?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        there => check_written(&there?),
    }
}

/// An empty file at `path`, which nobody else can read if it is made, or `/dev/null`. One that is there is
/// emptied.
///
/// # Errors
/// Those of the file system, and of [`check_place`].
pub(crate) fn create(path: impl AsRef<Path>, mode: u32) -> io::Result<File> {
    let path = path.as_ref();
    check_place(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(not_waiting())
        .open(path)?;
    // Somebody may have put something else there.
    check_written(&file.metadata()?)?;
    Ok(file)
}

fn check_written(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_char_device() && metadata.rdev() == makedev(NULL.0, NULL.1) {
        return Ok(());
    }
    check(kind)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::Replacement;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("pipe", at("link")).unwrap();
        for (name, part) in [
            ("pipe", "a pipe"),
            ("link", "a pipe"),
            ("socket", "a socket"),
            ("/dev/zero", "a device"),
            ("/dev/full", "a device"),
            (".", "directory"),
        ] {
            let begun = Replacement::begin(at(name)).map(drop);
            for refused in [
                check_place(at(name)),
                create(at(name), 0o600).map(drop),
                begun,
            ] {
                let error = refused.unwrap_err().to_string();
                assert!(error.contains(part), "{name}: {error}");
            }
        }
    }

    #[test]
    fn files_and_nothing_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["a longer text", "text"] {
            check_place(&path).unwrap();
            create(&path, 0o600)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        check_place("/dev/null").unwrap();
        create("/dev/null", 0o600)
            .unwrap()
            .write_all(b"text")
            .unwrap();
    }
}
