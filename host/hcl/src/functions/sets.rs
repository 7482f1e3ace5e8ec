//! Sets: lists without duplicates, in order.

use std::collections::BTreeSet;

use super::{Arguments, Cost, Function, Kind, Outcome, Parameter, parameter};
use crate::evaluate::MAX_ELEMENTS;
use crate::types::{Ordered, set};
use crate::value::Value;

const SETS: &[Parameter] = &[parameter("set", Kind::List)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("setintersection", SETS, |a| {
        let others: Vec<BTreeSet<_>> = (1..a.values.len()).map(|at| elements(a, at)).collect();
        let is_common = |element: &&Value| others.iter().all(|it| it.contains(&Ordered(element)));
        Ok(set(a.list(0).iter().filter(is_common).cloned().collect()))
    })
    .variadic(1)
    .costs(Cost::Sorts),
    Function::new("setproduct", SETS, product).variadic(1),
    Function::new(
        "setsubtract",
        &[
            parameter("set", Kind::List),
            parameter("subtract", Kind::List),
        ],
        |a| {
            let without = elements(a, 1);
            let stays = |element: &&Value| !without.contains(&Ordered(element));
            Ok(set(a.list(0).iter().filter(stays).cloned().collect()))
        },
    )
    .costs(Cost::Sorts),
    Function::new("setunion", SETS, |a| {
        Ok(set((0..a.values.len())
            .flat_map(|at| a.list(at).to_vec())
            .collect()))
    })
    .variadic(1)
    .costs(Cost::Sorts),
];

fn elements<'a>(arguments: &'a Arguments<'_>, position: usize) -> BTreeSet<Ordered<'a>> {
    arguments.list(position).iter().map(Ordered).collect()
}

/// Every way to take one element of each, the last varying fastest.
fn product(arguments: &Arguments<'_>) -> Outcome {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for position in 0..arguments.values.len() {
        let elements = arguments.list(position);
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
