//! The state of one call: what its store holds, and what a component may allocate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::error::Fault;
use crate::limits::{self, Limits};
use crate::log::SharedLog;
use crate::report::ProgressGate;
use crate::services::{ServiceError, Services};
use crate::target::Target;

/// What one call has. Dropping it ends whatever still runs for it on other threads.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    /// Nanoseconds that the component's monotonic clock shows.
    pub(crate) monotonic: u64,
    pub(crate) log: SharedLog,
    pub(crate) progress: ProgressGate,
    pub(crate) target: Target,
    pub(crate) open_blobs: usize,
    pub(crate) open_readers: usize,
    pub(crate) abandoned: Abandoned,
    services: Option<Arc<dyn Services>>,
    memory_limit: usize,
}

impl State {
    /// `services` are there in `prepare` only.
    pub(crate) fn new(
        wasi: WasiCtx,
        log: SharedLog,
        services: Option<Arc<dyn Services>>,
        limits: &Limits,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::HANDLES);
        Self {
            table,
            wasi,
            monotonic: 0,
            log,
            progress: ProgressGate::default(),
            target: Target::default(),
            open_blobs: 0,
            open_readers: 0,
            abandoned: Abandoned::default(),
            services,
            memory_limit: limits.memory,
        }
    }

    /// The services, or the error that a component gets for trying to use them outside of `prepare`.
    pub(crate) fn services(&self, function: &str) -> Result<Arc<dyn Services>, ServiceError> {
        self.services.clone().ok_or_else(|| {
            ServiceError::Denied(format!("{function} works only while a volume is prepared"))
        })
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.services
            .as_ref()
            .is_some_and(|services| services.is_cancelled())
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
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.memory_limit {
            return Err(wasmtime::Error::new(Fault::OutOfMemory {
                limit: self.memory_limit,
            }));
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > limits::TABLE_ELEMENTS {
            return Err(wasmtime::Error::new(Fault::LimitExceeded(format!(
                "a table of {desired} elements; at most {} are allowed",
                limits::TABLE_ELEMENTS
            ))));
        }
        Ok(true)
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

/// Set when the call is over, for work on other threads to see.
#[derive(Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(crate) fn watch(&self) -> AbandonedWatch {
        AbandonedWatch(Arc::clone(&self.0))
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The other end of [`Abandoned`].
#[derive(Clone)]
pub(crate) struct AbandonedWatch(Arc<AtomicBool>);

impl AbandonedWatch {
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
