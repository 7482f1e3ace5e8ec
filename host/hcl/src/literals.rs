//! The texts of templates as HCL has them, once the parser is done.
//!
//! The parser leaves open, or sees otherwise, what HCL does as it reads: what a `~` takes away, the indent of
//! `<<-`, and the escapes in directives of quoted text. Here each template is gone through once, its pieces in
//! the order that they stand in, and what is left of each is written back. HCL's pieces end with their line,
//! but for those of quoted text, and a `~` takes blanks off the one piece that it meets.
//!
//! ```text
//!  tree ─► pieces, without what `~` takes ─► without the indent, for `<<-` ─► tree
//! ```

use std::ops::Range;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, Object, ObjectKey};
use hcl::edit::structure::Body;
use hcl::edit::template::{Directive, Element, HeredocTemplate, StringTemplate, Strip, Template};
use hcl::edit::visit::{Visit, visit_string_template};
use hcl::edit::visit_mut::{
    VisitMut, visit_heredoc_template_mut, visit_object_mut, visit_string_template_mut,
};
use unicode_segmentation::UnicodeSegmentation as _;

/// What the parser has let pass and HCL does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misread {
    pub(crate) range: Range<usize>,
    pub(crate) summary: &'static str,
    pub(crate) help: &'static str,
}

/// Puts the templates of a file right that was read from `source`.
pub(crate) fn settle_body(body: &mut Body, source: &str) -> Result<(), Misread> {
    let mut settling = Settling::new(source);
    settling.visit_body_mut(body);
    settling.outcome()
}

/// Puts the templates of an expression right that was read from `source`.
pub(crate) fn settle_expression(expression: &mut Expression, source: &str) -> Result<(), Misread> {
    let mut settling = Settling::new(source);
    settling.visit_expr_mut(expression);
    settling.outcome()
}

/// Puts a template right that is a file of its own, and those in its expressions.
pub(crate) fn settle_template(template: &mut Template, source: &str) -> Result<(), Misread> {
    let mut settling = Settling::new(source);
    settling.settle(template, Form::File);
    settling.visit_template_mut(template);
    settling.outcome()
}

/// How a template is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Quoted,
    Heredoc,
    /// `<<-`.
    IndentedHeredoc,
    File,
}

struct Settling<'s> {
    source: &'s str,
    misread: Option<Misread>,
}

impl VisitMut for Settling<'_> {
    fn visit_string_template_mut(&mut self, template: &mut StringTemplate) {
        self.settle(template, Form::Quoted);
        visit_string_template_mut(self, template);
    }

    fn visit_heredoc_template_mut(&mut self, heredoc: &mut HeredocTemplate) {
        let range = heredoc.span().unwrap_or_default();
        self.check_end(range.end, heredoc.delimiter.len());
        let is_indented = self
            .source
            .get(range)
            .is_some_and(|text| text.starts_with("<<-"));
        let form = match is_indented {
            true => Form::IndentedHeredoc,
            false => Form::Heredoc,
        };
        self.settle(&mut heredoc.template, form);
        visit_heredoc_template_mut(self, heredoc);
    }

    fn visit_object_mut(&mut self, object: &mut Object) {
        visit_object_mut(self, object);
        // Keys can't be changed where they are.
        if object.iter().any(|(key, _)| is_to_be_settled(key)) {
            *object = std::mem::take(object)
                .into_iter()
                .map(|(mut key, value)| {
                    if let ObjectKey::Expression(expression) = &mut key {
                        self.visit_expr_mut(expression);
                    }
                    (key, value)
                })
                .collect();
        }
    }
}

