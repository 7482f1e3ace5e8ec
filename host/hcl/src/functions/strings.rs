//! Text. Lengths and positions count what a reader takes for one character.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    Arguments, Cost, Function, FunctionError, GRAPHEME, Kind, Outcome, Parameter, parameter,
    strings,
};
use crate::budget::Budget;
use crate::evaluate::MAX_STRING;

const TEXT: &[Parameter] = &[parameter("text", Kind::String)];
const TEXT_CUT: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("cut", Kind::String),
];
const TEXT_PART: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("part", Kind::String),
];
pub(super) const REPLACE: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("search", Kind::String),
    parameter("replacement", Kind::String),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("chomp", TEXT, |a| {
        Ok(a.string(0).trim_end_matches(['\n', '\r']).into())
    }),
    Function::new("endswith", TEXT_PART, |a| {
        Ok(a.string(0).ends_with(a.string(1)).into())
    })
    .costs(Cost::Reads),
    Function::new(
        "indent",
        &[
            parameter("spaces", Kind::Number),
            parameter("text", Kind::String),
        ],
        indent,
    ),
    Function::new(
        "join",
        &[
            parameter("separator", Kind::String),
            parameter("list", Kind::Strings),
        ],
        join,
    )
    .variadic(1),
    Function::new("lower", TEXT, |a| Ok(lower(a.string(0)).into())),
    Function::new("replace", REPLACE, replace),
    Function::new(
        "split",
        &[
            parameter("separator", Kind::String),
            parameter("text", Kind::String),
        ],
        |a| {
            let (separator, text) = (a.string(0), a.string(1));
            if separator.is_empty() {
                a.budget().charge_text(text.len() * GRAPHEME)?;
                a.budget()
                    .charge_elements(text.graphemes(true).count() * 2)?;
                return Ok(strings(text.graphemes(true)));
            }
            a.budget()
                .charge_elements((text.matches(separator).count() + 1) * 2)?;
            Ok(strings(text.split(separator)))
        },
    ),
    Function::new("startswith", TEXT_PART, |a| {
        Ok(a.string(0).starts_with(a.string(1)).into())
    })
    .costs(Cost::Reads),
    Function::new("strcontains", TEXT_PART, |a| {
        Ok(a.string(0).contains(a.string(1)).into())
    })
    .costs(Cost::Reads),
    Function::new("strrev", TEXT, |a| {
        a.budget().charge_text(a.string(0).len() * GRAPHEME)?;
        Ok(a.string(0).graphemes(true).rev().collect::<String>().into())
    }),
    Function::new(
        "substr",
        &[
            parameter("text", Kind::String),
            parameter("offset", Kind::Number),
            parameter("length", Kind::Number),
        ],
        substr,
    ),
    Function::new("title", TEXT, |a| Ok(title(a.string(0)).into())),
    Function::new("trim", TEXT_CUT, |a| {
        a.budget().charge_text(a.string(1).len() * GRAPHEME)?;
        let cut: BTreeSet<char> = a.string(1).chars().collect();
        Ok(a.string(0).trim_matches(|c| cut.contains(&c)).into())
    }),
    Function::new("trimprefix", TEXT_CUT, |a| {
        let text = a.string(0);
        Ok(text.strip_prefix(a.string(1)).unwrap_or(text).into())
    }),
    Function::new("trimspace", TEXT, |a| Ok(a.string(0).trim().into())),
    Function::new("trimsuffix", TEXT_CUT, |a| {
        let text = a.string(0);
        Ok(text.strip_suffix(a.string(1)).unwrap_or(text).into())
    }),
    Function::new("upper", TEXT, |a| Ok(upper(a.string(0)).into())),
];

/// Most spaces `indent` puts before a line.
const MAX_INDENT: i64 = 1000;

