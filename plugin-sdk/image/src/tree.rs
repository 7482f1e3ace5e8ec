//! The tree of names both writers take: parents added, doubtful paths refused.

use std::collections::BTreeMap;

/// Longest name of one file or directory, in bytes of UTF-8: what Linux takes (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;

/// Most directories one inside the other. Far beyond what people nest, and few enough that no
/// reader's recursion and no path limit (4096 bytes on Linux) is in danger from the depth alone.
pub const MAX_DEPTH: usize = 64;

/// Most files and directories in one tree. Bounds the memory of a component that lays out a CD, the
/// larger of the images: measured, 60 MiB for names of 20 characters and 130 MiB for the longest.
pub const MAX_ENTRIES: usize = 50_000;

/// One thing to put into an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes: relative, `/` between the names, nothing to normalise (`a/b/c`).
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Whether a file may be executed (mode 0555 in place of 0444 where modes can be stored).
    /// Means nothing for a directory.
    pub executable: bool,
}

/// What an [`Entry`] is. Symbolic links are not supported: FAT and Joliet have none, so a disc
/// would show different files to Linux and Windows. The caller follows links before it gets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory, possibly empty. Parents of other entries need not be given.
    Directory,
    /// A file of the caller's, spliced in by the host.
    File {
        /// The caller's own number for the file, handed back in [`crate::Segment::File`].
        index: usize,
        /// The file's length in bytes.
        length: u64,
    },
    /// A small file whose contents are here.
    Bytes(Vec<u8>),
}

impl Kind {
    /// Bytes in the file; 0 for a directory.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Directory => 0,
            Self::File { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

impl Entry {
    /// A directory.
    pub fn directory(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            kind: Kind::Directory,
            executable: false,
        }
    }

    /// A file of the caller's: number `index`, `length` bytes long.
    pub fn file(path: impl Into<String>, index: usize, length: u64) -> Self {
        Self {
            path: path.into(),
            kind: Kind::File { index, length },
            executable: false,
        }
    }

    /// A file with these contents.
    pub fn bytes(path: impl Into<String>, contents: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            kind: Kind::Bytes(contents.into()),
            executable: false,
        }
    }

    /// The same entry, executable or not.
    pub fn executable(mut self, executable: bool) -> Self {
        self.executable = executable;
        self
    }
}

/// Why an entry cannot be in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A path is empty, absolute, ends in `/`, or holds `//`, `.` or `..`.
    #[error(
        "path {path:?} cannot be put into an image: give a relative path without empty names, \
         `.` or `..`"
    )]
    Path {
        /// The path as given.
        path: String,
    },
    /// A name holds a control character, NUL among them.
    #[error("path {path:?} cannot be put into an image: it contains a control character")]
    ControlCharacter {
        /// The path as given.
        path: String,
    },
    /// A name is too long.
    #[error(
        "path {path:?} cannot be put into an image: a name may have {MAX_NAME_BYTES} bytes at most"
    )]
    NameTooLong {
        /// The path as given.
        path: String,
    },
    /// A path has too many names.
    #[error("path {path:?} cannot be put into an image: directories nest {MAX_DEPTH} deep at most")]
    TooDeep {
        /// The path as given.
        path: String,
    },
    /// Two files want the same path.
    #[error("two files want to be {path:?} in the image: rename one or leave one out")]
    Duplicate {
        /// The path as given.
        path: String,
    },
    /// The same path is wanted both as a file and as a directory.
    #[error("{path:?} would be a file and a directory in the image: rename one of them")]
    FileAndDirectory {
        /// The path that is both.
        path: String,
    },
    /// More entries than one image takes.
    #[error("more than {MAX_ENTRIES} files and directories for one image")]
    TooManyEntries,
}

/// Files and directories on their way into an image.
///
/// The order of insertion means nothing: the writers go by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    root: Directory,
    entries: usize,
}

/// A directory's children by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) children: BTreeMap<String, Node>,
}

/// A child of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory(Directory),
    File { kind: Kind, executable: bool },
}

/// What to do with a file that is already there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

impl Tree {
    /// An empty tree: just the root directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry and the directories above it. A directory that is already there stays as it
    /// is.
    ///
    /// # Errors
    /// A doubtful path, a file that is already there, a file where a directory is needed or the
    /// other way round, or more than one of this crate's limits ([`MAX_NAME_BYTES`],
    /// [`MAX_DEPTH`], [`MAX_ENTRIES`]). The tree may then have gained empty directories.
    pub fn insert(&mut self, entry: Entry) -> Result<(), TreeError> {
        self.put(entry, Existing::Refuse)
    }

    /// Adds an entry like [`Tree::insert`], but takes the place of a file that is already there:
    /// for options of which one takes precedence over another.
    ///
    /// # Errors
    /// As [`Tree::insert`], less the file that is already there.
    pub fn replace(&mut self, entry: Entry) -> Result<(), TreeError> {
        self.put(entry, Existing::Replace)
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.root.children.is_empty()
    }

    /// The top directory.
    pub(crate) fn root(&self) -> &Directory {
        &self.root
    }

    fn put(&mut self, entry: Entry, existing: Existing) -> Result<(), TreeError> {
        let Entry {
            path,
            kind,
            executable,
        } = entry;
        check(&path)?;
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let mut directory = &mut self.root;
        for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
            directory = match descend(directory, parent, &mut self.entries)? {
                Some(directory) => directory,
                None => return Err(TreeError::FileAndDirectory { path }),
            };
        }
        if kind == Kind::Directory {
            return match descend(directory, name, &mut self.entries)? {
                Some(_) => Ok(()),
                None => Err(TreeError::FileAndDirectory { path }),
            };
        }
        match directory.children.get(name) {
            Some(Node::Directory(_)) => return Err(TreeError::FileAndDirectory { path }),
            Some(Node::File { .. }) if existing == Existing::Refuse => {
                return Err(TreeError::Duplicate { path });
            }
            Some(Node::File { .. }) => {}
            None => count(&mut self.entries)?,
        }
        directory
            .children
            .insert(name.to_owned(), Node::File { kind, executable });
        Ok(())
    }
}

/// Finds or makes the directory `name`; `None` where a file has that name.
fn descend<'tree>(
    directory: &'tree mut Directory,
    name: &str,
    entries: &mut usize,
) -> Result<Option<&'tree mut Directory>, TreeError> {
    if !directory.children.contains_key(name) {
        count(entries)?;
        directory
            .children
            .insert(name.to_owned(), Node::Directory(Directory::default()));
    }
    Ok(match directory.children.get_mut(name) {
        Some(Node::Directory(child)) => Some(child),
        _ => None,
    })
}

/// Counts one more entry.
fn count(entries: &mut usize) -> Result<(), TreeError> {
    if *entries >= MAX_ENTRIES {
        return Err(TreeError::TooManyEntries);
    }
    *entries += 1;
    Ok(())
}

/// Refuses a path that no writer should see.
fn check(path: &str) -> Result<(), TreeError> {
    let path_of = || path.to_owned();
    if path.chars().any(char::is_control) {
        return Err(TreeError::ControlCharacter { path: path_of() });
    }
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(TreeError::Path { path: path_of() });
    }
    if path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(TreeError::NameTooLong { path: path_of() });
    }
    if path.split('/').count() > MAX_DEPTH {
        return Err(TreeError::TooDeep { path: path_of() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
