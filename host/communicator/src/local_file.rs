//! Files of this machine that are sent into the guest.

use std::io;
use std::path::Path;

use tokio::fs::File;

/// Opens a regular file and tells its length. Pipes and devices are refused, not waited for.
pub(crate) async fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || lvhost_regular_file::open(path));
    let (file, metadata) = opening.await.map_err(io::Error::other)??;
    Ok((File::from_std(file), metadata.len()))
}
