//! Bytes with holes.
use std::{collections::BTreeMap, convert::Infallible};

use crate::pump::Sink;

/// Runs of bytes by their position; between them are zeros. Runs neither touch nor overlap what was
/// written before, for uploads only ever go forward.
#[derive(Clone, Debug, Default)]
pub(super) struct SparseBytes {
    runs: BTreeMap<u64, Vec<u8>>,
    end: u64,
    has_holes: bool,
}

impl SparseBytes {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            runs: BTreeMap::from([(0, bytes.to_vec())]),
            end: bytes.len() as u64,
            has_holes: false,
        }
    }

    /// These bytes laid over those that were there. A hole cuts off what lay behind it.
    pub(super) fn over(mut self, old: &Self) -> Self {
        if self.has_holes {
            return self;
        }
        for (&start, run) in &old.runs {
            let from = usize::try_from(self.end.saturating_sub(start)).unwrap_or(usize::MAX);
            if let Some(rest) = run.get(from..).filter(|rest| !rest.is_empty()) {
                self.runs.insert(start.max(self.end), rest.to_vec());
            }
        }
        self.end = self.end.max(old.end);
        self
    }

    /// Where the last of them ends, holes included.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Makes them at least so many: zeros follow.
    pub(super) fn reach(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Puts other bytes in the place of the first ones.
    pub(super) fn overwrite(&mut self, bytes: &[u8]) {
        let covered: Vec<u64> = self
            .runs
            .range(..bytes.len() as u64)
            .map(|(start, _)| *start)
            .collect();
        let mut first = bytes.to_vec();
        for start in covered {
            let run = self.runs.remove(&start).unwrap_or_default();
            let rest = first.len().saturating_sub(start as usize);
            first.extend(run.get(rest..).unwrap_or_default());
        }
        self.reach(first.len() as u64);
        self.runs.insert(0, first);
    }

    /// Bytes that are really kept.
    pub(super) fn stored(&self) -> u64 {
        self.runs.values().map(|run| run.len() as u64).sum()
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let end = offset + length as u64;
        for (&start, run) in self.runs.range(..end) {
            let stop = start + run.len() as u64;
            let (from, to) = (start.max(offset), stop.min(end));
            if from < to {
                bytes[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&run[(from - start) as usize..(to - start) as usize]);
            }
        }
        bytes
    }
}

/// A part of a volume, as a download gives it.
pub(super) enum Piece {
    Data(Vec<u8>),
    Hole(u64),
}

impl SparseBytes {
    /// All parts in order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut position = 0;
        for (&start, run) in &self.runs {
            if start > position {
                pieces.push(Piece::Hole(start - position));
            }
            pieces.push(Piece::Data(run.clone()));
            position = start + run.len() as u64;
        }
        if self.end > position {
            pieces.push(Piece::Hole(self.end - position));
        }
        pieces
    }
}

impl Sink for SparseBytes {
    type Error = Infallible;

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.runs.insert(self.end, bytes.to_vec());
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn hole(&mut self, length: u64) -> Result<(), Infallible> {
        self.end += length;
        self.has_holes = true;
        Ok(())
    }
}
