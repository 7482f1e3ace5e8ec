//! Values to YAML, to the byte as Packer's library writes it.
//!
//! The names are those of libyaml, which that library is made after: whoever writes keeps in mind in which column
//! it is, whether the last character was a blank (`whitespace`), and whether nothing but indent and the signs of
//! lists stand in the line so far (`indention`).

use crate::budget::Budget;
use crate::evaluate::MAX_STRING;
use crate::value::{Value, ValueKind};

/// Blanks of each level.
const INDENT: usize = 2;

/// Behind this column a text in quotes goes on in the next line.
const WIDTH: usize = 80;

/// Longest key that stands before its `:` in the same line.
const MAX_SIMPLE_KEY: usize = 128;

/// The value as a document.
pub(super) fn encode(value: &Value, budget: &Budget) -> Result<String, String> {
    let mut emitter = Emitter {
        out: String::new(),
        budget,
        column: 0,
        whitespace: true,
        indention: true,
        open_ended: false,
    };
    emitter.node(value, None, false)?;
    emitter.write_indent(0)?;
    if emitter.open_ended {
        emitter.indicator("...", true, false, false);
        emitter.write_indent(0)?;
    }
    Ok(emitter.out)
}

struct Emitter<'b> {
    out: String,
    budget: &'b Budget,
    column: usize,
    whitespace: bool,
    indention: bool,
    /// The document needs a sign at its end.
    open_ended: bool,
}

/// One level below `indent`, which is none at the root.
fn below(indent: Option<usize>) -> usize {
    indent.map_or(0, |indent| indent + INDENT)
}

