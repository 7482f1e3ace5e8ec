//! The volume sources that ship with lvhost: components like any other, compiled ahead of time and
//! embedded, so that none has to be found or compiled when lvhost starts.
//!
//! They are compiled for the processor architecture that this crate is built for, by the version of
//! `lvhost-runtime` that it is built with.

#![forbid(unsafe_code)]

use lvhost_runtime::{Description, OptionSchema, OptionType};

/// A component that ships with lvhost.
#[derive(Clone, Copy)]
pub struct Bundled {
    /// What a user writes for `type`, as the component says itself.
    pub type_name: &'static str,
    /// For `lvhost_runtime::Runtime::embedded`.
    pub precompiled: &'static [u8],
    describe: fn() -> Description,
}

impl Bundled {
    /// What the component has said of itself when it was built.
    #[must_use]
    pub fn description(&self) -> Description {
        (self.describe)()
    }
}

/// The folder of the build with each component as WebAssembly, `TYPE.wasm`. For tests: it need not
/// be there any more where the program runs.
pub const WASM_FOLDER: &str = env!("OUT_DIR");

macro_rules! bundled {
    ($($type_name:literal),+) => {
        &[$(Bundled {
            type_name: $type_name,
            precompiled: include_bytes!(concat!(env!("OUT_DIR"), "/", $type_name, ".cwasm")),
            describe: || include!(concat!(env!("OUT_DIR"), "/", $type_name, ".rs")),
        }),+]
    };
}

/// All of them, by type.
#[must_use]
pub fn all() -> &'static [Bundled] {
    bundled![
        "backing-store",
        "cloning",
        "cloud-init",
        "external",
        "files"
    ]
}
