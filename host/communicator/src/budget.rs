//! What one transfer takes from a guest at most. The guest may send anything, without end: more
//! bytes than it said, names, folders, or next to nothing for ever. Pure.

use std::time::Duration;

/// Files and folders in one transfer, those that are left out included. No real tree comes near; a
/// hostile one has no end, and each costs an inode here.
pub(crate) const ENTRIES_MAXIMUM: usize = 1_000_000;
/// Bytes in one transfer: more than the disk of any guest that is built from.
pub(crate) const BYTES_MAXIMUM: u64 = 1 << 40;
/// Bytes of a file beyond what the guest said it has: a log grows while it is read, and what `/proc`
/// holds is said to be empty.
pub(crate) const BEYOND_MAXIMUM: u64 = 64 * 1024 * 1024;
/// The time waited for the guest after which something must have come: longer than any one answer
/// may take.
const PACE_TIME: Duration = Duration::from_secs(5 * 60);
/// How much that is: one KiB a second, a seventh of what a modem carries.
const PACE_BYTES: u64 = 300 * 1024;
/// What a file or folder counts there, since many small ones need as many answers: a guest under
/// emulation sends far more than one in four seconds.
const ENTRY_WORTH: u64 = 4 * 1024;

/// What is left of it. An error says why nothing more is taken.
#[derive(Debug)]
pub(crate) struct Budget {
    entries: usize,
    bytes: u64,
    /// Of the file that is under way.
    file_bytes: u64,
    /// Waited since the pace was last looked at, and what came meanwhile.
    waited: Duration,
    worth: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            entries: ENTRIES_MAXIMUM,
            bytes: BYTES_MAXIMUM,
            file_bytes: 0,
            waited: Duration::ZERO,
            worth: 0,
        }
    }
}

impl Budget {
    /// A file or folder comes.
    pub(crate) fn entry(&mut self) -> Result<(), &'static str> {
        let left = self.entries.checked_sub(1);
        self.entries = left.ok_or("it holds too many files and folders")?;
        self.worth = self.worth.saturating_add(ENTRY_WORTH);
        Ok(())
    }

    /// The bytes of a file come, so many as far as is known.
    pub(crate) fn file(&mut self, announced: Option<u64>) {
        self.file_bytes =
            announced.map_or(u64::MAX, |length| length.saturating_add(BEYOND_MAXIMUM));
    }

    /// So many bytes of it have come.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<(), &'static str> {
        let count = count as u64;
        let left = self.file_bytes.checked_sub(count);
        self.file_bytes = left.ok_or("the guest sends far more bytes than it said the file has")?;
        let left = self.bytes.checked_sub(count);
        self.bytes = left.ok_or("the guest sends more than a tebibyte")?;
        self.worth = self.worth.saturating_add(count);
        Ok(())
    }

    /// The guest was waited for so long, without what was done here meanwhile.
    pub(crate) fn waited(&mut self, time: Duration) -> Result<(), &'static str> {
        self.waited = self.waited.saturating_add(time);
        if self.waited < PACE_TIME {
            return Ok(());
        }
        self.waited = Duration::ZERO;
        match std::mem::take(&mut self.worth) {
            PACE_BYTES.. => Ok(()),
            _ => Err("the guest sends less than 1 KiB a second"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_file_may_grow_a_little() {
        for (announced, taken, refused) in [
            (Some(4), 60 * MIB, 5 * MIB),
            (Some(0), 64 * MIB, 1),
            (Some(100 * MIB as u64), 164 * MIB, 1),
        ] {
            let mut budget = Budget::default();
            budget.file(announced);
            assert_eq!(budget.bytes(taken), Ok(()), "{announced:?}");
            let reason = budget.bytes(refused).unwrap_err();
            assert!(reason.contains("more bytes than it said"), "{reason}");
            // The next file has its own.
            budget.file(announced);
            assert_eq!(budget.bytes(taken), Ok(()), "{announced:?}");
        }
    }

    #[test]
    fn all_files_together_are_bounded() {
        let mut budget = Budget::default();
        for _ in 0..ENTRIES_MAXIMUM {
            budget.entry().unwrap();
        }
        assert!(budget.entry().unwrap_err().contains("too many"));
        let mut budget = Budget::default();
        budget.file(Some(u64::MAX));
        for _ in 0..1024 {
            budget.bytes(1024 * MIB).unwrap();
        }
        assert!(budget.bytes(1).unwrap_err().contains("tebibyte"));
    }

    #[test]
    fn who_sends_next_to_nothing_is_not_waited_for() {
        // What comes with each answer, how long that takes, and whether it goes on for a day.
        for (bytes, entries, seconds, goes_on) in [
            (1, 0, 1, false),
            (1, 0, 119, false),
            (0, 0, 119, false),
            (0, 1, 30, false),
            (0, 1, 1, true),
            (4096, 0, 1, true),
            (256 * 1024, 0, 119, true),
        ] {
            let mut budget = Budget::default();
            budget.file(None);
            let answers = 24 * 60 * 60 / seconds;
            let ended = (0..answers).try_for_each(|_| {
                budget.bytes(bytes)?;
                (0..entries).try_for_each(|_| budget.entry())?;
                budget.waited(Duration::from_secs(seconds))
            });
            assert_eq!(ended.is_ok(), goes_on, "{bytes} bytes in {seconds} s");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_has_an_end(
            steps in proptest::collection::vec((0..4_u8, any::<u64>()), 0..200)
        ) {
            let mut budget = Budget::default();
            let mut taken = 0_u64;
            for (kind, number) in steps {
                let said = match kind {
                    0 => budget.entry(),
                    1 => { budget.file(Some(number)); Ok(()) }
                    2 => budget.bytes(number as usize).inspect(|()| taken += number),
                    _ => budget.waited(Duration::from_secs(number)),
                };
                if said.is_err() {
                    break;
                }
                prop_assert!(taken <= BYTES_MAXIMUM);
            }
        }
    }
}
