//! The components of `tests/guests`, built for the tests that hand them to the command.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The component `lvhost-guest-NAME`. What is built already is not built again.
pub(crate) fn guest_component(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let status = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests"))
        .args(["build", "--quiet", "--target", "wasm32-wasip2"])
        .args(["--profile", "component", "--package"])
        .arg(format!("lvhost-guest-{name}"))
        .arg("--target-dir")
        .arg(&target)
        // Flags meant for the tests themselves (coverage, sanitizers) don't exist for wasm.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .unwrap();
    assert!(
        status.success(),
        "{name} was not built; is the target wasm32-wasip2 installed?"
    );
    target.join(format!("wasm32-wasip2/component/lvhost_guest_{name}.wasm"))
}
