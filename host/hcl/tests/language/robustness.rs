//! Whatever the text is: an answer, never a panic.

use lvhost_hcl::Unread;
use proptest::prelude::*;

use super::world::{World, file, inputs, load_inputs, load_template};

const SEED: &str = include_str!("../../../../tests/templates/documentation/simple.pkr.hcl");
const EVERYTHING: &str = include_str!("../cases/everything.pkr.hcl");

/// Loads, and renders what was said, since that works on spans.
fn survive(text: &str) {
    let loaded = load_template(text);
    // Without one, something is wrong; not the other way round.
    assert!(loaded.document.is_some() || loaded.diagnostics.has_errors());
    loaded.messages();
    for diagnostic in &loaded.diagnostics {
        let span = diagnostic
            .span
            .expect("there is a file for everything said here");
        assert!(span.end <= loaded.files.text(span.file).len());
    }
}

/// Pieces that mean something to the parser or the evaluator.
const PIECES: [&str; 30] = [
    "${",
    "%{ if ",
    "%{ for x in ",
    "~}",
    "%{ endif }",
    "\"",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<<-EOT\n",
    "var.",
    "local.",
    "data.",
    "...",
    "[*]",
    ".*.",
    "null",
    "1e4000",
    "-",
    "=",
    "=>",
    "? 1 : 2",
    "dynamic \"volume\" {",
    "jsonencode(",
    "é",
    "\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn any_expression(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
        survive(&format!("locals {{\n  x = {}\n}}\n", pieces.concat()));
    }

    #[test]
    fn a_template_with_something_cut_out(start in 0..EVERYTHING.len(), length in 0..40usize) {
        survive(&cut(EVERYTHING, start, length, ""));
        survive(&cut(SEED, start, length, ""));
    }

    #[test]
    fn a_template_with_something_put_in(
        start in 0..EVERYTHING.len(),
        length in 0..5usize,
        piece in prop::sample::select(&PIECES[..]),
    ) {
        survive(&cut(EVERYTHING, start, length, piece));
    }

    #[test]
    fn a_broken_block_is_no_mistake_of_others(
        start in 0..EVERYTHING.len(),
        length in 0..3usize,
        piece in prop::sample::select(&BREAKING[..]),
    ) {
        blame(EVERYTHING, start, length, piece);
        blame(SEED, start % SEED.len(), length, piece);
    }

    #[test]
    fn any_values_for_variables(text in any::<String>(), json in any::<String>()) {
        let template = "variable \"a\" { type = list(string) }\nvariable \"b\" { type = any }";
        let mut inputs = inputs(template);
        inputs.variables = vec![("a".to_owned(), text.clone()), ("b".to_owned(), text.clone())];
        inputs.variable_files = vec![file("x.pkrvars.hcl", &text), file("x.pkrvars.json", &json)];
        load_inputs(&inputs, World::new()).messages();
    }
}

/// Pieces that the parser stumbles over in most places.
const BREAKING: [&str; 14] = [
    "'", "\"", "= =", ", ", "[", "(", "{", "}", "]", "<<-EOT", "/*", "${", "\n,\n", "x y",
];

/// Where blocks of the top level begin.
fn blocks(text: &str) -> Vec<usize> {
    const KINDS: [&str; 8] = [
        "build",
        "data",
        "local",
        "locals",
        "packer",
        "source",
        "variable",
        "variables",
    ];
    let mut begins = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if KINDS.contains(&line.split([' ', '{']).next().unwrap_or_default()) {
            begins.push(at);
        }
        at += line.len();
    }
    begins
}

/// Puts `piece` into a template that is right. If that breaks its syntax, all that is said is about the block
/// that was broken.
fn blame(text: &str, start: usize, length: usize, piece: &str) {
    let broken = cut(text, start, length, piece);
    let loaded = load_template(&broken);
    let unread = loaded.document.as_ref().map(|document| &document.unread);
    if unread.is_none_or(|unread| *unread == Unread::default()) {
        return;
    }
    let begins = blocks(text);
    let at = text
        .char_indices()
        .nth(start)
        .map_or(text.len(), |(at, _)| at);
    // The cut may take the name of the next block, or the end of the line before it.
    let first = begins.partition_point(|begin| *begin + 12 <= at);
    let from = begins[first.saturating_sub(1)];
    let end = begins.partition_point(|begin| *begin <= at + 4);
    let added = broken.len().saturating_sub(text.len());
    let to = begins.get(end).map_or(broken.len(), |to| to + added);
    for diagnostic in &loaded.diagnostics {
        let span = diagnostic.span.expect("it has a place");
        assert!(
            (from..=to).contains(&span.start),
            "{start} {length} {piece:?}: {}",
            loaded.messages()
        );
    }
}

fn cut(text: &str, start: usize, length: usize, piece: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = start.min(characters.len());
    let end = (start + length).min(characters.len());
    let before: String = characters[..start].iter().collect();
    let after: String = characters[end..].iter().collect();
    format!("{before}{piece}{after}")
}

#[test]
fn too_deep_and_too_long_is_said_with_a_place() {
    let deep = format!(
        "locals {{\n  x = {}1{}\n}}\n",
        "[".repeat(2000),
        "]".repeat(2000)
    );
    let chain: String = (0..300)
        .map(|n| format!("  v{n} = local.v{}\n", n + 1))
        .collect();
    let chain = format!("locals {{\n{chain}  v300 = 1\n}}\n");
    let doubled: String = (1..40)
        .map(|n| format!("  v{n} = \"${{local.v{0}}}${{local.v{0}}}\"\n", n - 1))
        .collect();
    let doubled = format!("locals {{\n  v0 = \"0123456789\"\n{doubled}}}\n");
    let loops = "locals {\n  r = range(1000)\n  x = [for a in local.r : [for b in local.r : \
                 [for c in local.r : a]]]\n}\n";
    for (template, expected) in [
        (deep.as_str(), "nesting depth"),
        (&chain, "too long a chain of references"),
        (&doubled, "the value is too large"),
        (loops, "this takes too much to evaluate"),
    ] {
        let loaded = load_template(template);
        let messages = loaded.messages();
        assert!(messages.contains(expected), "{expected}: {messages}");
        assert!(messages.contains("test.pkr.hcl:"), "{messages}");
    }
}
