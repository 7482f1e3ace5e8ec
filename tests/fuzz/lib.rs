//! What all fuzz targets share: how a program becomes one.

#![forbid(unsafe_code)]

pub mod peer;
pub mod world;

#[doc(hidden)]
pub use libfuzzer_sys;

/// Makes a program of a function that takes any bytes. Under `run.sh` libFuzzer is its `main`; in every
/// other build of the workspace it only says so, and its body is left out, since the functions it calls
/// exist under `cfg(fuzzing)` alone.
#[macro_export]
macro_rules! target {
    (|$data:ident| $body:block) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|$data: &[u8]| $body);

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            std::process::ExitCode::from($crate::not_instrumented())
        }
    };
}

/// Says how to run a target; the exit code of having done nothing.
#[must_use]
#[allow(clippy::print_stderr, reason = "a program of its own")]
pub fn not_instrumented() -> u8 {
    eprintln!("this program was built without libFuzzer; run tests/fuzz/run.sh");
    2
}

/// The bytes as text, if they are.
pub fn text(data: &[u8], each: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        each(text);
    }
}
