//! Arithmetic.

use bigdecimal::num_bigint::BigInt;

use super::{Arguments, Function, FunctionError, Kind, Outcome, parameter};
use crate::number::Number;
use crate::value::Value;

const NUMBER: &[super::Parameter] = &[parameter("number", Kind::Number)];
const NUMBERS: &[super::Parameter] = &[parameter("number", Kind::Number)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("abs", NUMBER, |a| Ok(a.number(0).absolute().into())),
    Function::new("ceil", NUMBER, |a| Ok(a.number(0).ceiling().into())),
    Function::new("floor", NUMBER, |a| Ok(a.number(0).floor().into())),
    Function::new(
        "log",
        &[
            parameter("number", Kind::Number),
            parameter("base", Kind::Number),
        ],
        log,
    ),
    Function::new("max", NUMBERS, |a| Ok(extreme(a, Number::gt))).variadic(1),
    Function::new("min", NUMBERS, |a| Ok(extreme(a, Number::lt))).variadic(1),
    Function::new(
        "parseint",
        &[
            parameter("text", Kind::String),
            parameter("base", Kind::Number),
        ],
        parseint,
    ),
    Function::new(
        "pow",
        &[
            parameter("number", Kind::Number),
            parameter("power", Kind::Number),
        ],
        pow,
    ),
    Function::new("signum", NUMBER, |a| match a.number(0) {
        number if number.is_integer() => Ok(signum(&number).into()),
        _ => Err(FunctionError::at(0, "a whole number is needed")),
    }),
    Function::new("sum", &[parameter("list", Kind::Numbers)], sum),
];

fn extreme(arguments: &Arguments<'_>, better: fn(&Number, &Number) -> bool) -> Value {
    let mut best = arguments.number(0);
    for position in 1..arguments.values.len() {
        let number = arguments.number(position);
        if better(&number, &best) {
            best = number;
        }
    }
    best.into()
}

fn signum(number: &Number) -> i64 {
    if number.is_zero() {
        0
    } else if number.is_negative() {
        -1
    } else {
        1
    }
}

fn log(arguments: &Arguments<'_>) -> Outcome {
    let result = arguments.number(0).to_f64().ln() / arguments.number(1).to_f64().ln();
    Number::from_f64(result)
        .map(Value::from)
        .ok_or_else(|| "the logarithm of these numbers is not a number".into())
}

/// As the language has it, in numbers of 53 bits.
fn pow(arguments: &Arguments<'_>) -> Outcome {
    Number::from_f64(
        arguments
            .number(0)
            .to_f64()
            .powf(arguments.number(1).to_f64()),
    )
    .map(Value::from)
    .ok_or_else(|| "the result is not a number in range".into())
}

fn parseint(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.string(0);
    let base = u32::try_from(arguments.integer(1)?)
        .ok()
        .filter(|base| (2..=62).contains(base))
        .ok_or_else(|| FunctionError::at(1, "the base must be between 2 and 62"))?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let wrong = || FunctionError::at(0, format!("not a whole number in base {base}"));
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err(wrong());
    }
    let mut number = BigInt::from(0);
    for digit in digits.chars() {
        let value = digit_value(digit, base).ok_or_else(wrong)?;
        number = number * base + value;
    }
    Ok(Number::from(if negative { -number } else { number }).into())
}

/// Most digits `parseint` reads: enough for 512 bits in base two.
const MAX_DIGITS: usize = 512;

/// Up to base 36 case doesn't matter; above, upper case comes after lower case.
fn digit_value(digit: char, base: u32) -> Option<u32> {
    let value = match digit {
        '0'..='9' => u32::from(digit) - u32::from('0'),
        'a'..='z' => u32::from(digit) - u32::from('a') + 10,
        'A'..='Z' if base <= 36 => u32::from(digit) - u32::from('A') + 10,
        'A'..='Z' => u32::from(digit) - u32::from('A') + 36,
        _ => return None,
    };
    (value < base).then_some(value)
}

fn sum(arguments: &Arguments<'_>) -> Outcome {
    let numbers = arguments.list(0);
    if numbers.is_empty() {
        return Err(FunctionError::at(0, "the list is empty"));
    }
    numbers
        .iter()
        .filter_map(Value::as_number)
        .try_fold(Number::from(0), |sum, number| sum.add(number))
        .map(Value::from)
        .ok_or_else(|| "the sum is out of range".into())
}
