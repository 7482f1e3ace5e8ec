//! The import `target`: the one volume a component fills.
//!
//! ```text
//!   Untouched ──create──► Open ──any error of the sink──► Failed
//!                          │ │
//!                          │ └─ more bytes than declared: the component is ended
//!                          └─── `prepare` answers `image`, all bytes there: Sink::finish
//! ```
//!
//! The sink belongs to the call and not to the component's handle: when the component drops the handle
//! nothing happens yet.

use std::io::Read;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use wasmtime::component::Resource;

use crate::bindings::{target, types as wit};
use crate::blobs::{BoundedReader, Reader};
use crate::convert;
use crate::error::Fault;
use crate::limits;
use crate::look_ups::{Answer, in_time};
use crate::services::{ServiceError, Sink};
use crate::state::State;
use crate::types::{Blob, Image};
use crate::untrusted;

/// What a component holds. There is one target, so it says nothing.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SinkHandle;

/// What has become of the one volume.
#[derive(Default)]
pub(crate) enum Target {
    /// It has not been created.
    #[default]
    Untouched,
    /// It is being filled.
    Open(Filling),
    /// The sink has failed with this; what it holds is not known.
    Failed(ServiceError),
}

/// A volume that is being filled.
pub(crate) struct Filling {
    sink: Box<dyn Sink>,
    image: Image,
    written: u64,
}

impl Filling {
    /// Bytes that may still come.
    fn room(&self) -> u64 {
        let most = self.image.length.unwrap_or_else(|| {
            self.image
                .capacity
                .saturating_mul(2)
                .saturating_add(limits::IMAGE_OVERHEAD)
        });
        most.saturating_sub(self.written)
    }

    /// The fault of a component that writes more than there is room for.
    fn overrun(&self) -> Fault {
        Fault::Misbehaved(match self.image.length {
            Some(length) => format!(
                "it wrote more than the {length} bytes it had declared for its {} image",
                self.image.format
            ),
            None => format!(
                "it wrote far more bytes than a {} image with a capacity of {} can have",
                self.image.format, self.image.capacity
            ),
        })
    }

    /// Completes the volume, if it is complete.
    pub(crate) async fn finish(self) -> Result<(), Fault> {
        if let Some(length) = self.image.length
            && self.written < length
        {
            return Err(Fault::Misbehaved(format!(
                "it wrote {} of the {length} bytes it had declared for its {} image",
                self.written, self.image.format
            )));
        }
        self.sink.finish().await.map_err(Fault::Reported)
    }
}

/// One of the three things an image is made of.
enum Piece {
    Bytes(Bytes),
    Hole(u64),
    Splice {
        blob: Blob,
        offset: u64,
        length: u64,
    },
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Hole(length) | Self::Splice { length, .. } => *length,
        }
    }

    async fn put(self, sink: &mut dyn Sink) -> Result<(), ServiceError> {
        match self {
            Self::Bytes(bytes) => in_time("the hypervisor", sink.write(bytes)).await,
            Self::Hole(length) => in_time("the hypervisor", sink.zeros(length)).await,
            // As long as it takes: it may be the whole image.
            Self::Splice {
                blob,
                offset,
                length,
            } => sink.copy_from(&blob, offset, length).await,
        }
    }
}

impl State {
    /// Adds a piece to the image. After an error the sink is gone.
    async fn fill(&mut self, piece: Piece) -> Answer<()> {
        let result = match &mut self.target {
            Target::Untouched => return Ok(Err(convert::error(not_created()))),
            Target::Failed(error) => return Ok(Err(convert::error(error.clone()))),
            Target::Open(filling) => {
                let length = piece.length();
                if length > filling.room() {
                    return Err(wasmtime::Error::new(filling.overrun()));
                }
                filling.written += length;
                piece.put(filling.sink.as_mut()).await
            }
        };
        Ok(result.map_err(|error| self.fail(error)))
    }

    fn fail(&mut self, error: ServiceError) -> wit::Error {
        self.target = Target::Failed(error.clone());
        convert::error(error)
    }

    /// What has become of the volume, for whoever ends the call.
    pub(crate) fn take_target(&mut self) -> Target {
        mem::take(&mut self.target)
    }
}

fn not_created() -> ServiceError {
    ServiceError::Invalid("the target has not been created".to_owned())
}

impl target::Host for State {
    async fn create(&mut self, image: target::Image) -> Answer<Resource<SinkHandle>> {
        let services = match self.target {
            Target::Untouched => self.services("create"),
            _ => Err(ServiceError::Invalid(
                "the target was created before".to_owned(),
            )),
        };
        let answer = async {
            let services = services?;
            let image = untrusted::image(image).map_err(ServiceError::Invalid)?;
            let sink = in_time("creating the volume", services.create_target(&image)).await?;
            Ok(Filling {
                sink,
                image,
                written: 0,
            })
        };
        match answer.await {
            Ok(filling) => {
                self.target = Target::Open(filling);
                Ok(Ok(self.table.push(SinkHandle)?))
            }
            Err(error) => Ok(Err(convert::error(error))),
        }
    }
}

impl target::HostSink for State {
    async fn write(&mut self, _sink: Resource<SinkHandle>, data: Vec<u8>) -> Answer<()> {
        if data.len() > limits::CHUNK {
            return Ok(Err(wit::Error::Invalid(format!(
                "{} bytes were written at a time; at most {} are allowed",
                data.len(),
                limits::CHUNK
            ))));
        }
        self.fill(Piece::Bytes(Bytes::from(data))).await
    }

    async fn zeros(&mut self, _sink: Resource<SinkHandle>, length: u64) -> Answer<()> {
        self.fill(Piece::Hole(length)).await
    }

    async fn copy_from(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<Blob>,
        offset: u64,
        length: u64,
    ) -> Answer<()> {
        let blob = self.table.get(&source)?.clone();
        if offset.checked_add(length).is_none_or(|end| end > blob.size) {
            return Ok(Err(wit::Error::Invalid(format!(
                "{length} bytes at {offset} were asked for of \"{}\", which has {}",
                blob.name, blob.size
            ))));
        }
        self.fill(Piece::Splice {
            blob,
            offset,
            length,
        })
        .await
    }

    async fn drain(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<Reader>,
    ) -> Answer<u64> {
        let inner = match self.take_reader(source)? {
            Ok(inner) => inner,
            Err(error) => return Ok(Err(convert::error(error))),
        };
        let services = match self.services("drain") {
            Ok(services) => services,
            Err(error) => return Ok(Err(convert::error(error))),
        };
        let abandoned = self.abandoned.watch();
        let filling = match &mut self.target {
            Target::Open(filling) => filling,
            Target::Failed(error) => return Ok(Err(convert::error(error.clone()))),
            Target::Untouched => return Ok(Err(convert::error(not_created()))),
        };
        let fault = filling.overrun();
        let overran = Arc::new(AtomicBool::new(false));
        let reader: Box<dyn Read + Send> = Box::new(BoundedReader {
            inner,
            services,
            abandoned,
            left: filling.room(),
            overrun: ServiceError::Invalid(fault.to_string()),
            overran: Arc::clone(&overran),
        });
        let drained = filling.sink.drain(reader).await;
        if overran.load(Ordering::Relaxed) {
            return Err(wasmtime::Error::new(fault));
        }
        match drained {
            Ok(drained) => {
                filling.written = filling.written.saturating_add(drained);
                Ok(Ok(drained))
            }
            Err(error) => Ok(Err(self.fail(error))),
        }
    }

    async fn drop(&mut self, sink: Resource<SinkHandle>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}
