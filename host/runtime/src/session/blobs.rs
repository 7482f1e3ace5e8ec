//! Bytes that the host holds, by handle. Whatever reads a file or decompresses does it on a thread that
//! may block, and the processor time of that thread is the component's.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::{AbandonedWatch, Outcome, Refusal, Session};
use crate::budget::{Account, Held};
use crate::computing::processor_time;
use crate::error::Fault;
use crate::limits;
use crate::request::Answer;
use crate::services::{ServiceError, Services, read_error};
use crate::types::{Blob, Codec};

/// Sequential access to bytes that the host holds.
pub(super) struct Reader {
    /// None after an error: what comes next is not known then.
    inner: Option<Box<dyn Read + Send>>,
    decoders: u32,
    /// Bytes that its decoders may take.
    memory: u64,
}

/// Runs `work` on a thread that may block, and counts its processor time. A panic in there is the
/// work's failure.
pub(super) async fn blocking<T: Send + 'static>(
    account: &Account,
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let account = account.clone();
    let metered = move || {
        let before = processor_time();
        let done = work();
        account.charge(processor_time().saturating_sub(before));
        done
    };
    tokio::task::spawn_blocking(metered)
        .await
        .unwrap_or_else(|_| {
            Err(ServiceError::Other(
                "an internal error stopped the reading of these bytes".to_owned(),
            ))
        })
}

/// Reads a blob from the beginning to the size it was opened with.
struct BlobReader {
    file: Arc<File>,
    offset: u64,
    size: u64,
    account: Account,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let buffer = &mut buffer[..room];
        let count = self.file.read_at(buffer, self.offset)?;
        if count == 0 && !buffer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter while it was read",
            ));
        }
        self.offset += count as u64;
        self.account.charge_bytes(count as u64);
        Ok(count)
    }
}

/// A reader for work that goes on without the component: it ends when the call is over or cancelled or
/// the component's budget is used up, and lets no more than `left` bytes through.
pub(super) struct BoundedReader {
    pub(super) inner: Box<dyn Read + Send>,
    pub(super) services: Arc<dyn Services>,
    pub(super) account: Account,
    pub(super) abandoned: AbandonedWatch,
    pub(super) left: u64,
    /// The error for more bytes than that.
    pub(super) overrun: ServiceError,
    /// Set when there were more, whatever whoever reads makes of the error.
    pub(super) overran: Arc<AtomicBool>,
}

impl Read for BoundedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.abandoned.is_abandoned() || self.services.is_cancelled() {
            return Err(io::Error::other(ServiceError::Cancelled));
        }
        if let Err(fault) = self.account.check() {
            return Err(io::Error::other(ServiceError::Other(fault.to_string())));
        }
        // At the limit one byte more is tried, to tell the end from too much.
        let room = usize::try_from(self.left.max(1))
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let before = processor_time();
        let count = self.inner.read(&mut buffer[..room])?;
        self.account.charge(processor_time().saturating_sub(before));
        self.account.charge_bytes(count as u64);
        self.left = match self.left.checked_sub(count as u64) {
            Some(left) => left,
            None => {
                self.overran.store(true, Ordering::Relaxed);
                return Err(io::Error::other(self.overrun.clone()));
            }
        };
        Ok(count)
    }
}

/// Reads up to `length` bytes, fewer only at the end.
pub(super) fn read_up_to(reader: &mut dyn Read, length: usize) -> Result<Bytes, ServiceError> {
    let mut bytes = Vec::with_capacity(length);
    reader
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    Ok(bytes.into())
}

/// The bytes that come out of a reader.
pub(super) fn measure(mut reader: impl Read) -> Result<u64, ServiceError> {
    let mut buffer = vec![0; 128 * 1024];
    let mut length = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(count) => length += count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error)),
        }
    }
}

fn chunk_length(length: u32) -> Result<usize, ServiceError> {
    match usize::try_from(length) {
        Ok(length) if length <= limits::CHUNK => Ok(length),
        _ => Err(ServiceError::Invalid(format!(
            "{length} bytes at a time were asked for; at most {} are allowed",
            limits::CHUNK
        ))),
    }
}

impl Session {
    /// Room for one blob more.
    pub(super) fn room_for_blob(&self) -> Result<Held, ServiceError> {
        self.account.hold().ok_or_else(|| {
            ServiceError::Invalid(format!(
                "{} blobs are held at the same time; no more are allowed",
                limits::BLOBS
            ))
        })
    }

    /// Hands a blob to the component.
    pub(super) fn hand_out(&mut self, blob: Blob, room: Held) -> Result<Answer, Fault> {
        let (name, size) = (blob.name.clone(), blob.size);
        let blob = self.blobs.push((blob, room))?;
        Ok(Answer::Blob { blob, name, size })
    }

    fn blob_reader(&mut self, blob: u32, offset: u64) -> Result<BlobReader, Fault> {
        let Blob { file, size, .. } = self.blobs.get(blob)?.0.clone();
        Ok(BlobReader {
            file,
            offset: offset.min(size),
            size,
            account: self.account.clone(),
        })
    }

