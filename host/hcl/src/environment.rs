//! All that a template can reach outside of itself, given by the caller.

use std::io;
use std::path::{Path, PathBuf};

use crate::body::Body;
use crate::value::Value;

/// The outside world as the functions of the language see it.
///
/// The language itself opens no file, knows no clock and reads no environment variable. Relative
/// paths are meant from [`Environment::working_directory`]; the functions that start from the
/// template's folder have put it before theirs.
pub trait Environment: Send + Sync {
    /// The whole content of a file. Implementations bound the size they are willing to read.
    ///
    /// # Errors
    /// When it can't be read; the error is shown to the user with the path.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether `path` is a regular file.
    ///
    /// # Errors
    /// When that can't be found out, or `path` is something else, like a folder.
    fn file_exists(&self, path: &Path) -> io::Result<bool>;

    /// Every regular file below `folder`, relative to it, with `/` between the parts.
    ///
    /// # Errors
    /// When the folder can't be listed.
    fn list_files(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// The absolute path that relative paths are meant from; `path.cwd`.
    fn working_directory(&self) -> PathBuf;

    /// The user's home, for `pathexpand("~/…")`.
    fn home_directory(&self) -> Option<PathBuf>;

    /// An environment variable, `None` if it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The names of all environment variables, to find `PKR_VAR_…`.
    fn variable_names(&self) -> Vec<String>;

    /// The time at which the run started; the same at every call, as in Packer.
    fn now(&self) -> jiff::Timestamp;

    /// Fills `bytes` with random ones.
    ///
    /// # Errors
    /// When the system has none to give.
    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// What became of a `data` block.
#[derive(Debug, Clone, PartialEq)]
pub enum DataOutcome {
    /// The object behind `data.<type>.<name>`.
    Value(Value),
    /// Not run, because the template is only being validated.
    Unknown,
    /// There is no such data source here; the message says what there is.
    NotSupported(String),
    /// It ran and failed, or its options are wrong.
    Failed(String),
}

/// The data sources a template can use.
pub trait DataSources {
    /// Runs the data source `type_name` with the options in `body`. It is called once for each
    /// `data` block, after everything the block refers to is known.
    fn evaluate(&self, type_name: &str, name: &str, body: &Body) -> DataOutcome;
}
