//! Looking for patterns in text. What they may cost is bounded three times: by the size of the compiled pattern, by
//! the length of the text, and by the clock where there are many matches.

use std::sync::Mutex;
use std::time::Instant;

use regex::{Captures, Regex, RegexBuilder};

use super::pattern::translated;
use super::strings::{REPLACE, affordable};
use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter};
use crate::budget::{Budget, STEP};
use crate::evaluate::MAX_STRING;
use crate::value::Value;

const PATTERN_TEXT: &[Parameter] = &[
    parameter("pattern", Kind::String),
    parameter("text", Kind::String),
];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("regex", PATTERN_TEXT, regex_first),
    Function::new("regex_replace", REPLACE, |a| {
        let pattern = Pattern::compile(a.string(1), 1, a.budget())?;
        pattern.replace_all(a.string(0), a.string(2), a.budget())
    }),
    Function::new("regexall", PATTERN_TEXT, regex_all),
];

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
