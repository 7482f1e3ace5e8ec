//! What can go wrong with components, said to the user: always which component and what it did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract;
use crate::crash::Crash;
use crate::limits;
use crate::services::ServiceError;

/// The WebAssembly engine could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine could not be started")]
pub struct RuntimeError {
    #[source]
    pub(crate) source: wasmtime::Error,
}

/// A component could not be compiled ahead of time.
#[derive(Debug, thiserror::Error)]
pub enum PrecompileError {
    /// The target is unknown to the compiler.
    #[error("components can't be compiled for {target}")]
    Target {
        /// What was asked for.
        target: String,
        /// The compiler's reason.
        #[source]
        source: wasmtime::Error,
    },
    /// The bytes are no component, or one that uses WebAssembly features which are switched off.
    #[error("not a WebAssembly component that lvhost can run")]
    Invalid(#[source] wasmtime::Error),
}

/// A component was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Bigger than any source should be.
    #[error("source \"{component}\" has {size} bytes; at most {limit} are allowed")]
    TooLarge {
        /// The name it was loaded by.
        component: String,
        /// Its bytes.
        size: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The bytes are no component that this runtime can run.
    #[error("source \"{component}\" is not a WebAssembly component that lvhost can run")]
    Invalid {
        /// The name it was loaded by.
        component: String,
        /// The reason.
        #[source]
        source: Reason,
    },
    /// It can't be compiled within the bounds for that.
    #[error("source \"{component}\" can't be compiled: {reason}")]
    NotCompiled {
        /// The name it was loaded by.
        component: String,
        /// Which bound, or what else is in the way.
        reason: String,
    },
    /// There is no process for it.
    #[error("source \"{component}\" can't be run: a process for it can't be started")]
    NoProcess {
        /// The name it was loaded by.
        component: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It imports something that is not offered.
    #[error("source \"{component}\" asks for {import}, which lvhost does not grant")]
    ForbiddenImport {
        /// The name it was loaded by.
        component: String,
        /// The import, with its version.
        import: String,
    },
    /// It was made for another version of the contract.
    #[error(
        "source \"{component}\" was made for {found}, and this lvhost speaks {offered}; \
         use a version of the source that was made for it"
    )]
    Version {
        /// The name it was loaded by.
        component: String,
        /// The interface it imports or exports, with its version.
        found: String,
        /// The versions that are understood.
        offered: &'static str,
    },
    /// It does not export what a volume source must.
    #[error("\"{component}\" is not a volume source: it does not export {export}")]
    MissingExport {
        /// The name it was loaded by.
        component: String,
        /// What is missing.
        export: String,
        /// Whether it is a program that is started as a command.
        is_command: bool,
    },
    /// A module, of which no component was made.
    #[error("source \"{component}\" is a WebAssembly module, and a volume source is a component")]
    CoreModule {
        /// The name it was loaded by.
        component: String,
        /// What it has of what is needed to make a component of it.
        module: CoreModule,
    },
    /// Its imports have our names, but not our shape: functions or types that do not exist.
    #[error("source \"{component}\" does not fit the contract {offered}")]
    Mismatch {
        /// The name it was loaded by.
        component: String,
        /// The versions that are understood.
        offered: &'static str,
        /// The first difference.
        #[source]
        source: Reason,
    },
    /// Its `describe` failed or answered nonsense.
    #[error(transparent)]
    Describe(#[from] ComponentError),
}

impl LoadError {
    /// What the author of the component can do, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { .. } => {
                "have it made smaller: a debug build is many times as big as one for release; `wasm-tools strip` \
                 removes what only debuggers read, and `wasm-opt -Oz` makes the code smaller"
                    .to_owned()
            }
            Self::Mismatch { .. } => {
                "make its bindings anew from the WIT of this version of lvhost".to_owned()
            }
            Self::NotCompiled { .. } => {
                "a debug build has bigger functions and more of them than one for release: have it made for \
                 release"
                    .to_owned()
            }
            Self::ForbiddenImport { import, .. } => contract::advice_on_import(import).to_owned(),
            Self::MissingExport {
                is_command: true, ..
            } => {
                "it is a program with a function `main`; a source is a library: have it made as a reactor \
                 (for C `-mexec-model=reactor`, for Rust `crate-type = [\"cdylib\"]`, for Go \
                 `-buildmode=c-shared`) of the world `volume-source`"
                    .to_owned()
            }
            Self::MissingExport { .. } => {
                "have it made of the world `volume-source` of lvhost:source".to_owned()
            }
            Self::CoreModule { module, .. } => module.advice(),
            Self::Version { .. } => "ask who made it for one that fits this version of lvhost".to_owned(),
            Self::Invalid { .. } | Self::NoProcess { .. } | Self::Describe(_) => return None,
        })
    }
}

