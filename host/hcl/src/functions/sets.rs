//! Sets: lists without duplicates, in order.

use std::collections::BTreeSet;

use super::{
    Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter, unified,
    unified_list,
};
use crate::evaluate::MAX_ELEMENTS;
use crate::types::{Ordered, set};
use crate::value::Value;

const SETS: &[Parameter] = &[parameter("set", Kind::List)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("setintersection", SETS, |a| {
        let sets = unified_sets(a)?;
        let others: Vec<BTreeSet<_>> = sets.iter().skip(1).map(|set| elements(set)).collect();
        let is_common = |element: &&Value| others.iter().all(|it| it.contains(&Ordered(element)));
        let first = sets.first().map_or(&[][..], Vec::as_slice);
        Ok(set(first.iter().filter(is_common).cloned().collect()))
    })
    .variadic(1)
    .costs(Cost::Sorts),
    Function::new("setproduct", SETS, product).variadic(2),
    Function::new(
        "setsubtract",
        &[
            parameter("set", Kind::List),
            parameter("subtract", Kind::List),
        ],
        |a| {
            let sets = unified_sets(a)?;
            let [from, without] = &sets[..] else {
                return Err("two sets are needed".into());
            };
            let without = elements(without);
            let stays = |element: &&Value| !without.contains(&Ordered(element));
            Ok(set(from.iter().filter(stays).cloned().collect()))
        },
    )
    .costs(Cost::Sorts),
    Function::new("setunion", SETS, |a| {
        Ok(set(unified_sets(a)?.into_iter().flatten().collect()))
    })
    .variadic(1)
    .costs(Cost::Sorts),
];

fn elements(set: &[Value]) -> BTreeSet<Ordered<'_>> {
    set.iter().map(Ordered).collect()
}

/// All sets, their elements in the one type that all of them can have.
fn unified_sets(arguments: &Arguments<'_>) -> Result<Vec<Vec<Value>>, FunctionError> {
    let all: Vec<&Value> = (0..arguments.values.len())
        .flat_map(|at| arguments.list(at))
        .collect();
    let mut all = unified(0, &all, arguments.budget())?.into_iter();
    Ok((0..arguments.values.len())
        .map(|at| all.by_ref().take(arguments.list(at).len()).collect())
        .collect())
}

/// Every way to take one element of each, the last varying fastest.
fn product(arguments: &Arguments<'_>) -> Outcome {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for position in 0..arguments.values.len() {
        let elements = unified_list(arguments, position)?;
        if rows.len().saturating_mul(elements.len()) > MAX_ELEMENTS {
            return Err(format!("the product has more than {MAX_ELEMENTS} elements").into());
        }
        // Rows so far and rows to be, each with its elements.
        let size = rows.len() * elements.len() * (position + 2);
        arguments.budget().charge_elements(size)?;
        rows = rows
            .iter()
            .flat_map(|row| {
                elements.iter().map(move |element| {
                    let mut row = row.clone();
                    row.push(element.clone());
                    row
                })
            })
            .collect();
    }
    Ok(Value::list(
        rows.into_iter().map(Value::list).collect::<Vec<_>>(),
    ))
}