/// Whether there is anything to do in a key.
fn is_to_be_settled(key: &ObjectKey) -> bool {
    struct Search(bool);
    impl Visit for Search {
        fn visit_string_template(&mut self, template: &StringTemplate) {
            self.0 |= is_more_than_values(template);
            visit_string_template(self, template);
        }

        fn visit_heredoc_template(&mut self, _: &HeredocTemplate) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    if let ObjectKey::Expression(expression) = key {
        search.visit_expr(expression);
    }
    search.0
}

/// Whether a template has a `~` or a directive in it.
fn is_more_than_values(template: &Template) -> bool {
    template.iter().any(|element| match element {
        Element::Literal(_) => false,
        Element::Interpolation(interpolation) => interpolation.strip != Strip::None,
        Element::Directive(_) => true,
    })
}

impl<'s> Settling<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            misread: None,
        }
    }

    fn outcome(self) -> Result<(), Misread> {
        match self.misread {
            None => Ok(()),
            Some(misread) => Err(misread),
        }
    }

    /// Keeps the first thing that is wrong.
    fn wrong(&mut self, range: Range<usize>, summary: &'static str, help: &'static str) {
        self.misread.get_or_insert(Misread {
            range,
            summary,
            help,
        });
    }

    /// The word at the end of a heredoc ends it only if nothing else stands on its line.
    fn check_end(&mut self, end: usize, length: usize) {
        let rest = self.source.get(end..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        if !line.trim().is_empty() {
            self.wrong(
                end.saturating_sub(length)..end,
                "the word that ends a text of several lines is not alone on its line",
                "write what follows on the next line, or begin the text with another word",
            );
        }
    }

    fn settle(&mut self, template: &mut Template, form: Form) {
        if form != Form::IndentedHeredoc && !is_more_than_values(template) {
            return;
        }
        let mut pieces = Pieces {
            settling: self,
            form,
            tokens: Vec::new(),
            literals: 0,
            trim_next: false,
        };
        pieces.read(template, true);
        let Pieces {
            mut tokens,
            literals,
            ..
        } = pieces;
        if form == Form::IndentedHeredoc {
            remove_indent(&mut tokens);
        }
        let mut texts = vec![String::new(); literals];
        for token in tokens {
            if let Token::Literal { text, literal } = token {
                match texts.get_mut(literal) {
                    Some(whole) if whole.is_empty() => *whole = text,
                    Some(whole) => whole.push_str(&text),
                    None => {}
                }
            }
        }
        write_back(template, &mut texts.into_iter());
    }
}

/// What HCL reads a template as.
enum Token {
    /// A piece of a literal, which counts from the start of the template.
    Literal { text: String, literal: usize },
    /// An interpolation, or an end of a directive.
    Sequence,
}

struct Pieces<'a, 's> {
    settling: &'a mut Settling<'s>,
    form: Form,
    tokens: Vec<Token>,
    literals: usize,
    trim_next: bool,
}

impl Pieces<'_, '_> {
    fn read(&mut self, template: &Template, outermost: bool) {
        for element in template.iter() {
            match element {
                Element::Literal(literal) => {
                    let range = literal.span().unwrap_or_default();
                    let text = match (self.form, outermost) {
                        // The parser has taken an indent off these.
                        (Form::IndentedHeredoc, true) => self.raw(range).map(with_markers),
                        // It knows no escapes in directives.
                        (Form::Quoted, false) => Some(self.unescaped(range)),
                        _ => None,
                    };
                    self.literal(text.as_deref().unwrap_or(literal.as_str()));
                }
                Element::Interpolation(interpolation) => self.sequence(interpolation.strip),
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => {
                        self.sequence(directive.if_expr.strip);
                        self.read(&directive.if_expr.template, false);
                        if let Some(otherwise) = &directive.else_expr {
                            self.sequence(otherwise.strip);
                            self.read(&otherwise.template, false);
                        }
                        self.sequence(directive.endif_expr.strip);
                    }
                    Directive::For(directive) => {
                        self.sequence(directive.for_expr.strip);
                        self.read(&directive.for_expr.template, false);
                        self.sequence(directive.endfor_expr.strip);
                    }
                },
            }
        }
    }

    fn literal(&mut self, text: &str) {
        let literal = self.literals;
        self.literals += 1;
        let whole = self.form == Form::Quoted;
        let pieces = text.split_inclusive(|c| c == '\n' && !whole);
        for piece in pieces {
            let piece = match std::mem::take(&mut self.trim_next) {
                true => piece.trim_start(),
                false => piece,
            };
            self.tokens.push(Token::Literal {
                text: piece.to_owned(),
                literal,
            });
        }
    }

    fn sequence(&mut self, strip: Strip) {
        if matches!(strip, Strip::Start | Strip::Both)
            && let Some(Token::Literal { text, .. }) = self.tokens.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
        self.tokens.push(Token::Sequence);
        self.trim_next = matches!(strip, Strip::End | Strip::Both);
    }

    fn raw(&self, range: Range<usize>) -> Option<&str> {
        self.settling.source.get(range)
    }

    /// The text that quoted text stands for.
    fn unescaped(&mut self, range: Range<usize>) -> String {
        let start = range.start;
        let raw = self.settling.source.get(range).unwrap_or_default();
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(next) = rest.chars().next() {
            let at = start + raw.len() - rest.len();
            let mut length = next.len_utf8();
            match next {
                '\\' => match escape(&rest[1..]) {
                    Some((character, behind)) => {
                        text.push(character);
                        length += behind;
                    }
                    None => {
                        self.settling.wrong(
                            at..at + 1,
                            "there is no such escape",
                            r#"there are \n, \r, \t, \", \\, \uNNNN and \UNNNNNNNN"#,
                        );
                    }
                },
                '"' | '\n' => self.settling.wrong(
                    at..at + 1,
                    "a text in quotes ends before its directive does",
                    r#"write \" for a quote and \n for the end of a line"#,
                ),
                '$' | '%' if rest.starts_with("$${") || rest.starts_with("%%{") => {
                    text.push(next);
                    text.push('{');
                    length = 3;
                }
                _ => text.push(next),
            }
            rest = &rest[length..];
        }
        text
    }
}

