//! The one volume a component fills: bytes, splices and holes on their way into libvirt, watched.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lvhost_image::{Container, qcow2};
use lvhost_libvirt::{Upload, VolumeId};
use lvhost_runtime::{Blob, ServiceError, Sink, read_error};
use tokio::sync::mpsc;

use crate::ui::Transfer;

/// How much is read at once from a reader that is drained.
const PIECE: usize = 256 * 1024;
/// Pieces that may wait for the hypervisor: enough to keep both sides busy, little enough for memory.
pub(super) const PIECES_WAITING: usize = 4;
/// A run of zeros becomes a hole from this size on: the block size of most file systems' extents.
const HOLE: usize = 64 * 1024;
/// The first bytes keep their holes from this size on: the block of most file systems, since they may
/// come from a file that had them.
const BLOCK: usize = 4096;
/// How often a bar moves while a splice runs.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// An upload that a component steers.
///
/// ```text
///   first bytes: kept ──► enough of them, or the end: judged ─┬─► sent, and all that follows
///                                                             └─► refused; nothing was sent
/// ```
///
/// What was looked at is what is sent, so no file can change in between.
pub(super) struct Target {
    upload: Box<dyn Upload>,
    transfer: Box<dyn Transfer>,
    image: Uploaded,
    /// The first bytes of the image, until they have been judged.
    head: Option<Vec<u8>>,
}

/// What is uploaded, by whom, and where to.
pub(super) struct Uploaded {
    pub(super) component: String,
    pub(super) volume: VolumeId,
    pub(super) format: String,
    /// Zeros behind it that make it as large as the volume: a hole ends a raw volume where it ends.
    pub(super) padding: u64,
}

impl Target {
    pub(super) fn new(
        upload: Box<dyn Upload>,
        transfer: Box<dyn Transfer>,
        image: Uploaded,
    ) -> Self {
        Self {
            upload,
            transfer,
            image,
            head: Some(Vec::new()),
        }
    }

    /// Bytes that are still to be seen before anything is sent.
    fn unseen(&self) -> usize {
        let head = self.head.as_ref();
        head.map_or(0, |head| qcow2::HEADER_BYTES.saturating_sub(head.len()))
    }

    /// Takes bytes: into the head first, and from there on to the hypervisor.
    async fn send(&mut self, mut bytes: Bytes) -> Result<(), ServiceError> {
        let unseen = self.unseen().min(bytes.len());
        if let Some(head) = &mut self.head {
            head.extend_from_slice(&bytes.split_to(unseen));
        }
        self.pass_head(false).await?;
        if !bytes.is_empty() {
            self.upload.data(bytes).await.map_err(service_error)?;
        }
        Ok(())
    }

    async fn send_zeros(&mut self, length: u64) -> Result<(), ServiceError> {
        let unseen = self.unseen();
        let seen = usize::try_from(length).unwrap_or(usize::MAX).min(unseen);
        if let Some(head) = &mut self.head {
            head.resize(head.len() + seen, 0);
        }
        self.pass_head(false).await?;
        match length - seen as u64 {
            0 => Ok(()),
            rest => self.upload.hole(rest).await.map_err(service_error),
        }
    }

    /// Judges the first bytes and sends them, if there are enough of them or no more will come.
    async fn pass_head(&mut self, is_end: bool) -> Result<(), ServiceError> {
        if self.unseen() > 0 && !is_end {
            return Ok(());
        }
        let Some(head) = self.head.take() else {
            return Ok(());
        };
        judge(&self.image, &head)?;
        let head = Bytes::from(head);
        let is_zero = |at: usize| {
            let block = head.get(at..(at + BLOCK).min(head.len()));
            block.is_some_and(|block| block.iter().all(|byte| *byte == 0))
        };
        let mut start = 0;
        while start < head.len() {
            let zero = is_zero(start);
            let mut end = start + BLOCK;
            while end < head.len() && is_zero(end) == zero {
                end += BLOCK;
            }
            let end = end.min(head.len());
            let sent = match zero {
                true => self.upload.hole((end - start) as u64).await,
                false => self.upload.data(head.slice(start..end)).await,
            };
            sent.map_err(service_error)?;
            start = end;
        }
        Ok(())
    }

    async fn splice(
        &mut self,
        file: Arc<File>,
        offset: u64,
        length: u64,
    ) -> Result<(), lvhost_libvirt::Error> {
        let done = self.upload.transferred();
        let work = self.upload.file(file, offset, length);
        tokio::pin!(work);
        let mut tick = tokio::time::interval(PROGRESS_INTERVAL);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = tick.tick() => self.transfer.set_position(done.bytes()),
            }
        }
    }

    fn moved(&self) {
        self.transfer
            .set_position(self.upload.transferred().bytes());
    }
}

