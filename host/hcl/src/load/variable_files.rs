//! Files with values for variables.

use std::collections::HashSet;

use hcl::edit::Span as _;
use hcl::edit::structure::Structure;

use super::InputFile;
use super::parse;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::evaluate::{Context, Evaluator, SUGGESTION};
use crate::functions;
use crate::scope::Scope;
use crate::source_map::{FileId, SourceMap, Span};
use crate::value::Value;

/// A value for a variable, and where it is from.
pub(super) enum Assignment {
    /// From a file.
    Value {
        value: Value,
        span: Span,
        file: String,
    },
    /// From the command line or the environment, not read yet.
    Text { text: String, origin: String },
}

impl Assignment {
    /// Where it is from, for messages.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::Value { file, .. } => file.clone(),
            Self::Text { origin, .. } => origin.clone(),
        }
    }
}

/// What files give.
pub(super) struct Given {
    /// In order.
    pub(super) assignments: Vec<(String, Assignment)>,
    /// Whether all of them could be read.
    pub(super) complete: bool,
}

/// All assignments of all files. Names that no variable has are warned about: a file may be shared by several
/// templates.
pub(super) fn read<'a>(
    inputs: impl IntoIterator<Item = &'a InputFile>,
    names: &HashSet<&str>,
    context: &Context,
    files: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Given {
    let mut assignments = Vec::new();
    let mut complete = true;
    for input in inputs {
        let file = parse::add(input, files);
        let entries = if input.name.ends_with(".json") {
            read_json(files.text(file), file, context, diagnostics)
        } else {
            read_hcl(files.text(file), file, context, diagnostics)
        };
        complete &= entries.is_some();
        for (name, value, span, name_span) in entries.into_iter().flatten() {
            if names.contains(name.as_str()) {
                let file = input.name.clone();
                assignments.push((name, Assignment::Value { value, span, file }));
            } else if !context.unread.variables()
                && context
                    .budget
                    .charge(names.len() as u64 * SUGGESTION, 0)
                    .is_ok()
            {
                let summary = format!("there is no variable `{name}`; its value is not used");
                let diagnostic = Diagnostic::warning(name_span, summary);
                diagnostics.push(diagnostic.suggest(&name, names.iter().copied()));
            }
        }
    }
    Given {
        assignments,
        complete,
    }
}

type Entry = (String, Value, Span, Span);

fn read_hcl(
    text: &str,
    file: FileId,
    context: &Context,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Entry>> {
    let body = match parse::parse(text, file, &context.budget) {
        Ok(body) => body,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let mut evaluator = Evaluator::new(context, file);
    let mut entries = Vec::new();
    for structure in &body {
        match structure {
            Structure::Attribute(attribute) => {
                let value = evaluator.evaluate(&attribute.value, &Scope::default());
                let name_span = evaluator.span(attribute.key.span());
                let span = evaluator.span(attribute.value.span());
                entries.push((attribute.key.to_string(), value, span, name_span));
            }
            Structure::Block(block) => {
                let span = evaluator.span(block.ident.span());
                evaluator.diagnostics.push(
                    Diagnostic::error(span, "there are no blocks in a file of variables")
                        .help("write `name = value`"),
                );
            }
        }
    }
    diagnostics.extend(evaluator.diagnostics);
    Some(entries)
}

fn read_json(
    text: &str,
    file: FileId,
    context: &Context,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Entry>> {
    let whole = Span::new(file, 0..text.len());
    let problem = match functions::decode_json(text, &context.budget) {
        Ok(value) => match value.as_object() {
            Some(entries) => {
                let entries = entries.iter();
                let entries =
                    entries.map(|(name, value)| (name.clone(), value.clone(), whole, whole));
                return Some(entries.collect());
            }
            None => "an object is needed".to_owned(),
        },
        Err(problem) => problem,
    };
    diagnostics.push(Diagnostic::error(whole, "can't read the file").detail(problem));
    None
}
