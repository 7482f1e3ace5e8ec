//! The crate from outside: against a strict core of the tests' own, and against real Packers.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that can't go on ends, and one that is skipped says so"
)]

mod core;
mod faults;
#[path = "../../../../tests/packer/installation.rs"]
mod packer;
mod plugin;
mod protocol;
mod real_packer;
mod session;
