//! The grammar of locations and checksums, as templates write them: one for the component that checks them
//! and for the host that gets what is there. Pure; whether anything is there is not looked at.
//!
//! Texts are not repeated in faults where they may hold a password.

#![forbid(unsafe_code)]

mod archive;
mod checksum;
mod digest;
mod location;
mod refusal;
mod steering;

use thiserror::Error;

pub use archive::{Archive, Packing};
pub use checksum::Checksum;
pub use digest::{Algorithm, Digest};
pub use location::{Form, Location};
pub use steering::Steering;

/// What is wrong with a text, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}; {help}")]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl Fault {
    fn new(message: impl Into<String>, help: &'static str) -> Self {
        Self {
            message: message.into(),
            help,
        }
    }
}
