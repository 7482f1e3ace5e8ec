//! Files of this machine that are sent into the guest, or come out of it.

use std::io;
use std::path::Path;

use lvhost_regular_file::{ReceivingFolder, Replacement};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

/// Opens a regular file and tells its length. Pipes and devices are refused, not waited for.
pub(crate) async fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let path = path.to_owned();
    let opening = spawn_blocking(move || lvhost_regular_file::open(path));
    let (file, metadata) = opening.await.map_err(io::Error::other)??;
    Ok((File::from_std(file), metadata.len()))
}

/// A file that comes to its path when it is whole. What was there stays until then, and for good if the
/// transfer fails or is cancelled.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    replacement: Replacement,
}

impl NewFile {
    /// Begins a file for `path`, whose folder must be there.
    ///
    /// # Errors
    /// Those of making a file.
    pub async fn begin(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        Self::made(move || Replacement::begin(path)).await
    }

    async fn made(
        make: impl FnOnce() -> io::Result<Replacement> + Send + 'static,
    ) -> io::Result<Self> {
        let making = spawn_blocking(move || {
            let replacement = make()?;
            let file = replacement.as_file().try_clone()?;
            Ok::<_, io::Error>((file, replacement))
        });
        let (file, replacement) = making.await.map_err(io::Error::other)??;
        Ok(Self {
            file: File::from_std(file),
            replacement,
        })
    }

    /// Gives it the rights that it has in the guest, as far as the user's umask lets them.
    ///
    /// # Errors
    /// Those of looking at a file.
    pub(crate) fn set_rights(&mut self, mode: u32) -> io::Result<()> {
        self.replacement.set_rights(mode)
    }

    /// What takes its bytes.
    pub fn writer(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// The bytes can't be kept, or the file can't be named; what was there stays.
    pub async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        let finishing = spawn_blocking(move || self.replacement.finish());
        finishing.await.map_err(io::Error::other)?
    }
}

/// A folder that takes what the guest names. No name leads out of it, by no link that is there either.
#[derive(Debug, Clone)]
pub struct GuestsFolder(ReceivingFolder);

impl GuestsFolder {
    /// Opens a folder of the user's, and makes it, with those above it, if it isn't there. Tells whether it was
    /// made.
    ///
    /// # Errors
    /// Those of making and opening a folder.
    pub async fn make(path: &Path) -> io::Result<(Self, bool)> {
        let path = path.to_owned();
        let making = spawn_blocking(move || {
            let is_there = path.is_dir();
            std::fs::create_dir_all(&path)?;
            Ok::<_, io::Error>((Self(ReceivingFolder::open(path)?), !is_there))
        });
        making.await.map_err(io::Error::other)?
    }

    /// A folder in it, and whether it was made.
    ///
    /// # Errors
    /// Those of making and opening a folder; something else has its name.
    pub(crate) async fn folder(&self, name: &str) -> io::Result<(Self, bool)> {
        let (folder, name) = (self.0.clone(), name.to_owned());
        let making = spawn_blocking(move || folder.folder(&name));
        let (folder, made) = making.await.map_err(io::Error::other)??;
        Ok((Self(folder), made))
    }

    /// Begins a file in it.
    ///
    /// # Errors
    /// Those of making a file.
    pub async fn file(&self, name: &str) -> io::Result<NewFile> {
        let (folder, name) = (self.0.clone(), name.to_owned());
        NewFile::made(move || folder.file(&name)).await
    }

    /// Gives it the rights that it has in the guest, as far as the user's umask lets them.
    ///
    /// # Errors
    /// Those of changing rights.
    pub(crate) async fn set_rights(&self, mode: u32) -> io::Result<()> {
        let folder = self.0.clone();
        let setting = spawn_blocking(move || folder.set_rights(mode));
        setting.await.map_err(io::Error::other)?
    }
}
