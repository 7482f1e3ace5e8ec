//! Text. Lengths and positions count what a reader takes for one character.

use std::sync::Mutex;

use regex::{Captures, Regex, RegexBuilder};
use unicode_segmentation::UnicodeSegmentation;

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, strings};
use crate::evaluate::MAX_STRING;
use crate::value::Value;

const TEXT: &[Parameter] = &[parameter("text", Kind::String)];
const TEXT_CUT: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("cut", Kind::String),
];
const TEXT_PART: &[Parameter] = &[
    parameter("text", Kind::String),
    parameter("part", Kind::String),
];
const PATTERN_TEXT: &[Parameter] = &[
    parameter("pattern", Kind::String),
    parameter("text", Kind::String),
];
const REPLACE: &[Parameter] = &[
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
    }),
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
    Function::new("lower", TEXT, |a| Ok(a.string(0).to_lowercase().into())),
    Function::new("regex", PATTERN_TEXT, regex_first),
    Function::new("regex_replace", REPLACE, |a| {
        let pattern = compile(a.string(1), 1)?;
        bounded(pattern.replace_all(a.string(0), a.string(2)).into_owned())
    }),
    Function::new("regexall", PATTERN_TEXT, regex_all),
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
                return Ok(strings(text.graphemes(true)));
            }
            Ok(strings(text.split(separator)))
        },
    ),
    Function::new("startswith", TEXT_PART, |a| {
        Ok(a.string(0).starts_with(a.string(1)).into())
    }),
    Function::new("strcontains", TEXT_PART, |a| {
        Ok(a.string(0).contains(a.string(1)).into())
    }),
    Function::new("strrev", TEXT, |a| {
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
        let cut = a.string(1);
        Ok(a.string(0).trim_matches(|c| cut.contains(c)).into())
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
    Function::new("upper", TEXT, |a| Ok(a.string(0).to_uppercase().into())),
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
    bounded(arguments.string(1).replace('\n', &format!("\n{margin}")))
}

fn join(arguments: &Arguments<'_>) -> Outcome {
    let parts: Vec<&str> = (1..arguments.values.len())
        .flat_map(|position| arguments.strings(position))
        .collect();
    bounded(parts.join(arguments.string(0)))
}

fn substr(arguments: &Arguments<'_>) -> Outcome {
    let characters: Vec<&str> = arguments.string(0).graphemes(true).collect();
    let count = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let offset = arguments.integer(1)?;
    let length = arguments.integer(2)?;
    // A negative offset counts from the end; a length of -1 is all that is left.
    let start = if offset < 0 {
        (count + offset).max(0)
    } else {
        offset.min(count)
    };
    let end = if length < 0 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    let position = |at: i64| usize::try_from(at).unwrap_or_default();
    Ok(characters[position(start)..position(end)].concat().into())
}

fn title(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        let letter = character.is_alphanumeric() || matches!(character, '_' | '\'');
        if letter && !in_word {
            result.extend(character.to_uppercase());
        } else {
            result.push(character);
        }
        in_word = letter;
    }
    result
}

fn replace(arguments: &Arguments<'_>) -> Outcome {
    let (text, search, replacement) = (
        arguments.string(0),
        arguments.string(1),
        arguments.string(2),
    );
    let inner = search
        .strip_prefix('/')
        .and_then(|search| search.strip_suffix('/'));
    match inner.filter(|inner| !inner.is_empty()) {
        Some(pattern) => bounded(
            compile(pattern, 1)?
                .replace_all(text, replacement)
                .into_owned(),
        ),
        None => bounded(text.replace(search, replacement)),
    }
}

fn bounded(text: String) -> Outcome {
    if text.len() > MAX_STRING {
        Err("the text gets too long".into())
    } else {
        Ok(text.into())
    }
}

/// Largest compiled pattern, in bytes; what is larger is an accident of nested counts.
const MAX_PATTERN: usize = 4 * 1024 * 1024;

/// The pattern used last: loops use the same one again and again, and compiling is slow.
static LAST_PATTERN: Mutex<Option<(String, Regex)>> = Mutex::new(None);

fn compile(pattern: &str, argument: usize) -> Result<Regex, FunctionError> {
    if let Ok(last) = LAST_PATTERN.lock()
        && let Some((text, regex)) = &*last
        && text == pattern
    {
        return Ok(regex.clone());
    }
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|error| {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            FunctionError::at(argument, format!("not a regular expression: {reason}"))
        })?;
    if let Ok(mut last) = LAST_PATTERN.lock() {
        *last = Some((pattern.to_owned(), regex.clone()));
    }
    Ok(regex)
}

fn regex_first(arguments: &Arguments<'_>) -> Outcome {
    let pattern = compile(arguments.string(0), 0)?;
    match pattern.captures(arguments.string(1)) {
        Some(captures) => Ok(matched(&pattern, &captures)),
        None => Err(FunctionError::at(1, "the pattern doesn't match")),
    }
}

fn regex_all(arguments: &Arguments<'_>) -> Outcome {
    let pattern = compile(arguments.string(0), 0)?;
    let matches = pattern.captures_iter(arguments.string(1));
    Ok(Value::list(
        matches
            .map(|captures| matched(&pattern, &captures))
            .collect::<Vec<_>>(),
    ))
}

/// The whole match, or the list of groups, or the object of named groups.
fn matched(pattern: &Regex, captures: &Captures<'_>) -> Value {
    let group = |group: Option<regex::Match<'_>>| {
        group.map_or(Value::NULL, |group| Value::string(group.as_str()))
    };
    if pattern.captures_len() == 1 {
        return group(captures.get(0));
    }
    if pattern.capture_names().flatten().next().is_some() {
        return Value::object(
            pattern
                .capture_names()
                .flatten()
                .map(|name| (name, group(captures.name(name)))),
        );
    }
    Value::list(
        (1..captures.len())
            .map(|at| group(captures.get(at)))
            .collect::<Vec<_>>(),
    )
}
