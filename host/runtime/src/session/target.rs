//! The one volume a component fills.
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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::blobs::BoundedReader;
use super::{Outcome, Refusal, Session, in_time, invalid};
use crate::error::Fault;
use crate::limits;
use crate::request::Answer;
use crate::services::{ServiceError, Sink};
use crate::types::{Blob, Image, Recipe};
use crate::untrusted::{self, Unchecked};

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

impl Target {
    /// Completes the volume that a component has prepared by `recipe`.
    pub(crate) async fn finish(self, recipe: Recipe) -> Result<Recipe, Fault> {
        match (recipe, self) {
            (Recipe::Image, Self::Open(filling)) => {
                filling.finish().await?;
                Ok(Recipe::Image)
            }
            (_, Self::Failed(error)) => Err(Fault::Reported(error)),
            (Recipe::Image, Self::Untouched) => Err(Fault::Misbehaved(
                "it says that it has filled the volume, but has not created it".to_owned(),
            )),
            (_, Self::Open(_)) => Err(Fault::Misbehaved(
                "it has created the volume and then answered with another recipe than `image`"
                    .to_owned(),
            )),
            (recipe, Self::Untouched) => Ok(recipe),
        }
    }
}

impl Session {
    /// The volume that is being filled.
    fn filling(&mut self) -> Result<&mut Filling, ServiceError> {
        match &mut self.target {
            Target::Open(filling) => Ok(filling),
            Target::Failed(error) => Err(error.clone()),
            Target::Untouched => Err(ServiceError::Invalid(
                "the target has not been created".to_owned(),
            )),
        }
    }

    /// Adds a piece to the image. After an error the sink is gone.
    async fn fill(&mut self, piece: Piece) -> Outcome {
        let account = self.account.clone();
        let filling = self.filling()?;
        let length = piece.length();
        if length > filling.room() {
            return Err(filling.overrun().into());
        }
        filling.written += length;
        if !matches!(piece, Piece::Hole(_)) {
            account.charge_bytes(length);
        }
        match piece.put(filling.sink.as_mut()).await {
            Ok(()) => Ok(Answer::Done),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn fail(&mut self, error: ServiceError) -> Refusal {
        self.target = Target::Failed(error.clone());
        Refusal::Error(error)
    }

    pub(super) async fn create_target(&mut self, image: Unchecked<Image>) -> Outcome {
        if !matches!(self.target, Target::Untouched) {
            return Err(invalid("the target was created before".to_owned()));
        }
        let services = self.services("create")?;
        let image = untrusted::image(image).map_err(invalid)?;
        let sink = in_time("creating the volume", services.create_target(&image)).await?;
        self.target = Target::Open(Filling {
            sink,
            image,
            written: 0,
        });
        Ok(Answer::Done)
    }

    pub(super) async fn write(&mut self, bytes: Bytes) -> Outcome {
        if bytes.len() > limits::CHUNK {
            return Err(invalid(format!(
                "{} bytes were written at a time; at most {} are allowed",
                bytes.len(),
                limits::CHUNK
            )));
        }
        self.fill(Piece::Bytes(bytes)).await
    }

    pub(super) async fn zeros(&mut self, length: u64) -> Outcome {
        self.fill(Piece::Hole(length)).await
    }

    pub(super) async fn copy_from(&mut self, blob: u32, offset: u64, length: u64) -> Outcome {
        let blob = self.blobs.get(blob)?.0.clone();
        if offset.checked_add(length).is_none_or(|end| end > blob.size) {
            return Err(invalid(format!(
                "{length} bytes at {offset} were asked for of \"{}\", which has {}",
                blob.name, blob.size
            )));
        }
        self.splice(blob, offset, length).await
    }

    /// Adds a part of a blob, which is known to be within it.
    pub(super) async fn splice(&mut self, blob: Blob, offset: u64, length: u64) -> Outcome {
        self.account.charge(limits::splice_time(length));
        self.fill(Piece::Splice {
            blob,
            offset,
            length,
        })
        .await
    }

    pub(super) async fn drain(&mut self, reader: u32) -> Outcome {
        let inner = self.take_reader(reader)?;
        self.drain_into_target(inner).await
    }

    /// Adds all that is left in a reader.
    pub(super) async fn drain_into_target(&mut self, inner: Box<dyn Read + Send>) -> Outcome {
        let services = self.services("drain")?;
        let abandoned = self.abandoned.watch();
        let account = self.account.clone();
        let filling = self.filling()?;
        let fault = filling.overrun();
        let overran = Arc::new(AtomicBool::new(false));
        let reader = BoundedReader {
            inner,
            services,
            account: account.clone(),
            abandoned,
            left: filling.room(),
            overrun: ServiceError::Invalid(fault.to_string()),
            overran: Arc::clone(&overran),
        };
        let drained = filling.sink.drain(Box::new(reader)).await;
        if overran.load(Ordering::Relaxed) {
            return Err(fault.into());
        }
        match drained {
            Ok(drained) => {
                filling.written = filling.written.saturating_add(drained);
                account.charge_bytes(drained);
                Ok(Answer::Length(drained))
            }
            Err(error) => Err(self.fail(error)),
        }
    }
}
