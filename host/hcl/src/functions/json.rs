//! JSON as Go writes it, and the one way all decoded data become values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Function, FunctionError, Kind, parameter};
use crate::evaluate::MAX_STRING;
use crate::number::Number;
use crate::value::{Value, ValueKind};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("jsondecode", &[parameter("text", Kind::String)], |a| {
        decode(a.string(0)).map_err(|problem| FunctionError::at(0, problem))
    }),
    Function::new("jsonencode", &[parameter("value", Kind::Any)], |a| {
        let text = encode(a.value(0));
        if text.len() > MAX_STRING {
            Err("the text gets too long".into())
        } else {
            Ok(text.into())
        }
    }),
];

/// The value a JSON text stands for.
pub(crate) fn decode(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Decoded>(text)
        .map(|decoded| decoded.0)
        .map_err(|error| format!("not JSON: {error}"))
}

/// `value` as JSON, without blanks; `<`, `>` and `&` escaped, as in the original.
pub(crate) fn encode(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    // What goes on beyond the bound is cut here and refused by the caller.
    if out.len() > MAX_STRING {
        return;
    }
    match value.kind() {
        ValueKind::Null | ValueKind::Unknown => out.push_str("null"),
        ValueKind::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        ValueKind::Number(number) => out.push_str(&number.to_string()),
        ValueKind::String(text) => write_string(text, out),
        ValueKind::List(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        ValueKind::Object(entries) => {
            out.push('{');
            for (position, (key, value)) in entries.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// A value from any data format that serde reads.
pub(super) struct Decoded(pub(super) Value);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecodedVisitor)
    }
}

struct DecodedVisitor;

impl<'de> Visitor<'de> for DecodedVisitor {
    type Value = Decoded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Decoded, E> {
        Ok(Decoded(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Decoded, E> {
        Ok(Decoded(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Decoded, E> {
        Ok(Decoded(Number::from(value).into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Decoded, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Decoded(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Decoded, E> {
        Ok(Decoded(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Decoded, E> {
        Ok(Decoded(Value::NULL))
    }

    fn visit_none<E>(self) -> Result<Decoded, E> {
        Ok(Decoded(Value::NULL))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Decoded, D::Error> {
        Decoded::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Decoded, A::Error> {
        let mut elements = Vec::new();
        while let Some(Decoded(element)) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Decoded(Value::list(elements)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Decoded, A::Error> {
        let mut entries = Vec::new();
        while let Some((Decoded(key), Decoded(value))) = map.next_entry()? {
            let key = key
                .to_text()
                .ok_or_else(|| serde::de::Error::custom("the key of an object must be a string"))?;
            entries.push((key, value));
        }
        Ok(Decoded(Value::object(entries)))
    }
}
