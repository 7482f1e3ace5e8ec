//! Values of the language.
//!
//! Lists, tuples and sets are one kind here. The language converts between them wherever it
//! matters, and what is left of the difference is made when a value is built: a set is a list
//! without duplicates, in order; a list has elements converted to one type. Maps and objects are
//! one kind for the same reason.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::budget::{ENTRY, VALUE};
use crate::number::Number;

/// A value with the mark that says whether it may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    kind: ValueKind,
    sensitive: bool,
    facts: Facts,
}

/// What is known of a value with all that is in it. It is found out once, when the value is made: a
/// value may hold the same one many times, so a walk through it may have no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Something in it is not to be shown.
    pub(crate) holds_sensitive: bool,
    /// Everything in it is known.
    pub(crate) wholly_known: bool,
    /// How deep lists and objects are nested in it.
    pub(crate) depth: u32,
    /// Bytes it would take if everything in it stood for itself: what a walk through it costs.
    pub(crate) weight: u64,
    /// Work of writing all numbers in it.
    pub(crate) numbers: u64,
}

impl Facts {
    const SCALAR: Self = Self {
        holds_sensitive: false,
        wholly_known: true,
        depth: 0,
        weight: VALUE,
        numbers: 0,
    };

    const UNKNOWN: Self = Self {
        wholly_known: false,
        ..Self::SCALAR
    };

    fn of(kind: &ValueKind) -> Self {
        match kind {
            ValueKind::Null | ValueKind::Bool(_) => Self::SCALAR,
            ValueKind::Number(number) => Self {
                numbers: number.work(),
                ..Self::SCALAR
            },
            ValueKind::Unknown => Self::UNKNOWN,
            ValueKind::String(text) => Self {
                weight: VALUE + text.len() as u64,
                ..Self::SCALAR
            },
            ValueKind::List(elements) => elements.iter().fold(Self::EMPTY, Self::with),
            ValueKind::Object(entries) => {
                entries.iter().fold(Self::EMPTY, |facts, (key, value)| {
                    facts.with_key(key).with(value)
                })
            }
        }
    }

    /// Those of a list or an object without anything in it.
    pub(crate) const EMPTY: Self = Self {
        depth: 1,
        ..Self::SCALAR
    };

    pub(crate) fn with(self, value: &Value) -> Self {
        Self {
            holds_sensitive: self.holds_sensitive || value.is_sensitive(),
            wholly_known: self.wholly_known && value.facts.wholly_known,
            depth: self.depth.max(value.facts.depth.saturating_add(1)),
            weight: self.weight.saturating_add(value.facts.weight),
            numbers: self.numbers.saturating_add(value.facts.numbers),
        }
    }

    pub(crate) fn with_key(self, key: &str) -> Self {
        let weight = self.weight.saturating_add(ENTRY + key.len() as u64);
        Self { weight, ..self }
    }
}

/// What a [`Value`] is.
#[derive(Clone, PartialEq, Eq)]
pub enum ValueKind {
    /// Nothing; an attribute set to it counts as not set.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal number.
    Number(Number),
    /// Text in Unicode's normal form C.
    String(Arc<str>),
    /// A list, tuple or set.
    List(Arc<[Value]>),
    /// A map or object, ordered by key.
    Object(Arc<BTreeMap<String, Value>>),
    /// Something that will only be known when the build runs.
    Unknown,
}

impl Value {
    /// `null`.
    pub const NULL: Value = Value {
        kind: ValueKind::Null,
        sensitive: false,
        facts: Facts::SCALAR,
    };

    /// What will only be known later.
    pub const UNKNOWN: Value = Value {
        kind: ValueKind::Unknown,
        sensitive: false,
        facts: Facts::UNKNOWN,
    };

