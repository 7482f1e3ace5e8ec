//! The cache on disk.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The cache directory can't be used.
#[derive(Debug, Error)]
#[error("can't {action} {} in the download cache", path.display())]
pub struct CacheError {
    /// What was tried.
    pub action: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}
