//! Going on where an earlier process or attempt stopped.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Download, Failed};
use crate::cache::{Lock, Partial};
use crate::digest::{Algorithm, Digest};
use crate::local;
use crate::sink::{Hashers, Sink, Start};

impl Download<'_> {
    /// Opens the partial file after its last checkpoint, or empty.
    pub(super) async fn open_sink(
        &self,
        partial: &Partial,
        lock: &Arc<Lock>,
    ) -> Result<Sink, Failed> {
        let file = partial.open()?;
        let wanted = self.expected.map(Digest::algorithm);
        let (cancel, place) = (self.cancel.clone(), partial.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let start = resume_point(&place, &file, wanted, &cancel)?;
            file.set_len(start.offset)
                .map_err(|source| place.error(source))?;
            Ok::<_, Failed>((file, start))
        });
        let (file, start) = opened
            .await
            .map_err(|error| partial.error(error.into()))??;
        Ok(Sink::new(file, partial.clone(), start, lock))
    }
}

/// Where a partial file can be continued: after its checkpoint, if the bytes before it are what
/// they were then; else at the start.
fn resume_point(
    partial: &Partial,
    file: &std::fs::File,
    wanted: Option<Algorithm>,
    cancel: &CancellationToken,
) -> Result<Start, Failed> {
    if let Some(checkpoint) = partial.checkpoint() {
        // Zeros at the end are not written. Whatever else is missing shows in the digest, as it does
        // if the file can't be made longer.
        if file.metadata().is_ok_and(|it| it.len() < checkpoint.offset) {
            let _ = file.set_len(checkpoint.offset);
        }
        let mut hashers = Hashers::new(wanted);
        let mut hashed = 0;
        let whole = local::visit(file, checkpoint.offset, |bytes| {
            hashers.update(bytes);
            hashed += bytes.len() as u64;
            !cancel.is_cancelled()
        });
        if !whole.map_err(|source| partial.error(source))? {
            return Err(Failed::Cancelled);
        }
        if hashed == checkpoint.offset && checkpoint.sha256() == Some(hashers.sha256()) {
            return Ok(Start {
                offset: hashed,
                etag: Some(checkpoint.etag),
                hashers,
            });
        }
        partial.forget()?;
    }
    Ok(Start {
        offset: 0,
        etag: None,
        hashers: Hashers::new(wanted),
    })
}
