//! Base64, URLs and CSV.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter};
use crate::budget::{ENTRY, STEP, VALUE};
use crate::value::Value;

const TEXT: &[Parameter] = &[parameter("text", Kind::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("base64decode", TEXT, |a| {
        let bytes = STANDARD
            .decode(a.string(0))
            .map_err(|error| FunctionError::at(0, format!("not Base64: {error}")))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(FunctionError::at(0, "what is encoded is not UTF-8 text")),
        }
    }),
    Function::new("base64encode", TEXT, |a| {
        Ok(STANDARD.encode(a.string(0)).into())
    }),
    Function::new("csvdecode", TEXT, csvdecode).costs(Cost::Reads),
    Function::new(
        "textencodebase64",
        &[
            parameter("text", Kind::String),
            parameter("encoding", Kind::String),
        ],
        textencodebase64,
    )
    .costs(Cost::Multiplies),
    Function::new("urlencode", TEXT, |a| Ok(urlencode(a.string(0)).into())).costs(Cost::Multiplies),
];

fn csvdecode(arguments: &Arguments<'_>) -> Outcome {
    let wrong = |error: csv::Error| FunctionError::at(0, format!("not CSV: {error}"));
    let mut reader = csv::Reader::from_reader(arguments.string(0).as_bytes());
    let headers = reader.headers().map_err(wrong)?.clone();
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

fn textencodebase64(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.string(0);
    let bytes: Vec<u8> = match arguments.string(1).to_ascii_uppercase().as_str() {
        "UTF-8" => text.as_bytes().to_vec(),
        "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "US-ASCII" if text.is_ascii() => text.as_bytes().to_vec(),
        "ISO-8859-1" if text.chars().all(|c| u32::from(c) < 256) => text
            .chars()
            .filter_map(|c| u8::try_from(u32::from(c)).ok())
            .collect(),
        "US-ASCII" | "ISO-8859-1" => {
            return Err(FunctionError::at(0, "a character is not in this encoding"));
        }
        _ => {
            let known = "UTF-8, UTF-16LE, UTF-16BE, US-ASCII or ISO-8859-1";
            return Err(FunctionError::at(1, format!("only {known} is supported")));
        }
    };
    Ok(STANDARD.encode(bytes).into())
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
