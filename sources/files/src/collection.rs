//! What goes on the medium: which file of the host or text of the template has which path there.

use lvhost_plugin_sdk::image::{Entry, Tree, TreeError};
use lvhost_plugin_sdk::{Blob, Error, FileEntry, FileKind, Host, Level, Listing};

/// Files and texts on their way onto the medium.
#[derive(Default)]
pub(crate) struct Collection {
    tree: Tree,
    /// What the patterns match.
    listings: Vec<Listing>,
    /// The number of a listing and of the file in it; the tree knows a file by its place in here.
    files: Vec<(usize, usize)>,
}

impl Collection {
    /// What has been collected, by its path on the medium.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Adds everything that a pattern matches. Of two files that get the same path the later one is
    /// taken, and the log says so.
    pub(crate) fn add_matches(&mut self, pattern: &str, host: &dyn Host) -> Result<(), Error> {
        let listing = host.files(pattern)?;
        for (number, entry) in listing.entries().iter().enumerate() {
            let Some(path) = path_on_medium(pattern, &entry.path) else {
                continue;
            };
            match entry.kind {
                FileKind::Directory => self.tree.insert(Entry::directory(path)),
                FileKind::File => self.add_file(pattern, (number, entry), path, host),
            }
            .map_err(Error::other)?;
        }
        self.listings.push(listing);
        Ok(())
    }

    fn add_file(
        &mut self,
        pattern: &str,
        (number, entry): (usize, &FileEntry),
        path: &str,
        host: &dyn Host,
    ) -> Result<(), TreeError> {
        let file = Entry::file(path, self.files.len(), entry.size).executable(entry.executable);
        self.files.push((self.listings.len(), number));
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
    pub(crate) fn open(&self, index: usize) -> Result<Blob, Error> {
        let place = self.files.get(index);
        let file =
            place.and_then(|(listing, number)| Some((self.listings.get(*listing)?, *number)));
        let (listing, number) =
            file.ok_or_else(|| Error::Invalid(format!("there is no file number {index}")))?;
        listing.open(number)
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
