//! Bytes with holes.
use std::{collections::BTreeMap, convert::Infallible};

use crate::pump::Sink;

/// Runs of bytes by their position; between them are zeros. Runs neither touch nor overlap what was
/// written before, for uploads only ever go forward.
#[derive(Clone, Debug, Default)]
pub(super) struct SparseBytes {
    runs: BTreeMap<u64, Vec<u8>>,
    end: u64,
}

impl SparseBytes {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            runs: BTreeMap::from([(0, bytes.to_vec())]),
            end: bytes.len() as u64,
        }
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
    /// All parts in order, to `end` or to the last byte that was written.
    pub(super) fn pieces(&self, end: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut position = 0;
        for (&start, run) in &self.runs {
            if start > position {
                pieces.push(Piece::Hole(start - position));
            }
            pieces.push(Piece::Data(run.clone()));
            position = start + run.len() as u64;
        }
        let end = end.max(self.end);
        if end > position {
            pieces.push(Piece::Hole(end - position));
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
        Ok(())
    }
}
