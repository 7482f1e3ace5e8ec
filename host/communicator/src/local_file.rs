//! Files of this machine that are sent into the guest, or come out of it.

use std::io;
use std::path::Path;

use lvhost_regular_file::Replacement;
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
        let making = spawn_blocking(move || {
            let replacement = Replacement::begin(path)?;
            let file = replacement.as_file().try_clone()?;
            Ok::<_, io::Error>((file, replacement))
        });
        let (file, replacement) = making.await.map_err(io::Error::other)??;
        Ok(Self {
            file: File::from_std(file),
            replacement,
        })
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