fn indent(arguments: &Arguments<'_>) -> Outcome {
    let spaces = arguments.integer(0)?;
    if !(0..=MAX_INDENT).contains(&spaces) {
        return Err(FunctionError::at(
            0,
            format!("must be between 0 and {MAX_INDENT}"),
        ));
    }
    let margin = " ".repeat(usize::try_from(spaces).unwrap_or_default());
    let text = arguments.string(1);
    let lines = text.matches('\n').count();
    affordable(text.len() + lines * margin.len(), arguments.budget())?;
    Ok(text.replace('\n', &format!("\n{margin}")).into())
}

fn join(arguments: &Arguments<'_>) -> Outcome {
    let parts: Vec<&str> = (1..arguments.values.len())
        .flat_map(|position| arguments.strings(position))
        .collect();
    let separator = arguments.string(0);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let separators = parts
        .len()
        .saturating_sub(1)
        .saturating_mul(separator.len());
    affordable(length.saturating_add(separators), arguments.budget())?;
    Ok(parts.join(separator).into())
}

fn substr(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.string(0);
    arguments.budget().charge_text(text.len() * GRAPHEME)?;
    let count = i64::try_from(text.graphemes(true).count()).unwrap_or(i64::MAX);
    let offset = arguments.integer(1)?;
    let length = arguments.integer(2)?;
    // A negative offset counts from the end; a length of -1 is all that is left.
    let start = if offset < 0 {
        count.saturating_add(offset).max(0)
    } else {
        offset.min(count)
    };
    let end = if length < 0 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    let position = |at: i64| usize::try_from(at).unwrap_or_default();
    let characters = text.graphemes(true).skip(position(start));
    let characters = characters.take(position(end - start));
    Ok(characters.collect::<String>().into())
}

/// The text in capital letters, each letter for itself, as Go does it: `ß` stays what it is.
pub fn upper(text: &str) -> String {
    text.chars().map(capital).collect()
}

/// The capital letter.
fn capital(letter: char) -> char {
    let further = |by| char::from_u32(u32::from(letter) + by).unwrap_or(letter);
    match letter {
        // Rust has a letter of its own for the iota that stands below these.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => further(8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => further(9),
        letter => single(letter, letter.to_uppercase()),
    }
}

/// The letter for the start of a word, which is another one where it stands for two.
fn initial(letter: char) -> char {
    match letter {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian has capital letters for whole words only.
        '\u{10d0}'..='\u{10ff}' => letter,
        letter => capital(letter),
    }
}

/// The text in small letters, each letter for itself.
pub fn lower(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            // Rust has a dot of its own behind it.
            'İ' => 'i',
            c => single(c, c.to_lowercase()),
        })
        .collect()
}

/// The other case of a letter, if that is one letter.
fn single(character: char, mut other: impl ExactSizeIterator<Item = char>) -> char {
    match other.len() {
        1 => other.next().unwrap_or(character),
        _ => character,
    }
}

fn title(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        let letter = match character.is_ascii() {
            true => character.is_ascii_alphanumeric() || character == '_',
            false => !character.is_whitespace(),
        };
        if letter && !in_word {
            result.push(initial(character));
        } else {
            result.push(character);
        }
        in_word = letter;
    }
    result
}

/// Packer's knows no patterns, whatever its documentation says of slashes.
fn replace(arguments: &Arguments<'_>) -> Outcome {
    let (text, search, replacement) = (
        arguments.string(0),
        arguments.string(1),
        arguments.string(2),
    );
    let count = text.matches(search).count();
    let added = count.saturating_mul(replacement.len());
    let kept = text
        .len()
        .saturating_sub(count.saturating_mul(search.len()));
    affordable(kept.saturating_add(added), arguments.budget())?;
    Ok(text.replace(search, replacement).into())
}

/// Refuses a text before it is made that is longer than texts may be, or that can't be paid for.
pub(super) fn affordable(length: usize, budget: &Budget) -> Result<(), FunctionError> {
    if length > MAX_STRING {
        return Err("the text gets too long".into());
    }
    Ok(budget.charge_new_text(length)?)
}
