//! Files of this machine that a template names, opened without ever waiting for somebody else.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use tokio::fs::File;
use tokio::task::spawn_blocking;

/// Opens a regular file. Pipes and devices are refused.
pub(crate) async fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let path = path.to_owned();
    let opening = spawn_blocking(move || lvhost_regular_file::open(path));
    let (file, metadata) = opening.await.map_err(io::Error::other)??;
    Ok((File::from_std(file), metadata))
}

/// The content of a regular file of at most `most` bytes.
pub(crate) async fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    let reading = spawn_blocking(move || lvhost_regular_file::read(path, most));
    reading.await.map_err(io::Error::other)?
}
