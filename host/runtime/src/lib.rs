//! Loads, limits and calls volume sources: WebAssembly components behind the contract in `wit/v0.1`.
//! The only user of wasmtime.

mod error;
mod limits;
mod runtime;
mod services;
mod types;

pub use error::{ComponentError, Fault, LoadError, PrecompileError, RuntimeError};
pub use limits::Limits;
pub use runtime::{ComponentBytes, Runtime, Settings, Source, precompile};
pub use services::{ServiceError, Services, Sink, read_error};
pub use types::{
    Base, Blob, Codec, Configuration, Defaults, Description, Device, Diagnostic, FileEntry,
    FileKind, Grant, Image, Level, OptionSchema, OptionSetting, OptionType, OptionValue, Recipe,
    Severity, Volume, VolumeFacts, VolumeId,
};
