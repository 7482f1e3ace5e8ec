//! Whole builds against a hypervisor in memory: what they make, what they leave, and what happens when
//! something goes wrong at each step.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

mod attachment;
mod bad_input;
mod compact;
mod faults;
mod formats;
mod guest;
mod install;
mod key_pair;
mod lifecycle;
mod on_error;
mod options;
mod output;
mod ownership;
mod plans;
mod scene;
mod unseen;
mod volumes;