/// What a module has of what is needed to make a component of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreModule {
    /// It imports WASI 0.1, which needs an adapter.
    pub imports_wasi_0_1: bool,
    /// It says which world it was made for, as the bindings of `wit-bindgen` do.
    pub has_types: bool,
}

impl CoreModule {
    fn advice(self) -> String {
        let embed = if self.has_types {
            ""
        } else {
            "`wasm-tools component embed --world volume-source WIT-FOLDER MODULE -o MODULE`, then "
        };
        let adapt = if self.imports_wasi_0_1 {
            " --adapt wasi_snapshot_preview1.reactor.wasm"
        } else {
            ""
        };
        format!(
            "make a component of it: {embed}`wasm-tools component new MODULE{adapt} -o COMPONENT`"
        )
    }
}

/// What the WebAssembly engine has against a component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Reason(pub(crate) String);

impl Reason {
    /// With all causes.
    pub(crate) fn of(error: &wasmtime::Error) -> Self {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        Self(causes.join(": ")).cleaned()
    }

    /// One that a child has given.
    pub(crate) fn cleaned(self) -> Self {
        Self(crate::untrusted::text(&self.0, limits::SENTENCE))
    }
}

/// What a component did wrong in a call.
#[derive(Debug, thiserror::Error)]
#[error("source \"{component}\" {fault}")]
pub struct ComponentError {
    /// The name the component was loaded by.
    pub component: String,
    /// The function that was called: `describe`, `configure` or `prepare`.
    pub function: &'static str,
    /// What happened.
    pub fault: Fault,
}

/// The ways a call can fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Fault {
    /// It ended by a trap: an assertion or a panic in its code, an access out of bounds.
    #[error("crashed{crash}")]
    Trap {
        /// What is known of it.
        crash: Box<Crash>,
    },
    /// It wanted more memory than it may have.
    #[error(
        "used up its memory: it may have {} MiB, unless `memory` in the `limits` of its entry in lvhost.hcl \
         says otherwise",
        limit >> 20
    )]
    OutOfMemory {
        /// Bytes.
        limit: usize,
    },
    /// It wanted more of some countable thing than it may have.
    #[error("went over a limit: {0}")]
    LimitExceeded(String),
    /// It computed for too long, or lvhost did for it.
    #[error("computed for more than {} s and was stopped", limit.as_secs_f64())]
    TimedOut {
        /// The time it may compute in one command. Waiting for the host is not counted.
        limit: Duration,
    },
    /// Its process neither asked for anything nor ended.
    #[error("did nothing for {} s and was stopped", limit.as_secs_f64())]
    Silent {
        /// The time it may take.
        limit: Duration,
    },
    /// Its process ended before the call did.
    #[error("ended with its process: {0}")]
    ProcessEnded(String),
    /// Its calls were nested too deeply.
    #[error("overflowed its stack: endless recursion?")]
    StackOverflow,
    /// It gave up by its own result.
    #[error("failed: {0}")]
    Reported(ServiceError),
    /// It broke the contract.
    #[error("misbehaved: {0}")]
    Misbehaved(String),
    /// What is embedded in the program could not be made ready.
    #[error("can't be loaded: {0}")]
    NotLoaded(String),
    /// The user cancelled the build.
    #[error("was cancelled")]
    Cancelled,
}
