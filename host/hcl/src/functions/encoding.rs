//! Base64, encodings of text, URLs and CSV.

mod charset;

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flate2::{Compression, GzBuilder};

use self::charset::Charset;
use super::{Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter};
use crate::budget::{ENTRY, STEP, VALUE};
use crate::value::Value;

const TEXT: &[Parameter] = &[parameter("text", Kind::String)];

const TEXT_AND_ENCODING: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("encoding", Kind::String),
];

/// Base64 as Go reads it: bits that are left over may be anything.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// How much dearer it is to compress a text than to walk through it.
const COMPRESSING: usize = 8;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("base64decode", TEXT, |a| {
        match String::from_utf8(from_base64(a, 0)?) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(FunctionError::at(0, "what is encoded is not UTF-8 text")),
        }
    }),
    Function::new("base64encode", TEXT, |a| {
        Ok(STANDARD.encode(a.string(0)).into())
    }),
    Function::new("base64gzip", TEXT, base64gzip).costs(Cost::Multiplies),
    Function::new("csvdecode", TEXT, csvdecode).costs(Cost::Reads),
    Function::new("textdecodebase64", TEXT_AND_ENCODING, textdecodebase64).costs(Cost::Multiplies),
    Function::new("textencodebase64", TEXT_AND_ENCODING, textencodebase64).costs(Cost::Multiplies),
    Function::new("urlencode", TEXT, |a| Ok(urlencode(a.string(0)).into())).costs(Cost::Multiplies),
];

fn csvdecode(arguments: &Arguments<'_>) -> Outcome {
    let wrong = |error: csv::Error| FunctionError::at(0, format!("not CSV: {error}"));
    if !quotes_are_right(arguments.string(0)) {
        return Err(FunctionError::at(
            0,
            "not CSV: a quote does not stand around a whole field",
        ));
    }
    // A line ends the same way in quotes, too.
    let text = arguments.string(0);
    let plain = match text.contains("\r\n") {
        true => {
            arguments.budget().charge_new_text(text.len())?;
            Cow::Owned(text.replace("\r\n", "\n"))
        }
        false => Cow::Borrowed(text),
    };
    let mut reader = csv::Reader::from_reader(plain.as_bytes());
    let headers = reader.headers().map_err(wrong)?.clone();
    if headers.is_empty() {
        return Err(FunctionError::at(0, "not CSV: there is no line of names"));
    }
    let names: std::collections::BTreeSet<&str> = headers.iter().collect();
    if names.len() < headers.len() {
        return Err(FunctionError::at(
            0,
            "not CSV: two columns have the same name",
        ));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        // The names of the columns stand in each row.
        let names = headers.as_slice().len() + record.as_slice().len();
        arguments.budget().charge_new_text(2 * names)?;
        let cells = headers.len() as u64;
        arguments
            .budget()
            .charge(cells * STEP, cells * 2 * (VALUE + ENTRY))?;
        rows.push(Value::object(
            headers.iter().zip(record.iter().map(Value::from)),
        ));
    }
    Ok(Value::list(rows))
}

/// Whether each quote begins or ends a field, or stands in one that is in quotes, doubled. The reader takes any.
fn quotes_are_right(text: &str) -> bool {
    let ends = |next: Option<&char>| matches!(next, None | Some(',' | '\n' | '\r'));
    let mut characters = text.chars().peekable();
    let mut begins = true;
    while let Some(character) = characters.next() {
        if character != '"' {
            begins = matches!(character, ',' | '\n');
            continue;
        }
        if !begins {
            return false;
        }
        loop {
            match characters.next() {
                None => return false,
                Some('"') if characters.peek() == Some(&'"') => {
                    characters.next();
                }
                Some('"') if ends(characters.peek()) => break,
                Some('"') => return false,
                Some(_) => {}
            }
        }
        begins = false;
    }
    true
}

/// What the argument encodes, which may be broken into lines.
fn from_base64(arguments: &Arguments<'_>, position: usize) -> Result<Vec<u8>, FunctionError> {
    let text = arguments.string(position).replace(['\r', '\n'], "");
    LENIENT
        .decode(text)
        .map_err(|error| FunctionError::at(position, format!("not Base64: {error}")))
}

/// The same bytes each time: no name and no time are in them.
fn base64gzip(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.string(0);
    arguments.budget().charge_text(text.len() * COMPRESSING)?;
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::default());
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .map_err(|error| error.to_string())?;
    Ok(STANDARD.encode(compressed).into())
}

fn textencodebase64(arguments: &Arguments<'_>) -> Outcome {
    let charset = charset(arguments)?;
    let bytes = charset
        .encode(arguments.string(0))
        .ok_or_else(|| FunctionError::at(0, "a character is not in this encoding"))?;
    Ok(STANDARD.encode(bytes).into())
}

fn textdecodebase64(arguments: &Arguments<'_>) -> Outcome {
    let charset = charset(arguments)?;
    let text = charset
        .decode(&from_base64(arguments, 0)?)
        .ok_or_else(|| FunctionError::at(0, "what is encoded is no text in this encoding"))?;
    Ok(text.into())
}

/// The encoding that the second argument names.
fn charset(arguments: &Arguments<'_>) -> Result<Charset, FunctionError> {
    let name = arguments.string(1);
    match Charset::named(name) {
        Some(Charset::Missing) => {
            let message = format!("lvhost does not have the encoding `{name}`");
            Err(FunctionError::at(1, message))
        }
        Some(charset) => Ok(charset),
        None => {
            let message = "not an encoding: it is called as IANA does, such as UTF-8, UTF-16LE, US-ASCII, \
                           ISO-8859-1, windows-1252 or IBM437";
            Err(FunctionError::at(1, message))
        }
    }
}

fn urlencode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
