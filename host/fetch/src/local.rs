//! Local files: used in place, hashed only when a checksum asks for it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Location;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::{Checksum, Fetched, LocationError, Progress};

/// Bytes hashed between two reports of progress and two looks at the cancellation.
const PIECE: usize = 1 << 20;

/// Opens a regular file and checks it.
///
/// `None` means cancelled.
pub(crate) async fn open(
    path: &Path,
    checksum: &Checksum,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Option<Fetched>, LocationError> {
    let location = Location::Path(path.to_owned());
    let (file, length) = open_regular(path)?;
    let file = Arc::new(file);
    let mut sha256 = None;
    if let Checksum::Digest(expected) = checksum {
        progress.started(&location, Some(length), 0);
        let Some(actual) = hash(Arc::clone(&file), expected.algorithm(), progress, cancel).await
        else {
            return Ok(None);
        };
        let actual = actual.map_err(|source| LocationError::Local {
            path: path.to_owned(),
            source,
        })?;
        if actual != *expected {
            return Err(LocationError::LocalMismatch {
                expected: expected.clone(),
                actual,
            });
        }
        progress.finished();
        sha256 = (actual.algorithm() == Algorithm::Sha256).then_some(actual);
    }
    Ok(Some(Fetched {
        file,
        length,
        sha256,
        origin: location,
        from_cache: true,
        etag: None,
    }))
}

fn open_regular(path: &Path) -> Result<(File, u64), LocationError> {
    let error = |source| LocationError::Local {
        path: path.to_owned(),
        source,
    };
    // Looked at before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(LocationError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(error)?;
    let length = file.metadata().map_err(error)?.len();
    Ok((file, length))
}

/// Hashes a whole file on a blocking thread; `None` if cancelled.
pub(crate) async fn hash(
    file: Arc<File>,
    algorithm: Algorithm,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Option<io::Result<Digest>> {
    let (sender, mut pieces) = mpsc::channel(4);
    let stop = cancel.clone();
    let hashing = tokio::task::spawn_blocking(move || {
        hash_file(&file, Hasher::new(algorithm), u64::MAX, |read| {
            // Nobody listens any more once the fetch was dropped.
            !stop.is_cancelled() && sender.blocking_send(read).is_ok()
        })
    });
    while let Some(read) = pieces.recv().await {
        progress.advanced(read);
    }
    match hashing.await {
        Ok(Ok(Some((hasher, _)))) => Some(Ok(hasher.finish())),
        Ok(Ok(None)) => None,
        Ok(Err(error)) => Some(Err(error)),
        Err(failed) => Some(Err(io::Error::other(failed))),
    }
}

/// Adds the first `limit` bytes of a file to a hasher, from the start, without moving the
/// file's offset. Gives hasher and bytes read; `None` if `go_on` said no after a piece.
pub(crate) fn hash_file(
    file: &File,
    mut hasher: Hasher,
    limit: u64,
    mut go_on: impl FnMut(u64) -> bool,
) -> io::Result<Option<(Hasher, u64)>> {
    use std::os::unix::fs::FileExt;

    let mut buffer = vec![0; PIECE];
    let mut position = 0;
    while position < limit {
        let want = usize::try_from(limit - position)
            .unwrap_or(PIECE)
            .min(PIECE);
        match file.read_at(&mut buffer[..want], position) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                position += read as u64;
                if !go_on(read as u64) {
                    return Ok(None);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some((hasher, position)))
}
