//! How a fetch tells what it is doing.

use std::time::Duration;

use crate::Location;

/// Receives the course of one fetch. Calls come from one task, in order:
///
/// ```text
/// started ──► advanced* ──► finished
///    ▲            │
///    └────────────┘ an attempt failed, or the next location's turn has come
/// ```
///
/// Nothing is called when the cache has the file already, except perhaps [`Progress::note`].
pub trait Progress: Send + Sync {
    /// Bytes are about to come from `origin`. `total` is the length of the whole file if the
    /// server said it; `resumed_from` of them are already there. May be called again after a
    /// failed attempt; it then takes the place of what was said before.
    fn started(&self, origin: &Location, total: Option<u64>, resumed_from: u64);

    /// So many more bytes have been received, or read if the file is local.
    fn advanced(&self, bytes: u64);

    /// The file is complete and its checksum is right.
    fn finished(&self);

    /// So much more of a processor's time was taken on other threads: by unpacking an archive.
    fn worked(&self, _processor_time: Duration) {}

    /// Something worth a line: a retry, a wait for another process. Free of secrets.
    fn note(&self, text: &str);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _origin: &Location, _total: Option<u64>, _resumed_from: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
    fn note(&self, _text: &str) {}
}
