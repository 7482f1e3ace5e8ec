//! Text with `${…}` and `%{…}` in it.

use hcl::edit::Span as _;
use hcl::edit::template::{
    Directive, Element, ForDirective, HeredocTemplate, IfDirective, Interpolation, Strip, Template,
};

use super::{Evaluator, MAX_STRING, article};
use crate::budget::STEP;
use crate::diagnostic::Diagnostic;
use crate::scope::Scope;
use crate::value::{Value, ValueKind};

/// Text as far as it is known.
#[derive(Default)]
struct Text {
    text: String,
    unknown: bool,
    marked: bool,
    /// The indent of the heredoc this is.
    indent: usize,
}

/// What a `~` asks to be taken off the end that meets it.
#[derive(Clone, Copy, Default)]
struct Trim {
    start: bool,
    end: bool,
}

/// What the surroundings of a template do to the text in it.
#[derive(Clone, Copy, Default)]
struct Surroundings {
    trim: Trim,
    /// Blanks to take off the head of each line.
    indent: usize,
}

impl Evaluator<'_> {
    /// A quoted template. One that is nothing but a single `${…}` is that value, whatever type
    /// it has.
    pub(super) fn template(&mut self, template: &Template, scope: &Scope<'_>) -> Value {
        match template.as_single_element() {
            Some(Element::Interpolation(Interpolation { expr, .. })) => self.evaluate(expr, scope),
            _ => self.template_text(template, scope),
        }
    }

    /// A heredoc: text in any case.
    pub(super) fn heredoc(&mut self, heredoc: &HeredocTemplate, scope: &Scope<'_>) -> Value {
        // The parser has taken the indent off the outermost lines, not off those in directives.
        let text = Text {
            indent: heredoc.indent().unwrap_or(0),
            ..Text::default()
        };
        self.text_of(&heredoc.template, text, scope)
    }

    fn template_text(&mut self, template: &Template, scope: &Scope<'_>) -> Value {
        self.text_of(template, Text::default(), scope)
    }

    fn text_of(&mut self, template: &Template, mut text: Text, scope: &Scope<'_>) -> Value {
        self.write_template(template, Surroundings::default(), scope, &mut text);
        let value = if text.unknown {
            Value::UNKNOWN
        } else {
            Value::string(text.text)
        };
        value.marked(text.marked)
    }

    fn write_template(
        &mut self,
        template: &Template,
        around: Surroundings,
        scope: &Scope<'_>,
        text: &mut Text,
    ) {
        let trim = around.trim;
        let elements: Vec<&Element> = template.iter().collect();
        for (position, element) in elements.iter().enumerate() {
            if text.text.len() > MAX_STRING || self.context.budget.is_spent() {
                // Reported where the whole expression ends.
                return;
            }
            match element {
                Element::Literal(literal) => {
                    let before = position.checked_sub(1).and_then(|at| elements.get(at));
                    let trim_start = before.map_or(trim.start, |before| strips(before).end);
                    let after = elements.get(position + 1);
                    let trim_end = after.map_or(trim.end, |after| strips(after).start);
                    let mut literal = literal.as_str();
                    if trim_start {
                        literal = literal.trim_start();
                    }
                    if trim_end {
                        literal = literal.trim_end();
                    }
                    // Once as it grows, once as a value.
                    let paid = self.context.budget.charge_new_text(literal.len() * 2);
                    if paid.is_err() {
                        return;
                    }
                    push_dedented(literal, around.indent, &mut text.text);
                }
                Element::Interpolation(interpolation) => {
                    self.write_value(interpolation, scope, text);
                }
                Element::Directive(directive) => match &**directive {
                    Directive::If(directive) => self.write_if(directive, scope, text),
                    Directive::For(directive) => self.write_for(directive, scope, text),
                },
            }
        }
    }

    fn write_value(&mut self, interpolation: &Interpolation, scope: &Scope<'_>, text: &mut Text) {
        let value = self.evaluate(&interpolation.expr, scope);
        text.marked |= value.is_sensitive();
        if let Some(new) = value.as_str() {
            let paid = self.context.budget.charge_new_text(new.len() * 2);
            if !self.paid(paid, interpolation.expr.span()) {
                text.unknown = true;
                return;
            }
            text.text.push_str(new);
            return;
        }
        match (value.to_text(), value.kind()) {
            (Some(value), _) => text.text.push_str(&value),
            (None, ValueKind::Unknown) => text.unknown = true,
            (None, _) => {
                let span = self.span(interpolation.expr.span());
                let detail = format!("this is {}", article(value.type_name()));
                let diagnostic =
                    Diagnostic::error(span, "only a string, a number or a bool can stand in text")
                        .detail(detail);
                let diagnostic = match value.kind() {
                    ValueKind::List(_) => diagnostic.help("use join(\", \", …) or jsonencode(…)"),
                    ValueKind::Object(_) => diagnostic.help("use jsonencode(…)"),
                    _ => diagnostic,
                };
                self.report(diagnostic);
                text.unknown = true;
            }
        }
    }

    fn write_if(&mut self, directive: &IfDirective, scope: &Scope<'_>, text: &mut Text) {
        let condition = self.evaluate(&directive.if_expr.cond_expr, scope);
        text.marked |= condition.is_marked();
        let Some(holds) = self.truth(&condition, directive.if_expr.cond_expr.span()) else {
            text.unknown = true;
            return;
        };
        let end = directive.endif_expr.strip;
        match (&directive.else_expr, holds) {
            (otherwise, true) => {
                let after = otherwise.as_ref().map_or(end, |otherwise| otherwise.strip);
                let around = inside(directive.if_expr.strip, after, text);
                self.write_template(&directive.if_expr.template, around, scope, text);
            }
            (Some(otherwise), false) => {
                let around = inside(otherwise.strip, end, text);
                self.write_template(&otherwise.template, around, scope, text);
            }
            (None, false) => {}
        }
    }

    fn write_for(&mut self, directive: &ForDirective, scope: &Scope<'_>, text: &mut Text) {
        let head = &directive.for_expr;
        let collection = self.evaluate(&head.collection_expr, scope);
        text.marked |= collection.is_marked();
        let Some(items) = self.items(&collection, head.collection_expr.span()) else {
            text.unknown = true;
            return;
        };
        let around = inside(head.strip, directive.endfor_expr.strip, text);
        for (key, value) in items {
            let mut inner = scope.child();
            if let Some(name) = &head.key_var {
                inner.set(name.as_str(), key);
            }
            inner.set(head.value_var.as_str(), value);
            let paid = self.context.budget.charge(STEP, 0);
            if !self.paid(paid, head.collection_expr.span()) {
                text.unknown = true;
                return;
            }
            self.write_template(&head.template, around, &inner, text);
        }
    }
}

