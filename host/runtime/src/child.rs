//! Strangers' components in processes of their own, which have no more than they may use up.
//!
//! ```text
//!        this process                 │              children: the same program, started anew
//!                                     │
//!  component ── wasm ────────────────►│ compile: bounds, names, cranelift ─┐
//!      │     ◄─────────────────────── │ ◄──────── machine code ────────────┘   ends
//!      │                              │
//!      └────── machine code ─────────►│ run: wasmtime
//!  session ◄── Request ────────────── │ ◄─ imports      one call at a time, one question at a time
//!      └────── Answer ───────────────►│
//! ```
//! The machine code of a stranger's component is made in a child and runs in a child; this process only
//! carries it. A child has one connection, to its parent; [`confine`] says what it gives up before it
//! sees a byte of the component. All that comes from it is as untrusted as the component: [`frame`]
//! bounds and decodes it, `session` checks it. What a child uses up is watched by `supervise`, and the
//! kernel's limits on the process stand behind that.

mod component;
mod confine;
mod connection;
mod failure;
mod frame;
mod process;
mod serve;
mod supervise;

pub(crate) use self::component::{Component, compile, confinement, wait_for};
pub use self::confine::{Bounds, Confinement, confine};
pub(crate) use self::process::Program;
pub(crate) use self::serve::Connection;
pub use self::serve::serve_if_asked;

/// What a child says, for fuzz targets.
#[cfg(fuzzing)]
pub(crate) mod fuzzing {
    pub(crate) use super::failure::Failure;
    pub(crate) use super::frame::{Direction, FromChild, Lengths, take};
}
