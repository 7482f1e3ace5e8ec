//! Go's `net/rpc` with MessagePack: calls and answers over one stream.
//!
//! ```text
//!   request:   {ServiceMethod, Seq}          body      two values, one after the other, nothing between
//!   answer:    {ServiceMethod, Seq, Error}   body      in any order, matched by Seq
//! ```
//! Each end of a stream is either a [`Client`] or a server ([`serve`]). Both write through a task of their
//! own that takes whole messages, so that whoever is interrupted while sending never leaves half a
//! message behind.

mod client;
mod message;
mod server;

pub use client::CallError;
pub(crate) use client::Client;
pub(crate) use message::nil;
pub(crate) use server::{Service, arguments, serve};
