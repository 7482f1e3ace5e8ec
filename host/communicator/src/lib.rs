//! How the host talks to the guest: one trait, [`Communicator`], with SSH and WinRM behind it.
//!
//! The engine holds a `dyn Communicator` and knows nothing of the wire. [`ssh::connect_until`]
//! waits for a freshly booted guest to answer, by whatever [`ssh::Route`] leads there, and returns
//! an [`Ssh`]; [`winrm::connect_until`] does so for Windows; [`keys::generate`] makes the key pair that a template hands to the guest, and
//! [`authorized_keys::clear`] takes it out again. Nothing here reads the environment, the home
//! folder or a configuration file: paths, sockets and secrets are passed in.

#![forbid(unsafe_code)]

pub mod authorized_keys;
mod budget;
mod communicator;
mod error;
mod exclude;
pub mod keys;
mod local_file;
pub mod ssh;
mod taker;
mod tcp;
pub mod winrm;

pub use communicator::{Command, Communicator, ExitStatus, Output, PathInGuest, Progress, Streams};
pub use error::{Error, Result};
pub use local_file::{GuestsFolder, NewFile};
pub use ssh::Ssh;
pub use winrm::WinRm;
