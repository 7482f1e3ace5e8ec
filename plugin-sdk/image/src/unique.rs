//! Names that must be unique in their directory after they were cut to what a format can store.

use std::collections::{BTreeMap, BTreeSet};

/// The names given out in one directory. Where a wanted name is taken, a number goes into it;
/// names of one `Group` share a counter, so that finding the next free number stays cheap.
#[derive(Debug)]
pub(crate) struct UniqueNames<Name, Group> {
    taken: BTreeSet<Name>,
    next: BTreeMap<Group, u32>,
}

impl<Name: Ord + Clone, Group: Ord> UniqueNames<Name, Group> {
    pub(crate) fn new() -> Self {
        Self {
            taken: BTreeSet::new(),
            next: BTreeMap::new(),
        }
    }

    /// Takes a name as it is; false if it is taken already.
    pub(crate) fn take(&mut self, name: &Name) -> bool {
        self.taken.insert(name.clone())
    }

    /// Takes the first of the `numbered` names, from 1 on, that is free. Ends because `numbered`
    /// gives a different name for every number, and the names taken are bounded by
    /// [`crate::MAX_ENTRIES`].
    pub(crate) fn number(&mut self, group: Group, numbered: impl Fn(u32) -> Name) -> Name {
        let next = self.next.entry(group).or_insert(1);
        loop {
            let name = numbered(*next);
            *next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}
