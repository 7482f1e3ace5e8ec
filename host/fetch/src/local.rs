//! Local files: used in place, hashed only when a checksum asks for it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Location;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::download::Failed;
use crate::{Fetched, HeldFolder, LocationError, Progress, held_folder};

/// Bytes hashed between two reports of progress and two looks at the cancellation.
const PIECE: usize = 1 << 20;

/// Checks a file that is open.
pub(crate) async fn checked(
    (file, length): (File, u64),
    path: &Path,
    location: &Location,
    expected: Option<&Digest>,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Fetched, Failed> {
    let file = Arc::new(file);
    let mut sha256 = None;
    if let Some(expected) = expected {
        progress.started(location, Some(length), 0);
        let Some(actual) = hash(Arc::clone(&file), expected.algorithm(), progress, cancel).await
        else {
            return Err(Failed::Cancelled);
        };
        let actual = actual.map_err(|source| LocationError::Local {
            path: path.to_owned(),
            source,
        })?;
        if actual != *expected {
            let expected = expected.clone();
            return Err(LocationError::LocalMismatch { expected, actual }.into());
        }
        progress.finished();
        sha256 = (actual.algorithm() == Algorithm::Sha256).then_some(actual);
    }
    Ok(Fetched {
        file,
        length,
        sha256,
        name: location.file_name().map(str::to_owned),
        origin: location.clone(),
        from_cache: true,
        etag: None,
    })
}

/// Opens a regular file, beneath the folder by which it is allowed if there is one; with its length. What it
/// is shows when it is open: by its path another could be opened than was looked at.
pub(crate) fn open_regular(
    path: &Path,
    held: Option<&HeldFolder>,
) -> Result<(File, u64), LocationError> {
    let error = |source: io::Error| match source.kind() {
        _ if held.is_some() && held_folder::leads_out(&source) => {
            LocationError::LeadsOut(path.to_owned())
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            LocationError::NotAFile(path.to_owned())
        }
        _ => LocationError::Local {
            path: path.to_owned(),
            source,
        },
    };
    let file = match held {
        Some(folder) => match folder.below(path) {
            Some(below) => folder.file(below),
            None => return Err(LocationError::LeadsOut(path.to_owned())),
        },
        None => lvhost_regular_file::open(path).map(|(file, _)| file),
    };
    let file = file.map_err(error)?;
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
        let mut hasher = Hasher::new(algorithm);
        let whole = visit(&file, u64::MAX, |bytes| {
            hasher.update(bytes);
            // Nobody listens any more once the fetch was dropped.
            !stop.is_cancelled() && sender.blocking_send(bytes.len() as u64).is_ok()
        });
        whole.map(|whole| whole.then(|| hasher.finish()))
    });
    while let Some(read) = pieces.recv().await {
        progress.advanced(read);
    }
    hashing
        .await
        .map_err(io::Error::other)
        .flatten()
        .transpose()
}

/// Shows the first `limit` bytes of a file piece by piece, without moving the file's offset.
/// Whether it got to the end: `go_on` can stop it.
pub(crate) fn visit(
    file: &File,
    limit: u64,
    mut go_on: impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let mut buffer = vec![0; PIECE];
    let mut position = 0;
    while position < limit {
        let want = usize::try_from(limit - position)
            .unwrap_or(PIECE)
            .min(PIECE);
        match file.read_at(&mut buffer[..want], position) {
            Ok(0) => break,
            Ok(read) => {
                position += read as u64;
                if !go_on(&buffer[..read]) {
                    return Ok(false);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
