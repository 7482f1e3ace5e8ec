//! Files and folders that may hold secrets: only this user can read them, whatever the umask is.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// What a file's owner may do: read and write.
const FILE: u32 = 0o600;
/// What a folder's owner may do: all.
const FOLDER: u32 = 0o700;

/// An empty file at `path`, in a folder that is made if need be. One that is there is emptied, and
/// nobody else can read it from now on.
///
/// # Errors
/// Those of making a folder or file, and of changing the mode of another user's file.
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
    let file = lvhost_regular_file::create(path, FILE)?;
    // A file that was there has kept its mode, and /dev/null is everybody's.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    async fn what_was_there_is_emptied_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("screen.png");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        create(&path).await.unwrap();
        assert_eq!(
            (mode(&path), std::fs::read(&path).unwrap().len()),
            (FILE, 0)
        );
        assert_eq!(mode(folder.path()), 0o755, "the folder is the user's own");
    }

    #[tokio::test]
    async fn what_is_no_file_keeps_its_mode() {
        let before = mode(Path::new("/dev/null"));
        create(Path::new("/dev/null")).await.unwrap();
        assert_eq!(mode(Path::new("/dev/null")), before);
    }
}
