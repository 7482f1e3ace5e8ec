//! The host's side of the contract, generated from `wit/v0.1`.

wasmtime::component::bindgen!({
    path: "../../wit/v0.1",
    world: "volume-source",
    imports: { default: async | trappable },
    exports: { default: async },
    additional_derives: [serde::Serialize, serde::Deserialize],
    with: {
        "lvhost:source/blobs.blob": crate::imports::BlobHandle,
        "lvhost:source/blobs.reader": crate::imports::ReaderHandle,
        "lvhost:source/target.sink": crate::imports::SinkHandle,
    },
});

pub(crate) use exports::lvhost::source::source as exported;
pub(crate) use lvhost::source::{blobs, fetch, files, report, target, types, volumes};
