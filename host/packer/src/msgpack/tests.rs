//! The codec against recorded bytes, an independent codec, and bytes that are nothing.

use proptest::prelude::*;

use super::decode::MAX_VALUES;
use super::*;
use crate::value::Map;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn numbers_keep_gos_kinds() {
    let signed = [
        (0, "00"),
        (127, "7f"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (128, "d10080"),
        (5985, "d11761"),
        (-32768, "d18000"),
        (40000, "d200009c40"),
        (1 << 40, "d30000010000000000"),
        (i64::MIN, "d38000000000000000"),
    ];
    for (number, expected) in signed {
        assert_eq!(
            hex(&Encoder::default().signed(number).finish()),
            expected,
            "{number}"
        );
    }
    let unsigned = [
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (256, "cd0100"),
        (65536, "ce00010000"),
        (u64::MAX, "cfffffffffffffffff"),
    ];
    for (number, expected) in unsigned {
        assert_eq!(
            hex(&Encoder::default().unsigned(number).finish()),
            expected,
            "{number}"
        );
    }
}

/// Recorded from Packer 1.16.0: the argument of an upload, with a Go time in it.
#[test]
fn a_time_is_skipped() {
    let bytes = b"\x83\xa4Path\xa1p\xaeReaderStreamId\x12\xa8FileInfo\x84\xa1N\xa6up.txt\xa1S\x03\
                  \xa1M\xcd\x01\xa0\xa1T\xd7\xff\x22\x04\xd8\x08\x6b\x04\x29\x36";
    let value = decode(bytes).unwrap();
    let info = value.as_map().unwrap()["FileInfo"].as_map().unwrap();
    assert_eq!(info["M"].as_i64(), Some(0o640));
    assert_eq!(info["T"], Value::Null);
    assert_eq!(Scanner::default().advance(bytes), Ok(Some(bytes.len())));
}

#[test]
fn what_would_take_too_much_is_refused_before_it_is_there() {
    // A list in a list in a list ….
    let deep = vec![0x91; MAX_DEPTH + 1];
    assert_eq!(Scanner::default().advance(&deep), Err(ScanError::TooDeep));
    assert_eq!(decode(&deep), Err(DecodeError::TooDeep));
    // Four billion bytes, four billion values.
    for head in [
        [0xc6, 0xff, 0xff, 0xff, 0xff],
        [0xdd, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(Scanner::default().advance(&head), Err(ScanError::TooLong));
        assert_eq!(decode(&head), Err(DecodeError::Truncated));
    }
    let mut many = vec![0xdd];
    many.extend((MAX_VALUES as u32 + 1).to_be_bytes());
    many.resize(many.len() + MAX_VALUES + 1, 0xc0);
    assert_eq!(decode(&many), Err(DecodeError::TooMany));
    assert_eq!(decode(&[0x81, 0x01, 0x01]), Err(DecodeError::Key));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        // Small ones have one form for both kinds and come back as signed.
        (128..=u64::MAX).prop_map(|number| Value::Number(Number::Unsigned(number))),
        (-1e300..1e300).prop_map(|number| Value::Number(Number::Float(number))),
        ".{0,40}".prop_map(Value::String),
        prop_oneof![
            Just(31),
            Just(32),
            Just(255),
            Just(256),
            Just(65_535),
            Just(65_536)
        ]
        .prop_map(|length| Value::String("x".repeat(length))),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::List),
            prop::collection::btree_map(".{0,9}", inner, 0..20).prop_map(Value::Map),
        ]
    })
}

/// The same value as an independent codec has it.
fn independent(value: &rmpv::Value) -> Value {
    match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => Value::Bool(*value),
        rmpv::Value::Integer(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => Value::Number(Number::Unsigned(number.as_u64().unwrap())),
        },
        rmpv::Value::F32(number) => Value::Number(Number::Float((*number).into())),
        rmpv::Value::F64(number) => Value::Number(Number::Float(*number)),
        rmpv::Value::String(text) => Value::String(text.as_str().unwrap().to_owned()),
        rmpv::Value::Binary(bytes) => Value::Bytes(bytes.clone()),
        rmpv::Value::Array(elements) => Value::List(elements.iter().map(independent).collect()),
        rmpv::Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(name, value)| (name.as_str().unwrap().to_owned(), independent(value)))
                .collect::<Map>(),
        ),
        rmpv::Value::Ext(..) => Value::Null,
    }
}

/// Numbers by their value alone, which is all that `rmpv` keeps.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(Number::Unsigned(number)) => {
            i64::try_from(*number).map_or_else(|_| value.clone(), Value::from)
        }
        Value::List(elements) => Value::List(elements.iter().map(plain).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn values_come_back_and_an_independent_codec_reads_the_same(value in values()) {
        let bytes = Encoder::default().value(&value).finish();
        prop_assert_eq!(&decode(&bytes).unwrap(), &value);
        let other = rmpv::decode::read_value(&mut &bytes[..]).unwrap();
        prop_assert_eq!(independent(&other), plain(&value));
    }

    #[test]
    fn the_end_is_found_however_the_bytes_arrive(
        value in values(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = Encoder::default().value(&value).finish();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let mut scanner = Scanner::default();
        for cut in cuts {
            prop_assert_eq!(scanner.advance(&bytes[..cut]), Ok(None), "cut at {}", cut);
        }
        let mut more = bytes.to_vec();
        more.extend(b"\xc0rest");
        prop_assert_eq!(scanner.advance(&more), Ok(Some(bytes.len())));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let scanned = Scanner::default().advance(&bytes);
        match decode(&bytes) {
            Ok(_) => prop_assert_eq!(scanned, Ok(Some(bytes.len()))),
            Err(DecodeError::Truncated) => prop_assert!(!matches!(scanned, Ok(Some(_))), "{:?}", scanned),
            Err(_) => {}
        }
    }
}
