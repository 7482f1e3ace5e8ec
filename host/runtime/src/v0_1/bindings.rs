//! The host's side of the contract, generated from `wit/v0.1`.

wasmtime::component::bindgen!({
    path: "../../wit/v0.1",
    world: "volume-source",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "lvhost:source/blobs.blob": super::imports::BlobHandle,
        "lvhost:source/blobs.reader": super::imports::ReaderHandle,
        "lvhost:source/target.sink": super::imports::SinkHandle,
    },
});

pub(super) use exports::lvhost::source::source as exported;
pub(super) use lvhost::source::{blobs, fetch, files, report, target, types, volumes};
