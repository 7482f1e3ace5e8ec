//! Tests across crates: the rules of the repository, and builds of real guests on a real libvirt.
//!
//! The real ones need what `tests/set-up/test.sh` prepares and tells by environment variables; what is
//! missing makes a test say `SKIPPED: name: why`.

#![forbid(unsafe_code)]

mod dependencies;
mod documentation;
mod hypervisor;
mod lvhost;
mod real_guests;
mod server;
