//! Disk images worked out on paper: what a volume source needs to turn a handful of files into a CD
//! or a floppy, to tell an image's format by its beginning, and to see what a qcow2 file says about
//! itself.
//!
//! Nothing here does I/O, reads a clock or holds a file's body. A writer takes a [`Tree`] of names
//! and lengths and answers with an [`Image`]: bytes made here, places where the host splices a file
//! in, and holes. Memory grows with the number of names, never with the sizes of the files, and the
//! same tree and options always give the same bytes.
//!
//! ```
//! use lvhost_image::{Entry, Tree, iso9660};
//!
//! let mut tree = Tree::new();
//! tree.insert(Entry::bytes("meta-data", "instance-id: i-1\n"))?;
//! tree.insert(Entry::file("drivers/netkvm.sys", 0, 5 << 30))?; // the caller's file number 0
//! let options = iso9660::Options { label: "cidata".into(), ..Default::default() };
//! let image = iso9660::layout(&tree, &options)?;
//! assert_eq!(image.length, image.segments.iter().map(|segment| segment.length()).sum::<u64>());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod calendar;
mod catalog;
mod compression;
mod container;
pub mod fat12;
mod image;
pub mod iso9660;
pub mod qcow2;
#[cfg(test)]
mod testing;
mod tree;
mod unique;

pub use compression::Compression;
pub use container::Container;
pub use image::{Image, Segment};
pub use tree::{Entry, Kind, MAX_DEPTH, MAX_ENTRIES, MAX_NAME_BYTES, Tree, TreeError};
