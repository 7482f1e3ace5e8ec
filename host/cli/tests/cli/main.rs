//! The `lvhost` command from outside: what it prints, where, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bombs;
mod broken_settings;
mod cache;
mod component_process;
mod downloads;
mod files;
mod hypervisor;
mod key_pair;
mod local_paths;
mod logs;
mod lvhost;
mod many_components;
mod mistakes;
mod plan;
mod run;
mod shells;
mod sources;
mod steering;
mod terminal;
mod third_party;
mod uris;
mod usage;
mod validate;
