//! The starter in `template` is copied to a place outside of this workspace, as an author would do,
//! and there passes its tests and becomes a component.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a component begins with: `\0asm`, version 13 and the layer of components ("Binary format
/// explainer" of the component model).
const COMPONENT_MAGIC: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

fn copy_of_the_template() -> PathBuf {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template");
    fs::create_dir_all(copy.join("src")).unwrap();
    fs::copy(sdk.join("template/src/lib.rs"), copy.join("src/lib.rs")).unwrap();
    // The versions that this workspace has been tested with, and that are already downloaded.
    fs::copy(sdk.join("../Cargo.lock"), copy.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(sdk.join("template/Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("path = \"..\"").count(), 1);
    let manifest = manifest.replace("path = \"..\"", &format!("path = {sdk:?}"));
    fs::write(copy.join("Cargo.toml"), manifest).unwrap();
    copy
}

fn cargo(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        // What describes the build of this test, and would change the other.
        if name.starts_with("CARGO_TARGET") || name.contains("RUSTFLAGS") {
            command.env_remove(&*name);
        }
    }
    let output = command
        .current_dir(folder)
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// This machine's target triple.
fn host_target() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let target = version.lines().find_map(|line| line.strip_prefix("host: "));
    target.unwrap().to_owned()
}

#[test]
fn the_template_passes_its_tests_and_becomes_a_component() {
    let copy = copy_of_the_template();
    // With a target of its own, so that the procedural macros are built once for both.
    cargo(&copy, &["test", "--target", &host_target()]);
    cargo(&copy, &["build", "--release", "--target", "wasm32-wasip2"]);
    let component = copy.join("target/wasm32-wasip2/release/lvhost_source_ignition.wasm");
    let bytes = fs::read(&component).unwrap();
    assert!(
        bytes.starts_with(&COMPONENT_MAGIC),
        "{} is no component",
        component.display()
    );
    // What a standard library brings along and lvhost refuses, by the names of its imports.
    for refused in ["wasi:filesystem/", "wasi:sockets/"] {
        let is_there = bytes
            .windows(refused.len())
            .any(|part| part == refused.as_bytes());
        assert!(!is_there, "{} imports {refused}", component.display());
    }
}
