//! What is known of a crash: what its author needs to find it, and nobody else has seen.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};
use wasmtime::WasmBacktrace;

use crate::limits;
use crate::untrusted;

/// Lines of what a component wrote that are kept from its beginning: what it was about to do.
const FIRST_LINES: usize = 5;

/// Lines that are kept from its end: a panic has two and a note, an exception of Python or JavaScript a line or two
/// for each call.
const LAST_LINES: usize = 15;

/// How a component came to its end by its own code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// What the engine says of it.
    pub message: String,
    /// The function it happened in, if the component has names for its functions: one of the component's own rather
    /// than of what a language has for giving up.
    pub function: Option<String>,
    /// What it wrote before to its standard output and error.
    pub written: Written,
}

/// One line: the crash. More of them: what the component wrote.
impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = &self.function {
            write!(f, " in {function}")?;
        }
        write!(f, ": {}{}", self.message, self.written)
    }
}

/// The first and last lines of what a component wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    first: Vec<String>,
    left_out: u64,
    last: VecDeque<String>,
}

impl Written {
    /// Takes note of a line, which is clean.
    pub(crate) fn push(&mut self, line: String) {
        if self.first.len() < FIRST_LINES {
            self.first.push(line);
            return;
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first.is_empty() {
            return Ok(());
        }
        write!(f, "; before that it wrote:")?;
        for line in &self.first {
            write!(f, "\n| {line}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n| … {} lines more …", self.left_out)?;
        }
        for line in &self.last {
            write!(f, "\n| {line}")?;
        }
        Ok(())
    }
}

/// The innermost function with a name that is the component's own.
pub(crate) fn function(backtrace: &WasmBacktrace) -> Option<String> {
    let frames = backtrace.frames().iter();
    let names: Vec<String> = frames
        .filter_map(|frame| frame.func_name())
        .map(readable)
        .collect();
    let own = names.iter().find(|name| !is_of_the_language(name));
    own.or(names.first()).cloned()
}

/// A name as its author wrote it, as far as that is known.
fn readable(name: &str) -> String {
    // Without the hash that a compiler adds.
    let name = format!("{:#}", rustc_demangle::demangle(name));
    untrusted::line(&name, limits::SUMMARY)
}

/// Whether a function belongs to what the languages have for giving up, by the names that Rust, C and Go give it.
fn is_of_the_language(name: &str) -> bool {
    const OWN: [&str; 14] = [
        "core::",
        "std::",
        "alloc::",
        "<core::",
        "<alloc::",
        "<std::",
        "__rust",
        "_rust",
        "rust_panic",
        "rust_begin_unwind",
        "abort",
        "__assert_fail",
        "runtime.",
        "wasi_snapshot_preview1",
    ];
    OWN.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lines: usize) -> String {
        let mut written = Written::default();
        for number in 1..=lines {
            written.push(format!("line {number}"));
        }
        written.to_string()
    }

    #[test]
    fn first_and_last_lines_are_kept() {
        assert_eq!(written(0), "");
        assert_eq!(written(1), "; before that it wrote:\n| line 1");
        let all = written(FIRST_LINES + LAST_LINES);
        assert!(!all.contains('…'), "{all}");
        let many = written(1000);
        assert!(
            many.contains("| line 5\n| … 980 lines more …\n| line 986\n"),
            "{many}"
        );
        assert!(many.ends_with("\n| line 1000"), "{many}");
    }

    #[test]
    fn names_are_those_of_the_source() {
        for (name, expected) in [
            (
                "_ZN4core9panicking5panic17h0123456789abcdefE",
                "core::panicking::panic",
            ),
            ("_ZN6source7prepare17h0123456789abcdefE", "source::prepare"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("js_call_c_function", "js_call_c_function"),
            ("a\nb\u{202e}", "a b\u{fffd}"),
        ] {
            assert_eq!(readable(name), expected);
        }
        assert!(is_of_the_language("core::panicking::panic"));
        assert!(!is_of_the_language("source::prepare"));
    }
}
