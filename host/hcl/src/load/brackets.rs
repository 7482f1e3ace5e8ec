//! What is open at a place of a template: blocks, lists, texts. Read without the parser, for files that it
//! can't read.

use std::ops::Range;

use super::blocks::KINDS;
use super::unread::first_word;

/// What a bracket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `name "label" {`
    Block,
    /// `{` of an expression.
    Object,
    /// `[`
    List,
    /// `(`
    Parenthesis,
    /// `${` or `%{` in a text.
    Interpolation,
}

/// A bracket that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bracket<'a> {
    pub(super) kind: Kind,
    /// Where it stands.
    pub(super) offset: usize,
    /// Name and labels of a block.
    pub(super) header: &'a str,
    /// From the block's name to its bracket.
    pub(super) header_length: usize,
    /// Columns before the line's first character.
    indent: usize,
}

/// A text that has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclosed<'a> {
    /// From its quote on.
    Quote(usize),
    /// From `<<` on, with the word, which may have a `-` before it.
    Heredoc(usize, &'a str),
    /// From `/*` on.
    Comment(usize),
}

/// What is open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Brackets<'a> {
    /// From the outside in.
    pub(super) open: Vec<Bracket<'a>>,
    /// The block that looks as if its bracket were the one that is missing, and before what it is missing:
    /// its indentation is not that of the bracket that closes it, or a block of the top level is in it.
    pub(super) suspect: Option<(Bracket<'a>, usize)>,
    /// A text that goes on where it should not.
    pub(super) unclosed: Option<Unclosed<'a>>,
    /// A bracket closes what was not opened.
    unmatched: bool,
}

/// Where the lines begin that begin a block of the top level, outside of texts and comments. A text or comment
/// that is not closed has all that follows.
pub(super) fn top_level_blocks(text: &str) -> Vec<usize> {
    let mut reader = Reader::new(text);
    let mut found = Vec::new();
    while reader.at < text.len() {
        if reader.at == reader.line && KINDS.contains(&first_word(reader.rest())) {
            // Whatever is still open before it is open by mistake.
            reader.quotes.clear();
            reader.found.open.clear();
            found.push(reader.at);
        }
        reader.step();
        match reader.found.unclosed.take() {
            Some(Unclosed::Heredoc(..) | Unclosed::Comment(_)) => break,
            Some(Unclosed::Quote(_)) | None => {}
        }
    }
    found
}

/// The blocks right inside of the block that `text` is; `None` if brackets, texts of several lines or comments
/// in it are not closed as they should be.
pub(super) fn blocks_inside(text: &str) -> Option<Vec<Range<usize>>> {
    let mut reader = Reader::new(text);
    let mut begun = None;
    let mut found = Vec::new();
    while reader.at < text.len() {
        let before = reader.found.open.len();
        reader.step();
        match reader.found.unclosed.take() {
            Some(Unclosed::Heredoc(..) | Unclosed::Comment(_)) => return None,
            Some(Unclosed::Quote(_)) | None => {}
        }
        match (before, &reader.found.open[..]) {
            (1, [_, inner]) if inner.kind == Kind::Block => {
                begun = Some(inner.offset - inner.header_length);
            }
            (2, [_]) => found.extend(begun.take().map(|start| start..reader.at)),
            _ => {}
        }
    }
    let Brackets {
        open,
        suspect,
        unmatched,
        ..
    } = reader.found;
    (open.is_empty() && suspect.is_none() && !unmatched).then_some(found)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the line begins, and where its first character stands that is no space.
    line: usize,
    first: usize,
    found: Brackets<'a>,
    /// For each open text how many brackets there were.
    quotes: Vec<(usize, usize)>,
}

impl<'a> Brackets<'a> {
    /// Reads `text` up to `end`. A text that is open there is read on to its end.
    pub(super) fn read(text: &'a str, end: usize) -> Self {
        let mut reader = Reader::new(text);
        while reader.at < end && reader.found.unclosed.is_none() {
            reader.step();
        }
        if reader.found.unclosed.is_none()
            && let Some((_, quote)) = reader.quotes.last()
            && text[*quote + 1..]
                .lines()
                .next()
                .is_some_and(|line| !line.contains('"'))
        {
            reader.found.unclosed = Some(Unclosed::Quote(*quote));
        }
        reader.found
    }

