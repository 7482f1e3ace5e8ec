//! Files beside a template that are written in its language without being part of it.

use std::sync::Arc;

use super::{InputFile, parse};
use crate::body::Body;
use crate::diagnostic::Diagnostics;
use crate::environment::Environment;
use crate::evaluate::{Context, Evaluator};
use crate::scope::Scope;
use crate::source_map::{SourceMap, Span};

/// Evaluates a file of settings: one body, in which functions can be called and no variables exist.
///
/// The file becomes one of `files`, so that what is wrong with it can be shown beside what is wrong
/// with the template. There is no body if it can't be parsed.
pub fn load_settings(
    input: &InputFile,
    environment: Arc<dyn Environment>,
    files: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Option<Body> {
    let file = parse::add(input, files);
    let text = files.text(file);
    let whole = Span::new(file, 0..text.len());
    let context = Context::new(environment);
    let parsed = match parse::parse(text, file, &context.budget) {
        Ok(parsed) => parsed,
        Err(error) => {
            diagnostics.push(error);
            return None;
        }
    };
    let mut evaluator = Evaluator::new(&context, file);
    let body = evaluator.body(&parsed, whole, &[], &Scope::default());
    diagnostics.extend(evaluator.diagnostics);
    diagnostics.extend(context.budget.error());
    Some(body)
}
