//! Conversion of values to types, as loosely as the language has it.

use std::cmp::Ordering;

use super::{Type, unify};
use crate::budget::{Budget, ENTRY, Spent, VALUE};
use crate::evaluate::{article, equal};
use crate::number::Number;
use crate::value::{Value, ValueKind};

/// Why a value can't be had in a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .path.as_deref().map(|path| format!("{path}: ")).unwrap_or_default())]
pub struct ConversionError {
    path: Option<String>,
    message: String,
}

impl ConversionError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            path: None,
            message: message.into(),
        }
    }

    fn within(self, step: String) -> Self {
        let path = self
            .path
            .map_or_else(|| step.clone(), |path| format!("{step}{path}"));
        Self {
            path: Some(path),
            ..self
        }
    }
}

impl Type {
    /// `value` in this type; marks and unknown parts stay.
    ///
    /// # Errors
    /// When it can't be had in this type. The message doesn't show the value.
    pub fn convert(&self, value: &Value) -> Result<Value, ConversionError> {
        self.convert_within(value, &Budget::default())
    }

    /// The same, paid for.
    pub(crate) fn convert_within(
        &self,
        value: &Value,
        budget: &Budget,
    ) -> Result<Value, ConversionError> {
        if *self == Self::Any {
            return Ok(value.clone());
        }
        let size = match self {
            Self::List(_) | Self::Set(_) | Self::Tuple(_) => value
                .as_list()
                .map_or(0, |elements| elements.len() as u64 * 3 * VALUE),
            Self::Map(_) => value.as_object().map_or(0, |entries| {
                let keys = entries
                    .keys()
                    .map(|key| key.len() as u64 + 3 * VALUE + ENTRY);
                keys.sum()
            }),
            Self::Object(attributes) => {
                let names = attributes
                    .keys()
                    .map(|name| name.len() as u64 + 3 * VALUE + ENTRY);
                names.sum()
            }
            // The text of a number, or the number of a text.
            _ => VALUE,
        };
        let numbers = value.as_number().map_or(0, Number::work);
        let paid = budget.charge(1 + size / VALUE + numbers, size);
        paid.map_err(|_| ConversionError::new("it takes too much"))?;
        let convert = |wanted: &Type, value: &Value| wanted.convert_within(value, budget);
        if value.is_null() || value.is_unknown() {
            return Ok(value.clone());
        }
        let wrong = || {
            let given = article(value.type_name());
            ConversionError::new(format!("{} is needed, this is {given}", article_of(self)))
        };
        let converted = match self {
            Self::Any => value.clone(),
            Self::Bool => value.to_bool().map(Value::from).ok_or_else(wrong)?,
            Self::Number => value.to_number().map(Value::from).ok_or_else(wrong)?,
            Self::String if value.as_str().is_some() => value.clone(),
            Self::String => value.to_text().map(Value::from).ok_or_else(wrong)?,
            Self::List(element) => {
                let elements = elements(element, value.as_list().ok_or_else(wrong)?, budget)?;
                Value::list(unified_elements(element, elements, budget)?)
            }
            Self::Set(element) => {
                let elements = elements(element, value.as_list().ok_or_else(wrong)?, budget)?;
                // Each may have to be held against twenty others.
                let paid = budget.charge(value.weight().saturating_mul(2), 0);
                paid.map_err(|_| ConversionError::new("it takes too much"))?;
                set(unified_elements(element, elements, budget)?)
            }
            Self::Map(element) => {
                let entries = value.as_object().ok_or_else(wrong)?;
                let keys: Vec<&String> = entries.keys().collect();
                let values = entries
                    .iter()
                    .map(|(key, value)| {
                        convert(element, value).map_err(|error| error.within(format!(".{key}")))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let values = unified_elements(element, values, budget)?;
                Value::object(keys.into_iter().cloned().zip(values))
            }
            Self::Tuple(types) => {
                let elements = value.as_list().ok_or_else(wrong)?;
                if elements.len() != types.len() {
                    return Err(ConversionError::new(format!(
                        "a list of {} elements is needed, this has {}",
                        types.len(),
                        elements.len()
                    )));
                }
                let converted = types
                    .iter()
                    .zip(elements)
                    .enumerate()
                    .map(|(position, (wanted, element))| {
                        convert(wanted, element).map_err(|e| e.within(format!("[{position}]")))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Value::list(converted)
            }
            Self::Object(attributes) => {
                let entries = value.as_object().ok_or_else(wrong)?;
                let converted = attributes
                    .iter()
                    .map(|(name, attribute)| {
                        let value = match (entries.get(name), &attribute.default) {
                            (Some(value), Some(default)) if value.is_null() => default.clone(),
                            (Some(value), _) => convert(&attribute.value_type, value)
                                .map_err(|error| error.within(format!(".{name}")))?,
                            (None, Some(default)) => default.clone(),
                            (None, None) => {
                                return Err(ConversionError::new(format!(
                                    "the attribute `{name}` is missing"
                                )));
                            }
                        };
                        Ok((name.clone(), value))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Value::object(converted)
            }
        };
        Ok(converted.marked(value.is_marked()))
    }
}

fn article_of(wanted: &Type) -> String {
    match wanted {
        Type::Object(_) => format!("an {wanted}"),
        Type::Any => "any value".to_owned(),
        _ => format!("a {wanted}"),
    }
}

fn elements(
    element: &Type,
    values: &[Value],
    budget: &Budget,
) -> Result<Vec<Value>, ConversionError> {
    values
        .iter()
        .enumerate()
        .map(|(position, value)| {
            element
                .convert_within(value, budget)
                .map_err(|error| error.within(format!("[{position}]")))
        })
        .collect()
}

/// The elements of a list or map of `any` have one type all the same.
fn unified_elements(
    element: &Type,
    values: Vec<Value>,
    budget: &Budget,
) -> Result<Vec<Value>, ConversionError> {
    if *element != Type::Any {
        return Ok(values);
    }
    let spent = |_: Spent| ConversionError::new("it takes too much");
    let all: Vec<&Value> = values.iter().collect();
    let change = unify(&all, budget).map_err(spent)?;
    let change =
        change.ok_or_else(|| ConversionError::new("its elements have no type in common"))?;
    let changed = values.iter().map(|value| change.apply(value, budget));
    changed.collect::<Result<_, _>>().map_err(spent)
}

/// A set: each element once, in order.
pub(crate) fn set(mut values: Vec<Value>) -> Value {
    values.sort_by(compare);
    values.dedup_by(|a, b| equal(a, b));
    Value::list(values)
}

/// A value that has a place among others: see [`compare`].
#[derive(Clone, Copy)]
pub(crate) struct Ordered<'a>(pub(crate) &'a Value);

impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered<'_> {}

impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

/// The order of the elements of a set: numbers by size, strings by their bytes, everything else
/// by kind first.
fn compare(left: &Value, right: &Value) -> Ordering {
    fn rank(value: &Value) -> u8 {
        match value.kind() {
            ValueKind::Null => 0,
            ValueKind::Bool(_) => 1,
            ValueKind::Number(_) => 2,
            ValueKind::String(_) => 3,
            ValueKind::List(_) => 4,
            ValueKind::Object(_) => 5,
            ValueKind::Unknown => 6,
        }
    }
    match (left.kind(), right.kind()) {
        (ValueKind::Bool(left), ValueKind::Bool(right)) => left.cmp(right),
        (ValueKind::Number(left), ValueKind::Number(right)) => left.cmp(right),
        (ValueKind::String(left), ValueKind::String(right)) => left.cmp(right),
        (ValueKind::List(left), ValueKind::List(right)) => left
            .iter()
            .zip(right.iter())
            .map(|(left, right)| compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| left.len().cmp(&right.len())),
        (ValueKind::Object(left), ValueKind::Object(right)) => left
            .iter()
            .zip(right.iter())
            .map(|(left, right)| left.0.cmp(right.0).then_with(|| compare(left.1, right.1)))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| left.len().cmp(&right.len())),
        _ => rank(left).cmp(&rank(right)),
    }
}
