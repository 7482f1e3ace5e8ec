//! Lists and objects.

use std::collections::BTreeSet;

use super::{
    Arguments, Cost, Function, FunctionError, GRAPHEME, Kind, Outcome, Parameter, parameter,
    strings, unified, unified_list,
};
use crate::budget::{STEP, VALUE};
use crate::evaluate::{SUGGESTION, equal};
use crate::number::Number;
use crate::types::Ordered;
use crate::value::{Value, ValueKind};

const LIST: &[Parameter] = &[parameter("list", Kind::List)];
const OBJECT: &[Parameter] = &[parameter("object", Kind::Object)];
const VALUES: &[Parameter] = &[parameter("value", Kind::Any)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("alltrue", LIST, |a| {
        Ok(all_bools(a)?.into_iter().all(|b| b).into())
    })
    .costs(Cost::Reads),
    Function::new("anytrue", LIST, |a| {
        Ok(all_bools(a)?.into_iter().any(|b| b).into())
    })
    .costs(Cost::Reads),
    Function::new(
        "chunklist",
        &[
            parameter("list", Kind::List),
            parameter("size", Kind::Number),
        ],
        chunklist,
    )
    .structural(),
    Function::new("coalesce", VALUES, coalesce)
        .variadic(1)
        .costs(Cost::LooksUp),
    Function::new(
        "coalescelist",
        &[parameter("list", Kind::Any)],
        coalescelist,
    )
    .variadic(1)
    .structural()
    .costs(Cost::LooksUp),
    Function::new("compact", &[parameter("list", Kind::List)], compact),
    Function::new("concat", LIST, |a| {
        Ok(Value::list(
            (0..a.values.len())
                .flat_map(|at| a.list(at).to_vec())
                .collect::<Vec<_>>(),
        ))
    })
    .variadic(1)
    .structural(),
    Function::new(
        "contains",
        &[parameter("list", Kind::List), parameter("value", Kind::Any)],
        |a| {
            Ok(a.list(0)
                .iter()
                .any(|element| equal(element, a.value(1)))
                .into())
        },
    )
    .costs(Cost::Reads),
    Function::new("distinct", LIST, |a| {
        Ok(Value::list(distinct(&unified_list(a, 0)?)))
    })
    .costs(Cost::Sorts),
    Function::new(
        "element",
        &[
            parameter("list", Kind::List),
            parameter("index", Kind::Number),
        ],
        element,
    )
    .structural()
    .costs(Cost::LooksUp),
    Function::new("flatten", LIST, |a| {
        let mut flat = Vec::new();
        flatten(a.list(0), &mut flat);
        Ok(Value::list(flat))
    }),
    Function::new(
        "index",
        &[parameter("list", Kind::List), parameter("value", Kind::Any)],
        index,
    )
    .costs(Cost::Reads),
    Function::new("keys", OBJECT, |a| Ok(strings(a.object(0).keys()))).structural(),
    Function::new("length", &[parameter("value", Kind::Value)], length)
        .structural()
        .costs(Cost::LooksUp),
    Function::new(
        "lookup",
        &[
            parameter("object", Kind::Object),
            parameter("key", Kind::String),
            parameter("default", Kind::Any),
        ],
        lookup,
    )
    .optional(1)
    .structural()
    .costs(Cost::LooksUp),
    Function::new("merge", &[parameter("object", Kind::Any)], merge)
        .variadic(0)
        .structural(),
    Function::new("range", &[parameter("number", Kind::Number)], range).variadic(1),
    Function::new("reverse", LIST, |a| {
        Ok(Value::list(
            a.list(0).iter().rev().cloned().collect::<Vec<_>>(),
        ))
    })
    .structural(),
    Function::new(
        "slice",
        &[
            parameter("list", Kind::List),
            parameter("start", Kind::Number),
            parameter("end", Kind::Number),
        ],
        slice,
    )
    .structural(),
    Function::new("sort", &[parameter("list", Kind::Strings)], |a| {
        let mut sorted = a.strings(0);
        sorted.sort_unstable();
        Ok(strings(sorted))
    })
    .costs(Cost::Sorts),
    Function::new("values", OBJECT, |a| {
        Ok(Value::list(
            a.object(0).values().cloned().collect::<Vec<_>>(),
        ))
    })
    .structural(),
    Function::new(
        "zipmap",
        &[
            parameter("keys", Kind::Strings),
            parameter("values", Kind::List),
        ],
        zipmap,
    ),
];

