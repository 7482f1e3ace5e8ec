//! The WebAssembly engine's configuration: what of WebAssembly exists for a component, and the split
//! between the engine that compiles and the one that runs.
//!
//! [`running`] has no compiler, so no start-up can ever spend time in one unnoticed. [`compiling`]
//! exists only for as long as it compiles. Both share one configuration, since compiled code is only
//! accepted by an engine that agrees with it in everything.

use wasmtime::{Config, Engine};

use crate::limits::WASM_STACK;

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

fn configuration() -> Config {
    let mut config = Config::new();
    config
        // Stops a component that spins; costs 5 to 10 % on branchy code, fuel the same again.
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        // Components are stripped: a trace of them is noise.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        // What no compiler for WASI 0.2 needs is attack surface.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .shared_memory(false)
        .wasm_gc(false)
        .wasm_relaxed_simd(false)
        .wasm_component_model_error_context(false)
        .wasm_component_model_gc(false)
        .wasm_component_model_map(false)
        .wasm_component_model_memory64(false)
        .wasm_component_model_fixed_length_lists(false)
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
        let loaded = precompiled::load(&engine, &Trusted::JustCompiled(&code));
        assert!(loaded.is_ok(), "{:?}", loaded.err());
    }
}
