//! What the other end of Packer's wire says, for fuzz targets: each takes any bytes and must end without a
//! panic.

use crate::msgpack::{DecodeError, Encoder, Scanner, decode};
use crate::spec::{Entry, Spec, SpecEncoding, Type};

/// A message: the scanner and the decoder agree on where it ends, however it arrives, and what was
/// decoded can be sent back.
pub fn message(data: &[u8]) {
    let whole = Scanner::default().advance(data);
    let mut scanner = Scanner::default();
    let mut pieces = Ok(None);
    for end in 1..=data.len().min(256) {
        pieces = scanner.advance(&data[..end]);
        if !matches!(pieces, Ok(None)) {
            break;
        }
    }
    if matches!(pieces, Ok(None)) {
        pieces = scanner.advance(data);
    }
    assert_eq!(whole, pieces, "the same bytes, whole and in pieces");
    match decode(data) {
        Ok(value) => {
            assert_eq!(
                whole,
                Ok(Some(data.len())),
                "a value ends where its bytes end"
            );
            let again = Encoder::default().value(&value).finish();
            assert!(
                decode(&again).is_ok(),
                "what was read can be written and read"
            );
        }
        Err(DecodeError::Truncated) => assert!(!matches!(whole, Ok(Some(_)))),
        Err(_) => {}
    }
}

/// A specification of options grown from the bytes, in both encodings; returns the one in gob, for an
/// independent decoder.
pub fn specification(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.iter().copied();
    let spec = grow(&mut bytes, 0);
    let _ = spec.encode(SpecEncoding::Protobuf);
    spec.encode(SpecEncoding::Gob)
}

/// Nested blocks of options: deeper ones than any template has.
const DEPTH: usize = 6;

fn grow(bytes: &mut impl Iterator<Item = u8>, depth: usize) -> Spec {
    let mut spec = Spec::new();
    for _ in 0..bytes.next().unwrap_or(0) % 8 {
        let length = usize::from(bytes.next().unwrap_or(0) % 12);
        let name: Vec<u8> = bytes.take(length).collect();
        let name = String::from_utf8_lossy(&name).into_owned();
        let entry = match bytes.next().unwrap_or(0) % 4 {
            0 if depth < DEPTH => Entry::block(grow(bytes, depth + 1)),
            1 if depth < DEPTH => Entry::block_list(grow(bytes, depth + 1)),
            _ => Entry::attribute(grow_type(bytes, 0)),
        };
        spec.insert(name, entry);
    }
    spec
}

fn grow_type(bytes: &mut impl Iterator<Item = u8>, depth: usize) -> Type {
    match bytes.next().unwrap_or(0) % 5 {
        0 => Type::Bool,
        1 => Type::Number,
        2 if depth < DEPTH => Type::list(grow_type(bytes, depth + 1)),
        3 if depth < DEPTH => Type::map(grow_type(bytes, depth + 1)),
        _ => Type::String,
    }
}
