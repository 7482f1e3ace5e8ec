//! The one volume a component fills: bytes, splices and holes on their way into libvirt, watched.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lvhost_image::qcow2;
use lvhost_libvirt::Upload;
use lvhost_runtime::{Blob, ServiceError, Sink, read_error};
use tokio::sync::mpsc;

use crate::ui::Transfer;

/// How much is read at once from a reader that is drained.
const PIECE: usize = 256 * 1024;
/// Pieces that may wait for the hypervisor: enough to keep both sides busy, little enough for memory.
const PIECES_WAITING: usize = 4;
/// A run of zeros becomes a hole from this size on: the block size of most file systems' extents.
const HOLE: usize = 64 * 1024;
/// How often a bar moves while a splice runs.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// An upload that a component steers.
pub(super) struct Target {
    upload: Box<dyn Upload>,
    transfer: Box<dyn Transfer>,
    format: String,
    /// The first bytes of the image, kept to be judged at the end.
    head: Vec<u8>,
}

impl Target {
    pub(super) fn new(
        upload: Box<dyn Upload>,
        transfer: Box<dyn Transfer>,
        format: String,
    ) -> Self {
        Self {
            upload,
            transfer,
            format,
            head: Vec::new(),
        }
    }

    fn see(&mut self, bytes: &[u8]) {
        let room = qcow2::HEADER_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn see_zeros(&mut self, length: u64) {
        let room = qcow2::HEADER_BYTES.saturating_sub(self.head.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(room);
        self.head.resize(self.head.len() + length, 0);
    }

    fn see_file(&mut self, file: &File, offset: u64, length: u64) -> Result<(), ServiceError> {
        let room = qcow2::HEADER_BYTES.saturating_sub(self.head.len());
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(room)];
        file.read_exact_at(&mut bytes, offset)
            .map_err(|error| ServiceError::Other(format!("can't read the image: {error}")))?;
        self.head.extend_from_slice(&bytes);
        Ok(())
    }

    /// Refuses an image that would make the hypervisor open other files than this volume. The format
    /// is written into the domain, so what is uploaded as `raw` is never looked into.
    fn judge(&self) -> Result<(), ServiceError> {
        if self.format != "qcow2" {
            return Ok(());
        }
        let corrupt = |why: String| ServiceError::Corrupt(why);
        let header = qcow2::Header::parse(&self.head)
            .map_err(|error| corrupt(error.to_string()))?
            .ok_or_else(|| corrupt("the image was said to be qcow2 and is not".to_string()))?;
        if let Some(file) = header.backing_file {
            return Err(corrupt(format!(
                "the image leans on another file (`{file}`), which lvhost does not allow in images \
                 that are uploaded; flatten it with `qemu-img convert`"
            )));
        }
        if header.external_data_file {
            return Err(corrupt(
                "the image keeps its data in another file, which lvhost does not allow".to_string(),
            ));
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
        self.see(&data);
        self.upload.data(data).await.map_err(service_error)?;
        self.moved();
        Ok(())
    }

    async fn zeros(&mut self, length: u64) -> Result<(), ServiceError> {
        self.see_zeros(length);
        self.upload.hole(length).await.map_err(service_error)?;
        self.moved();
        Ok(())
    }

    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError> {
        self.see_file(&source.file, offset, length)?;
        self.splice(Arc::clone(&source.file), offset, length)
            .await
            .map_err(service_error)?;
        self.moved();
        Ok(())
    }

    async fn drain(&mut self, source: Box<dyn Read + Send>) -> Result<u64, ServiceError> {
        let (sender, mut pieces) = mpsc::channel(PIECES_WAITING);
        let reading = tokio::task::spawn_blocking(move || read_pieces(source, &sender));
        let mut total = 0;
        while let Some(piece) = pieces.recv().await {
            let (length, result) = match piece {
                Piece::Data(bytes) => {
                    self.see(&bytes);
                    (bytes.len() as u64, self.upload.data(bytes).await)
                }
                Piece::Hole(length) => {
                    self.see_zeros(length);
                    (length, self.upload.hole(length).await)
                }
            };
            result.map_err(service_error)?;
            total += length;
            self.moved();
        }
        match reading.await {
            Ok(result) => result.map(|()| total).map_err(read_error),
            Err(error) => Err(ServiceError::Other(format!("the decoder failed: {error}"))),
        }
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        self.judge()?;
        let done = self.upload.transferred();
        self.upload.finish().await.map_err(service_error)?;
        self.transfer.set_position(done.bytes());
        self.transfer.finish();
        Ok(())
    }
}

enum Piece {
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
