//! Loads, limits and calls volume sources: WebAssembly components behind the contract in `wit/v0.1`.
//! The only user of wasmtime.
//!
//! ```text
//!   Runtime::load ─► inspect, contract (names) ─► compile ─► Source::{configure, prepare}
//!                                                        │
//!     computing: processor time      state: memory, tables, handles      wasi: empty surroundings
//!                                                        │
//!     report, look_ups, blobs, target ◄── the component's imports ──► untrusted ──► Services, Sink
//! ```
//!
//! Everything a component says goes through `untrusted`; every bound stands in `limits`; machine code
//! comes in through `precompiled` alone.

mod bindings;
mod blobs;
mod computing;
mod contract;
mod convert;
mod engine;
mod error;
mod inspect;
mod limits;
mod log;
mod look_ups;
mod precompiled;
mod report;
mod runtime;
mod services;
mod source;
mod state;
mod target;
mod types;
mod untrusted;
mod wasi;

pub use error::{ComponentError, Fault, LoadError, PrecompileError, RuntimeError};
pub use limits::{COMPONENT_SIZE, Limits};
pub use runtime::{ComponentBytes, Runtime, Settings, precompile};
pub use services::{ServiceError, Services, Sink, read_error};
pub use source::Source;
pub use types::{
    Base, Blob, Codec, Configuration, Defaults, Description, Device, Diagnostic, FileEntry,
    FileKind, Grant, Image, Level, OptionSchema, OptionSetting, OptionType, OptionValue, Recipe,
    Severity, Volume, VolumeFacts, VolumeId,
};
