//! Diagnostics of a template as data, for `--json`.

use std::borrow::Cow;

use lvhost_hcl::{Diagnostic, Diagnostics, Severity, SourceMap, Span};
use serde::Serialize;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    severity: &'static str,
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

/// Where it is. Lines and columns count from 1, columns in characters; the end is the first character
/// that is no longer part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Place {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

/// All of `diagnostics`, in their order.
pub(crate) fn findings(files: &SourceMap, diagnostics: &Diagnostics) -> Vec<Finding> {
    let finding = |diagnostic: Cow<'_, Diagnostic>| Finding {
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        summary: diagnostic.summary.clone(),
        detail: diagnostic.detail.clone(),
        help: diagnostic.help.clone(),
        place: diagnostic.span.map(|span| place(files, span)),
    };
    let shown = diagnostics.iter().map(|diagnostic| files.shown(diagnostic));
    shown.map(finding).collect()
}

fn place(files: &SourceMap, span: Span) -> Place {
    let (line, column) = files.line_and_column(span);
    let (end_line, end_column) = files.line_and_column(Span::new(span.file, span.end..span.end));
    Place {
        file: files.name(span.file).to_owned(),
        line,
        column,
        end_line,
        end_column,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_lines_and_columns() {
        let mut files = SourceMap::default();
        let file = files.add("t.pkr.hcl", "a = 1\nbö = 2\n");
        let diagnostics = Diagnostics::from_iter([
            Diagnostic::error(Span::new(file, 6..9), "no such option").help("did you mean `b`?"),
            Diagnostic::warning(None, "odd").detail("because"),
        ]);
        let json = serde_json::to_value(findings(&files, &diagnostics)).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {
                    "severity": "error",
                    "summary": "no such option",
                    "help": "did you mean `b`?",
                    "file": "t.pkr.hcl",
                    "line": 2,
                    "column": 1,
                    "end_line": 2,
                    "end_column": 3,
                },
                { "severity": "warning", "summary": "odd", "detail": "because" },
            ])
        );
    }
}
