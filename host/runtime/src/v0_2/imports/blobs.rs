//! Bytes that the host holds.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::bindings::blobs as wit;
use super::super::convert;
use super::{Result, answered, unexpected};
use crate::limits;
use crate::request::{Answer, Request};
use crate::state::State;

/// A blob, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct BlobHandle {
    pub(super) blob: u32,
    pub(super) name: String,
    pub(super) size: u64,
}

/// A reader, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct ReaderHandle(pub(super) u32);

type Blob = Resource<BlobHandle>;
type Reader = Resource<ReaderHandle>;

/// A read is as long as a frame takes, if more is asked for.
fn clamped(length: u32) -> u32 {
    length.min(u32::try_from(limits::CHUNK).unwrap_or(u32::MAX))
}

impl State {
    async fn new_reader(&mut self, request: Request) -> Result<Reader> {
        let reader = answered!(self, request, Answer::Reader(reader) => ReaderHandle(reader));
        match reader? {
            Ok(reader) => Ok(Ok(self.table.push(reader)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl wit::Host for State {}

impl wit::HostBlob for State {
    async fn size(&mut self, blob: Blob) -> wasmtime::Result<u64> {
        Ok(self.table.get(&blob)?.size)
    }

    async fn name(&mut self, blob: Blob) -> wasmtime::Result<String> {
        Ok(self.table.get(&blob)?.name.clone())
    }

    async fn read(&mut self, blob: Blob, offset: u64, length: u32) -> Result<Vec<u8>> {
        let blob = self.table.get(&blob)?.blob;
        self.bytes_of(Request::ReadBlob {
            blob,
            offset,
            length: clamped(length),
        })
        .await
    }

    async fn reader(&mut self, blob: Blob) -> Result<Reader> {
        let blob = self.table.get(&blob)?.blob;
        self.new_reader(Request::MakeReader { blob }).await
    }

    async fn decode(&mut self, blob: Blob, codec: String) -> Result<Reader> {
        let codec = match convert::codec(&codec) {
            Ok(codec) => codec,
            Err(error) => return Ok(Err(error)),
        };
        let blob = self.table.get(&blob)?.blob;
        let made = answered!(self, Request::MakeReader { blob }, Answer::Reader(reader) => reader);
        match made? {
            Ok(reader) => self.new_reader(Request::Decode { reader, codec }).await,
            Err(error) => Ok(Err(error)),
        }
    }

    async fn digest(&mut self, blob: Blob, algorithm: String) -> Result<String> {
        let blob = self.table.get(&blob)?.blob;
        let request = Request::Digest { blob, algorithm };
        answered!(self, request, Answer::Text(digits) => digits)
    }

    async fn unpack(
        &mut self,
        blob: Blob,
        packing: String,
        member: Option<String>,
    ) -> Result<Blob> {
        let blob = self.table.get(&blob)?.blob;
        self.new_blob(Request::Unpack {
            blob,
            packing,
            member,
        })
        .await
    }

    async fn drop(&mut self, blob: Blob) -> wasmtime::Result<()> {
        let blob = self.table.delete(blob)?.blob;
        self.tell(Request::DropBlob(blob)).await
    }
}

impl wit::HostReader for State {
    async fn read(&mut self, reader: Reader, length: u32) -> Result<Vec<u8>> {
        let reader = self.table.get(&reader)?.0;
        let length = clamped(length);
        self.bytes_of(Request::Read { reader, length }).await
    }

    async fn drop(&mut self, reader: Reader) -> wasmtime::Result<()> {
        let reader = self.table.delete(reader)?.0;
        self.tell(Request::DropReader(reader)).await
    }
}
