//! Sets: lists without duplicates, in order.

use super::{Arguments, Function, Kind, Outcome, Parameter, parameter};
use crate::evaluate::{MAX_ELEMENTS, equal};
use crate::types::set;
use crate::value::Value;

const SETS: &[Parameter] = &[parameter("set", Kind::List)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("setintersection", SETS, |a| {
        let common = a.list(0).iter().filter(|element| {
            (1..a.values.len()).all(|at| a.list(at).iter().any(|other| equal(element, other)))
        });
        Ok(set(common.cloned().collect()))
    })
    .variadic(1),
    Function::new("setproduct", SETS, product).variadic(1),
    Function::new(
        "setsubtract",
        &[
            parameter("set", Kind::List),
            parameter("subtract", Kind::List),
        ],
        |a| {
            let left = a
                .list(0)
                .iter()
                .filter(|element| !a.list(1).iter().any(|o| equal(element, o)));
            Ok(set(left.cloned().collect()))
        },
    ),
    Function::new("setunion", SETS, |a| {
        Ok(set((0..a.values.len())
            .flat_map(|at| a.list(at).to_vec())
            .collect()))
    })
    .variadic(1),
];

/// Every way to take one element of each, the last varying fastest.
fn product(arguments: &Arguments<'_>) -> Outcome {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for position in 0..arguments.values.len() {
        let elements = arguments.list(position);
        if rows.len().saturating_mul(elements.len()) > MAX_ELEMENTS {
            return Err(format!("the product has more than {MAX_ELEMENTS} elements").into());
        }
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
