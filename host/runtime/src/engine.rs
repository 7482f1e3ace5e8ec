//! The WebAssembly engine's configuration: what of WebAssembly exists for a component, and the split
//! between the engine that compiles and the one that runs.
//!
//! [`running`] has no compiler, so no start-up can ever spend time in one unnoticed. [`compiling`]
//! exists only for as long as it compiles. Both share one configuration, since compiled code is only
//! accepted by an engine that agrees with it in everything.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmtime::{Config, Engine, WasmFeatures};

use crate::limits::WASM_STACK;

/// What of WebAssembly a component may use: what compilers for WASI 0.2 need. All else is attack
/// surface; [`inspect`](crate::inspect) holds strangers' components to it.
pub(crate) const GUEST_FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(WasmFeatures::GC_TYPES);

/// What the engine itself needs on top: where two composed components speak with each other, it puts an
/// adapter between them that has the memories of both. Without this it panics on them.
const ADAPTER_FEATURES: WasmFeatures = WasmFeatures::MULTI_MEMORY;

/// Calls within each other that are looked at when a component crashes: in the languages' own ways to give up are
/// some ten.
const FRAMES: usize = 32;

/// The engine that runs components.
pub(crate) fn running() -> wasmtime::Result<Engine> {
    let mut config = configuration();
    config.enable_compiler(false);
    Engine::new(&config)
}

/// An engine that compiles for this machine, or for any machine of `target`: without `target` the
/// code uses whatever this processor offers, with it only what all have.
pub(crate) fn compiling(target: Option<&str>) -> wasmtime::Result<Engine> {
    let mut config = configuration();
    if let Some(target) = target {
        config.target(target)?;
    }
    // Cranelift only: Winch, the other compiler, has had its own share of sandbox escapes.
    config.strategy(wasmtime::Strategy::Cranelift);
    Engine::new(&config)
}

/// Compiles a stranger's component for this machine. It has been [inspected](crate::inspect::inspect);
/// what the compiler has no answer to all the same, it meets with a panic: that must not be the end of
/// more than this component.
pub(crate) fn compile(wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    // Nothing outlives the panic: the compiler and its engine are made in here.
    let compile = AssertUnwindSafe(|| compiling(None)?.precompile_component(wasm));
    catch_unwind(compile)
        .unwrap_or_else(|_| Err(wasmtime::Error::msg("the compiler has given up on it")))
}

fn configuration() -> Config {
    let mut config = Config::new();
    config
        // Stops a component that spins; costs 5 to 10 % on branchy code, fuel the same again.
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        // For the name of the function that a component crashed in.
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES))
        .generate_address_map(false)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(GUEST_FEATURES.union(ADAPTER_FEATURES), true)
        // A component's process may make no files, those in memory included.
        .memory_init_cow(false)
        // The contract has no streams, and their code is wasmtime's youngest.
        .concurrency_support(false);
    config
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;
    use crate::precompiled::{self, Trusted};

    const SMALLEST: &[u8] = b"\0asm\x0d\0\x01\0";

    /// Start-up can't spend time in a compiler which is not there.
    #[test]
    fn the_running_engine_cannot_compile() {
        let engine = running().expect("engine");
        assert!(Component::new(&engine, SMALLEST).is_err());
    }

    #[test]
    fn what_one_engine_compiles_the_other_runs() {
        let engine = running().expect("engine");
        let code = compiling(None).and_then(|it| it.precompile_component(SMALLEST));
        let code = code.expect("compiled");
        let loaded = precompiled::load(&engine, &Trusted::Confined(&code));
        assert!(loaded.is_ok(), "{:?}", loaded.err());
    }
}
