//! The values that Packer sends and is sent: what a template's options hold before anybody has decoded them.

use std::collections::BTreeMap;
use std::fmt;

/// The text that Packer puts in the place of a string that is not known yet, while it validates a
/// template. Unknown numbers come as 0, unknown booleans as false, unknown collections empty: the wire
/// has no way to tell those from real ones.
pub const UNKNOWN: &str = "<unknown>";

/// The options of one block, by name.
pub type Map = BTreeMap<String, Value>;

/// One value, as it came.
///
/// [`Debug`](fmt::Debug) leaves the contents of strings and byte strings out, since passwords are among
/// them.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, and what was not set.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// Bytes that need not be text.
    Bytes(Vec<u8>),
    /// A list, tuple or set.
    List(Vec<Value>),
    /// A map, an object or a block.
    Map(Map),
}

/// A number in one of the kinds that Go tells apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A Go `int64`.
    Signed(i64),
    /// A Go `uint64`.
    Unsigned(u64),
    /// A Go `float64`. In JSON templates every number is one.
    Float(f64),
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is a whole one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(Number::Signed(number)) => Some(*number),
            Self::Number(Number::Unsigned(number)) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The attributes, if it is a map.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(attributes) => Some(attributes),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("Null"),
            Self::Bool(value) => write!(formatter, "Bool({value})"),
            Self::Number(number) => write!(formatter, "{number:?}"),
            Self::String(text) => write!(formatter, "String({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(formatter, "Bytes({} bytes)", bytes.len()),
            Self::List(elements) => formatter.debug_list().entries(elements).finish(),
            Self::Map(attributes) => formatter.debug_map().entries(attributes).finish(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Number::Signed(number))
    }
}

impl From<Map> for Value {
    fn from(attributes: Map) -> Self {
        Self::Map(attributes)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(
                number
                    .as_i64()
                    .map(Number::Signed)
                    .or_else(|| number.as_u64().map(Number::Unsigned))
                    .or_else(|| number.as_f64().map(Number::Float))
                    // Only a build of serde_json that keeps numbers as text gets here.
                    .unwrap_or(Number::Float(f64::NAN)),
            ),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(elements) => {
                Self::List(elements.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(attributes) => Self::Map(
                attributes
                    .into_iter()
                    .map(|(name, value)| (name, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_tell_what_strings_hold() {
        let value = Value::Map(Map::from([
            ("password".to_owned(), "hunter2".into()),
            (
                "list".to_owned(),
                Value::List(vec![Value::Bytes(b"hunter2".to_vec())]),
            ),
        ]));
        let shown = format!("{value:?}");
        assert_eq!(
            shown,
            r#"{"list": [Bytes(7 bytes)], "password": String(7 bytes)}"#
        );
    }

    #[test]
    fn json_numbers_keep_their_kind() {
        let cases = [
            ("2", Number::Signed(2)),
            ("-9223372036854775808", Number::Signed(i64::MIN)),
            ("18446744073709551615", Number::Unsigned(u64::MAX)),
            ("0.5", Number::Float(0.5)),
            ("512.0", Number::Float(512.0)),
        ];
        for (text, expected) in cases {
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(Value::from(json), Value::Number(expected), "{text}");
        }
    }
}