/// The `~` at the outer ends of an element.
fn strips(element: &Element) -> Trim {
    match element {
        Element::Literal(_) => Trim::default(),
        Element::Interpolation(interpolation) => Trim {
            start: at_start(interpolation.strip),
            end: at_end(interpolation.strip),
        },
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => Trim {
                start: at_start(directive.if_expr.strip),
                end: at_end(directive.endif_expr.strip),
            },
            Directive::For(directive) => Trim {
                start: at_start(directive.for_expr.strip),
                end: at_end(directive.endfor_expr.strip),
            },
        },
    }
}

/// What two directives do to the template between them.
fn inside(before: Strip, after: Strip, text: &Text) -> Surroundings {
    let trim = Trim {
        start: at_end(before),
        end: at_start(after),
    };
    Surroundings {
        trim,
        indent: text.indent,
    }
}

/// Appends `literal` without up to `indent` blanks after each line end.
fn push_dedented(literal: &str, indent: usize, out: &mut String) {
    for (position, line) in literal.split('\n').enumerate() {
        if position == 0 {
            out.push_str(line);
            continue;
        }
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        out.push('\n');
        out.push_str(&line[blanks.min(indent)..]);
    }
}

fn at_start(strip: Strip) -> bool {
    matches!(strip, Strip::Start | Strip::Both)
}

fn at_end(strip: Strip) -> bool {
    matches!(strip, Strip::End | Strip::Both)
}
