//! Text with `${…}` and `%{…}` in it. What `~` and `<<-` take away was taken before: see [`crate::literals`].

use hcl::edit::Span as _;
use hcl::edit::template::{
    Directive, Element, ForDirective, HeredocTemplate, IfDirective, Interpolation, Template,
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
        self.template_text(&heredoc.template, scope)
    }

    fn template_text(&mut self, template: &Template, scope: &Scope<'_>) -> Value {
        let mut text = Text::default();
        self.write_template(template, scope, &mut text);
        let value = if text.unknown {
            Value::UNKNOWN
        } else {
            Value::string(text.text)
        };
        value.marked(text.marked)
    }

    fn write_template(&mut self, template: &Template, scope: &Scope<'_>, text: &mut Text) {
        for element in template {
            if text.text.len() > MAX_STRING || self.context.budget.is_spent() {
                // Reported where the whole expression ends.
                return;
            }
            match element {
                Element::Literal(literal) => {
                    // Once as it grows, once as a value.
                    let paid = self.context.budget.charge_new_text(literal.len() * 2);
                    if paid.is_err() {
                        return;
                    }
                    text.text.push_str(literal);
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
        let paid = self.context.budget.charge(value.numbers(), 0);
        if !self.paid(paid, interpolation.expr.span()) {
            text.unknown = true;
            return;
        }
        match (value.to_text(), value.kind()) {
            (Some(value), _) => {
                let paid = self.context.budget.charge_new_text(value.len() * 2);
                if !self.paid(paid, interpolation.expr.span()) {
                    text.unknown = true;
                    return;
                }
                text.text.push_str(&value);
            }
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
        match (&directive.else_expr, holds) {
            (_, true) => self.write_template(&directive.if_expr.template, scope, text),
            (Some(otherwise), false) => self.write_template(&otherwise.template, scope, text),
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
            self.write_template(&head.template, &inner, text);
        }
    }
}
