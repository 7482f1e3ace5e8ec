//! The `lvhost` command from outside: what it prints, where, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod lvhost;
mod run;
mod usage;
mod validate;
