//! What goes on the medium: which file of the host or text of the template has which path there.

use lvhost_plugin_sdk::image::{Entry, Tree, TreeError};
use lvhost_plugin_sdk::{Blob, Error, FileEntry, FileKind, Host, Level};

/// Files and texts on their way onto the medium.
#[derive(Default)]
pub(crate) struct Collection {
    tree: Tree,
    /// Pattern and path by which the host opens a file; the tree knows it by its place in here.
    files: Vec<(String, String)>,
}

impl Collection {
    /// What has been collected, by its path on the medium.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Adds everything that a pattern matches. Of two files that get the same path the later one is
    /// taken, and the log says so.
    pub(crate) fn add_matches(&mut self, pattern: &str, host: &dyn Host) -> Result<(), Error> {
        for entry in host.list_files(pattern)? {
            let Some(path) = path_on_medium(pattern, &entry.path) else {
                continue;
            };
            match entry.kind {
                FileKind::Directory => self.tree.insert(Entry::directory(path)),
                FileKind::File => self.add_file(pattern, &entry, path, host),
            }
            .map_err(Error::other)?;
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        pattern: &str,
        entry: &FileEntry,
        path: &str,
        host: &dyn Host,
    ) -> Result<(), TreeError> {
        let file = Entry::file(path, self.files.len(), entry.size).executable(entry.executable);
        self.files.push((pattern.to_owned(), entry.path.clone()));
        match self.tree.insert(file.clone()) {
            Err(TreeError::Duplicate { path }) => {
                host.log(
                    Level::Warning,
                    &format!("more than one file is called `{path}`: using that of `{pattern}`"),
                );
                self.tree.replace(file)
            }
            other => other,
        }
    }

    /// Puts a text at a path, in place of a file that is already there. A `/` or `./` at the
    /// beginning means the root of the medium, as everything does.
    pub(crate) fn put_text(&mut self, path: &str, text: &str) -> Result<(), String> {
        let path = path
            .strip_prefix("./")
            .unwrap_or(path)
            .trim_start_matches('/');
        self.tree
            .replace(Entry::bytes(path, text))
            .map_err(|error| error.to_string())
    }

    /// Opens the file with this number in the tree.
    pub(crate) fn open(&self, index: usize, host: &dyn Host) -> Result<Blob, Error> {
        let (pattern, path) = self
            .files
            .get(index)
            .ok_or_else(|| Error::Invalid(format!("there is no file number {index}")))?;
        host.open_file(pattern, path)
    }
}

/// Where an entry goes. A directory whose path ends in `/` stands for what is in it, so its own name
/// goes; its own entry then has no place.
fn path_on_medium<'path>(pattern: &str, path: &'path str) -> Option<&'path str> {
    if pattern.ends_with('/') {
        path.split_once('/').map(|(_, inside)| inside)
    } else {
        Some(path)
    }
}
