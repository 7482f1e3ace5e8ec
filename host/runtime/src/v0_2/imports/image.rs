//! An image in the making: what its bytes are said to be, and the bytes.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::bindings::prepare as wit;
use super::super::convert;
use super::{BlobHandle, ReaderHandle, Result, answered, unexpected};
use crate::limits;
use crate::request::{Answer, Request};
use crate::state::State;

/// What bytes are said to be.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
#[derive(Default)]
pub struct FormHandle {
    pub(super) format: String,
    pub(super) length: Option<u64>,
    pub(super) capacity: u64,
    pub(super) codec: Option<String>,
}

/// What a component holds of its target. There is one, so it says nothing.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct SinkHandle;

impl wit::HostForm for State {
    async fn new(&mut self) -> wasmtime::Result<Resource<FormHandle>> {
        Ok(self.table.push(FormHandle::default())?)
    }

    async fn format(&mut self, form: Resource<FormHandle>, format: String) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.format = format;
        Ok(())
    }

    async fn length(&mut self, form: Resource<FormHandle>, length: u64) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.length = Some(length);
        Ok(())
    }

    async fn capacity(
        &mut self,
        form: Resource<FormHandle>,
        capacity: u64,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.capacity = capacity;
        Ok(())
    }

    async fn codec(&mut self, form: Resource<FormHandle>, codec: String) -> wasmtime::Result<()> {
        self.table.get_mut(&form)?.codec = Some(codec);
        Ok(())
    }

    async fn drop(&mut self, form: Resource<FormHandle>) -> wasmtime::Result<()> {
        self.table.delete(form)?;
        Ok(())
    }
}

impl wit::HostSink for State {
    async fn write(&mut self, _sink: Resource<SinkHandle>, bytes: Vec<u8>) -> Result<u32> {
        let mut bytes = Bytes::from(bytes);
        bytes.truncate(limits::CHUNK);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        match self.host.ask(Request::Write, bytes).await?.0 {
            Answer::Done => Ok(Ok(length)),
            Answer::Failed(error) => Ok(Err(convert::error(error))),
            _ => Err(unexpected()),
        }
    }

    async fn zeros(&mut self, _sink: Resource<SinkHandle>, length: u64) -> Result<()> {
        answered!(self, Request::Zeros(length), Answer::Done => ())
    }

    async fn copy_from(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<BlobHandle>,
        offset: u64,
        length: u64,
    ) -> Result<()> {
        let blob = self.table.get(&source)?.blob;
        let request = Request::CopyFrom {
            blob,
            offset,
            length,
        };
        answered!(self, request, Answer::Done => ())
    }

    async fn drain(
        &mut self,
        _sink: Resource<SinkHandle>,
        source: Resource<ReaderHandle>,
    ) -> Result<u64> {
        let reader = self.table.delete(source)?.0;
        answered!(self, Request::Drain { reader }, Answer::Length(length) => length)
    }

    async fn drop(&mut self, sink: Resource<SinkHandle>) -> wasmtime::Result<()> {
        self.table.delete(sink)?;
        Ok(())
    }
}
