//! The form of Go's text templates, as far as templates of Packer use it.
//!
//! ```text
//! text      = { plain | action } ;
//! action    = "{{" , [ "-" ] , { word | literal | "|" | comment } , [ "-" ] , "}}" ;
//! literal   = '"' … '"' | "`" … "`" ;
//! comment   = "/*" … "*/" ;
//! ```
//! What an action means is for whoever asks: provisioners know the guest, the options of a source may have the
//! build's key. [`Functions`] are the same for all of them.

mod functions;

use std::sync::atomic::{AtomicUsize, Ordering};

use lvhost_hcl::{Value, ValueKind};

pub use self::functions::{BuildFacts, Functions, JsonFacts};
pub(crate) use self::functions::{FUNCTIONS, refusal};

/// Whether a text in `value` may have actions.
pub fn has_braces(value: &Value) -> bool {
    match value.kind() {
        ValueKind::String(text) => text.contains("{{"),
        ValueKind::List(elements) => elements.iter().any(has_braces),
        ValueKind::Object(entries) => entries.values().any(has_braces),
        _ => false,
    }
}

/// How to write braces that are meant as they stand.
pub const LITERAL_BRACES: &str =
    "braces that are meant for the guest are written as a literal: {{`{{ … }}`}}";

/// Go's control structures, of which none is supported.
pub const STATEMENTS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

/// Bytes that actions may make in sum. A short text can ask for any amount: replacements in replacements,
/// and the same long value a thousand times.
const ROOM: usize = 64 << 20;

/// What is left for the texts that actions make. They are paid for before they are made.
#[derive(Debug)]
pub struct Room(AtomicUsize);

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(ROOM))
    }
}

impl Room {
    /// Takes `bytes` off.
    ///
    /// # Errors
    /// There are not so many left.
    pub fn take(&self, bytes: usize) -> Result<(), InterpolationError> {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(InterpolationError::new(format!(
                "the texts that {{{{ }}}} make get too long: they may have {} MiB together",
                ROOM >> 20
            ))),
        }
    }
}

/// Why an action can't be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InterpolationError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The action that is meant, as it stands in the text.
    pub action: Option<String>,
}

