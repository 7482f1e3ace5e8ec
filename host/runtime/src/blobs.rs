//! The import `blobs`: bytes that the host holds, by handle. Whatever reads a file or decompresses
//! does it on a thread that may block.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::component::Resource;

use crate::bindings::{blobs, types as wit};
use crate::convert;
use crate::limits;
use crate::look_ups::Answer;
use crate::services::{ServiceError, Services, read_error};
use crate::state::{AbandonedWatch, State};
use crate::types::{Blob, Codec};

/// Sequential access to bytes that the host holds.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct Reader {
    /// None after an error: what comes next is not known then.
    inner: Option<Box<dyn Read + Send>>,
    decoders: u32,
}

/// Runs `work` on a thread that may block. A panic in there is the work's failure.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
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
        Ok(count)
    }
}

/// A reader for work that goes on without the component: it ends when the call is over or cancelled,
/// and lets no more than `limit` bytes through.
pub(crate) struct BoundedReader {
    pub(crate) inner: Box<dyn Read + Send>,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) abandoned: AbandonedWatch,
    pub(crate) left: u64,
    /// The error for more bytes than that.
    pub(crate) overrun: ServiceError,
    /// Set when there were more, whatever whoever reads makes of the error.
    pub(crate) overran: Arc<AtomicBool>,
}

impl Read for BoundedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.abandoned.is_abandoned() || self.services.is_cancelled() {
            return Err(io::Error::other(ServiceError::Cancelled));
        }
        // At the limit one byte more is tried, to tell the end from too much.
        let room = usize::try_from(self.left.max(1))
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.inner.read(&mut buffer[..room])?;
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
fn read_up_to(reader: &mut dyn Read, length: usize) -> Result<Vec<u8>, ServiceError> {
    let mut bytes = Vec::with_capacity(length);
    reader
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    Ok(bytes)
}

fn measure(mut reader: impl Read) -> Result<u64, ServiceError> {
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

fn codec(codec: blobs::Codec) -> Codec {
    match codec {
        blobs::Codec::Gzip => Codec::Gzip,
        blobs::Codec::Bzip2 => Codec::Bzip2,
        blobs::Codec::Xz => Codec::Xz,
        blobs::Codec::Zstd => Codec::Zstd,
    }
}

impl State {
    /// Whether the component may hold one blob more.
    pub(crate) fn check_blob_room(&self) -> Result<(), ServiceError> {
        if self.open_blobs >= limits::BLOBS {
            return Err(ServiceError::Invalid(format!(
                "{} blobs are held at the same time; no more are allowed",
                limits::BLOBS
            )));
        }
        Ok(())
    }

    /// Hands a blob to the component.
    pub(crate) fn push_blob(&mut self, blob: Blob) -> wasmtime::Result<Resource<Blob>> {
        let handle = self.table.push(blob)?;
        self.open_blobs += 1;
        Ok(handle)
    }

    fn push_reader(&mut self, reader: Reader) -> wasmtime::Result<Resource<Reader>> {
        let handle = self.table.push(reader)?;
        self.open_readers += 1;
        Ok(handle)
    }

    fn delete_reader(&mut self, handle: Resource<Reader>) -> wasmtime::Result<Reader> {
        let reader = self.table.delete(handle)?;
        self.open_readers -= 1;
        Ok(reader)
    }

    /// Takes a reader from the component, for good.
    pub(crate) fn take_reader(
        &mut self,
        handle: Resource<Reader>,
    ) -> wasmtime::Result<Result<Box<dyn Read + Send>, ServiceError>> {
        Ok(self.delete_reader(handle)?.inner.ok_or_else(failed_before))
    }
}

fn failed_before() -> ServiceError {
    ServiceError::Invalid("a reader was used again after it had failed".to_owned())
}

impl blobs::Host for State {}

impl blobs::HostBlob for State {
    async fn size(&mut self, blob: Resource<Blob>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&blob)?.size)
    }

    async fn name(&mut self, blob: Resource<Blob>) -> wasmtime::Result<String> {
        Ok(self.table.get(&blob)?.name.clone())
    }

    async fn read(&mut self, blob: Resource<Blob>, offset: u64, length: u32) -> Answer<Vec<u8>> {
        let Blob { file, size, .. } = self.table.get(&blob)?.clone();
        let length = match chunk_length(length) {
            Ok(length) => length,
            Err(error) => return Ok(Err(convert::error(error))),
        };
        let mut reader = BlobReader {
            file,
            offset: offset.min(size),
            size,
        };
        let answer = blocking(move || read_up_to(&mut reader, length)).await;
        Ok(answer.map_err(convert::error))
    }

    async fn reader(&mut self, blob: Resource<Blob>) -> Answer<Resource<Reader>> {
        let Blob { file, size, .. } = self.table.get(&blob)?.clone();
        if self.open_readers >= limits::READERS {
            return Ok(Err(wit::Error::Invalid(format!(
                "{} readers are held at the same time; no more are allowed",
                limits::READERS
            ))));
        }
        let inner: Box<dyn Read + Send> = Box::new(BlobReader {
            file,
            offset: 0,
            size,
        });
        self.push_reader(Reader {
            inner: Some(inner),
            decoders: 0,
        })
        .map(Ok)
    }

    async fn drop(&mut self, blob: Resource<Blob>) -> wasmtime::Result<()> {
        self.table.delete(blob)?;
        self.open_blobs -= 1;
        Ok(())
    }
}

