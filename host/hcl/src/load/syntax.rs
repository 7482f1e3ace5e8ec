//! What a syntax error most likely means, in the words of whoever has made the mistake.
//!
//! The parser tells where it could not go on, and what it expected there. What is wrong often stands
//! further up: a brace that is not closed shows at the end of the file.

use super::blocks::KINDS;
use super::brackets::{Bracket, Brackets, Kind, Unclosed};
use super::unread::first_word;
use crate::diagnostic::Diagnostic;
use crate::source_map::{FileId, Span, line_and_column};

const LINE_FOR_EACH: &str = "write each option on a line of its own, without `,` or `;`";

/// The error of `file` that the parser describes by `message` at `offset`.
pub(super) fn explain(text: &str, file: FileId, offset: usize, message: &str) -> Diagnostic {
    // At a bracket that is the last thing of a file, the parser stops before it.
    let at_last = text.get(offset..).is_some_and(|rest| rest.trim() == "{");
    let end = offset + usize::from(at_last);
    let error = Error {
        text,
        file,
        offset,
        message,
        brackets: Brackets::read(text, end),
    };
    error
        .explain()
        .or_else(|| error.later_on_the_line())
        .unwrap_or_else(|| {
            Diagnostic::error(error.here(), "syntax error").detail(message.to_owned())
        })
}

struct Error<'a> {
    text: &'a str,
    file: FileId,
    offset: usize,
    message: &'a str,
    brackets: Brackets<'a>,
}

