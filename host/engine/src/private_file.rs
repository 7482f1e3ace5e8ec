//! Files and folders that may hold secrets: only this user can read them, whatever the umask is.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use lvhost_regular_file::Replacement;

/// What a folder's owner may do: all.
const FOLDER: u32 = 0o700;

/// An empty file at `path`, in a folder that is made if need be, in place of one that is there: that one may be
/// somebody else's, and whoever has opened it goes on reading it.
///
/// # Errors
/// Those of making a folder or file, and of replacing another user's file.
pub(crate) async fn create(path: &Path) -> io::Result<tokio::fs::File> {
    let path = path.to_owned();
    let made = tokio::task::spawn_blocking(move || create_now(&path)).await;
    Ok(tokio::fs::File::from_std(made.map_err(io::Error::other)??))
}

fn create_now(path: &Path) -> io::Result<File> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER)
            .create(folder)?;
    }
    let replacement = Replacement::begin_private(path)?;
    let file = replacement.as_file().try_clone()?;
    replacement.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What a file's owner may do: read and write.
    const FILE: u32 = 0o600;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn nobody_else_can_read_what_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/console.log");
        create(&path).await.unwrap();
        assert_eq!(mode(&path), FILE);
        for made in ["a", "a/b"] {
            assert_eq!(mode(&folder.path().join(made)), FOLDER, "{made}");
        }
    }

    #[tokio::test]
    async fn what_was_there_is_replaced_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.png");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let mut reader = File::open(&path).unwrap();
        let mut file = create(&path).await.unwrap();
        file.write_all(b"secret").await.unwrap();
        file.flush().await.unwrap();
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!((mode(&path), &*found), (FILE, "secret"));
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old", "who opened it before reads what it was before");
        assert_eq!(mode(folder.path()), 0o755, "the folder is the user's own");
    }

    #[tokio::test]
    async fn what_is_no_file_keeps_its_mode() {
        let before = mode(Path::new("/dev/null"));
        create(Path::new("/dev/null")).await.unwrap();
        assert_eq!(mode(Path::new("/dev/null")), before);
    }
}
