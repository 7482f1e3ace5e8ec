//! Files to syntax trees.

use hcl::edit::parser;
use hcl::edit::structure::Body;

use super::InputFile;
use crate::budget::Budget;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source_map::{FileId, SourceMap, Span};

/// A file and its blocks.
pub(super) struct ParsedFile {
    pub(super) file: FileId,
    pub(super) body: Body,
}

/// Parses the template's files. Each reports its first error.
pub(super) fn templates(
    inputs: &[InputFile],
    budget: &Budget,
    files: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Vec<ParsedFile> {
    if inputs.is_empty() {
        diagnostics.push(Diagnostic::error(None, "there is no template to load"));
    }
    let mut parsed = Vec::new();
    for input in inputs {
        let file = add(input, files);
        if input.name.ends_with(".json") {
            diagnostics.push(
                Diagnostic::error(Span::new(file, 0..0), "templates in JSON are not supported")
                    .help("Packer's own `hcl2_upgrade` turns one into HCL"),
            );
            continue;
        }
        match parse(files.text(file), file, budget) {
            Ok(body) => parsed.push(ParsedFile { file, body }),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    parsed
}

/// Adds a file, without the byte order mark that some editors put first.
pub(super) fn add(input: &InputFile, files: &mut SourceMap) -> FileId {
    let text = input.text.strip_prefix('\u{feff}').unwrap_or(&input.text);
    files.add(&*input.name, text)
}

/// Parses one file.
pub(super) fn parse(text: &str, file: FileId, budget: &Budget) -> Result<Body, Diagnostic> {
    if budget.charge_syntax(text).is_err() {
        return Err(
            Diagnostic::error(Span::new(file, 0..0), "the file is too large to be read")
                .detail("it is too much for one template, together with the files before it"),
        );
    }
    parser::parse_body(text).map_err(|error| {
        let offset = error.location().offset();
        let end = text
            .get(offset..)
            .and_then(|rest| rest.chars().next())
            .map_or(offset, |next| {
                if next == '\n' || next == '\r' {
                    offset
                } else {
                    offset + next.len_utf8()
                }
            });
        let diagnostic =
            Diagnostic::error(Span::new(file, offset..end), "syntax error").detail(error.message());
        match hint(text, offset) {
            Some(hint) => diagnostic.help(hint),
            None => diagnostic,
        }
    })
}

/// What is most likely behind an error the parser can only describe by what it expected.
fn hint(text: &str, offset: usize) -> Option<String> {
    let (before, rest) = (text.get(..offset)?, text.get(offset..)?);
    if rest.starts_with('\'') {
        return Some("strings are in double quotes".to_owned());
    }
    if rest.starts_with(['\u{201c}', '\u{201d}']) {
        return Some("these are typographic quotes; strings are in plain ones".to_owned());
    }
    if rest.trim().is_empty() {
        let hint = "the file ends in the middle of something: is a brace or a heredoc not closed?";
        return Some(hint.to_owned());
    }
    // A string that isn't closed goes on to the next quote, so the error comes lines later.
    let line = before.matches('\n').count();
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let odd = |line: &&str| line.replace("\\\"", "").matches('"').count() % 2 == 1;
    let suspect = lines[..line.min(lines.len())].iter().rposition(odd);
    let suspect = suspect.or_else(|| lines.last().filter(|line| odd(line)).map(|_| line))?;
    Some(format!("is the string on line {} not closed?", suspect + 1))
}
