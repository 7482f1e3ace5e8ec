//! Tests across crates: the rules of the repository, and builds of real guests on a real libvirt.
//!
//! The real ones need what `tests/set-up/test.sh` prepares and tells by environment variables; what is
//! missing makes a test say `SKIPPED: name: why`.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that can't go on ends, and what it shows is for whoever looks into a failure"
)]

mod dependencies;
mod discs;
mod documentation;
mod firmware;
mod formats;
mod greedy;
mod guest_component;
mod hypervisor;
mod installation;
mod key_pair;
mod killed;
mod local_guest;
mod lvhost;
mod names;
mod odd_guests;
mod ownership;
#[path = "../packer/installation.rs"]
mod packer;
mod packer_plugin;
mod pools;
mod real_guests;
mod remote;
mod scripts;
mod secrets;
mod security;
mod server;
mod strangers_words;
mod third_party;
