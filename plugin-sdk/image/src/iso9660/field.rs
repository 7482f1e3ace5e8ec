//! The number, text and date fields of ISO 9660 (ECMA-119 §7 and §8.4).

use crate::calendar::DateTime;

/// The last second of 2155: a directory record counts years from 1900 in one byte.
const LATEST: u64 = 5_869_583_999;

/// A 16-bit number in both byte orders (§7.2.3).
pub(super) fn both_u16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

/// A 32-bit number in both byte orders (§7.3.3).
pub(super) fn both_u32(value: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

/// A text as a volume descriptor holds it: bytes in the primary one, UCS-2 in Joliet's; cut to the
/// field and filled with spaces.
pub(super) fn text(value: &str, length: usize, joliet: bool) -> Vec<u8> {
    if !joliet {
        let mut bytes: Vec<u8> = value.bytes().take(length).collect();
        bytes.resize(length, b' ');
        return bytes;
    }
    let mut bytes: Vec<u8> = value
        .encode_utf16()
        .chain(std::iter::repeat(u16::from(b' ')))
        .take(length / 2)
        .flat_map(u16::to_be_bytes)
        .collect();
    // The three file identifiers have 37 bytes: the odd one stays zero.
    bytes.resize(length, 0);
    bytes
}

/// A directory record's date (§9.1.5), in UTC.
pub(super) fn short_date(timestamp: u64) -> [u8; 7] {
    let time = DateTime::within(timestamp, 0, LATEST);
    let year = (time.year - 1900) as u8;
    [
        year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        0,
    ]
}

/// A volume descriptor's date (§8.4.26.1), in UTC.
pub(super) fn long_date(timestamp: u64) -> [u8; 17] {
    let DateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = DateTime::within(timestamp, 0, LATEST);
    let digits = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}00");
    date_of(digits.as_bytes())
}

/// A volume descriptor's date that says nothing.
pub(super) fn no_date() -> [u8; 17] {
    date_of(&[b'0'; 16])
}

fn date_of(digits: &[u8]) -> [u8; 17] {
    let mut date = [0; 17];
    date[..16].copy_from_slice(digits);
    date
}
