//! The state of one call: what its store holds, who answers it, and what a component may allocate.

use bytes::Bytes;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::child::Connection;
use crate::error::Fault;
use crate::limits;
use crate::request::{Answer, Request};
use crate::session::Session;
use crate::v0_2::Collected;

/// What one call has. Dropping it ends whatever still runs for it on other threads.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    /// Nanoseconds that the component's monotonic clock shows.
    pub(crate) monotonic: u64,
    pub(crate) host: Host,
    /// What is about this call, and what was said in it.
    pub(crate) collected: Collected,
    /// The time for what gets a time, in seconds since 1970.
    pub(crate) timestamp: u64,
    memory_limit: usize,
    /// Bytes of all memories and tables.
    allocated: usize,
}

/// Who answers a component.
pub(crate) enum Host {
    /// This process.
    Session(Box<Session>),
    /// The process that has started this one.
    Parent(Connection),
}

impl Host {
    pub(crate) async fn ask(
        &mut self,
        request: Request,
        bytes: Bytes,
    ) -> wasmtime::Result<(Answer, Bytes)> {
        match self {
            Self::Session(session) => session
                .answer(request, bytes)
                .await
                .map_err(wasmtime::Error::new),
            Self::Parent(parent) => Ok(parent.ask(request, bytes)?),
        }
    }
}

impl State {
    /// `memory` is what the component may allocate, `timestamp` what its clock shows, in seconds since 1970.
    pub(crate) fn new(wasi: WasiCtx, timestamp: u64, host: Host, memory: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HANDLES);
        Self {
            table,
            wasi,
            monotonic: 0,
            host,
            collected: Collected::default(),
            timestamp,
            memory_limit: memory,
            allocated: 0,
        }
    }

    /// Asks what is answered by nothing, or not answered at all.
    pub(crate) async fn tell(&mut self, request: Request) -> wasmtime::Result<()> {
        self.host.ask(request, Bytes::new()).await.map(|_| ())
    }

    /// Counts what a memory or table grows by.
    fn allocate(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let allocated = self.allocated.saturating_add(growth);
        if allocated > self.memory_limit {
            return Err(wasmtime::Error::new(Fault::OutOfMemory {
                limit: self.memory_limit,
            }));
        }
        self.allocated = allocated;
        Ok(true)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Growth beyond a limit ends the component at once rather than being refused to it: an honest one
/// would give up too, but by a panic which does not say why.
impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.allocate(current, desired)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > limits::TABLE_ELEMENTS {
            return Err(wasmtime::Error::new(Fault::LimitExceeded(format!(
                "a table of {desired} elements; at most {} are allowed",
                limits::TABLE_ELEMENTS
            ))));
        }
        self.allocate(
            current.saturating_mul(limits::TABLE_ELEMENT),
            desired.saturating_mul(limits::TABLE_ELEMENT),
        )
    }

    fn instances(&self) -> usize {
        limits::INSTANCES
    }

    fn tables(&self) -> usize {
        limits::INSTANCES
    }

    fn memories(&self) -> usize {
        limits::INSTANCES
    }
}