impl blobs::HostReader for State {
    async fn read(&mut self, reader: Resource<Reader>, length: u32) -> Answer<Vec<u8>> {
        let length = match chunk_length(length) {
            Ok(length) => length,
            Err(error) => return Ok(Err(convert::error(error))),
        };
        let Some(mut inner) = self.table.get_mut(&reader)?.inner.take() else {
            return Ok(Err(convert::error(failed_before())));
        };
        let answer = blocking(move || Ok((read_up_to(&mut inner, length)?, inner))).await;
        match answer {
            Ok((bytes, inner)) => {
                self.table.get_mut(&reader)?.inner = Some(inner);
                Ok(Ok(bytes))
            }
            Err(error) => Ok(Err(convert::error(error))),
        }
    }

    async fn decode(
        &mut self,
        inner: Resource<Reader>,
        wanted: blobs::Codec,
    ) -> Answer<Resource<Reader>> {
        let Reader { inner, decoders } = self.delete_reader(inner)?;
        let services = self.services("decode");
        let answer = async {
            let services = services?;
            let inner = inner.ok_or_else(failed_before)?;
            if decoders >= limits::NESTED_DECODERS {
                return Err(ServiceError::Invalid(format!(
                    "{decoders} decompressions on top of each other; no more are allowed"
                )));
            }
            // A decoder may read its header at once.
            blocking(move || services.decoder(codec(wanted), inner)).await
        };
        match answer.await {
            Ok(inner) => self
                .push_reader(Reader {
                    inner: Some(inner),
                    decoders: decoders + 1,
                })
                .map(Ok),
            Err(error) => Ok(Err(convert::error(error))),
        }
    }

    async fn measure(&mut self, inner: Resource<Reader>) -> Answer<u64> {
        let taken = self.take_reader(inner)?;
        let services = self.services("measure");
        let abandoned = self.abandoned.watch();
        let answer = async {
            let reader = BoundedReader {
                inner: taken?,
                services: services?,
                abandoned,
                left: limits::IMAGE_SIZE,
                overrun: ServiceError::Corrupt("these bytes do not end".to_owned()),
                overran: Arc::default(),
            };
            blocking(move || measure(reader)).await
        };
        Ok(answer.await.map_err(convert::error))
    }

    async fn drop(&mut self, reader: Resource<Reader>) -> wasmtime::Result<()> {
        self.delete_reader(reader)?;
        Ok(())
    }
}
