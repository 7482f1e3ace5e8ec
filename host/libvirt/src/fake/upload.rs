//! An upload into a fake volume.
use std::{convert::Infallible, fs::File, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Call, FakeHypervisor, disk::SparseBytes};
use crate::{
    Error, Progress, Result, Upload, VolumeId,
    pump::{Pump, PumpError},
};

/// Gathers the bytes; the volume gets them at the end.
pub(super) struct FakeUpload {
    hypervisor: FakeHypervisor,
    id: VolumeId,
    /// `None` when it has ended.
    pump: Option<Pump<SparseBytes>>,
    progress: Progress,
}

impl FakeUpload {
    pub(super) fn new(hypervisor: FakeHypervisor, id: VolumeId, length: Option<u64>) -> Self {
        let progress = Progress::default();
        let pump = Some(Pump::new(SparseBytes::default(), length, progress.clone()));
        Self {
            hypervisor,
            id,
            pump,
            progress,
        }
    }

    fn step(
        &mut self,
        call: Call,
        step: impl FnOnce(&mut Pump<SparseBytes>) -> std::result::Result<(), PumpError<Infallible>>,
    ) -> Result<()> {
        drop(self.hypervisor.call(call, &self.id)?);
        let pump = self.pump.as_mut().ok_or_else(|| Error::Upload {
            id: self.id.clone(),
            message: "it has ended".into(),
        })?;
        step(pump).map_err(|error| match error {
            PumpError::Read(source) => Error::ReadSource {
                id: self.id.clone(),
                source,
            },
            PumpError::TooLong => Error::too_long(&self.id),
            PumpError::Cancelled => Error::Upload {
                id: self.id.clone(),
                message: "cancelled".into(),
            },
            PumpError::Sink(never) => match never {},
        })
    }
}

#[async_trait]
impl Upload for FakeUpload {
    async fn data(&mut self, bytes: Bytes) -> Result<()> {
        self.step(Call::UploadData, |pump| pump.data(&bytes))
    }

    async fn hole(&mut self, length: u64) -> Result<()> {
        self.step(Call::UploadHole, |pump| pump.hole(length))
    }

    async fn file(&mut self, file: Arc<File>, offset: u64, length: u64) -> Result<()> {
        self.step(Call::UploadFile, |pump| {
            pump.file(&file, offset, length, || false)
        })
    }

    fn transferred(&self) -> Progress {
        self.progress.clone()
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.step(Call::UploadFinish, Pump::flush)?;
        let Some(pump) = self.pump.take() else {
            return Ok(());
        };
        if pump.remaining() > 0 {
            return Err(Error::too_short(&self.id, pump.remaining()));
        }
        self.hypervisor
            .lock()
            .world
            .upload_volume(&self.id, pump.into_sink())
    }
}

impl Drop for FakeUpload {
    fn drop(&mut self) {
        if self.pump.is_some() {
            self.hypervisor
                .lock()
                .record
                .note(Call::UploadAbort, self.id.to_string());
        }
    }
}