impl InterpolationError {
    /// Without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            action: None,
        }
    }

    /// Says which action is meant.
    #[must_use]
    pub fn about(mut self, action: &Action<'_>) -> Self {
        self.action = Some(action.text.to_owned());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// It stands for itself.
    Text(&'a str),
    /// Something stands in its place.
    Action(Action<'a>),
}

/// What is between two pairs of braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action<'a> {
    /// As it stands in the template, braces included.
    pub text: &'a str,
    /// What it consists of, without comments.
    pub tokens: Vec<Token<'a>>,
}

/// A part of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// A run of anything else.
    Word(&'a str),
    /// What was between quotes.
    Literal(String),
    /// `|`: what is before it is the last argument of what is behind it.
    Pipe,
}

/// Takes a template apart. Space beside `{{-` and `-}}` is taken away.
///
/// # Errors
/// An action, a literal or a comment without an end.
pub fn parse(text: &str) -> Result<Vec<Piece<'_>>, InterpolationError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, action) = rest.split_at(start);
        let parsed = Parsed::new(action)?;
        let before = match parsed.trim_before {
            true => before.trim_end(),
            false => before,
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        rest = match parsed.trim_after {
            true => parsed.rest.trim_start(),
            false => parsed.rest,
        };
        pieces.push(Piece::Action(parsed.action));
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

struct Parsed<'a> {
    action: Action<'a>,
    trim_before: bool,
    trim_after: bool,
    /// What follows the closing braces.
    rest: &'a str,
}

impl<'a> Parsed<'a> {
    /// Reads an action from its opening braces on.
    fn new(text: &'a str) -> Result<Self, InterpolationError> {
        let inside = text.strip_prefix("{{").unwrap_or(text);
        let trimmed = inside
            .strip_prefix('-')
            .filter(|text| text.starts_with(is_space));
        let mut tokens = Vec::new();
        let mut rest = trimmed.unwrap_or(inside);
        loop {
            let behind_space = rest.trim_start_matches(is_space);
            let spaced = behind_space.len() < rest.len();
            rest = behind_space;
            let trimming = rest.strip_prefix("-}}").filter(|_| spaced);
            if let Some(after) = trimming.or_else(|| rest.strip_prefix("}}")) {
                return Ok(Self {
                    action: Action {
                        text: &text[..text.len() - after.len()],
                        tokens,
                    },
                    trim_before: trimmed.is_some(),
                    trim_after: trimming.is_some(),
                    rest: after,
                });
            }
            rest = if let Some(comment) = rest.strip_prefix("/*") {
                comment.split_once("*/").ok_or_else(unclosed)?.1
            } else if let Some(raw) = rest.strip_prefix('`') {
                let (literal, after) = raw.split_once('`').ok_or_else(unclosed)?;
                tokens.push(Token::Literal(literal.to_string()));
                after
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let (literal, after) = unquote(quoted)?;
                tokens.push(Token::Literal(literal));
                after
            } else if let Some(after) = rest.strip_prefix('|') {
                tokens.push(Token::Pipe);
                after
            } else {
                let end = rest
                    .find(|c: char| is_space(c) || matches!(c, '`' | '"' | '}' | '|'))
                    .ok_or_else(unclosed)?;
                // A lone brace ends a word as well and must not be read forever.
                let (word, after) = rest.split_at(end.max(1));
                tokens.push(Token::Word(word));
                after
            };
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn unclosed() -> InterpolationError {
    InterpolationError::new("a {{ has no }} to it").help(LITERAL_BRACES)
}

/// Reads a quoted text from behind its opening quote; gives it and what follows the closing one.
fn unquote(text: &str) -> Result<(String, &str), InterpolationError> {
    let mut literal = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Ok((literal, &text[position + 1..])),
            '\n' => break,
            '\\' => literal.push(match characters.next() {
                Some((_, same @ ('"' | '\\' | '\''))) => same,
                Some((_, 'n')) => '\n',
                Some((_, 'r')) => '\r',
                Some((_, 't')) => '\t',
                _ => {
                    return Err(InterpolationError::new(
                        "in a quoted text in {{ }}, only \\\" \\\\ \\n \\r \\t can be escaped",
                    )
                    .help("put the text between backquotes: nothing is escaped there"));
                }
            }),
            _ => literal.push(character),
        }
    }
    Err(unclosed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_taken_apart() {
        let action = |text, tokens| Piece::Action(Action { text, tokens });
        let literal = |text: &str| Token::Literal(text.to_owned());
        let cases = [
            ("plain", vec![Piece::Text("plain")]),
            ("", vec![]),
            (
                "a {{ .Path }} b",
                vec![
                    Piece::Text("a "),
                    action("{{ .Path }}", vec![Token::Word(".Path")]),
                    Piece::Text(" b"),
                ],
            ),
            (
                "{{user `a`|upper}}",
                vec![action(
                    "{{user `a`|upper}}",
                    vec![
                        Token::Word("user"),
                        literal("a"),
                        Token::Pipe,
                        Token::Word("upper"),
                    ],
                )],
            ),
            (
                "a {{- /* no */ \"b\\n\" -}} c",
                vec![
                    Piece::Text("a"),
                    action("{{- /* no */ \"b\\n\" -}}", vec![literal("b\n")]),
                    Piece::Text("c"),
                ],
            ),
            ("{{`{{`}}", vec![action("{{`{{`}}", vec![literal("{{")])]),
        ];
        for (text, pieces) in cases {
            assert_eq!(parse(text), Ok(pieces), "{text}");
        }
        for text in ["{{", "{{ a", "{{ `a }}", "{{ \"a\\x\" }}", "{{/* }}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
