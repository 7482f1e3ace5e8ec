//! What is wrong with a source, as text for Packer, which shows it without a place.

use lvhost_hcl::{Diagnostic, Diagnostics, Severity};

use super::options::Paths;

/// What was found, by how bad it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// What the user should know.
    pub(super) warnings: Vec<String>,
    /// Why there is no build.
    pub(super) errors: Vec<String>,
}

impl Messages {
    /// Those of `diagnostics`, whose places are `paths`.
    pub(super) fn new(diagnostics: &Diagnostics, paths: &Paths) -> Self {
        let mut messages = Self::default();
        for diagnostic in diagnostics {
            let text = text(diagnostic, paths);
            match diagnostic.severity {
                Severity::Warning => messages.warnings.push(text),
                Severity::Error => messages.errors.push(text),
            }
        }
        messages
    }
}

/// `volume[1].source: what is wrong; why; what to do`.
fn text(diagnostic: &Diagnostic, paths: &Paths) -> String {
    let path = diagnostic.span.map(|span| paths.of(span));
    let mut text = String::new();
    if let Some(place) = path.and_then(|path| place(path, &diagnostic.summary)) {
        text.push_str(place);
        text.push_str(": ");
    }
    text.push_str(&diagnostic.summary);
    let more = [Some(&diagnostic.detail), diagnostic.help.as_ref()];
    for more in more.into_iter().flatten().filter(|more| !more.is_empty()) {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

/// The part of `path` that `summary` does not tell itself.
fn place<'a>(path: &'a str, summary: &str) -> Option<&'a str> {
    let (block, option) = path.rsplit_once('.').unwrap_or(("", path));
    let place = match summary.contains(&format!("`{option}`")) {
        true => block,
        false => path,
    };
    Some(place).filter(|place| !place.is_empty())
}
