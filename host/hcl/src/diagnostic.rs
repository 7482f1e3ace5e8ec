//! What is wrong with a template, collected rather than thrown at the first.

use crate::source_map::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The template can be used, but the user should know.
    Warning,
    /// The template can't be used.
    Error,
}

/// One thing to tell the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the template can still be used.
    pub severity: Severity,
    /// What is wrong, in one line: lower case, no full stop.
    pub summary: String,
    /// Why, shown beside the caret. May be empty.
    pub detail: String,
    /// Where. `None` only for what is not in any file, like a `-var` argument.
    pub span: Option<Span>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: impl Into<Option<Span>>, summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, span.into(), summary.into())
    }

    /// A warning at `span`.
    pub fn warning(span: impl Into<Option<Span>>, summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, span.into(), summary.into())
    }

    fn new(severity: Severity, span: Option<Span>, summary: String) -> Self {
        Self {
            severity,
            summary: shortened(summary),
            detail: String::new(),
            span,
            help: None,
        }
    }

    /// Adds why.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = shortened(detail.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(shortened(help.into()));
        self
    }

    /// Adds "did you mean" when there is a close name among `candidates`.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match crate::suggest::suggest(name, candidates) {
            Some(close) => self.help(format!("did you mean `{close}`?")),
            None => self,
        }
    }
}

/// Bytes of each text of a diagnostic: a template may put one of 16 MiB into it.
const MAX_TEXT: usize = 6 << 10;

/// A text as much of it as is shown.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

/// How many diagnostics are kept: a mistake inside a large loop would otherwise repeat itself
/// for every element, and nobody reads more.
pub const MAX_DIAGNOSTICS: usize = 200;

/// Diagnostics, each once: in the order they were found until they are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one, unless the same was said already or [`MAX_DIAGNOSTICS`] is reached.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // A warning gives way to an error, so a flood of warnings can't hide one.
        if self.items.len() >= MAX_DIAGNOSTICS {
            if diagnostic.severity == Severity::Warning || self.has_errors() {
                return;
            }
            self.items.pop();
        }
        if !self.items.contains(&diagnostic) {
            self.items.push(diagnostic);
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in other {
            self.push(diagnostic);
        }
    }

    /// Puts them in the order of their places: first what is in no file, then file by file from the top.
    pub fn sort_by_place(&mut self) {
        let key = |item: &Diagnostic| item.span.map(|span| (span.file, span.start));
        self.items.sort_by_key(key);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.severity == Severity::Error)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            items: vec![diagnostic],
        }
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<T: IntoIterator<Item = Diagnostic>>(iter: T) -> Self {
        let mut diagnostics = Self::default();
        diagnostics.extend(iter);
        diagnostics
    }
}
