//! What `wit-bindgen` makes of the contract. Nothing of it is shown to authors: the types of this crate are its own,
//! and [`export_source!`](crate::export_source) is the only one to use it.

#![expect(missing_docs, reason = "generated")]

wit_bindgen::generate!({
    path: "../wit/v0.2",
    world: "volume-source",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
});
