//! Loads, limits and calls volume sources: WebAssembly components behind the contract in `wit/`.
//! The only user of wasmtime.
//!
//! ```text
//!   Runtime::load ─► inspect, contract (names) ─► compile ─► Source::{configure, prepare}
//!                                                        │
//!        built in: in this process ◄─────────────────────┴────────────► a stranger's: in a child
//!              │                                                               │
//!   instance: wasmtime, a call   state: memory, tables   wasi: empty    instance, state, wasi
//!              │                                                               │
//!           imports ── Request ──► session ◄────── frame: Request ────── imports
//!                                     │
//!                 untrusted, budget ──┴──► Services, Sink
//! ```
//!
//! Everything a component says goes through `untrusted`; what it uses up is counted in `budget`; every
//! bound stands in `limits`; machine code comes in through `precompiled` alone.

mod bounds;
mod budget;
pub mod child;
mod compiled;
mod computing;
mod contract;
mod crash;
mod engine;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod inspect;
mod instance;
mod limits;
mod log;
mod precompiled;
mod request;
mod runtime;
mod services;
mod session;
mod source;
mod state;
mod types;
mod untrusted;
mod v0_1;
mod v0_2;
mod wasi;

pub use budget::Budget;
pub use compiled::CompiledPlaces;
pub use crash::{Crash, Written};
pub use error::{
    ComponentError, CoreModule, Fault, LoadError, PrecompileError, Reason, RuntimeError,
};
pub use limits::{COMPONENT_SIZE, Limits};
pub use runtime::{Compilation, ComponentBytes, Runtime, Settings, precompile};
pub use services::{Digesting, Packed, ServiceError, Services, Sink, Work, read_error};
pub use source::Source;
pub use types::{
    Base, Blob, Codec, Configuration, Defaults, Description, Device, Diagnostic, Download,
    FileEntry, FileKind, Grant, Header, Image, Level, Method, OptionSchema, OptionSetting,
    OptionType, OptionValue, Recipe, Severity, Volume, VolumeFacts, VolumeId, WebAnswer,
    WebRequest,
};
