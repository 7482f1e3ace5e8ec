//! What `wit-bindgen` makes of the contract. Authors see the parts that the crate re-exports by
//! name; the rest is for [`export_source!`](crate::export_source).

#![expect(
    missing_docs,
    reason = "generated, and not every case of an enumeration says more than its name"
)]

wit_bindgen::generate!({
    path: "../wit/v0.1",
    world: "volume-source",
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export_bindings",
});
