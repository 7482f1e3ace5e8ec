//! JSON as Go writes it, and the one way all decoded data become values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Cost, Function, FunctionError, Kind, parameter};
use crate::budget::{Budget, STEP, VALUE};
use crate::evaluate::MAX_STRING;
use crate::number::Number;
use crate::value::{Value, ValueKind};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("jsondecode", &[parameter("text", Kind::String)], |a| {
        decode(a.string(0), a.budget()).map_err(|problem| FunctionError::at(0, problem))
    })
    .costs(Cost::Reads),
    Function::new("jsonencode", &[parameter("value", Kind::Any)], |a| {
        let text = encode(a.value(0));
        if text.len() > MAX_STRING {
            Err("the text gets too long".into())
        } else {
            Ok(text.into())
        }
    })
    .costs(Cost::Multiplies),
];

/// The value a JSON text stands for.
pub(crate) fn decode(text: &str, budget: &Budget) -> Result<Value, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Decode(budget)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
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
        // One may become six.
        if out.len() > MAX_STRING {
            return;
        }
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

/// Makes values of any data format that serde reads, and pays for each before it is made.
#[derive(Clone, Copy)]
pub(super) struct Decode<'b>(pub(super) &'b Budget);

impl Decode<'_> {
    /// A value, with the room it takes while its list grows.
    fn pay<E: serde::de::Error>(self, text: usize) -> Result<(), E> {
        let bytes = 2 * text as u64 + 3 * VALUE;
        let paid = self.0.charge(2 * STEP + text as u64 / 4, bytes);
        paid.map_err(|_| E::custom("it takes too much"))
    }
}

impl<'de> DeserializeSeed<'de> for Decode<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Decode<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.pay(0)?;
        Ok(value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.pay(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Number::from(value).into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.pay(0)?;
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(number.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.pay(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.pay(0)?;
        Ok(Value::NULL)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(self)? {
            elements.push(element);
        }
        Ok(Value::list(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.pay(0)?;
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry_seed(self, self)? {
            let key = key
                .to_text()
                .ok_or_else(|| serde::de::Error::custom("the key of an object must be a string"))?;
            entries.push((key, value));
        }
        Ok(Value::object(entries))
    }
}