impl Error<'_> {
    fn explain(&self) -> Option<Diagnostic> {
        let rest = self.text.get(self.offset..)?;
        if self.message.contains("redefined attribute") {
            return self.set_twice();
        }
        if rest.starts_with('\'') {
            return Some(
                self.error("a text is in single quotes")
                    .help("strings are in double quotes"),
            );
        }
        if rest.starts_with(['\u{201c}', '\u{201d}', '\u{201e}']) {
            return Some(
                self.error("a text is in typographic quotes")
                    .help("strings are in plain ones: \"…\""),
            );
        }
        if let Some(unclosed) = &self.brackets.unclosed {
            return Some(self.text_without_end(unclosed));
        }
        let innermost = self.brackets.open.last();
        let line = self.text[..self.offset]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        if let Some(bracket) = innermost
            && bracket.kind != Kind::Block
            && bracket.offset < line
            && KINDS.contains(&first_word(&self.text[line..]))
        {
            return Some(self.not_closed_before(bracket, Some(line)));
        }
        if matches!(rest.trim(), "" | "{") {
            return self.not_closed();
        }
        match innermost.map(|bracket| bracket.kind) {
            None if rest.starts_with('}') => Some(
                self.error("there is a `}` too many")
                    .help("remove it, or look for one too many further up"),
            ),
            Some(Kind::List | Kind::Parenthesis) => self.in_list(innermost?, rest),
            _ => self.in_block(innermost, rest),
        }
    }

    /// The parser stops at the name of an option whose value it can't read to its end.
    fn later_on_the_line(&self) -> Option<Diagnostic> {
        let rest = self.text.get(self.offset..)?;
        let end = rest
            .find('\n')
            .map_or(self.text.len(), |end| self.offset + end + 1);
        let unclosed = Brackets::read(self.text, end).unclosed?;
        Some(self.text_without_end(&unclosed))
    }

    /// Options and blocks, of a block or of the file.
    fn in_block(&self, block: Option<&Bracket<'_>>, rest: &str) -> Option<Diagnostic> {
        let before = self.text.get(..self.offset)?;
        let line = &before[before.rfind('\n').map_or(0, |newline| newline + 1)..];
        let on_one_line = block.is_some_and(|block| !before[block.offset..].contains('\n'));
        let is_object = block.is_some_and(|block| block.kind == Kind::Object);
        if rest.starts_with([',', ';']) && !is_object && line.contains('=') {
            let sign = &rest[..1];
            let error = self.error(format!("there is no `{sign}` between options"));
            return Some(error.help(LINE_FOR_EACH));
        }
        if is_object && rest.starts_with(';') {
            return Some(self.error("entries of an object have `,` between them"));
        }
        if rest.starts_with('}') && line.contains('=') && !on_one_line {
            return Some(
                self.error("the `}` stands on the line of an option")
                    .help("write it on a line of its own"),
            );
        }
        if block.is_some_and(|block| block.kind == Kind::Block)
            && on_one_line
            && line.contains('=')
            && rest.starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            let error = self.error("a block on one line can have one option only");
            return Some(error.help(LINE_FOR_EACH));
        }
        if rest.starts_with(':') && is_name(line.trim()) {
            let help = format!("write `{} = …`", line.trim());
            return Some(self.error("an option has `=` before its value").help(help));
        }
        let behind_sign = line.trim_end().ends_with('=');
        if rest.starts_with('=') && behind_sign {
            return Some(
                self.error("an option has one `=` before its value")
                    .help("`==` compares two values"),
            );
        }
        if behind_sign && (rest.starts_with(['\n', '\r', '}', '#']) || rest.starts_with("//")) {
            return Some(
                self.error("the value is missing")
                    .help("write it behind the `=`, on the same line"),
            );
        }
        if self.message.contains("expected `{`") {
            return Some(self.no_brace(rest, line));
        }
        None
    }

    /// A block's name, and then no brace.
    fn no_brace(&self, rest: &str, line: &str) -> Diagnostic {
        let error = self.error("the `{` of a block is missing");
        if rest.starts_with(['\n', '\r']) {
            return error.help("it stands on the line of the block's name");
        }
        match rest.starts_with('.') {
            true => {
                let name = line.split_whitespace().next().unwrap_or_default();
                error.help(format!(
                    "labels are texts with a space between them: {name} \"libvirt\" \"example\" {{"
                ))
            }
            false => error,
        }
    }

    fn in_list(&self, list: &Bracket<'_>, rest: &str) -> Option<Diagnostic> {
        let (what, end) = match list.kind {
            Kind::List => ("list", "]"),
            _ => ("parenthesis", ")"),
        };
        if !self.message.contains(end) && !self.message.contains("expression") {
            return None;
        }
        let on_one_line = !self.text.get(list.offset..self.offset)?.contains('\n');
        let line = rest.lines().next().unwrap_or_default();
        let is_option = line
            .split_once('=')
            .is_some_and(|(name, value)| is_name(name.trim()) && !value.starts_with('='));
        if rest.starts_with(['"', '[', '{', '<']) || (on_one_line && starts_value(rest)) {
            return Some(
                self.error(format!("a `,` is missing in the {what}"))
                    .help("elements have `,` between them"),
            );
        }
        if is_option || rest.starts_with(['}', '\n', '\r', ']', ')']) {
            let (line, _) = line_and_column(self.text, self.offset);
            return Some(
                Diagnostic::error(self.at(list.offset, 1), format!("the {what} is not closed"))
                    .help(format!("write `{end}` before line {line}")),
            );
        }
        None
    }

    /// The end of the file is inside of something.
    fn not_closed(&self) -> Option<Diagnostic> {
        let suspect = self.brackets.suspect.as_ref();
        let last = || self.brackets.open.last().map(|open| (open, None));
        let (bracket, before) = suspect
            .map(|(bracket, before)| (bracket, Some(*before)))
            .or_else(last)?;
        Some(self.not_closed_before(bracket, before))
    }

    /// A bracket has none that closes it, `before` a line if that is certain.
    fn not_closed_before(&self, bracket: &Bracket<'_>, before: Option<usize>) -> Diagnostic {
        let (what, end, place) = match bracket.kind {
            Kind::Block => {
                let start = bracket.offset - bracket.header_length;
                let place = self.at(start, bracket.header_length);
                (format!("the block `{}`", bracket.header), "}", place)
            }
            Kind::Object => ("the object".to_owned(), "}", self.at(bracket.offset, 1)),
            Kind::List => ("the list".to_owned(), "]", self.at(bracket.offset, 1)),
            Kind::Parenthesis => (
                "the parenthesis".to_owned(),
                ")",
                self.at(bracket.offset, 1),
            ),
            Kind::Interpolation => (
                "the `${` or `%{`".to_owned(),
                "}",
                self.at(bracket.offset, 2),
            ),
        };
        let error = Diagnostic::error(place, format!("{what} is not closed"));
        match before {
            Some(before) => {
                let (line, _) = line_and_column(self.text, before);
                error.help(format!("write `{end}` before line {line}"))
            }
            None => error.help(format!("write `{end}` at its end")),
        }
    }

    fn text_without_end(&self, unclosed: &Unclosed<'_>) -> Diagnostic {
        match unclosed {
            Unclosed::Quote(offset) => {
                Diagnostic::error(self.at(*offset, 1), "the text is not closed").help(
                    "write `\"` at its end; a text of several lines is written between `<<EOF` and `EOF`",
                )
            }
            Unclosed::Heredoc(offset, word) => Diagnostic::error(
                self.at(*offset, 2 + word.len()),
                format!("the text of several lines is not closed: there is no line `{word}`"),
            )
            .help(format!("write `{word}` on a line of its own at its end")),
            Unclosed::Comment(offset) => {
                Diagnostic::error(self.at(*offset, 2), "the comment is not closed")
                    .help("write `*/` at its end")
            }
        }
    }

    fn set_twice(&self) -> Option<Diagnostic> {
        let rest = self.text.get(self.offset..)?;
        let length = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        let name = &rest[..length];
        let first = self.brackets.first_option(self.text, self.offset, name);
        let error = Diagnostic::error(
            self.at(self.offset, length),
            format!("`{name}` is set twice"),
        );
        Some(match first {
            Some(first) => {
                let (line, column) = line_and_column(self.text, first);
                error.help(format!(
                    "it is set first on line {line}, column {column}; remove one of the two"
                ))
            }
            None => error.help("remove one of the two"),
        })
    }

    fn error(&self, summary: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.here(), summary)
    }

    /// The character where the parser could not go on.
    fn here(&self) -> Span {
        let next = self
            .text
            .get(self.offset..)
            .and_then(|rest| rest.chars().next());
        let length = match next {
            None | Some('\n' | '\r') => 0,
            Some(next) => next.len_utf8(),
        };
        self.at(self.offset, length)
    }

    fn at(&self, offset: usize, length: usize) -> Span {
        Span::new(self.file, offset..offset + length)
    }
}

fn starts_value(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-')
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_name)
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}
