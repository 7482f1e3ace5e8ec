//! Archives, which are unpacked here since a reader of archives needs the whole file; see [`unpack`].

pub(crate) mod unpack;

pub use lvhost_location::{Archive, Packing};
