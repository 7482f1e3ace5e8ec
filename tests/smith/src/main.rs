//! Makes WebAssembly out of random bytes, by wasm-smith: each frame of the input becomes one of the output.
//! A frame is its length in four bytes, the lowest first, and its content.
//!
//! ```text
//!   kind, features, random bytes … ─► a module or a component
//! ```

use std::io::{self, Read, Write};

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut random = vec![0; u32::from_le_bytes(length) as usize];
        input.read_exact(&mut random)?;
        let wasm = made_of(&random).unwrap_or_default();
        let length = u32::try_from(wasm.len()).map_err(io::Error::other)?;
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&wasm)?;
    }
    Ok(())
}

fn made_of(random: &[u8]) -> Option<Vec<u8>> {
    let [kind, features, rest @ ..] = random else {
        return None;
    };
    let config = config(*features);
    let mut random = Unstructured::new(rest);
    match kind % 2 {
        0 => Some(Module::new(config, &mut random).ok()?.to_bytes()),
        _ => Some(Component::new(config, &mut random).ok()?.to_bytes()),
    }
}

/// One of four has all that wasm-smith knows, the others what a volume source may use. A module that is
/// to be instantiated can't import anything.
fn config(features: u8) -> Config {
    let all = features.is_multiple_of(4);
    let mut config = Config {
        allow_invalid_funcs: features % 16 == 1,
        exceptions_enabled: all,
        gc_enabled: all,
        max_imports: 0,
        max_memories: if all { 3 } else { 1 },
        max_memory32_bytes: 1 << 24,
        max_table_elements: 10_000,
        max_tables: 3,
        memory64_enabled: all,
        reference_types_enabled: all,
        relaxed_simd_enabled: all,
        threads_enabled: all,
        wide_arithmetic_enabled: all,
        ..Config::default()
    };
    if features % 8 >= 4 {
        config.max_imports = 10;
    }
    config
}
