//! The one type that several values can have, as HCL finds it: for the branches of a condition, the arguments
//! of `coalesce`, the elements of a list.
//!
//! A string beside numbers or bools makes them strings. Lists of the same length may differ from place to place,
//! and objects with the same keys from key to key; else all that is in them has one type. Nothing else goes
//! together.

use std::collections::BTreeMap;

use crate::budget::{Budget, STEP, Spent};
use crate::value::{Value, ValueKind};

/// Bytes of a reference to a value.
const REFERENCE: u64 = 8;

/// Bytes of a [`Change`], in a list that grows.
const CHANGE: u64 = 64;

/// What has to become of a value for it to have the common type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Text,
    /// This, of all elements or values.
    Each(Box<Change>),
    Positions(Vec<Change>),
    Keys(BTreeMap<String, Change>),
}

/// What has to become of all of the values; nothing if they have no common type.
pub(crate) fn unify(values: &[&Value], budget: &Budget) -> Result<Option<Change>, Spent> {
    // References to them are kept twice.
    let count = values.len() as u64;
    budget.charge(STEP + count, count * 2 * REFERENCE)?;
    let known: Vec<&Value> = values
        .iter()
        .copied()
        .filter(|value| !value.is_null() && !value.is_unknown())
        .collect();
    let Some(first) = known.first() else {
        return Ok(Some(Change::Nothing));
    };
    match first.kind() {
        ValueKind::List(_) => {
            let lists: Option<Vec<_>> = known.iter().map(|value| value.as_list()).collect();
            match lists {
                Some(lists) => unify_lists(&lists, budget),
                None => Ok(None),
            }
        }
        ValueKind::Object(_) => {
            let objects: Option<Vec<_>> = known.iter().map(|value| value.as_object()).collect();
            match objects {
                Some(objects) => unify_objects(&objects, budget),
                None => Ok(None),
            }
        }
        _ => Ok(unify_scalars(&known)),
    }
}

fn unify_scalars(values: &[&Value]) -> Option<Change> {
    let (mut numbers, mut bools, mut strings) = (false, false, false);
    for value in values {
        match value.kind() {
            ValueKind::Number(_) => numbers = true,
            ValueKind::Bool(_) => bools = true,
            ValueKind::String(_) => strings = true,
            _ => return None,
        }
    }
    match (strings, numbers || bools) {
        (true, true) => Some(Change::Text),
        (false, _) if numbers && bools => None,
        _ => Some(Change::Nothing),
    }
}

fn unify_lists(lists: &[&[Value]], budget: &Budget) -> Result<Option<Change>, Spent> {
    let [first, others @ ..] = lists else {
        return Ok(Some(Change::Nothing));
    };
    if others.is_empty() {
        return Ok(Some(Change::Nothing));
    }
    if others.iter().all(|other| other.len() == first.len()) {
        budget.charge(0, first.len() as u64 * CHANGE)?;
        let mut changes = Vec::new();
        for position in 0..first.len() {
            let column: Vec<&Value> = lists.iter().filter_map(|list| list.get(position)).collect();
            match unify(&column, budget)? {
                Some(change) => changes.push(change),
                None => break,
            }
        }
        if changes.len() == first.len() {
            let nothing = changes.iter().all(|change| *change == Change::Nothing);
            return Ok(Some(match nothing {
                true => Change::Nothing,
                false => Change::Positions(changes),
            }));
        }
    }
    let all: Vec<&Value> = lists.iter().copied().flatten().collect();
    Ok(unify(&all, budget)?.map(of_each))
}

fn unify_objects(
    objects: &[&BTreeMap<String, Value>],
    budget: &Budget,
) -> Result<Option<Change>, Spent> {
    let [first, others @ ..] = objects else {
        return Ok(Some(Change::Nothing));
    };
    if others.is_empty() {
        return Ok(Some(Change::Nothing));
    }
    let names: usize = first.keys().map(String::len).sum();
    budget.charge_new_text(names)?;
    if others.iter().all(|other| first.keys().eq(other.keys())) {
        let mut changes = BTreeMap::new();
        for key in first.keys() {
            let column: Vec<&Value> = objects
                .iter()
                .filter_map(|object| object.get(key))
                .collect();
            match unify(&column, budget)? {
                Some(change) => changes.insert(key.clone(), change),
                None => break,
            };
        }
        if changes.len() == first.len() {
            let nothing = changes.values().all(|change| *change == Change::Nothing);
            return Ok(Some(match nothing {
                true => Change::Nothing,
                false => Change::Keys(changes),
            }));
        }
    }
    let all: Vec<&Value> = objects.iter().flat_map(|object| object.values()).collect();
    Ok(unify(&all, budget)?.map(of_each))
}

fn of_each(change: Change) -> Change {
    match change {
        Change::Nothing => Change::Nothing,
        change => Change::Each(Box::new(change)),
    }
}

impl Change {
    /// The value as it is to become; marks and unknown parts stay.
    pub(crate) fn apply(&self, value: &Value, budget: &Budget) -> Result<Value, Spent> {
        if *self == Self::Nothing || value.is_null() || value.is_unknown() {
            return Ok(value.clone());
        }
        budget.charge(STEP, 0)?;
        let changed = match (self, value.kind()) {
            (Self::Text, ValueKind::Number(_) | ValueKind::Bool(_)) => {
                budget.charge(value.numbers(), 0)?;
                let text = value.to_text().unwrap_or_default();
                budget.charge_new_text(text.len())?;
                Value::from(text)
            }
            (Self::Each(change), ValueKind::List(elements)) => {
                budget.charge_elements(elements.len())?;
                let changed = elements.iter().map(|element| change.apply(element, budget));
                Value::list(changed.collect::<Result<Vec<_>, _>>()?)
            }
            (Self::Positions(changes), ValueKind::List(elements)) => {
                budget.charge_elements(elements.len())?;
                let changed = elements
                    .iter()
                    .zip(changes)
                    .map(|(element, change)| change.apply(element, budget));
                Value::list(changed.collect::<Result<Vec<_>, _>>()?)
            }
            (Self::Each(change), ValueKind::Object(entries)) => {
                Self::entries(entries, |_| Some(change.as_ref()), budget)?
            }
            (Self::Keys(changes), ValueKind::Object(entries)) => {
                Self::entries(entries, |key| changes.get(key), budget)?
            }
            _ => value.clone(),
        };
        Ok(changed.marked(value.is_marked()))
    }

    fn entries<'c>(
        entries: &BTreeMap<String, Value>,
        change_of: impl Fn(&str) -> Option<&'c Change>,
        budget: &Budget,
    ) -> Result<Value, Spent> {
        budget.charge_elements(entries.len() * 2)?;
        budget.charge_new_text(entries.keys().map(String::len).sum())?;
        let changed = entries.iter().map(|(key, value)| {
            let value = match change_of(key) {
                Some(change) => change.apply(value, budget)?,
                None => value.clone(),
            };
            Ok((key.clone(), value))
        });
        Ok(Value::object(changed.collect::<Result<Vec<_>, Spent>>()?))
    }
}
