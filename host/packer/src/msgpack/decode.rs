//! Reads one whole value.

use super::MAX_DEPTH;
use crate::value::{Map, Number, Value};

/// How many values one message may hold: a template has hundreds. It bounds memory, since a value of one
/// byte on the wire takes thirty times that here.
pub(crate) const MAX_VALUES: usize = 1 << 20;

/// Why bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the value ends too early")]
    Truncated,
    #[error("bytes follow the value")]
    Trailing,
    #[error("a value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("a message holds more than {MAX_VALUES} values")]
    TooMany,
    #[error("the key of a map is not text")]
    Key,
    #[error("0xc1 is no MessagePack")]
    Reserved,
}

/// Reads `bytes`, which are one value and nothing else.
///
/// Extensions (Go sends times as such) become [`Value::Null`]: nothing that a builder is told has one
/// that matters. Text that is not UTF-8, which Go's strings may hold, comes as [`Value::Bytes`].
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader {
        rest: bytes,
        values: 0,
    };
    let value = reader.value(0)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(DecodeError::TooMany);
        }
        let signed = |number: i64| Value::Number(Number::Signed(number));
        let unsigned = |number: u64| Value::Number(Number::Unsigned(number));
        let [tag] = self.array()?;
        Ok(match tag {
            0x00..=0x7f => signed(i64::from(tag)),
            0x80..=0x8f => self.map(usize::from(tag & 0x0f), depth)?,
            0x90..=0x9f => self.list(usize::from(tag & 0x0f), depth)?,
            0xa0..=0xbf => self.text(usize::from(tag & 0x1f))?,
            0xc0 => Value::Null,
            0xc1 => return Err(DecodeError::Reserved),
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(tag - 0xc4)?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            0xc7..=0xc9 => {
                let length = self.length(tag - 0xc7)?;
                self.extension(length)?
            }
            0xca => Value::Number(Number::Float(f32::from_be_bytes(self.array()?).into())),
            0xcb => Value::Number(Number::Float(f64::from_be_bytes(self.array()?))),
            0xcc => unsigned(u8::from_be_bytes(self.array()?).into()),
            0xcd => unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.extension(1 << (tag - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(tag - 0xd9)?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let elements = self.length(tag - 0xdc + 1)?;
                self.list(elements, depth)?
            }
            0xde | 0xdf => {
                let entries = self.length(tag - 0xde + 1)?;
                self.map(entries, depth)?
            }
            0xe0..=0xff => signed(i64::from(tag as i8)),
        })
    }

    fn list(&mut self, elements: usize, depth: usize) -> Result<Value, DecodeError> {
        let depth = deeper(depth)?;
        // Not with a capacity: the count is the peer's word.
        let mut list = Vec::new();
        for _ in 0..elements {
            list.push(self.value(depth)?);
        }
        Ok(Value::List(list))
    }

    fn map(&mut self, entries: usize, depth: usize) -> Result<Value, DecodeError> {
        let depth = deeper(depth)?;
        let mut map = Map::new();
        for _ in 0..entries {
            let key = match self.value(depth)? {
                Value::String(key) => key,
                Value::Bytes(key) => String::from_utf8(key).map_err(|_| DecodeError::Key)?,
                _ => return Err(DecodeError::Key),
            };
            map.insert(key, self.value(depth)?);
        }
        Ok(Value::Map(map))
    }

    fn text(&mut self, length: usize) -> Result<Value, DecodeError> {
        let bytes = self.take(length)?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Bytes(bytes.to_vec()),
        })
    }

    fn extension(&mut self, length: usize) -> Result<Value, DecodeError> {
        let [_kind] = self.array()?;
        self.take(length)?;
        Ok(Value::Null)
    }

    /// A length of 1, 2 or 4 bytes: the width comes as its exponent of two.
    fn length(&mut self, width: u8) -> Result<usize, DecodeError> {
        Ok(match width {
            0 => usize::from(u8::from_be_bytes(self.array()?)),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => {
                let length = u32::from_be_bytes(self.array()?);
                usize::try_from(length).map_err(|_| DecodeError::Truncated)?
            }
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

fn deeper(depth: usize) -> Result<usize, DecodeError> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(DecodeError::TooDeep)
    }
}