/// Refuses an image that would make whoever guesses its format, or reads it in the one that was said,
/// open other files than this volume.
fn judge(image: &Uploaded, head: &[u8]) -> Result<(), ServiceError> {
    let Uploaded {
        component,
        volume,
        format,
        ..
    } = image;
    let corrupt = |why: String| {
        let who = format!("the source `{component}` fills the volume {volume}");
        ServiceError::Corrupt(format!("{who} {why}"))
    };
    let container = Container::recognise(head);
    match (format.as_str(), container) {
        ("qcow2", Some(Container::Qcow2)) => {}
        ("qcow2", _) => {
            return Err(corrupt("with what it calls qcow2 and is not".to_owned()));
        }
        (_, None) => return Ok(()),
        (_, Some(container)) => {
            return Err(corrupt(format!(
                "with what it calls {format}, and the bytes begin like an image of format \
                 {container}; programs that guess would open the files that it names"
            )));
        }
    }
    let header = qcow2::Header::parse(head)
        .map_err(|error| corrupt(format!("with an image that can't be used: {error}")))?
        .ok_or_else(|| corrupt("with what it calls qcow2 and is not".to_owned()))?;
    if let Some(file) = header.backing_file {
        return Err(corrupt(format!(
            "with an image that leans on another file (`{file}`), which lvhost does not allow in \
             images that are uploaded; flatten it with `qemu-img convert`"
        )));
    }
    if header.external_data_file || header.external_data_file_name.is_some() {
        return Err(corrupt(
            "with an image that keeps its data in another file, which lvhost does not allow"
                .to_owned(),
        ));
    }
    Ok(())
}

/// What the hypervisor says, for a component to pass on.
pub(super) fn service_error(error: lvhost_libvirt::Error) -> ServiceError {
    use lvhost_libvirt::Error;
    match error {
        Error::NoSuchVolume { .. } | Error::NoSuchPool { .. } => {
            ServiceError::NotFound(error.to_string())
        }
        _ => ServiceError::Other(error.to_string()),
    }
}

#[async_trait]
impl Sink for Target {
    async fn write(&mut self, data: Bytes) -> Result<(), ServiceError> {
        self.send(data).await?;
        self.moved();
        Ok(())
    }

    async fn zeros(&mut self, length: u64) -> Result<(), ServiceError> {
        self.send_zeros(length).await?;
        self.moved();
        Ok(())
    }

    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError> {
        let seen = length.min(self.unseen() as u64);
        if seen > 0 {
            let mut bytes = vec![0; usize::try_from(seen).unwrap_or(0)];
            source
                .file
                .read_exact_at(&mut bytes, offset)
                .map_err(|error| ServiceError::Other(format!("can't read the image: {error}")))?;
            self.send(bytes.into()).await?;
        }
        if length > seen {
            self.splice(Arc::clone(&source.file), offset + seen, length - seen)
                .await
                .map_err(service_error)?;
        }
        self.moved();
        Ok(())
    }

    async fn drain(&mut self, source: Box<dyn Read + Send>) -> Result<u64, ServiceError> {
        let (sender, mut pieces) = mpsc::channel(PIECES_WAITING);
        let reading = tokio::task::spawn_blocking(move || read_pieces(source, &sender));
        let mut total = 0;
        while let Some(piece) = pieces.recv().await {
            total += match piece {
                Piece::Data(bytes) => {
                    let length = bytes.len() as u64;
                    self.send(bytes).await?;
                    length
                }
                Piece::Hole(length) => {
                    self.send_zeros(length).await?;
                    length
                }
            };
            self.moved();
        }
        match reading.await {
            Ok(result) => result.map(|()| total).map_err(read_error),
            Err(error) => Err(ServiceError::Other(format!("the decoder failed: {error}"))),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ServiceError> {
        self.pass_head(true).await?;
        if self.image.padding > 0 {
            let hole = self.upload.hole(self.image.padding).await;
            hole.map_err(service_error)?;
        }
        let done = self.upload.transferred();
        self.upload.finish().await.map_err(service_error)?;
        self.transfer.set_position(done.bytes());
        self.transfer.finish();
        Ok(())
    }
}

/// A part of an image on its way.
pub(super) enum Piece {
    Data(Bytes),
    Hole(u64),
}

/// Reads to the end, in a thread that may block. Ends early when nobody listens any more.
fn read_pieces(
    mut source: Box<dyn Read + Send>,
    sender: &mpsc::Sender<Piece>,
) -> std::io::Result<()> {
    let mut hole = 0;
    loop {
        let mut buffer = vec![0; PIECE];
        let length = fill(&mut source, &mut buffer)?;
        buffer.truncate(length);
        let bytes = Bytes::from(buffer);
        let mut data_from = 0;
        for start in (0..length).step_by(HOLE) {
            let end = (start + HOLE).min(length);
            if bytes[start..end].iter().any(|byte| *byte != 0) {
                if hole > 0 && sender.blocking_send(Piece::Hole(hole)).is_err() {
                    return Ok(());
                }
                hole = 0;
                continue;
            }
            if start > data_from
                && sender
                    .blocking_send(Piece::Data(bytes.slice(data_from..start)))
                    .is_err()
            {
                return Ok(());
            }
            hole += (end - start) as u64;
            data_from = end;
        }
        if length > data_from
            && sender
                .blocking_send(Piece::Data(bytes.slice(data_from..)))
                .is_err()
        {
            return Ok(());
        }
        if length < PIECE {
            if hole > 0 {
                // Nobody listens any more if this fails, and there is nothing left to say.
                let _ = sender.blocking_send(Piece::Hole(hole));
            }
            return Ok(());
        }
    }
}

fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match source.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