fn all_bools(arguments: &Arguments<'_>) -> Result<Vec<bool>, FunctionError> {
    // `null` counts as false.
    arguments
        .list(0)
        .iter()
        .map(|value| {
            if value.is_null() {
                Some(false)
            } else {
                value.to_bool()
            }
        })
        .collect::<Option<_>>()
        .ok_or_else(|| FunctionError::at(0, "every element must be `true` or `false`"))
}

fn chunklist(arguments: &Arguments<'_>) -> Outcome {
    let list = unified_list(arguments, 0)?;
    let size = usize::try_from(arguments.integer(1)?)
        .map_err(|_| FunctionError::at(1, "the size must not be negative"))?;
    // A list for each chunk, which may be of one element.
    arguments.budget().charge_elements(list.len() * 2)?;
    if size == 0 {
        return Ok(Value::list([Value::list(list)]));
    }
    Ok(Value::list(
        list.chunks(size)
            .map(|chunk| Value::list(chunk.to_vec()))
            .collect::<Vec<_>>(),
    ))
}

fn coalesce(arguments: &Arguments<'_>) -> Outcome {
    let values: Vec<&Value> = arguments.values.iter().collect();
    let values = unified(0, &values, arguments.budget())?;
    let first = values
        .into_iter()
        .find(|value| !value.is_null() && value.as_str() != Some(""));
    match first {
        Some(value) => Ok(value),
        None => Err("every argument is null or empty".into()),
    }
}

fn coalescelist(arguments: &Arguments<'_>) -> Outcome {
    for (position, value) in arguments.values.iter().enumerate() {
        match value.kind() {
            ValueKind::Null => {}
            ValueKind::List(elements) if elements.is_empty() => {}
            ValueKind::List(_) => return Ok(value.clone()),
            _ => return Err(FunctionError::at(position, "a list is needed")),
        }
    }
    Err("every list is null or empty".into())
}

fn compact(arguments: &Arguments<'_>) -> Outcome {
    let mut kept = Vec::new();
    for element in arguments.list(0) {
        match element.to_text() {
            Some(text) if text.is_empty() => {}
            Some(text) => kept.push(text),
            None if element.is_null() => {}
            None => return Err(FunctionError::at(0, "every element must be a string")),
        }
    }
    Ok(strings(kept))
}

pub(super) fn distinct(list: &[Value]) -> Vec<Value> {
    let mut earlier = BTreeSet::new();
    let first = list
        .iter()
        .filter(|element| earlier.insert(Ordered(element)));
    first.cloned().collect()
}

fn element(arguments: &Arguments<'_>) -> Outcome {
    let list = arguments.list(0);
    let index = arguments.integer(1)?;
    let count = i64::try_from(list.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Err(FunctionError::at(0, "the list is empty"));
    }
    if index < 0 {
        return Err(FunctionError::at(1, "the index must not be negative"));
    }
    let position = usize::try_from(index % count).unwrap_or_default();
    Ok(list.get(position).cloned().unwrap_or(Value::NULL))
}

/// Lists in it have been paid for as often as they stand there.
fn flatten(list: &[Value], flat: &mut Vec<Value>) {
    for element in list {
        match element.as_list() {
            Some(inner) => flatten(inner, flat),
            None => flat.push(element.clone()),
        }
    }
}

fn index(arguments: &Arguments<'_>) -> Outcome {
    let wanted = arguments.value(1);
    arguments
        .list(0)
        .iter()
        .position(|element| equal(element, wanted))
        .map(Value::from)
        .ok_or_else(|| FunctionError::at(1, "the list doesn't have this element"))
}

