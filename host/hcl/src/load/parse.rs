//! Files to syntax trees.

use hcl::edit::parser;
use hcl::edit::structure::Body;

use super::syntax::explain;
use super::unread::Unread;
use super::{InputFile, recover};
use crate::budget::Budget;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::literals;
use crate::source_map::{FileId, SourceMap, Span};

/// A file and its blocks.
pub(super) struct ParsedFile {
    pub(super) file: FileId,
    pub(super) body: Body,
}

/// Parses the template's files, those with errors as far as that goes.
pub(super) fn templates(
    inputs: &[InputFile],
    budget: &Budget,
    files: &mut SourceMap,
    unread: &mut Unread,
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
            unread.add_all();
            continue;
        }
        let body = recover::read(files.text(file), file, budget, unread, diagnostics);
        parsed.extend(body.map(|body| ParsedFile { file, body }));
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
    let mut body = parser::parse_body(text)
        .map_err(|error| explain(text, file, error.location().offset(), error.message()))?;
    literals::settle_body(&mut body, text).map_err(|misread| {
        Diagnostic::error(Span::new(file, misread.range), misread.summary).help(misread.help)
    })?;
    Ok(body)
}
