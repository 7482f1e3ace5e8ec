//! One attempt at a file on a share; what a server says of one by HTTP is found out here.

use std::pin::pin;

use futures::StreamExt as _;

use super::Download;
use super::attempt::{Broken, Outcome};
use super::version::Validators;
use crate::cache::UrlEntry;
use crate::patience::Patience;
use crate::share::SharedFile;
use crate::sink::Sink;

impl Download<'_> {
    /// Opens the file and receives what is not there of it.
    pub(super) async fn attempt_share(
        &self,
        sink: &mut Sink,
        known: Option<&UrlEntry>,
        patience: &mut Patience,
    ) -> Result<Outcome, Broken> {
        let file = patience.wait(SharedFile::open(&self.address, self.settings));
        let file = self.cancel.run_until_cancelled(file).await;
        let file = file.ok_or(Broken::Cancelled)???;
        let version = file.version();
        let is_known = known.is_some_and(|known| known.etag == version);
        if version.is_some() && is_known {
            return Ok(Outcome::NotModified);
        }
        let total = file.length();
        let same = version.is_some() && sink.etag() == version.as_deref();
        if !same || sink.position() > total {
            sink.restart(version.clone()).await?;
        }
        let resumed = sink.position();
        self.begin(sink, Some(total), resumed)?;
        {
            let mut pieces = pin!(file.pieces(resumed));
            loop {
                let piece = patience.wait(pieces.next());
                let piece = self.cancel.run_until_cancelled(piece).await;
                let Some(piece) = piece.ok_or(Broken::Cancelled)?? else {
                    break;
                };
                let piece = piece?;
                let length = piece.len() as u64;
                patience.received(length);
                sink.push(piece).await?;
                self.progress.advanced(length);
            }
        }
        let checking = patience.wait(file.check_unchanged());
        let checking = self.cancel.run_until_cancelled(checking);
        checking.await.ok_or(Broken::Cancelled)???;
        Ok(Outcome::Complete(Validators {
            etag: version,
            last_modified: None,
        }))
    }
}