fn length(arguments: &Arguments<'_>) -> Outcome {
    use unicode_segmentation::UnicodeSegmentation as _;
    match arguments.value(0).kind() {
        ValueKind::List(elements) => Ok(elements.len().into()),
        ValueKind::Object(entries) => Ok(entries.len().into()),
        ValueKind::String(text) => {
            arguments.budget().charge_text(text.len() * GRAPHEME)?;
            Ok(text.graphemes(true).count().into())
        }
        _ => Err(FunctionError::at(
            0,
            "a list, an object or a string is needed",
        )),
    }
}

fn lookup(arguments: &Arguments<'_>) -> Outcome {
    let object = arguments.object(0);
    let key = arguments.string(1);
    match (object.get(key), arguments.optional(2)) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => {
            arguments
                .budget()
                .charge(object.len() as u64 * SUGGESTION, 0)?;
            let hint = crate::suggest::suggest(key, object.keys().map(String::as_str))
                .map_or_else(String::new, |close| format!("; did you mean \"{close}\"?"));
            Err(FunctionError::at(
                1,
                format!("the object has no key \"{key}\"{hint}"),
            ))
        }
    }
}

fn merge(arguments: &Arguments<'_>) -> Outcome {
    let mut merged = std::collections::BTreeMap::new();
    for (position, value) in arguments.values.iter().enumerate() {
        match value.kind() {
            ValueKind::Null => {}
            ValueKind::Object(entries) => {
                merged.extend(
                    entries
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone())),
                );
            }
            _ => return Err(FunctionError::at(position, "an object is needed")),
        }
    }
    Ok(Value::object(merged))
}

/// Most numbers `range` makes, as in the original.
const MAX_RANGE: usize = 1024;

fn range(arguments: &Arguments<'_>) -> Outcome {
    let zero = Number::from(0);
    let one = Number::from(1);
    let (start, end, step) = match arguments.values.len() {
        1 => (zero.clone(), arguments.number(0), None),
        2 => (arguments.number(0), arguments.number(1), None),
        3 => (
            arguments.number(0),
            arguments.number(1),
            Some(arguments.number(2)),
        ),
        _ => {
            return Err(
                "it takes a limit; a start and a limit; or a start, a limit and a step".into(),
            );
        }
    };
    let down = end < start;
    let step = step.unwrap_or(if down { one.negated() } else { one });
    if step.is_zero() {
        return Err(FunctionError::at(2, "the step must not be zero"));
    }
    if start != end && down != step.is_negative() {
        return Err(FunctionError::at(2, "the step leads away from the limit"));
    }
    let mut numbers = Vec::new();
    let mut number = start;
    while if down { number > end } else { number < end } {
        if numbers.len() == MAX_RANGE {
            return Err(format!("more than {MAX_RANGE} numbers").into());
        }
        arguments.budget().charge(STEP, 2 * VALUE)?;
        numbers.push(Value::from(number.clone()));
        number = number.add(&step).ok_or("the numbers get out of range")?;
    }
    Ok(Value::list(numbers))
}

fn slice(arguments: &Arguments<'_>) -> Outcome {
    let list = arguments.list(0);
    let bound = |position| {
        let bound = usize::try_from(arguments.integer(position)?).ok();
        bound.filter(|bound| *bound <= list.len()).ok_or_else(|| {
            FunctionError::at(position, format!("must be between 0 and {}", list.len()))
        })
    };
    let (start, end) = (bound(1)?, bound(2)?);
    match list.get(start..end) {
        Some(part) => Ok(Value::list(part.to_vec())),
        None => Err(FunctionError::at(1, "the start must not be behind the end")),
    }
}

fn zipmap(arguments: &Arguments<'_>) -> Outcome {
    let (keys, values) = (arguments.strings(0), arguments.list(1));
    if keys.len() != values.len() {
        return Err(format!("{} keys for {} values", keys.len(), values.len()).into());
    }
    Ok(Value::object(keys.into_iter().zip(values.iter().cloned())))
}
