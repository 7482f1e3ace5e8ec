//! Programs that use what their language has for files and networks: they run, and reach nothing.

use std::sync::Arc;

use lvhost_runtime::{ComponentBytes, Limits, Recipe};

use crate::support::{FakeServices, guest, runtime, volume};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_uses_files_and_sockets_reaches_nothing() {
    let wasm = ComponentBytes::Wasm(guest("reaching-out"));
    let source = runtime().load("reaching-out", wasm, Limits::default());
    let source = source.expect("a source that may be loaded");
    let services = FakeServices::default();
    let prepared = source
        .prepare(&volume(), &[], Arc::new(services.clone()))
        .await;
    let recipe = prepared.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(recipe, Recipe::Blank);
    // Each attempt has failed with a reason of its own, and none has ended the component.
    let log = services.lines().join("\n");
    for what in [
        "a file:",
        "a new folder:",
        "a server by its name:",
        "a port:",
        "its folder:",
    ] {
        assert!(log.contains(what), "{what} {log}");
    }
    assert!(log.to_lowercase().contains("permission denied"), "{log}");
}
