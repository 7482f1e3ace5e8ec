//! The files of a run and positions in them.

mod lines;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use self::lines::Lines;
use crate::diagnostic::Diagnostic;

pub(crate) use self::lines::{Line, line_and_column};

/// A file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file the range is in.
    pub file: FileId,
    /// First byte, counted from the start of the file's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range of bytes `range` in `file`.
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Self {
            file,
            start: range.start,
            end: range.end.max(range.start),
        }
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The smallest range that covers both; `self` if they are in different files.
    #[must_use]
    pub fn to(self, other: Span) -> Self {
        if self.file == other.file {
            Self {
                file: self.file,
                start: self.start.min(other.start),
                end: self.end.max(other.end),
            }
        } else {
            self
        }
    }
}

#[derive(Debug, Clone)]
struct SourceFile {
    name: String,
    text: String,
    /// Whether messages may show what is in it.
    hidden: bool,
    /// Made for the first message.
    lines: OnceLock<Lines>,
}

/// Every file that was read, so that a [`Span`] can be shown with the line it is in.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a file. `name` is what error messages call it.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile {
            name: name.into(),
            text: text.into(),
            hidden: false,
            lines: OnceLock::new(),
        });
        id
    }

    /// Keeps what is in the files called `name` out of what is shown: not only the lines, also the
    /// messages, which name things of them. Line and column remain.
    pub fn hide(&mut self, name: &str) {
        for file in self.files.iter_mut().filter(|file| file.name == name) {
            file.hidden = true;
        }
    }

    /// `diagnostic` as it may be shown.
    pub fn shown<'a>(&self, diagnostic: &'a Diagnostic) -> Cow<'a, Diagnostic> {
        let is_hidden = |span: Span| self.file(span.file).is_some_and(|file| file.hidden);
        match diagnostic.span.filter(|span| is_hidden(*span)) {
            None => Cow::Borrowed(diagnostic),
            Some(span) => {
                let name = self.name(span.file);
                let (line, column) = self.line_and_column(span);
                Cow::Owned(Diagnostic {
                    severity: diagnostic.severity,
                    summary: format!(
                        "something is wrong at {name}:{line}:{column}, which is not shown"
                    ),
                    detail: format!(
                        "{name} is a link, and what it leads to may not be meant to be seen"
                    ),
                    span: None,
                    help: Some("put the file itself there to see more".to_owned()),
                })
            }
        }
    }

    /// Covers what `places` finds in the text of each file, so that no line shows it. Line and column remain.
    pub fn cover(&mut self, places: impl Fn(&str) -> Vec<Range<usize>>) {
        for file in &mut self.files {
            for place in places(&file.text) {
                if let Some(shown) = file.text.get(place.clone()) {
                    let covered: String = shown.chars().map(cover).collect();
                    file.text.replace_range(place, &covered);
                }
            }
        }
    }

    fn file(&self, file: FileId) -> Option<&SourceFile> {
        usize::try_from(file.0)
            .ok()
            .and_then(|index| self.files.get(index))
    }

    /// The name `file` was added with; empty for an id of another map.
    pub fn name(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.name)
    }

    /// The text of `file`; empty for an id of another map.
    pub fn text(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.text)
    }

    /// The text `span` covers.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start..span.end).unwrap_or("")
    }

    /// Line and column (both from one; columns in characters) of the start of `span`.
    pub fn line_and_column(&self, span: Span) -> (usize, usize) {
        let line = self.line(span);
        (line.number, line.column)
    }

    /// The line in which `span` begins.
    pub(crate) fn line(&self, span: Span) -> Line {
        let Some(file) = self.file(span.file) else {
            return Line::FIRST;
        };
        let lines = file.lines.get_or_init(|| Lines::of(&file.text));
        lines.line_at(&file.text, span.start)
    }
}

/// What stands for a character that is not shown, with as many bytes, so that places stay places.
fn cover(character: char) -> char {
    match (character, character.len_utf8()) {
        ('\n' | '\r', _) => character,
        (_, 1) => '*',
        (_, 2) => '·',
        (_, 3) => '•',
        _ => '\u{1f784}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_stays_in_its_place() {
        let text = "a = \"grün¥€𝄞\"\nb = \"x\ny\"\n";
        let mut files = SourceMap::default();
        let file = files.add("t.pkr.hcl", text);
        let places = |text: &str| {
            let found = ["grün¥€𝄞", "x\ny"].into_iter();
            let found = found.filter_map(|secret| Some((text.find(secret)?, secret.len())));
            found.map(|(start, length)| start..start + length).collect()
        };
        files.cover(places);
        assert_eq!(files.text(file), "a = \"**·*·•\u{1f784}\"\nb = \"*\n*\"\n");
        assert_eq!(files.text(file).len(), text.len());
        let last = Span::new(file, text.len() - 2..text.len() - 1);
        assert_eq!(files.line_and_column(last), (3, 2));
        // A place that is none, or cuts a character, covers nothing.
        files.cover(|_| vec![7..8, 100..200]);
        assert_eq!(files.text(file).len(), text.len());
    }
}