    /// All bytes of a blob, from the beginning.
    pub(super) fn reader_of(&self, blob: &Blob) -> Box<dyn Read + Send> {
        Box::new(BlobReader {
            file: Arc::clone(&blob.file),
            offset: 0,
            size: blob.size,
            account: self.account.clone(),
        })
    }

    pub(super) async fn read_blob(
        &mut self,
        blob: u32,
        offset: u64,
        length: u32,
    ) -> Result<(Answer, Bytes), Refusal> {
        let mut reader = self.blob_reader(blob, offset)?;
        let length = chunk_length(length)?;
        let work = move || read_up_to(&mut reader, length);
        Ok((Answer::Bytes, blocking(&self.account, work).await?))
    }

    pub(super) fn make_reader(&mut self, blob: u32) -> Outcome {
        let reader = self.blob_reader(blob, 0)?;
        if self.readers.len() >= limits::READERS {
            return Err(ServiceError::Invalid(format!(
                "{} readers are held at the same time; no more are allowed",
                limits::READERS
            ))
            .into());
        }
        let reader = self.readers.push(Reader {
            inner: Some(Box::new(reader)),
            decoders: 0,
            memory: 0,
        })?;
        Ok(Answer::Reader(reader))
    }

    pub(super) async fn read(
        &mut self,
        reader: u32,
        length: u32,
    ) -> Result<(Answer, Bytes), Refusal> {
        let held = self.readers.get(reader)?;
        let length = chunk_length(length)?;
        let mut inner = held.inner.take().ok_or_else(failed_before)?;
        let work = move || Ok((read_up_to(&mut inner, length)?, inner));
        let (bytes, inner) = blocking(&self.account, work).await?;
        self.account.charge_bytes(bytes.len() as u64);
        self.readers.get(reader)?.inner = Some(inner);
        Ok((Answer::Bytes, bytes))
    }

    pub(super) async fn decode(&mut self, reader: u32, codec: Codec) -> Outcome {
        let Reader {
            inner,
            decoders,
            memory,
        } = self.readers.take(reader)?;
        let services = self.services("decode")?;
        let inner = inner.ok_or_else(failed_before)?;
        if decoders >= limits::NESTED_DECODERS {
            return Err(ServiceError::Invalid(format!(
                "{decoders} decompressions on top of each other; no more are allowed"
            ))
            .into());
        }
        let memory = memory + limits::decoder_memory(codec);
        let held: u64 = self.readers.held.values().map(|reader| reader.memory).sum();
        if held + memory > limits::DECODER_MEMORY {
            return Err(ServiceError::Invalid(format!(
                "decompressions that may take more than {} MiB of memory are held at the same \
                 time; finish one before the next",
                limits::DECODER_MEMORY >> 20
            ))
            .into());
        }
        // A decoder may read its header at once.
        let work = move || services.decoder(codec, inner);
        let inner = blocking(&self.account, work).await?;
        let reader = self.readers.push(Reader {
            inner: Some(inner),
            decoders: decoders + 1,
            memory,
        })?;
        Ok(Answer::Reader(reader))
    }

    /// Takes a reader from the component, for good.
    pub(super) fn take_reader(&mut self, reader: u32) -> Result<Box<dyn Read + Send>, Refusal> {
        let inner = self.readers.take(reader)?.inner;
        Ok(inner.ok_or_else(failed_before)?)
    }

    pub(super) async fn digest(&mut self, blob: u32, algorithm: &str) -> Outcome {
        let reader = self.blob_reader(blob, 0)?;
        let services = self.services("digest")?;
        let mut digesting = services.digest(algorithm)?;
        let mut reader = BoundedReader {
            left: reader.size,
            inner: Box::new(reader),
            services,
            account: self.account.clone(),
            abandoned: self.abandoned.watch(),
            overrun: ServiceError::Corrupt("the file became longer while it was read".to_owned()),
            overran: Arc::default(),
        };
        let work = move || {
            let mut buffer = vec![0; 128 * 1024];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return Ok(digesting.finish()),
                    Ok(count) => digesting.update(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(read_error(error)),
                }
            }
        };
        Ok(Answer::Text(blocking(&self.account, work).await?))
    }

    pub(super) async fn measure(&mut self, reader: u32) -> Outcome {
        let reader = BoundedReader {
            inner: self.take_reader(reader)?,
            services: self.services("measure")?,
            account: self.account.clone(),
            abandoned: self.abandoned.watch(),
            left: limits::IMAGE_SIZE,
            overrun: ServiceError::Corrupt("these bytes do not end".to_owned()),
            overran: Arc::default(),
        };
        // The reader itself counts what it takes, as it goes.
        let measuring = tokio::task::spawn_blocking(move || measure(reader));
        let length = measuring.await.unwrap_or_else(|_| {
            Err(ServiceError::Other(
                "an internal error stopped the reading of these bytes".to_owned(),
            ))
        })?;
        Ok(Answer::Length(length))
    }
}

fn failed_before() -> ServiceError {
    ServiceError::Invalid("a reader was used again after it had failed".to_owned())
}