/// What the escape stands for whose text behind the `\` is at the start of `rest`, and its length there.
fn escape(rest: &str) -> Option<(char, usize)> {
    let digits = match rest.chars().next()? {
        'n' => return Some(('\n', 1)),
        'r' => return Some(('\r', 1)),
        't' => return Some(('\t', 1)),
        '"' => return Some(('"', 1)),
        '\\' => return Some(('\\', 1)),
        'u' => rest.get(1..5)?,
        'U' => rest.get(1..9)?,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some((char::from_u32(code)?, digits.len() + 1))
}

/// The text with `${` for each `$${`, and `%{` for each `%%{`.
fn with_markers(raw: &str) -> String {
    raw.replace("$${", "${").replace("%%{", "%{")
}

/// Takes off each line the blanks that all have at least. A line that is blank to its end does not count, nor
/// does one whose start a `~` has reached. That a line begins shows by the end of the piece before it: behind
/// one that a `~` has taken, the next line is no start.
fn remove_indent(tokens: &mut [Token]) {
    let mut least = usize::MAX;
    let mut starts = Vec::new();
    let mut begins_line = true;
    for (position, token) in tokens.iter().enumerate() {
        let begins = std::mem::take(&mut begins_line);
        let Token::Literal { text, .. } = token else {
            if begins {
                least = 0;
            }
            continue;
        };
        begins_line = text.ends_with('\n');
        let blanks = text.len() - text.trim_start().len();
        let is_blank = blanks == text.len() && begins_line;
        if begins && !is_blank {
            least = least.min(text[..blanks].graphemes(true).count());
            starts.push(position);
        }
    }
    for position in starts {
        if let Some(Token::Literal { text, .. }) = tokens.get_mut(position) {
            let taken: usize = text.graphemes(true).take(least).map(str::len).sum();
            text.replace_range(..taken, "");
        }
    }
}

/// Puts the texts into the literals, which come in the same order.
fn write_back(template: &mut Template, texts: &mut impl Iterator<Item = String>) {
    for element in template.iter_mut() {
        match element {
            Element::Literal(literal) => {
                if let Some(text) = texts.next() {
                    *literal.as_mut() = text;
                }
            }
            Element::Interpolation(_) => {}
            Element::Directive(directive) => match &mut **directive {
                Directive::If(directive) => {
                    write_back(&mut directive.if_expr.template, texts);
                    if let Some(otherwise) = &mut directive.else_expr {
                        write_back(&mut otherwise.template, texts);
                    }
                }
                Directive::For(directive) => write_back(&mut directive.for_expr.template, texts),
            },
        }
    }
}
