//! Loading machine code that this crate has compiled before: the one place where bytes are trusted.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code made by [`Engine::precompile_component`], from where nobody else can put anything.
pub(crate) enum Trusted<'a> {
    /// Embedded in this program by a build script, which made it with [`crate::precompile`].
    Embedded(&'static [u8]),
    /// Compiled from a stranger's component, in a confined process, and loaded in another one that is
    /// confined: there it may be whatever it is.
    Confined(&'a [u8]),
}

/// Makes a component of machine code. The engine refuses code of another wasmtime, another
/// configuration or another kind of machine.
#[expect(
    unsafe_code,
    reason = "machine code is run as it is; this is where it comes in"
)]
pub(crate) fn load(engine: &Engine, code: &Trusted<'_>) -> wasmtime::Result<Component> {
    let bytes = match code {
        Trusted::Embedded(bytes) => *bytes,
        Trusted::Confined(bytes) => bytes,
    };
    // SAFETY: `deserialize` asks that the bytes come from wasmtime's own compilation, unchanged.
    // `Embedded` are part of this program's own read-only data, put there by its build script:
    // who can change them can change any other code of the program. `Confined` were made by it in a
    // process that is held by the kernel as this one is, from the same component, and are carried by
    // the parent of both: code that were not wasmtime's could do here what it could have done there.
    // Nothing is ever read from a file or taken from a user here.
    unsafe { Component::deserialize(engine, bytes) }
}
