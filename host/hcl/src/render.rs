//! Diagnostics as text: file, line, caret, and what to do.

use std::ops::Range;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source_map::{Line, SourceMap, Span};
use crate::visible::{visible, visible_line, visible_lines};

/// Bytes of a line that are looked at on each side of a place. No terminal shows as many.
const MOST_OF_A_LINE: usize = 2 << 10;

/// How to show diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderStyle {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for RenderStyle {
    fn default() -> Self {
        Self {
            color: false,
            width: DEFAULT_TERM_WIDTH,
        }
    }
}

/// All of `diagnostics` as text without anything in it that steers a terminal but the colours: errors and warnings in the order they were found, an empty line
/// between them.
pub fn render(sources: &SourceMap, diagnostics: &Diagnostics, style: RenderStyle) -> String {
    let renderer = if style.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(style.width);
    let mut text = String::new();
    for diagnostic in diagnostics {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&render_one(&renderer, sources, &sources.shown(diagnostic)));
        text.push('\n');
    }
    text
}

fn render_one(renderer: &Renderer, sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let summary = visible_line(&diagnostic.summary);
    let detail = visible_lines(&diagnostic.detail);
    let help = diagnostic.help.as_deref().map(visible_lines);
    let excerpt = diagnostic.span.map(|span| Excerpt::of(sources, span));
    let title = level.primary_title(summary.as_str());
    let mut group = match &excerpt {
        Some(excerpt) => {
            let mut annotation = AnnotationKind::Primary.span(excerpt.range.clone());
            if !detail.is_empty() {
                annotation = annotation.label(detail.as_str());
            }
            let snippet = Snippet::source(excerpt.text.as_str())
                .line_start(excerpt.line.number)
                .annotation(annotation);
            if excerpt.has_beginning {
                title.element(snippet.path(excerpt.name.as_str()))
            } else {
                let origin = Origin::path(excerpt.name.as_str())
                    .line(excerpt.line.number)
                    .char_column(excerpt.line.column);
                title.element(origin).element(snippet)
            }
        }
        None if detail.is_empty() => Group::with_title(title),
        None => Group::with_title(title).element(Level::NOTE.message(detail.as_str())),
    };
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// What is shown of a file: the line in which a span begins, or a part of it.
struct Excerpt {
    name: String,
    line: Line,
    text: String,
    /// The part of the span that is in the excerpt: a caret below a whole block says less than one at its
    /// head.
    range: Range<usize>,
    /// Whether the line's beginning is there, by which columns are counted.
    has_beginning: bool,
}

impl Excerpt {
    fn of(sources: &SourceMap, span: Span) -> Self {
        let (text, line) = (sources.text(span.file), sources.line(span));
        let start = text.floor_char_boundary(span.start);
        let rest = &text[start..];
        let line_end = rest.find('\n').map_or(text.len(), |length| start + length);
        let end = text.floor_char_boundary(span.end).clamp(start, line_end);
        let first = match start - line.start > MOST_OF_A_LINE {
            true => text.floor_char_boundary(start - MOST_OF_A_LINE),
            false => line.start,
        };
        let last = match line_end - start > MOST_OF_A_LINE {
            true => text.floor_char_boundary(start + MOST_OF_A_LINE),
            false => line_end,
        };
        let length = text[start..end.min(last)]
            .find('\r')
            .unwrap_or(end.min(last) - start);
        Self {
            name: visible_line(sources.name(span.file)),
            line,
            text: visible(&text[first..last]),
            range: start - first..start - first + length,
            has_beginning: first == line.start,
        }
    }
}
