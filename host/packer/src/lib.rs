//! Packer's plugin protocol, spoken by a builder.
//!
//! A plugin is a program that Packer starts for every use of its builder, and calls over a socket. This
//! crate is the wire and nothing else: it knows no libvirt, no schema of options and no template language.
//!
//! ```text
//!   argv, environment ─► Invocation ─┬─► describe() ─► stdout
//!                                    └─► Listener ─► handshake() ─► stdout
//!                                            └─► accept() ─► serve(Builder)
//!
//!   Packer's calls:   Builder ─► prepare, run, cancel        Artifact      Communicator (during a hook)
//!   our calls:        Ui, Hook
//!
//!   socket ─► yamux and numbered streams (mux) ─► net/rpc (rpc) ─► MessagePack (msgpack)
//! ```
//! A plugin's `main` reads an [`Invocation`] from its arguments and environment. For
//! [`Invocation::Describe`] it prints [`describe()`]. For [`Invocation::Builder`] it binds a [`Listener`],
//! prints its [`handshake`](Listener::handshake), and [`serve()`]s its [`Builder`] on the connection that it
//! [`accept`](Listener::accept)s. `examples/echo.rs` is a whole plugin.
//!
//! Nothing here reads the environment, prints, or ends the process. Packer also expects of a plugin's
//! process that it ignores SIGINT and SIGTERM once it serves, since a terminal's Ctrl-C reaches it as well
//! and cancellation comes by a call; that it does not read standard input; and that its children don't
//! inherit the descriptors above 2 that Packer leaks into it.

#![forbid(unsafe_code)]

mod artifact;
mod builder;
mod communicator;
mod describe;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gob;
mod hook;
mod launch;
mod listener;
mod msgpack;
mod mux;
mod rpc;
mod serve;
mod spec;
mod ui;
mod value;

pub use artifact::Artifact;
pub use builder::{Builder, Origin, Prepared, RawConfig, Run};
pub use communicator::{CommandStreams, Communicator, ExitStatus, FileInfo, Started};
pub use describe::describe;
pub use failure::Failure;
pub use hook::{BuildVariable, BuildVariables, Hook, HookError, HookEvent};
pub use launch::{Endpoints, Invocation, LaunchError};
pub use listener::{Connection, ListenError, Listener};
pub use mux::StreamError;
pub use rpc::CallError;
pub use serve::serve;
pub use spec::{Entry, Spec, SpecEncoding, Type};
pub use ui::{Progress, Tracked, Ui};
pub use value::{Map, Number, UNKNOWN, Value};
