//! Finds where a value ends in bytes that arrive piece by piece, without building it.
//!
//! A command that prints 30 MB without a line break becomes one value of 30 MB, spread over thousands of
//! frames. So the scan goes on where it stopped instead of starting anew with every piece, and what is
//! merely passed on is never decoded.

use super::MAX_DEPTH;

/// The longest value that is taken from the peer. Packer reads a provisioner's output line by line and
/// sends each as one value, so this is the longest line that a build may print.
pub(crate) const MAX_VALUE: usize = 256 * 1024 * 1024;

/// A value that is not going to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScanError {
    #[error("a value is longer than {MAX_VALUE} bytes")]
    TooLong,
    #[error("a value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("0xc1 is no MessagePack")]
    Reserved,
}

/// How far one value has been looked at.
#[derive(Default)]
pub(crate) struct Scanner {
    /// Where the next head is, in bytes from the start of the value. May lie beyond what is there.
    position: usize,
    /// How many values are still missing in each list and map that is open.
    open: Vec<u64>,
    started: bool,
}

/// A value's first bytes: what they announce.
struct Head {
    /// Length of the head itself.
    length: usize,
    /// Bytes that follow and belong to this value.
    payload: u64,
    /// Values that follow and belong to this one.
    children: u64,
}

impl Scanner {
    /// Looks at `bytes`, which start with the value and are what was given last time and more. Returns
    /// the value's length once its end is there.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        while !self.started || !self.open.is_empty() {
            let Some(rest) = bytes.get(self.position..) else {
                return Ok(None);
            };
            let Some(head) = head(rest)? else {
                return Ok(None);
            };
            self.started = true;
            let payload = usize::try_from(head.payload).map_err(|_| ScanError::TooLong)?;
            self.position = self
                .position
                .saturating_add(head.length)
                .saturating_add(payload);
            // Each child takes at least a byte.
            let children = usize::try_from(head.children).map_err(|_| ScanError::TooLong)?;
            if self.position.saturating_add(children) > MAX_VALUE {
                return Err(ScanError::TooLong);
            }
            if let Some(missing) = self.open.last_mut() {
                *missing -= 1;
            }
            if head.children > 0 {
                if self.open.len() == MAX_DEPTH {
                    return Err(ScanError::TooDeep);
                }
                self.open.push(head.children);
            }
            while self.open.last() == Some(&0) {
                self.open.pop();
            }
        }
        Ok((self.position <= bytes.len()).then_some(self.position))
    }
}

/// Reads a head, or `None` if not all of it is there.
fn head(bytes: &[u8]) -> Result<Option<Head>, ScanError> {
    let Some((&tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let fixed = |payload: u64| {
        Ok(Some(Head {
            length: 1,
            payload,
            children: 0,
        }))
    };
    // `width` bytes of length, then `extra` bytes beside what the length says.
    let counted = |width: usize, extra: u64| {
        Ok(number(rest, width).map(|count| Head {
            length: 1 + width,
            payload: count + extra,
            children: 0,
        }))
    };
    let collection = |width: usize, each: u64| {
        Ok(number(rest, width).map(|count| Head {
            length: 1 + width,
            payload: 0,
            children: count * each,
        }))
    };
    match tag {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => fixed(0),
        0x80..=0x8f => Ok(Some(Head {
            length: 1,
            payload: 0,
            children: u64::from(tag & 0x0f) * 2,
        })),
        0x90..=0x9f => Ok(Some(Head {
            length: 1,
            payload: 0,
            children: u64::from(tag & 0x0f),
        })),
        0xa0..=0xbf => fixed(u64::from(tag & 0x1f)),
        0xc1 => Err(ScanError::Reserved),
        0xc4 | 0xd9 => counted(1, 0),
        0xc5 | 0xda => counted(2, 0),
        0xc6 | 0xdb => counted(4, 0),
        0xc7 => counted(1, 1),
        0xc8 => counted(2, 1),
        0xc9 => counted(4, 1),
        0xcc | 0xd0 => fixed(1),
        0xcd | 0xd1 => fixed(2),
        0xca | 0xce | 0xd2 => fixed(4),
        0xcb | 0xcf | 0xd3 => fixed(8),
        0xd4 => fixed(2),
        0xd5 => fixed(3),
        0xd6 => fixed(5),
        0xd7 => fixed(9),
        0xd8 => fixed(17),
        0xdc => collection(2, 1),
        0xdd => collection(4, 1),
        0xde => collection(2, 2),
        0xdf => collection(4, 2),
    }
}

/// A big-endian number of `width` bytes.
fn number(bytes: &[u8], width: usize) -> Option<u64> {
    let bytes = bytes.get(..width)?;
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}
