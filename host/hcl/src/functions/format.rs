//! `format` and `formatlist`: the verbs of the language, not those of C.

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
    let mut explicit = false;
    while let Some(start) = rest.find('%') {
        out.push_str(&rest[..start]);
        let (verb, after) = parse(&rest[start + 1..])?;
        rest = after;
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        let position = verb.argument.unwrap_or(next);
        explicit |= verb.argument.is_some();
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
        budget.charge(STEP + size, size)?;
        let piece =
            write(&verb, value).map_err(|message| FunctionError::at(position + 1, message))?;
        out.push_str(&piece);
        if out.len() > MAX_STRING {
            return Err("the text gets too long".into());
        }
    }
    out.push_str(rest);
    if used < values.len() && !explicit {
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
    let number = || {
        value.to_number().ok_or_else(|| {
            format!(
                "`%{}` needs a number, this is {}",
                verb.letter,
                article(value.type_name())
            )
        })
    };
    let piece = match verb.letter {
        'v' if verb.sharp => pad(verb, &encode(value)),
        'v' => match value.kind() {
            ValueKind::Number(number) => pad(verb, &sign(verb, number.to_string())),
            ValueKind::String(text) => pad(verb, text),
            _ => pad(verb, &encode(value)),
        },
        't' => match value.to_bool() {
            Some(truth) => pad(verb, &truth.to_string()),
            None => {
                return Err(format!(
                    "`%t` needs a bool, this is {}",
                    article(value.type_name())
                ));
            }
        },
        's' | 'q' => {
            let Some(mut text) = value.to_text() else {
                let given = article(value.type_name());
                return Err(format!(
                    "`%{}` needs a string, this is {given}",
                    verb.letter
                ));
            };
            if let Some(precision) = verb.precision {
                use unicode_segmentation::UnicodeSegmentation as _;
                text = text.graphemes(true).take(precision).collect();
            }
            let text = if verb.letter == 'q' {
                encode(&Value::string(&text))
            } else {
                text
            };
            pad(verb, &text)
        }
        'd' => pad(verb, &sign(verb, radix(&number()?, 10)?)),
        'b' => pad(verb, &sign(verb, radix(&number()?, 2)?)),
        'o' => pad(verb, &sign(verb, radix(&number()?, 8)?)),
        'x' => pad(
            verb,
            &sign(verb, prefixed(verb, "0x", radix(&number()?, 16)?)),
        ),
        'X' => pad(
            verb,
            &sign(
                verb,
                prefixed(verb, "0X", radix(&number()?, 16)?.to_uppercase()),
            ),
        ),
        'f' => pad(
            verb,
            &sign(verb, fixed(&number()?, verb.precision.unwrap_or(6))),
        ),
        'e' | 'E' => {
            let text = scientific(number()?.to_f64(), verb.precision.unwrap_or(6));
            let text = if verb.letter == 'E' {
                text.to_uppercase()
            } else {
                text
            };
            pad(verb, &sign(verb, text))
        }
        'g' | 'G' => {
            let number = number()?;
            let size = number.to_f64().abs();
            let text = if size != 0.0 && !(1e-4..1e21).contains(&size) {
                general(number.to_f64())
            } else {
                number.to_string()
            };
            let text = if verb.letter == 'G' {
                text.to_uppercase()
            } else {
                text
            };
            pad(verb, &sign(verb, text))
        }
        letter => return Err(format!("there is no `%{letter}`")),
    };
    Ok(piece)
}

fn sign(verb: &Verb, text: String) -> String {
    match (text.starts_with('-'), verb.plus, verb.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

fn prefixed(verb: &Verb, prefix: &str, text: String) -> String {
    if !verb.sharp {
        return text;
    }
    match text.strip_prefix('-') {
        Some(digits) => format!("-{prefix}{digits}"),
        None => format!("{prefix}{text}"),
    }
}

fn radix(number: &Number, base: u32) -> Result<String, String> {
    match number.to_integer() {
        Some(integer) => Ok(integer.to_str_radix(base)),
        None => Err("a whole number is needed".to_owned()),
    }
}

fn fixed(number: &Number, precision: usize) -> String {
    let scale = i64::try_from(precision).unwrap_or(i64::MAX);
    number
        .as_decimal()
        .with_scale_round(scale, bigdecimal::RoundingMode::HalfEven)
        .to_plain_string()
}

/// `1.5e+06`, as Go has it: a sign and at least two digits in the exponent.
fn scientific(number: f64, precision: usize) -> String {
    exponent(&format!("{number:.precision$e}"))
}

fn general(number: f64) -> String {
    exponent(&format!("{number:e}"))
}

fn exponent(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

fn pad(verb: &Verb, text: &str) -> String {
    use unicode_segmentation::UnicodeSegmentation as _;
    let Some(missing) = verb
        .width
        .and_then(|width| width.checked_sub(text.graphemes(true).count()))
    else {
        return text.to_owned();
    };
    if verb.left {
        return format!("{text}{}", " ".repeat(missing));
    }
    if !verb.zero {
        return format!("{}{text}", " ".repeat(missing));
    }
    // Zeros go behind the sign.
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = &text[..text.len() - digits.len()];
    format!("{sign}{}{digits}", "0".repeat(missing))
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
