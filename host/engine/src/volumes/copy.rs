//! A copy of a raw volume that libvirt would not take for raw: through lvhost, byte by byte.
//!
//! libvirt copies what it takes for raw itself, and runs `qemu-img convert` on all else, which opens
//! what the bytes name. So such a volume is downloaded and uploaded at the same time:
//!
//! ```text
//!   original ──download──► pieces, a few at a time ──upload──► copy
//! ```

use std::io;

use bytes::Bytes;
use lvhost_image::Container;
use lvhost_libvirt::{Hypervisor, Progress, Upload, VolumeId, VolumeSink};
use tokio::sync::mpsc;

use super::target::{PIECES_WAITING, Piece};
use crate::disk_image::DiskImage;
use crate::error::VolumeError;

/// Whether such a copy can be made.
///
/// # Errors
/// [`VolumeError::Refused`] with what to do.
pub(super) fn check(source: &VolumeId, image: &DiskImage, format: &str) -> Result<(), VolumeError> {
    let named = image.resembles.map_or("another format", Container::name);
    if format != "raw" || image.format.name != "raw" {
        return Err(VolumeError::Refused(format!(
            "the volume {source} is {}, but libvirt takes it for something else ({named}), so it can't \
             be converted to {format}; set the volume's `format` to `raw`",
            image.format.name
        )));
    }
    // libvirt would take the copy for a folder, and never delete it again.
    if !image.is_image_to_libvirt || image.resembles == Some(Container::Parallels) {
        return Err(VolumeError::Refused(format!(
            "the volume {source} begins like an image of format {}, which libvirt takes for a folder; \
             it can't be copied",
            Container::Parallels
        )));
    }
    Ok(())
}

/// Copies all bytes of `source` into `upload`, and `padding` zeros behind them.
pub(super) async fn copy(
    hypervisor: &dyn Hypervisor,
    source: &VolumeId,
    mut upload: Box<dyn Upload>,
    padding: u64,
) -> Result<(), lvhost_libvirt::Error> {
    let (sender, mut pieces) = mpsc::channel(PIECES_WAITING);
    let download =
        hypervisor.download_volume(source, Box::new(Pieces(sender)), Progress::default());
    // It owns the channel's end, so a download does not wait for a writer that has failed.
    let write = async move {
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Data(bytes) => upload.data(bytes).await?,
                Piece::Hole(length) => upload.hole(length).await?,
            }
        }
        Ok::<_, lvhost_libvirt::Error>(upload)
    };
    let (download, upload) = tokio::join!(download, write);
    // When the upload fails, the download's complaint is only that nobody takes its bytes.
    let mut upload = upload?;
    download?;
    if padding > 0 {
        upload.hole(padding).await?;
    }
    upload.finish().await
}

struct Pieces(mpsc::Sender<Piece>);

impl Pieces {
    fn send(&self, piece: Piece) -> io::Result<()> {
        self.0
            .blocking_send(piece)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl VolumeSink for Pieces {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(Piece::Data(Bytes::copy_from_slice(bytes)))
    }

    fn hole(&mut self, length: u64) -> io::Result<()> {
        self.send(Piece::Hole(length))
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
