//! Diagnostics as text: file, line, caret, and what to do.

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source_map::SourceMap;
use crate::visible::visible;

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
    let (summary, detail) = (visible(&diagnostic.summary), visible(&diagnostic.detail));
    let help = diagnostic.help.as_deref().map(visible);
    let source = diagnostic.span.map(|span| {
        let (name, text) = (
            visible(sources.name(span.file)),
            visible(sources.text(span.file)),
        );
        let range = drawn(&text, span.start, span.end);
        (name, text, range)
    });
    let title = level.primary_title(summary.as_str());
    let mut group = match &source {
        Some((name, text, range)) => {
            let mut annotation = AnnotationKind::Primary.span(range.clone());
            if !detail.is_empty() {
                annotation = annotation.label(detail.as_str());
            }
            title.element(
                Snippet::source(text.as_str())
                    .path(name.as_str())
                    .annotation(annotation),
            )
        }
        None if detail.is_empty() => Group::with_title(title),
        None => Group::with_title(title).element(Level::NOTE.message(detail.as_str())),
    };
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// A range that can be drawn: on character boundaries, and no further than the first line of
/// what it covers, since a caret below a whole block says less than one at its head.
fn drawn(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(start);
    let end = floor(end).max(start);
    let line_end = text[start..end]
        .find(['\r', '\n'])
        .map_or(end, |length| start + length);
    start..line_end
}