    /// Where the option `name` of the innermost block is set for the first time, before `end`.
    pub(super) fn first_option(&self, text: &str, end: usize, name: &str) -> Option<usize> {
        let mut reader = Reader::new(text);
        while reader.at < end {
            let is_inside = reader.quotes.is_empty()
                && reader.found.open.len() == self.open.len()
                && reader.found.open.last() == self.open.last();
            if is_inside && reader.rest().starts_with(name) {
                let behind = reader.rest()[name.len()..].trim_start_matches([' ', '\t']);
                let is_first = reader.at == reader.first || text[..reader.at].ends_with(['{', ' ']);
                if is_first && behind.starts_with('=') && !behind.starts_with("==") {
                    return Some(reader.at);
                }
            }
            reader.step();
        }
        None
    }
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Self {
            text,
            at: 0,
            line: 0,
            first: 0,
            found: Brackets::default(),
            quotes: Vec::new(),
        };
        reader.begin_line(0);
        reader
    }

    /// Goes on at `at`, and keeps the line that it is in.
    fn skip_to(&mut self, at: usize) {
        if let Some(newline) = self.text[self.at..at].rfind('\n') {
            self.begin_line(self.at + newline + 1);
        }
        self.at = at;
    }

    fn begin_line(&mut self, line: usize) {
        let rest = &self.text[line..];
        self.line = line;
        self.first = line + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(next) = rest.chars().next() else {
            self.at = self.text.len().max(self.at + 1);
            return;
        };
        let depth = self.found.open.len();
        if self
            .quotes
            .last()
            .is_some_and(|(at_depth, _)| *at_depth == depth)
        {
            self.in_quotes(next);
            return;
        }
        match next {
            '"' => {
                self.quotes.push((depth, self.at));
                self.at += 1;
            }
            '#' => self.skip_line(),
            '/' if rest.starts_with("//") => self.skip_line(),
            '/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => self.skip_to(self.at + end + 2),
                None => self.found.unclosed = Some(Unclosed::Comment(self.at)),
            },
            '<' if rest.starts_with("<<") => self.heredoc(),
            '{' | '[' | '(' => self.open(next),
            '}' | ']' | ')' => self.close(next),
            '\n' => self.skip_to(self.at + 1),
            _ => self.at += next.len_utf8(),
        }
    }

    fn in_quotes(&mut self, next: char) {
        let rest = self.rest();
        match next {
            '"' => {
                self.quotes.pop();
                self.at += 1;
            }
            '\n' => {
                let quote = self.quotes.pop().map_or(0, |(_, quote)| quote);
                self.found.unclosed = Some(Unclosed::Quote(quote));
            }
            '\\' => {
                let escaped = rest.chars().nth(1).filter(|it| *it != '\n');
                self.at += 1 + escaped.map_or(0, char::len_utf8);
            }
            '$' | '%' if rest[1..].starts_with(next) => self.at += 2,
            '$' | '%' if rest[1..].starts_with('{') => {
                self.push(Kind::Interpolation);
                self.at += 2;
            }
            _ => self.at += next.len_utf8(),
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn heredoc(&mut self) {
        let rest = &self.rest()[2..];
        let line = rest.lines().next().unwrap_or_default().trim_end();
        let word = line.strip_prefix('-').unwrap_or(line);
        let is_word = word
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if word.is_empty() || !is_word {
            self.at += 2;
            return;
        }
        let mut at = self.at + 2 + rest.find('\n').map_or(rest.len(), |newline| newline + 1);
        while at < self.text.len() {
            let line = self.text[at..].split('\n').next().unwrap_or_default();
            if line.trim() == word {
                self.skip_to(at + line.len());
                return;
            }
            at += line.len() + 1;
        }
        self.found.unclosed = Some(Unclosed::Heredoc(self.at, line));
    }

    fn open(&mut self, bracket: char) {
        let kind = match bracket {
            '[' => Kind::List,
            '(' => Kind::Parenthesis,
            // A block has its name or a label before it.
            _ => {
                let before = self.text[..self.at].trim_end_matches([' ', '\t']);
                let is_block =
                    before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '_'));
                match is_block {
                    true => Kind::Block,
                    false => Kind::Object,
                }
            }
        };
        self.push(kind);
        self.at += 1;
    }

    fn push(&mut self, kind: Kind) {
        let header = &self.text[self.first.min(self.at)..self.at];
        let bracket = Bracket {
            kind,
            offset: self.at,
            header: header.trim_end(),
            header_length: header.len(),
            indent: self.first - self.line,
        };
        let name = header.split([' ', '\t', '"']).next().unwrap_or_default();
        if kind == Kind::Block
            && bracket.indent == 0
            // Inside of another block, none of them begins a line.
            && KINDS.contains(&name)
            && let Some(around) = self.found.open.last()
        {
            self.found.suspect.get_or_insert((*around, self.line));
        }
        self.found.open.push(bracket);
    }

    fn close(&mut self, bracket: char) {
        let opened = self.found.open.last().copied();
        let is_its = opened.is_some_and(|open| match open.kind {
            Kind::List => bracket == ']',
            Kind::Parenthesis => bracket == ')',
            Kind::Block | Kind::Object | Kind::Interpolation => bracket == '}',
        });
        if let Some(open) = opened.filter(|_| is_its) {
            self.found.open.pop();
            if open.kind == Kind::Block
                && self.line > open.offset
                && self.first == self.at
                && self.first - self.line < open.indent
            {
                self.found.suspect.get_or_insert((open, self.line));
            }
        } else {
            self.found.unmatched = true;
        }
        self.at += 1;
    }
}
