//! What the `virt` crate lacks or gets wrong, called through `virt-sys`.
//!
//! * [`events`]: lifecycle events and the loss of the connection, of which `virt` has neither;
//! * [`streams`]: holes in a stream and events of one. `virt` has no holes, and its events keep a
//!   pointer to a Rust value that may have moved;
//! * [`addresses`] of a domain's interfaces: `virt` 0.4.3 reads the hardware address without looking
//!   whether there is one, and an agent reports interfaces that have none;
//! * [`process_end`], since libvirt's threads outlive everything else.
pub(super) mod addresses;
pub(super) mod events;
pub(super) mod process_end;
pub(super) mod streams;
