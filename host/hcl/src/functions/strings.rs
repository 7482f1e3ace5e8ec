//! Text. Lengths and positions count what a reader takes for one character.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use regex::{Captures, Regex, RegexBuilder};
use unicode_segmentation::UnicodeSegmentation;

use super::pattern::translated;
use super::{
    Arguments, Cost, Function, FunctionError, GRAPHEME, Kind, Outcome, Parameter, parameter,
    strings,
};
use crate::budget::{Budget, STEP};
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
    Function::new("regex", PATTERN_TEXT, regex_first),
    Function::new("regex_replace", REPLACE, |a| {
        let pattern = Pattern::compile(a.string(1), 1, a.budget())?;
        pattern.replace_all(a.string(0), a.string(2), a.budget())
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
fn affordable(length: usize, budget: &Budget) -> Result<(), FunctionError> {
    if length > MAX_STRING {
        return Err("the text gets too long".into());
    }
    Ok(budget.charge_new_text(length)?)
}

/// Longest pattern: nobody reads a longer one.
const MAX_PATTERN: usize = 4096;

/// Sizes of compiled patterns, in bytes, with how much dearer a search is than walking through the text.
/// What is larger is an accident of nested counts.
const SIZES: [(usize, u64); 3] = [(256 << 10, 1), (1 << 20, 8), (4 << 20, 32)];

/// Part of the rest of a text that each match of many is paid for with. What it really takes shows on
/// the clock.
const LOOK_AHEAD: usize = 1024;

/// Work of compiling a pattern of the smallest size.
const COMPILATION: u64 = 10_000;

/// A compiled pattern.
#[derive(Clone)]
struct Pattern {
    regex: Regex,
    /// How much dearer a search is than walking through the text.
    factor: u64,
}

/// The pattern used last: loops use the same one again and again, and compiling is slow.
static LAST_PATTERN: Mutex<Option<(String, Pattern)>> = Mutex::new(None);

/// Bytes of a replacement that are searched for the end of a `${` for a unit of work.
const BRACES_END: u64 = 64;

impl Pattern {
    fn compile(pattern: &str, argument: usize, budget: &Budget) -> Result<Self, FunctionError> {
        if let Ok(last) = LAST_PATTERN.lock()
            && let Some((text, compiled)) = &*last
            && text == pattern
        {
            return Ok(compiled.clone());
        }
        if pattern.len() > MAX_PATTERN {
            let message = format!("the regular expression has more than {MAX_PATTERN} bytes");
            return Err(FunctionError::at(argument, message));
        }
        let wrong = |reason: &str| {
            FunctionError::at(argument, format!("not a regular expression: {reason}"))
        };
        let translated = translated(pattern).map_err(|reason| wrong(&reason))?;
        let mut outcome = Err(String::new());
        for (size, factor) in SIZES {
            budget.charge(COMPILATION * factor, 0)?;
            let built = RegexBuilder::new(&translated).size_limit(size).build();
            outcome = built
                .map(|regex| Self { regex, factor })
                .map_err(|error| error.to_string());
            if outcome.is_ok() {
                break;
            }
        }
        let compiled = outcome.map_err(|reason| {
            let reason = reason.lines().last().unwrap_or_default();
            wrong(reason.trim_start_matches("error: "))
        })?;
        if let Ok(mut last) = LAST_PATTERN.lock() {
            *last = Some((pattern.to_owned(), compiled.clone()));
        }
        Ok(compiled)
    }

    fn charge_search(&self, length: usize, budget: &Budget) -> Result<(), FunctionError> {
        let groups = self.regex.captures_len() as u64;
        let work = (length as u64)
            .saturating_mul(self.factor)
            .saturating_mul(groups);
        Ok(budget.charge(work + STEP, 0)?)
    }

    /// All matches, each paid for before it is shown to `each`.
    fn matches<'t>(
        &self,
        text: &'t str,
        budget: &Budget,
        mut each: impl FnMut(&Captures<'t>) -> Result<(), FunctionError>,
    ) -> Result<(), FunctionError> {
        self.charge_search(text.len(), budget)?;
        let mut begun = Instant::now();
        for captures in self.regex.captures_iter(text) {
            budget.charge_matching(begun.elapsed())?;
            let whole = captures.get(0).map_or(0..0, |whole| whole.range());
            let rest = text.len() - whole.end;
            self.charge_search(rest / LOOK_AHEAD, budget)?;
            // All groups may be as long as the match.
            let groups = captures.len();
            budget.charge_new_text(whole.len().saturating_mul(groups))?;
            budget.charge_elements(2 * groups)?;
            each(&captures)?;
            begun = Instant::now();
        }
        Ok(())
    }

    fn replace_all(&self, text: &str, replacement: &str, budget: &Budget) -> Outcome {
        let references = replacement.matches('$').count();
        // For each of these the rest of the replacement is searched for its end.
        let braces = replacement.matches("${").count() as u64;
        let expansion = braces.saturating_mul(replacement.len() as u64) / BRACES_END;
        let mut result = String::new();
        let mut done = 0;
        self.matches(text, budget, |captures| {
            let whole = captures.get(0).map_or(0..0, |whole| whole.range());
            let most = whole.len().saturating_mul(references) + replacement.len();
            let skipped = text.get(done..whole.start).unwrap_or_default();
            if result
                .len()
                .saturating_add(skipped.len())
                .saturating_add(most)
                > MAX_STRING
            {
                return Err("the text gets too long".into());
            }
            budget.charge_new_text(skipped.len() + most)?;
            budget.charge(expansion, 0)?;
            result.push_str(skipped);
            expand(replacement, captures, &mut result);
            done = whole.end;
            Ok(())
        })?;
        let rest = text.get(done..).unwrap_or_default();
        affordable(result.len() + rest.len(), budget)?;
        result.push_str(rest);
        Ok(result.into())
    }
}

/// Writes a replacement with what its `$name` and `${name}` stand for. Names are as long as they can be; one that is
/// not there stands for nothing.
fn expand(replacement: &str, captures: &Captures<'_>, out: &mut String) {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(behind) = after.strip_prefix('$') {
            out.push('$');
            rest = behind;
            continue;
        }
        let inside = after.strip_prefix('{').unwrap_or(after);
        let length = inside
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(inside.len());
        let (name, behind) = inside.split_at(length);
        let behind = match inside.len() == after.len() {
            true => Some(behind),
            false => behind.strip_prefix('}'),
        };
        let Some(behind) = behind.filter(|_| !name.is_empty()) else {
            out.push('$');
            rest = after;
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(position) => captures.get(position),
            Err(_) => captures.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = behind;
    }
    out.push_str(rest);
}

fn regex_first(arguments: &Arguments<'_>) -> Outcome {
    let budget = arguments.budget();
    let pattern = Pattern::compile(arguments.string(0), 0, budget)?;
    pattern.charge_search(arguments.string(1).len(), budget)?;
    match pattern.regex.captures(arguments.string(1)) {
        Some(captures) => {
            let whole = captures.get(0).map_or(0, |whole| whole.len());
            budget.charge_new_text(whole.saturating_mul(captures.len()))?;
            Ok(matched(&pattern.regex, &captures))
        }
        None => Err(FunctionError::at(1, "the pattern doesn't match")),
    }
}

fn regex_all(arguments: &Arguments<'_>) -> Outcome {
    let budget = arguments.budget();
    let pattern = Pattern::compile(arguments.string(0), 0, budget)?;
    let mut found = Vec::new();
    pattern.matches(arguments.string(1), budget, |captures| {
        found.push(matched(&pattern.regex, captures));
        Ok(())
    })?;
    Ok(Value::list(found))
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
