//! The host's side of the contract, generated from `wit/v0.2`.

wasmtime::component::bindgen!({
    path: "../../wit/v0.2",
    world: "volume-source",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "lvhost:source/types.volume": super::imports::types::VolumeHandle,
        "lvhost:source/types.secret": super::imports::types::SecretHandle,
        "lvhost:source/types.options": super::imports::types::OptionsHandle,
        "lvhost:source/describe.description": super::imports::describe::DescriptionHandle,
        "lvhost:source/describe.schema": super::imports::describe::SchemaHandle,
        "lvhost:source/describe.option-schema": super::imports::describe::OptionSchemaHandle,
        "lvhost:source/configure.configuration": super::imports::configure::ConfigurationHandle,
        "lvhost:source/blobs.blob": super::imports::blobs::BlobHandle,
        "lvhost:source/blobs.reader": super::imports::blobs::ReaderHandle,
        "lvhost:source/requests.request": super::imports::requests::RequestHandle,
        "lvhost:source/requests.answer": super::imports::requests::AnswerHandle,
        "lvhost:source/prepare.form": super::imports::image::FormHandle,
        "lvhost:source/prepare.facts": super::imports::prepare::FactsHandle,
        "lvhost:source/prepare.listing": super::imports::listing::ListingHandle,
        "lvhost:source/prepare.sink": super::imports::image::SinkHandle,
        "lvhost:source/prepare.preparation": super::imports::prepare::PreparationHandle,
    },
});

pub(super) use lvhost::source::{blobs, configure, describe, log, prepare, requests, types};
