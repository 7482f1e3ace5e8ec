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
    Number::from_f64(power(
        arguments.number(0).to_f64(),
        arguments.number(1).to_f64(),
    ))
    .map(Value::from)
    .ok_or_else(|| "the result is not a number in range".into())
}

/// Go's way to a power, by squaring: its last digit is not always that of the library.
fn power(base: f64, exponent: f64) -> f64 {
    let size = exponent.abs();
    let (mut whole, mut fraction) = (size.trunc(), size.fract());
    let is_usual = base.is_normal() && exponent.is_finite() && whole < 1e15;
    if !is_usual || size == 0.5 || (base < 0.0 && fraction != 0.0) {
        return base.powf(exponent);
    }
    let (mut result, mut twos) = (1.0, 0);
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = (fraction * base.ln()).exp();
    }
    // Between a half and one, with the power of two that was taken out.
    let bits = base.to_bits();
    let mut square = f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52);
    let mut square_twos = i64::try_from((bits >> 52) & 0x7ff).unwrap_or_default() - 1022;
    // Smaller than what is whole in an `f64`.
    let mut rest = whole as u64;
    while rest > 0 {
        if square_twos.abs() > 1 << 12 {
            twos += square_twos;
            break;
        }
        if rest % 2 == 1 {
            result *= square;
            twos += square_twos;
        }
        square *= square;
        square_twos *= 2;
        if square < 0.5 {
            square += square;
            square_twos -= 1;
        }
        rest /= 2;
    }
    if exponent < 0.0 {
        result = 1.0 / result;
        twos = -twos;
    }
    // In two steps, since a power of two alone may be out of range.
    let twos = i32::try_from(twos.clamp(-2200, 2200)).unwrap_or_default();
    let half = twos / 2;
    result * 2f64.powi(half) * 2f64.powi(twos - half)
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
