//! What tests on a real libvirt share: a daemon of their own, which they may kill, and a disk in a file
//! for pools that are more than a directory.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that can't go on ends")]

mod disk;
mod elsewhere;

pub use disk::Disk;
pub use elsewhere::{Elsewhere, SmallPool, free_port};
