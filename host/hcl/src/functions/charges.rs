//! No function works longer than it pays for: each is given texts and lists of many shapes, and the time it
//! takes is held against what it takes off the budget.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use self::yardstick::{computed, slowness};
use super::{Arguments, FUNCTIONS, Function, Kind};
use crate::environment::Environment;
use crate::evaluate::Context;
use crate::value::Value;

#[path = "../../tests/language/yardstick.rs"]
mod yardstick;

/// A world with nothing in it.
struct Nothing;

impl Environment for Nothing {
    fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn file_exists(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn list_files(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok((0..2_000).map(|at| format!("a/b{at}/c.txt")).collect())
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/work")
    }

    fn home_directory(&self) -> Option<PathBuf> {
        None
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn variable_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(7);
        Ok(())
    }
}

/// Calls of which the quickest counts.
const TRIES: usize = 5;

/// Time for a unit of work without optimisation: thirty times of what a unit stands for.
const UNIT: Duration = Duration::from_nanos(300);

/// What a call may take beside what it pays for.
const CALL: Duration = Duration::from_millis(10);

const TEXT: usize = 32 << 10;

/// Texts that some function has to look at closely.
const PIECES: &[&str] = &[
    "1",
    "a",
    "A",
    "%",
    "%s",
    "%Y",
    "%-d ",
    "'",
    "\"",
    "\\",
    "\n",
    "\r\n",
    " ",
    ",",
    "a,b\n",
    "a\n",
    "é",
    "e\u{301}",
    "👩‍👩‍👧",
    "[",
    "[1,",
    "{\"a\":",
    "1,",
    "- a\n",
    "a: b\n",
    "&a *a ",
    "{{",
    "${",
    "/",
    "a/",
    "../",
    "=",
    "YWFh",
    "2006-01-02",
    "2006",
    "January",
    "YYYY",
    "yyyy",
    "1.",
    "10.0.0.0/8 ",
    "::",
    "1e",
    "0x",
    "$1",
    "(a)",
    "a*",
    "*",
    "**",
    "[a-z]",
    ".",
    "-",
    "+",
    "\0",
];

/// An argument of that kind, made of a text.
fn argument(kind: Kind, text: &str, number: i64) -> Value {
    let words = || {
        let mut pieces: Vec<Value> = (0..2_000)
            .map(|at| Value::from(format!("{at}{}", &text[..text.floor_char_boundary(8)])))
            .collect();
        pieces.push(Value::from(text.to_owned()));
        Value::list(pieces)
    };
    match kind {
        Kind::Any | Kind::Value | Kind::String => Value::from(text.to_owned()),
        Kind::Number => Value::from(number),
        Kind::List | Kind::Strings => words(),
        Kind::Numbers => Value::list((0..2_000_i64).map(Value::from)),
        Kind::Object => {
            Value::object((0..2_000).map(|at| (format!("k{at}"), Value::from("v".to_owned()))))
        }
    }
}

/// How long a call takes beyond what it pays for, on a machine of that slowness.
fn excess(function: &Function, values: &[Value], slowness: f64) -> Duration {
    let context = Context::new(Arc::new(Nothing));
    let before = context.budget.work_left();
    let began = computed();
    if function.charge(values, &context.budget).is_ok() {
        let _ = (function.run)(&Arguments {
            values,
            context: &context,
        });
    }
    let took = computed() - began;
    let paid = before - context.budget.work_left();
    let allowed = UNIT * u32::try_from(paid).unwrap() + CALL;
    took.saturating_sub(allowed.mul_f64(slowness))
}

/// The same for the quickest of some calls: one alone may have paid for what else the machine did.
fn least_excess(function: &Function, values: &[Value], slowness: f64) -> Duration {
    let mut least = excess(function, values, slowness);
    for _ in 1..TRIES {
        if least.is_zero() {
            break;
        }
        least = least.min(excess(function, values, slowness));
    }
    least
}

/// The calls of a function that take longer than it pays for, and by how much.
fn unpaid(name: &str, function: &Function, slowness: f64) -> Vec<(Duration, String)> {
    let mut wrong = Vec::new();
    for piece in PIECES {
        let text = piece.repeat(TEXT / piece.len());
        for (place, number) in [(0, 2), (1, 200), (2, 1), (9, 9)] {
            let count = function.parameters.len() + usize::from(function.variadic);
            let values: Vec<Value> = (0..count)
                .map(|at| {
                    let kind = function.parameter(at).kind;
                    // One of the arguments is large, or all are.
                    let text = match at == place || place == 9 {
                        true => text.as_str(),
                        false => "a",
                    };
                    argument(kind, text, number)
                })
                .collect();
            if place != 9 && place >= count {
                continue;
            }
            let excess = least_excess(function, &values, slowness);
            if !excess.is_zero() {
                wrong.push((excess, format!("{name} with {piece:?} at {place}")));
            }
        }
    }
    wrong
}

/// On all processors at the same time: what is counted is what each thread computes.
#[test]
fn no_function_works_longer_than_it_pays_for() {
    let slowness = slowness();
    let functions = Mutex::new(FUNCTIONS.iter());
    let next = || functions.lock().unwrap().next();
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let mut wrong: Vec<(Duration, String)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    iter::from_fn(next)
                        .flat_map(|(name, function)| unpaid(name, function, slowness))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let found = workers.into_iter().map(|worker| worker.join().unwrap());
        found.flatten().collect()
    });
    wrong.sort();
    wrong.reverse();
    let wrong: Vec<String> = wrong
        .iter()
        .map(|(excess, what)| format!("{what}: {excess:.1?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
