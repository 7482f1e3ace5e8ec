//! JSON as Go writes it.

mod read;

pub(crate) use self::read::decode;
use super::{Cost, Function, FunctionError, Kind, parameter};
use crate::budget::{Budget, STEP, VALUE};
use crate::evaluate::MAX_STRING;
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
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
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

/// Pays for a decoded value, with the room it takes while its list grows.
pub(super) fn pay(budget: &Budget, text: usize) -> Result<(), String> {
    let bytes = 2 * text as u64 + 3 * VALUE;
    let paid = budget.charge(2 * STEP + text as u64 / 4, bytes);
    paid.map_err(|_| "it takes too much".to_owned())
}
