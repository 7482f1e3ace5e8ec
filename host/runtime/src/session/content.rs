//! A volume of the bytes that a blob has, perhaps compressed: what it takes to be one is found out here, and no byte
//! of it is decompressed twice where there is room.
//!
//! ```text
//!   not compressed ────────────────────────────────────► capacity ─► create ─► copy
//!   compressed ─┬─ qcow2: its header says its capacity ─► create ─► decompress into it
//!               └─ raw: decompress, put aside ──────────► length ─► create ─► copy
//!                         └─ no room: decompress for the length ─► create ─► decompress into it
//! ```

use std::io::Read;
use std::sync::Arc;

use lvhost_image::qcow2;

use super::blobs::{BoundedReader, blocking, measure, read_up_to};
use super::target::Target;
use super::{Outcome, Refusal, Session, invalid};
use crate::limits;
use crate::request::Answer;
use crate::services::ServiceError;
use crate::types::{Blob, Codec, Image};
use crate::untrusted::{self, Unchecked};

/// Formats whose capacity can be told.
const RAW: &str = "raw";
const QCOW2: &str = "qcow2";

impl Session {
    pub(super) async fn content(
        &mut self,
        blob: u32,
        codec: Option<Codec>,
        format: &str,
    ) -> Outcome {
        if !matches!(self.target, Target::Untouched) {
            return Err(invalid("the target was created before".to_owned()));
        }
        let content = self.blobs.get(blob)?.0.clone();
        match (format, codec) {
            (RAW, None) => self.copy_whole(content, RAW, None).await,
            (RAW, Some(codec)) => self.decompressed_raw(content, codec).await,
            (QCOW2, codec) => {
                let capacity = self.capacity_of_qcow2(&content, codec).await?;
                match codec {
                    None => self.copy_whole(content, QCOW2, Some(capacity)).await,
                    Some(codec) => {
                        let image = image(QCOW2, None, capacity);
                        self.create_target(image).await?;
                        self.decompress_into_target(&content, codec).await
                    }
                }
            }
            (other, _) => Err(invalid(format!(
                "the content of a volume is raw or qcow2, and not \"{}\"",
                untrusted::line(other, limits::WORD)
            ))),
        }
    }

    /// The volume is all of a blob.
    async fn copy_whole(&mut self, content: Blob, format: &str, capacity: Option<u64>) -> Outcome {
        let size = content.size;
        let image = image(format, Some(size), capacity.unwrap_or(size));
        self.create_target(image).await?;
        self.splice(content, 0, size).await
    }

    async fn decompressed_raw(&mut self, content: Blob, codec: Codec) -> Outcome {
        let (mut reader, name) = (
            self.decompressing(&content, codec).await?,
            content.name.clone(),
        );
        let services = self.services("content")?;
        let put_aside = blocking(&self.account, move || {
            services.put_aside(&name, &mut reader)
        });
        if let Some(whole) = put_aside.await? {
            return self.copy_whole(whole, RAW, None).await;
        }
        let reader = self.decompressing(&content, codec).await?;
        let length = blocking(&self.account, move || measure(reader)).await?;
        self.create_target(image(RAW, Some(length), length)).await?;
        self.decompress_into_target(&content, codec).await
    }

    async fn decompress_into_target(&mut self, content: &Blob, codec: Codec) -> Outcome {
        let services = self.services("content")?;
        let compressed = self.reader_of(content);
        let decoder = blocking(&self.account, move || services.decoder(codec, compressed)).await?;
        self.drain_into_target(decoder).await?;
        Ok(Answer::Done)
    }

    /// The bytes of a blob, decompressed, within what the component has.
    async fn decompressing(
        &mut self,
        content: &Blob,
        codec: Codec,
    ) -> Result<BoundedReader, Refusal> {
        let services = self.services("content")?;
        let compressed = self.reader_of(content);
        let decoding = Arc::clone(&services);
        let inner = blocking(&self.account, move || decoding.decoder(codec, compressed)).await?;
        Ok(BoundedReader {
            inner,
            services,
            account: self.account.clone(),
            abandoned: self.abandoned.watch(),
            left: limits::IMAGE_SIZE,
            overrun: ServiceError::Corrupt("these bytes do not end".to_owned()),
            overran: Arc::default(),
        })
    }

    async fn capacity_of_qcow2(
        &mut self,
        content: &Blob,
        codec: Option<Codec>,
    ) -> Result<u64, Refusal> {
        let mut reader: Box<dyn Read + Send> = match codec {
            None => self.reader_of(content),
            Some(codec) => Box::new(self.decompressing(content, codec).await?),
        };
        let head = blocking(&self.account, move || {
            read_up_to(&mut reader, qcow2::HEADER_BYTES)
        });
        let head = head.await?;
        let name = &content.name;
        let corrupt = |why: String| ServiceError::Corrupt(format!("\"{name}\" {why}"));
        let header = qcow2::Header::parse(&head)
            .map_err(|error| corrupt(format!("can't be used: {error}")))?
            .ok_or_else(|| corrupt("is no qcow2 image".to_owned()))?;
        Ok(header.virtual_size)
    }
}

fn image(format: &str, length: Option<u64>, capacity: u64) -> Unchecked<Image> {
    Unchecked::new(Image {
        format: format.to_owned(),
        length,
        capacity,
    })
}
