//! A download: a thread of its own takes what the stream gives and hands it to the sink.
//!
//! ```text
//!        open              end of the stream            sink finished
//! (none) ──────► streaming ─────────────────► received ──────────────► finished
//!                    │ error, sink failed, nobody waits any more
//!                    └────────────────────────────────► aborted (virStreamAbort)
//! ```
use std::io;

use tokio::sync::oneshot;
use virt::stream::Stream;
use virt_sys as sys;

use super::{
    Session,
    errors::Context,
    ffi::streams::{Received, receive},
    workers::{Workers, worker_died},
};
use crate::{
    Error, Progress, Result, VolumeId, VolumeSink,
    pump::{PACKET, Pump, PumpError, Sink},
};

/// Downloads a volume on a thread of its own.
pub(super) async fn download(
    workers: &Workers,
    id: VolumeId,
    sink: Box<dyn VolumeSink>,
    progress: Progress,
) -> Result<()> {
    let (mut answer, result) = oneshot::channel();
    workers.spawn("libvirt-download", move |session| {
        let end = session.download_volume(&id, sink, progress, &mut answer);
        let _ = answer.send(end);
    })?;
    result.await.map_err(|_| worker_died())?
}

impl Session {
    fn download_volume(
        &self,
        id: &VolumeId,
        sink: Box<dyn VolumeSink>,
        progress: Progress,
        waiting: &mut oneshot::Sender<Result<()>>,
    ) -> Result<()> {
        let context = Context::new(self, format!("download the volume {id}"));
        let stream = self.open_download(id)?;
        // It gathers small portions, and turns zeros into holes: where the volume is a block device,
        // or the connection knows no holes, all of it comes as data.
        let mut pump = Pump::new(WriteSink(sink), None, progress);
        let mut packet = vec![0; PACKET];
        let result = loop {
            if waiting.is_closed() {
                break Err(Error::Download {
                    id: id.clone(),
                    message: "it was given up".to_owned(),
                });
            }
            let pumped = match receive(&stream, &mut packet) {
                Ok(Received::Data(count)) => pump.data(&packet[..count]),
                Ok(Received::Hole(length)) => pump.hole(length),
                Ok(Received::End) => break pump.flush().map_err(|error| write_error(id, error)),
                Err(error) => break Err(context.error(error)),
            };
            if let Err(error) = pumped {
                break Err(write_error(id, error));
            }
        };
        if let Err(error) = result {
            if let Err(error) = stream.abort() {
                tracing::debug!(%id, %error, "a download could not be aborted");
            }
            return Err(error);
        }
        stream.finish().map_err(|error| context.error(error))?;
        let mut sink = pump.into_sink().0;
        sink.finish().map_err(|source| Error::WriteTarget {
            id: id.clone(),
            source,
        })
    }

    /// The first bytes of a volume.
    pub(super) fn volume_head(&self, id: &VolumeId, length: usize) -> Result<Vec<u8>> {
        let context = Context::new(self, format!("read the beginning of the volume {id}"));
        let (volume, _) = self.find_file(id)?;
        let stream = Stream::new(&self.connect, 0).map_err(|error| context.error(error))?;
        volume
            .download(&stream, 0, length as u64, 0)
            .map_err(|error| context.error(error))?;
        let mut head = vec![0; length];
        let mut filled = 0;
        let result = loop {
            let Some(room) = head.get_mut(filled..).filter(|room| !room.is_empty()) else {
                break Ok(());
            };
            match receive(&stream, room) {
                Ok(Received::Data(count)) => filled += count,
                // Of a hole's length as much is kept as there is room for.
                Ok(Received::Hole(hole)) => {
                    let hole = usize::try_from(hole).unwrap_or(usize::MAX);
                    filled += hole.min(room.len());
                }
                Ok(Received::End) => break Ok(()),
                Err(error) => break Err(context.error(error)),
            }
        };
        // The rest of the stream is of no interest.
        if let Err(error) = stream.abort() {
            tracing::debug!(%id, %error, "a download could not be ended");
        }
        head.truncate(filled);
        result.map(|()| head)
    }

    fn open_download(&self, id: &VolumeId) -> Result<Stream> {
        let (volume, _) = self.find_file(id)?;
        let context = Context::new(self, format!("download the volume {id}"));
        let attempt = |flags| {
            let stream = Stream::new(&self.connect, 0).map_err(|error| context.error(error))?;
            // To libvirt, a length of zero is all of it.
            volume
                .download(&stream, 0, 0, flags)
                .map_err(|error| context.error(error))?;
            Ok(stream)
        };
        match attempt(sys::VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) {
            Err(Error::NotSupported { message, .. }) => {
                tracing::debug!(%id, message, "no sparse downloads here: holes come as zeros");
                attempt(0)
            }
            result => result,
        }
    }
}

/// The caller's sink as the pump's.
struct WriteSink(Box<dyn VolumeSink>);

impl Sink for WriteSink {
    type Error = io::Error;

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.data(bytes)
    }

    fn hole(&mut self, length: u64) -> io::Result<()> {
        self.0.hole(length)
    }
}

fn write_error(id: &VolumeId, error: PumpError<io::Error>) -> Error {
    let source = match error {
        PumpError::Sink(source) | PumpError::Read(source) => source,
        // Nothing was announced, and nobody cancels inside the pump.
        PumpError::TooLong | PumpError::Cancelled => io::ErrorKind::Other.into(),
    };
    Error::WriteTarget {
        id: id.clone(),
        source,
    }
}
