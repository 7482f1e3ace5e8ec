//! `format` and `formatlist`: the verbs of the language, not those of C.

use unicode_segmentation::UnicodeSegmentation as _;

use super::json::encode;
use super::{Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter};
use crate::budget::{Budget, STEP};
use crate::evaluate::{MAX_ELEMENTS, MAX_STRING, article};
use crate::number::Number;
use crate::value::{Value, ValueKind};

const FORMAT: &[Parameter] = &[
    parameter("format", Kind::String),
    parameter("value", Kind::Any),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("format", FORMAT, |a| {
        let values: Vec<Value> = a.values.iter().skip(1).cloned().collect();
        format(a.string(0), &values, a.budget()).map(Value::from)
    })
    .variadic(0)
    .costs(Cost::Reads),
    Function::new("formatlist", FORMAT, formatlist)
        .variadic(0)
        .costs(Cost::Reads),
];

/// Widest field and longest fraction; wider ones are a slip.
const MAX_WIDTH: usize = 1000;

/// Work of a digit of a number that is written to so many of them.
const DIGIT: u64 = 8;

/// One `%…` of a format.
#[derive(Default)]
struct Verb {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    argument: Option<usize>,
    letter: char,
}

fn format(text: &str, values: &[Value], budget: &Budget) -> Result<String, FunctionError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut next = 0;
    let mut used = 0;
    while let Some(start) = rest.find('%') {
        out.push_str(&rest[..start]);
        if let Some(after) = rest[start + 1..].strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (verb, after) = parse(&rest[start + 1..])?;
        rest = after;
        let position = verb.argument.unwrap_or(next);
        next = position + 1;
        used = used.max(next);
        let Some(value) = values.get(position) else {
            let message = format!(
                "`%{}` needs a value {}, there are {}",
                verb.letter,
                next,
                values.len()
            );
            return Err(FunctionError::at(0, message));
        };
        // It is read as a whole and copied several times, even if nothing of it is shown.
        let size = 2 * value.weight() + verb.width.unwrap_or_default() as u64;
        let digits = verb.precision.unwrap_or_default() as u64;
        budget.charge(STEP + size + digits * DIGIT, size)?;
        let piece =
            write(&verb, value).map_err(|message| FunctionError::at(position + 1, message))?;
        out.push_str(&piece);
        if out.len() > MAX_STRING {
            return Err("the text gets too long".into());
        }
    }
    out.push_str(rest);
    if used < values.len() {
        let message = format!("the format uses {used} of {} values", values.len());
        return Err(FunctionError::at(used + 1, message));
    }
    Ok(out)
}

/// Reads what follows a `%`: flags, width, precision, `[position]` and the letter.
fn parse(text: &str) -> Result<(Verb, &str), FunctionError> {
    let mut verb = Verb::default();
    let mut rest = text;
    loop {
        match rest.chars().next() {
            Some('-') => verb.left = true,
            Some('+') => verb.plus = true,
            Some(' ') => verb.space = true,
            Some('0') => verb.zero = true,
            Some('#') => verb.sharp = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    verb.width = digits(&mut rest)?;
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        verb.precision = Some(digits(&mut rest)?.unwrap_or(0));
    }
    if let Some(after) = rest.strip_prefix('[') {
        rest = after;
        let position = digits(&mut rest)?.filter(|position| *position > 0);
        match (position, rest.strip_prefix(']')) {
            (Some(position), Some(after)) => {
                verb.argument = Some(position - 1);
                rest = after;
            }
            _ => return Err(FunctionError::at(0, "a position is written like `%[1]s`")),
        }
    }
    match rest.chars().next() {
        Some(letter) => {
            verb.letter = letter;
            Ok((verb, &rest[letter.len_utf8()..]))
        }
        None => Err(FunctionError::at(
            0,
            "the format ends in the middle of a `%`; write %% for a percent sign",
        )),
    }
}

fn digits(rest: &mut &str) -> Result<Option<usize>, FunctionError> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    if end == 0 {
        return Ok(None);
    }
    let number = rest[..end]
        .parse()
        .ok()
        .filter(|number| *number <= MAX_WIDTH);
    *rest = &rest[end..];
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(FunctionError::at(
            0,
            format!("a number above {MAX_WIDTH} in the format"),
        )),
    }
}

fn write(verb: &Verb, value: &Value) -> Result<String, String> {
    let wrong = |wanted: &str| {
        let given = article(value.type_name());
        Err(format!(
            "`%{}` needs {wanted}, this is {given}",
            verb.letter
        ))
    };
    Ok(match verb.letter {
        'v' => match value.kind() {
            ValueKind::Number(number) if !verb.sharp => {
                pad_text(verb, &signed(number, number.general(None)))
            }
            ValueKind::String(text) if !verb.sharp => pad_text(verb, text),
            _ => pad_text(verb, &encode(value)),
        },
        't' => match value.to_bool() {
            Some(truth) => truth.to_string(),
            None => return wrong("a bool"),
        },
        's' | 'q' => {
            let Some(mut text) = value.to_text() else {
                return wrong("a string");
            };
            // None at all is no bound.
            if let Some(precision) = verb.precision.filter(|precision| *precision > 0) {
                text = text.graphemes(true).take(precision).collect();
            }
            match verb.letter {
                'q' => pad_text(verb, &encode(&Value::string(&text))),
                _ => pad_text(verb, &text),
            }
        }
        'b' | 'd' | 'o' | 'x' | 'X' => match value.to_number() {
            Some(number) => integer(verb, &number)?,
            None => return wrong("a number"),
        },
        'e' | 'E' | 'f' | 'g' | 'G' => match value.to_number() {
            Some(number) => fraction(verb, &number),
            None => return wrong("a number"),
        },
        letter => return Err(format!("there is no `%{letter}`")),
    })
}

