//! What could not be read: what is missing then may well be there, and nobody complains about it.

use std::collections::BTreeSet;

use super::blocks::KINDS;

/// The kinds of blocks of which some may be there that were not read, because of errors in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    kinds: BTreeSet<&'static str>,
}

impl Unread {
    /// Blocks of this kind, if it is one.
    pub(super) fn add(&mut self, kind: &str) {
        self.kinds
            .extend(KINDS.iter().find(|known| **known == kind));
    }

    /// Blocks of any kind.
    pub(super) fn add_all(&mut self) {
        self.kinds.extend(KINDS);
    }

    /// Whether there may be other variables.
    pub fn variables(&self) -> bool {
        self.has("variable") || self.has("variables")
    }

    /// Whether there may be other local values.
    pub fn locals(&self) -> bool {
        self.has("local") || self.has("locals")
    }

    /// Whether there may be other data sources.
    pub fn data(&self) -> bool {
        self.has("data")
    }

    /// Whether there may be other sources.
    pub fn sources(&self) -> bool {
        self.has("source")
    }

    /// Whether there may be other builds.
    pub fn builds(&self) -> bool {
        self.has("build")
    }

    fn has(&self, kind: &str) -> bool {
        self.kinds.contains(kind)
    }
}

/// The word that a line begins with, if nothing is before it.
pub(super) fn first_word(line: &str) -> &str {
    let end = line.find([' ', '\t', '"', '{']).unwrap_or(line.len());
    &line[..end]
}