impl Emitter<'_> {
    /// A value in a block of that indent; in a mapping lists have the indent of their key.
    fn node(
        &mut self,
        value: &Value,
        indent: Option<usize>,
        in_mapping: bool,
    ) -> Result<(), String> {
        match value.kind() {
            ValueKind::Null | ValueKind::Unknown => self.plain("null", indent),
            ValueKind::Bool(truth) => self.plain(if *truth { "true" } else { "false" }, indent),
            ValueKind::Number(number) => self.plain(&number.to_string(), indent),
            ValueKind::String(text) => self.text(text, indent, false)?,
            ValueKind::List(elements) if elements.is_empty() => self.empty("[", "]"),
            ValueKind::Object(entries) if entries.is_empty() => self.empty("{", "}"),
            ValueKind::List(elements) => {
                let indent = match (in_mapping && !self.indention, indent) {
                    (true, Some(indent)) => indent,
                    _ => below(indent),
                };
                for element in elements.iter() {
                    self.write_indent(indent)?;
                    self.indicator("-", true, false, true);
                    self.node(element, Some(indent), false)?;
                }
            }
            ValueKind::Object(entries) => {
                let indent = below(indent);
                for (key, value) in entries.iter() {
                    self.write_indent(indent)?;
                    if key.len() <= MAX_SIMPLE_KEY && !key.contains(is_break) {
                        self.text(key, Some(indent), true)?;
                        self.indicator(":", false, false, false);
                    } else {
                        self.indicator("?", true, false, true);
                        self.text(key, Some(indent), false)?;
                        self.write_indent(indent)?;
                        self.indicator(":", true, false, true);
                    }
                    self.node(value, Some(indent), true)?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    fn put_break(&mut self, character: char) {
        self.out.push(character);
        self.column = 0;
    }

    fn indicator(
        &mut self,
        sign: &str,
        needs_whitespace: bool,
        is_whitespace: bool,
        is_indention: bool,
    ) {
        if needs_whitespace && !self.whitespace {
            self.put(' ');
        }
        sign.chars().for_each(|character| self.put(character));
        self.whitespace = is_whitespace;
        self.indention &= is_indention;
        self.open_ended = false;
    }

    /// Goes on in a line of its own, unless nothing stands in this one yet.
    fn write_indent(&mut self, indent: usize) -> Result<(), String> {
        let is_taken = self.column > indent || (self.column == indent && !self.whitespace);
        if !self.indention || is_taken {
            self.put_break('\n');
        }
        let missing = indent.saturating_sub(self.column);
        let paid = self.budget.charge_new_text(missing);
        paid.map_err(|_| "it takes too much".to_owned())?;
        if self.out.len() + missing > MAX_STRING {
            return Err("the text gets too long".to_owned());
        }
        self.out.extend(std::iter::repeat_n(' ', missing));
        self.column += missing;
        self.whitespace = true;
        self.indention = true;
        Ok(())
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.indicator(open, true, true, false);
        self.indicator(close, false, false, false);
    }

    fn plain(&mut self, text: &str, indent: Option<usize>) {
        if !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|character| self.put(character));
        self.whitespace = false;
        self.indention = false;
        if indent.is_none() {
            self.open_ended = true;
        }
    }

    fn text(&mut self, text: &str, indent: Option<usize>, is_key: bool) -> Result<(), String> {
        // A text at the root goes on one level further in.
        let indent = indent.map_or(INDENT, |indent| indent + INDENT);
        match text.contains('\n') && can_be_block(text) && !is_key {
            true => self.literal(text, indent),
            false => self.quoted(text, indent, !is_key),
        }
    }

    fn literal(&mut self, text: &str, indent: usize) -> Result<(), String> {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(&INDENT.to_string(), false, false, false);
        }
        self.open_ended = false;
        let mut from_end = text.chars().rev();
        match (
            from_end.next().is_some_and(is_break),
            from_end.next().is_none_or(is_break),
        ) {
            (false, _) => self.indicator("-", false, false, false),
            (true, true) => self.indicator("+", false, false, false),
            (true, false) => {}
        }
        self.put_break('\n');
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for character in text.chars() {
            if is_break(character) {
                self.put_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent(indent)?;
                }
                self.put(character);
                self.indention = false;
                breaks = false;
            }
        }
        Ok(())
    }

    fn quoted(&mut self, text: &str, indent: usize, breaks: bool) -> Result<(), String> {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if !is_printable(character) || is_break(character) || matches!(character, '"' | '\\') {
                self.escape(character);
                spaces = false;
            } else if character == ' ' {
                let is_inside = at > 0 && at + 1 < text.len();
                if breaks && !spaces && self.column > WIDTH && is_inside {
                    self.write_indent(indent)?;
                    if characters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
            if self.out.len() > MAX_STRING {
                return Err("the text gets too long".to_owned());
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
        Ok(())
    }

    fn escape(&mut self, character: char) {
        let code = u32::from(character);
        let escape = match character {
            '\0' => "0".to_owned(),
            '\u{7}' => "a".to_owned(),
            '\u{8}' => "b".to_owned(),
            '\t' => "t".to_owned(),
            '\n' => "n".to_owned(),
            '\u{b}' => "v".to_owned(),
            '\u{c}' => "f".to_owned(),
            '\r' => "r".to_owned(),
            '\u{1b}' => "e".to_owned(),
            '"' | '\\' => character.to_string(),
            '\u{85}' => "N".to_owned(),
            '\u{2028}' => "L".to_owned(),
            '\u{2029}' => "P".to_owned(),
            _ if code <= 0xFF => format!("x{code:02X}"),
            _ if code <= 0xFFFF => format!("u{code:04X}"),
            _ => format!("U{code:08X}"),
        };
        self.put('\\');
        escape.chars().for_each(|character| self.put(character));
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What the library writes as it is: nothing beyond the characters of two bytes in UTF-16.
fn is_printable(character: char) -> bool {
    matches!(character,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a text may stand as it is, line by line.
fn can_be_block(text: &str) -> bool {
    let mut previous_space = false;
    for character in text.chars() {
        if !is_printable(character) || (previous_space && is_break(character)) {
            return false;
        }
        previous_space = character == ' ';
    }
    !previous_space
}
