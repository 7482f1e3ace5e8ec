//! MessagePack in the dialect of Packer's Go codec: what is written, and whole values read back.
//!
//! The codec (ugorji/go 1.2, extensions on) keeps the *kind* of a number on the wire: Go's `int` travels
//! in the signed formats even where it is positive, and what a receiver without a declared type makes of
//! a number follows from the format. Third-party provisioners rely on that, so [`Encoder::signed`] and
//! [`Encoder::unsigned`] are two things here. The end of a value in a stream is found by [`Scanner`].

mod decode;
mod scan;

use bytes::Bytes;

pub(crate) use decode::{DecodeError, decode};
pub(crate) use scan::{ScanError, Scanner};

use crate::value::{Number, Value};

/// How deep lists and maps may be nested: ten times what a template's blocks reach.
pub(crate) const MAX_DEPTH: usize = 64;

/// Writes values one after the other.
#[derive(Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn nil(&mut self) -> &mut Self {
        self.0.push(0xc0);
        self
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(if value { 0xc3 } else { 0xc2 });
        self
    }

    /// A Go `int` or `int64`.
    pub(crate) fn signed(&mut self, number: i64) -> &mut Self {
        if let Ok(small @ -32..) = i8::try_from(number) {
            self.0.extend(small.to_be_bytes());
        } else if let Ok(number) = i8::try_from(number) {
            self.tagged(0xd0, number.to_be_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.tagged(0xd1, number.to_be_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.tagged(0xd2, number.to_be_bytes());
        } else {
            self.tagged(0xd3, number.to_be_bytes());
        }
        self
    }

    /// A Go `uint32` or `uint64`.
    pub(crate) fn unsigned(&mut self, number: u64) -> &mut Self {
        if let Ok(number) = u8::try_from(number) {
            if number < 0x80 {
                self.0.push(number);
            } else {
                self.tagged(0xcc, number.to_be_bytes());
            }
        } else if let Ok(number) = u16::try_from(number) {
            self.tagged(0xcd, number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.tagged(0xce, number.to_be_bytes());
        } else {
            self.tagged(0xcf, number.to_be_bytes());
        }
        self
    }

    pub(crate) fn float(&mut self, number: f64) -> &mut Self {
        self.tagged(0xcb, number.to_be_bytes());
        self
    }

    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        let length = length(text.len());
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..0x20), _) => self.0.push(0xa0 | short),
            (Ok(length), _) => self.tagged(0xd9, length.to_be_bytes()),
            (_, Ok(length)) => self.tagged(0xda, length.to_be_bytes()),
            _ => self.tagged(0xdb, length.to_be_bytes()),
        }
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn bin(&mut self, bytes: &[u8]) -> &mut Self {
        let length = length(bytes.len());
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length), _) => self.tagged(0xc4, length.to_be_bytes()),
            (_, Ok(length)) => self.tagged(0xc5, length.to_be_bytes()),
            _ => self.tagged(0xc6, length.to_be_bytes()),
        }
        self.0.extend_from_slice(bytes);
        self
    }

    /// The head of an array; its elements follow.
    pub(crate) fn array(&mut self, elements: usize) -> &mut Self {
        self.collection(0x90, [0xdc, 0xdd], elements)
    }

    /// The head of a map; a key and a value for each entry follow.
    pub(crate) fn map(&mut self, entries: usize) -> &mut Self {
        self.collection(0x80, [0xde, 0xdf], entries)
    }

    /// A list of texts as Go sends a slice of strings: nil where there are none.
    pub(crate) fn strings(&mut self, texts: &[String]) -> &mut Self {
        if texts.is_empty() {
            return self.nil();
        }
        self.array(texts.len());
        for text in texts {
            self.str(text);
        }
        self
    }

    pub(crate) fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.nil(),
            Value::Bool(value) => self.bool(*value),
            Value::Number(Number::Signed(number)) => self.signed(*number),
            Value::Number(Number::Unsigned(number)) => self.unsigned(*number),
            Value::Number(Number::Float(number)) => self.float(*number),
            Value::String(text) => self.str(text),
            Value::Bytes(bytes) => self.bin(bytes),
            Value::List(elements) => {
                self.array(elements.len());
                for element in elements {
                    self.value(element);
                }
                self
            }
            Value::Map(attributes) => {
                self.map(attributes.len());
                for (name, value) in attributes {
                    self.str(name).value(value);
                }
                self
            }
        }
    }

    /// Everything written so far.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.0).into()
    }

    fn collection(&mut self, small: u8, tags: [u8; 2], entries: usize) -> &mut Self {
        let entries = length(entries);
        match (u8::try_from(entries), u16::try_from(entries)) {
            (Ok(few @ ..0x10), _) => self.0.push(small | few),
            (_, Ok(entries)) => self.tagged(tags[0], entries.to_be_bytes()),
            _ => self.tagged(tags[1], entries.to_be_bytes()),
        }
        self
    }

    fn tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.0.push(tag);
        self.0.extend(bytes);
    }
}

/// Lengths have 32 bits on the wire. Nothing longer is ever encoded: what comes from core is bounded far
/// below, and what we say ourselves is lines of text.
fn length(length: usize) -> u32 {
    debug_assert!(u32::try_from(length).is_ok());
    length as u32
}

#[cfg(test)]
mod tests;