fn signed(number: &Number, size: String) -> String {
    match number.has_sign() {
        true => format!("-{size}"),
        false => size,
    }
}

/// What stands before a number.
fn sign(verb: &Verb, negative: bool) -> &'static str {
    match (negative, verb.plus, verb.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    }
}

/// A whole number; its precision is the least count of digits.
fn integer(verb: &Verb, number: &Number) -> Result<String, String> {
    let Some(integer) = number.to_integer() else {
        return Err("a whole number is needed".to_owned());
    };
    let (base, prefix) = match verb.letter {
        'b' => (2, "0b"),
        'o' => (8, "0"),
        'x' => (16, "0x"),
        'X' => (16, "0X"),
        _ => (10, ""),
    };
    let prefix = if verb.sharp { prefix } else { "" };
    let mut digits = integer.magnitude().to_str_radix(base);
    if verb.letter == 'X' {
        digits = digits.to_uppercase();
    }
    if verb.precision == Some(0) && digits == "0" {
        return Ok(String::new());
    }
    let zeros = verb.precision.unwrap_or(0).saturating_sub(digits.len());
    let digits = "0".repeat(zeros) + &digits;
    let before = format!("{}{prefix}", sign(verb, number.is_negative()));
    Ok(pad_number(verb, &before, &digits, verb.precision.is_none()))
}

/// A number with what is behind its point.
fn fraction(verb: &Verb, number: &Number) -> String {
    let size = match verb.letter {
        'f' => number.fixed(verb.precision.unwrap_or(6)),
        'e' | 'E' => number.scientific(verb.precision.unwrap_or(6)),
        _ => number.general(verb.precision),
    };
    let size = match verb.letter.is_ascii_uppercase() {
        true => size.to_uppercase(),
        false => size,
    };
    pad_number(verb, sign(verb, number.has_sign()), &size, true)
}

/// Zeros go behind what is before the digits.
fn pad_number(verb: &Verb, before: &str, digits: &str, zeros: bool) -> String {
    let width = verb.width.unwrap_or(0);
    let missing = width.saturating_sub(before.len() + digits.len());
    if verb.left {
        format!("{before}{digits}{}", " ".repeat(missing))
    } else if verb.zero && zeros {
        format!("{before}{}{digits}", "0".repeat(missing))
    } else {
        format!("{}{before}{digits}", " ".repeat(missing))
    }
}

/// Zeros go before all of a text, even if it is a number.
fn pad_text(verb: &Verb, text: &str) -> String {
    let width = verb.width.unwrap_or(0);
    let missing = width.saturating_sub(text.graphemes(true).count());
    let padding = match verb.zero {
        true => "0".repeat(missing),
        false => " ".repeat(missing),
    };
    match verb.left {
        true => format!("{text}{padding}"),
        false => format!("{padding}{text}"),
    }
}

/// Formats once for each element of the lists among the values.
fn formatlist(arguments: &Arguments<'_>) -> Outcome {
    let budget = arguments.budget();
    let values: Vec<&Value> = arguments.values.iter().skip(1).collect();
    let mut lengths = values
        .iter()
        .enumerate()
        .filter_map(|(at, v)| Some((at, v.as_list()?.len())));
    let Some((_, length)) = lengths.next() else {
        let values: Vec<Value> = values.into_iter().cloned().collect();
        let line = format(arguments.string(0), &values, budget)?;
        return Ok(super::strings([line]));
    };
    if let Some((position, other)) = lengths.find(|(_, other)| *other != length) {
        let message = format!("this list has {other} elements, the first one {length}");
        return Err(FunctionError::at(position + 1, message));
    }
    let mut size = 0;
    let mut lines = Vec::with_capacity(length.min(MAX_ELEMENTS));
    for row in 0..length {
        budget.charge_new_text(arguments.string(0).len())?;
        budget.charge_elements(values.len() + 1)?;
        let row: Vec<Value> = values
            .iter()
            .map(|value| match value.as_list() {
                Some(elements) => elements.get(row).cloned().unwrap_or(Value::NULL),
                None => (*value).clone(),
            })
            .collect();
        let line = format(arguments.string(0), &row, budget)?;
        size += line.len();
        if size > MAX_STRING {
            return Err("the text gets too long".into());
        }
        lines.push(line);
    }
    Ok(super::strings(lines))
}