    /// Text, brought into Unicode's normal form C.
    pub fn string(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => ValueKind::String(text.into()),
            _ => ValueKind::String(text.nfc().collect::<String>().into()),
        }
        .into()
    }

    /// A list of `elements`.
    pub fn list(elements: impl IntoIterator<Item = Value>) -> Self {
        ValueKind::List(elements.into_iter().collect()).into()
    }

    /// An object of `entries`; of two with the same key, the later one.
    pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect();
        ValueKind::Object(Arc::new(entries)).into()
    }

    /// What the value is, whether it may be shown or not.
    pub fn kind(&self) -> &ValueKind {
        &self.kind
    }

    /// The same value, marked as not to be shown.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }

    /// The same value, marked if `mark` or if it was already.
    #[must_use]
    pub(crate) fn marked(self, mark: bool) -> Self {
        Self {
            sensitive: self.sensitive || mark,
            ..self
        }
    }

    /// The same value without its own mark; elements keep theirs.
    #[must_use]
    pub(crate) fn unmarked(self) -> Self {
        Self {
            sensitive: false,
            ..self
        }
    }

    /// Whether the value itself is not to be shown.
    pub fn is_marked(&self) -> bool {
        self.sensitive
    }

    /// Whether the value or anything in it is not to be shown.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive || self.facts.holds_sensitive
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, ValueKind::Null)
    }

    /// Whether the value itself is not known yet.
    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, ValueKind::Unknown)
    }

    /// Whether the value and everything in it is known.
    pub fn is_wholly_known(&self) -> bool {
        self.facts.wholly_known
    }

    /// Bytes it would take if everything in it stood for itself.
    pub(crate) fn weight(&self) -> u64 {
        self.facts.weight
    }

    /// Work of writing all numbers in it.
    pub(crate) fn numbers(&self) -> u64 {
        self.facts.numbers
    }

    /// How deep lists and objects are nested in it.
    pub(crate) fn depth(&self) -> u32 {
        self.facts.depth
    }

    /// An object whose facts are known already.
    pub(crate) fn object_with(entries: Arc<BTreeMap<String, Value>>, facts: Facts) -> Self {
        Self {
            kind: ValueKind::Object(entries),
            sensitive: false,
            facts,
        }
    }

    /// The text, if this is a string; see [`Value::to_text`] for the loose way.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            ValueKind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            ValueKind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The elements, if this is a list, tuple or set.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            ValueKind::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The entries, if this is a map or object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match &self.kind {
            ValueKind::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// As a string, converted from a bool or a number if need be.
    pub fn to_text(&self) -> Option<String> {
        match &self.kind {
            ValueKind::String(text) => Some(text.to_string()),
            ValueKind::Number(number) => Some(number.to_string()),
            ValueKind::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// As a number, converted from a string like `"4"` if need be.
    pub fn to_number(&self) -> Option<Number> {
        match &self.kind {
            ValueKind::Number(number) => Some(number.clone()),
            ValueKind::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// As a bool, converted from `"true"`, `"false"`, `"1"` and `"0"` if need be.
    pub fn to_bool(&self) -> Option<bool> {
        match &self.kind {
            ValueKind::Bool(value) => Some(*value),
            ValueKind::String(text) => match &**text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the user would call it: `string`, `list`, `null`.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            ValueKind::Null => "null",
            ValueKind::Bool(_) => "bool",
            ValueKind::Number(_) => "number",
            ValueKind::String(_) => "string",
            ValueKind::List(_) => "list",
            ValueKind::Object(_) => "object",
            ValueKind::Unknown => "unknown value",
        }
    }
}

impl From<ValueKind> for Value {
    fn from(kind: ValueKind) -> Self {
        let facts = Facts::of(&kind);
        Self {
            kind,
            sensitive: false,
            facts,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        ValueKind::Bool(value).into()
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        ValueKind::Number(number).into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Number::from(number).into()
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Number::from(number).into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl fmt::Debug for Value {
    /// Like an expression of the language; what is sensitive shows as `(sensitive)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive {
            f.write_str("(sensitive)")
        } else {
            self.kind.fmt(f)
        }
    }
}

impl fmt::Debug for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::List(elements) => f.debug_list().entries(elements.iter()).finish(),
            Self::Object(entries) => f.debug_map().entries(entries.iter()).finish(),
            Self::Unknown => f.write_str("(unknown)"),
        }
    }
}
