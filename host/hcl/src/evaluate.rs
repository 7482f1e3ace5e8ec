//! Expressions to values.
//!
//! Evaluation never stops at an error: what fails is reported and counts as unknown from there
//! on. Whatever is computed from an unknown value is unknown, so one mistake is one message.

mod calls;
mod loops;
mod operators;
mod template;
mod traversal;

pub(crate) use self::operators::equal;
pub(crate) use self::traversal::SUGGESTION;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, Object, ObjectKey};

use crate::budget::{Budget, ENTRY, STEP, Spent, VALUE};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::environment::Environment;
use crate::load::Unread;
use crate::number::Number;
use crate::scope::Scope;
use crate::source_map::{FileId, Span};
use crate::value::{Value, ValueKind};

/// Longest text an expression may build, in bytes: a few doublings would fill the memory.
pub(crate) const MAX_STRING: usize = 16 * 1024 * 1024;

/// Longest list an expression may build.
pub(crate) const MAX_ELEMENTS: usize = 1_000_000;

/// Most bytes a value may have if everything in it stood for itself. A list that holds the same list
/// twice, in a list that holds that one twice, and so on, takes hardly any memory; whoever walks through it has
/// no end.
const MAX_WEIGHT: u64 = 256 << 20;

/// How deep lists and objects may be nested. Each level takes room on the stack.
const MAX_DEPTH: u32 = 128;

/// The names every expression starts from; nobody means one of them by itself.
const ROOTS: [&str; 7] = ["build", "data", "local", "packer", "path", "source", "var"];

/// What the functions may use, which depends on where an expression stands.
#[derive(Clone)]
pub(crate) struct Context {
    /// The world outside.
    pub(crate) environment: Arc<dyn Environment>,
    /// The folder of the template, which `file` and the like start from.
    pub(crate) root: Arc<Path>,
    /// Whether `env()` may be called: only in the default of a variable.
    pub(crate) env_allowed: bool,
    /// The call of `templatefile` this is inside of, if it is: the file may not read another.
    pub(crate) template_file_of: Option<Span>,
    /// What everything may cost in sum.
    pub(crate) budget: Arc<Budget>,
    /// What there may be although it was not read.
    pub(crate) unread: Arc<Unread>,
}

impl Context {
    pub(crate) fn new(environment: Arc<dyn Environment>) -> Self {
        Self {
            environment,
            root: Path::new("").into(),
            env_allowed: false,
            template_file_of: None,
            budget: Arc::default(),
            unread: Arc::default(),
        }
    }

    /// The same with a budget of its own.
    pub(crate) fn with_new_budget(&self) -> Self {
        Self {
            budget: Arc::default(),
            ..self.clone()
        }
    }
}

/// Evaluates the expressions of one file.
pub(crate) struct Evaluator<'a> {
    pub(crate) context: &'a Context,
    pub(crate) file: FileId,
    pub(crate) diagnostics: Diagnostics,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(context: &'a Context, file: FileId) -> Self {
        Self {
            context,
            file,
            diagnostics: Diagnostics::default(),
        }
    }

    /// The value of `expression`; unknown, with something in the diagnostics, if it has none.
    pub(crate) fn evaluate(&mut self, expression: &Expression, scope: &Scope<'_>) -> Value {
        if !self.can_afford(expression) {
            return Value::UNKNOWN;
        }
        let value = match expression {
            Expression::Null(_) => Value::NULL,
            Expression::Bool(value) => Value::from(*value.value()),
            Expression::Number(number) => {
                // The parser's own number went through an f64; the text did not.
                let text = number.as_repr().map(|text| &**text).unwrap_or_default();
                match text
                    .parse::<Number>()
                    .ok()
                    .or_else(|| Number::from_f64(number.value().as_f64().unwrap_or(f64::NAN)))
                {
                    Some(number) => Value::from(number),
                    None => self.fail(expression.span(), "number out of range", ""),
                }
            }
            Expression::String(text) => Value::string(text.value()),
            Expression::Array(array) => Value::list(
                array
                    .iter()
                    .map(|element| self.evaluate(element, scope))
                    .collect::<Vec<_>>(),
            ),
            Expression::Object(object) => self.object(object, scope),
            Expression::StringTemplate(template) => self.template(template, scope),
            Expression::HeredocTemplate(heredoc) => self.heredoc(heredoc, scope),
            Expression::Parenthesis(inner) => self.evaluate(inner.inner(), scope),
            Expression::Variable(name) => self.variable(name.as_str(), name.span(), true, scope),
            Expression::Conditional(conditional) => self.conditional(conditional, scope),
            Expression::FuncCall(call) => self.call(call, scope),
            Expression::Traversal(traversal) => self.traversal(traversal, scope),
            Expression::UnaryOp(operation) => self.unary(operation, scope),
            Expression::BinaryOp(operation) => self.binary(operation, scope),
            Expression::ForExpr(expression) => self.for_expression(expression, scope),
        };
        self.bounded(value, expression)
    }

    /// Evaluates without reporting anything: the value, and what would have been reported.
    pub(crate) fn attempt(
        &mut self,
        expression: &Expression,
        scope: &Scope<'_>,
    ) -> (Value, Diagnostics) {
        let outer = std::mem::take(&mut self.diagnostics);
        let value = self.evaluate(expression, scope);
        (value, std::mem::replace(&mut self.diagnostics, outer))
    }

    pub(crate) fn span(&self, range: Option<Range<usize>>) -> Span {
        Span::new(self.file, range.unwrap_or_default())
    }

    /// Reports an error and gives the value that stands for it.
    fn fail(
        &mut self,
        range: Option<Range<usize>>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) -> Value {
        let span = self.span(range);
        self.report(Diagnostic::error(span, summary).detail(detail))
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Value {
        self.diagnostics.push(diagnostic);
        Value::UNKNOWN
    }

    /// Pays for the expression itself, not for what is in it.
    fn can_afford(&self, expression: &Expression) -> bool {
        let new = match expression {
            Expression::String(text) => text.value().len() as u64 + VALUE,
            // Its places are kept beside the values.
            Expression::Array(array) => array.len() as u64 * 2 * VALUE,
            Expression::Object(object) => object.len() as u64 * 2 * (VALUE + ENTRY),
            _ => 0,
        };
        let paid = self.context.budget.charge(STEP + new / VALUE, new);
        self.paid(paid, expression.span())
    }

    /// Whether something could be paid for; keeps the place where not.
    pub(crate) fn paid(&self, paid: Result<(), Spent>, range: Option<Range<usize>>) -> bool {
        if paid.is_err() {
            let here = self.span(range);
            let place = self.context.template_file_of.unwrap_or(here);
            self.context.budget.locate(place);
        }
        paid.is_ok()
    }

    fn bounded(&mut self, value: Value, expression: &Expression) -> Value {
        if self.context.budget.is_spent() {
            self.paid(Err(Spent), expression.span());
            return Value::UNKNOWN;
        }
        if value.depth() > MAX_DEPTH {
            let detail = format!("lists and objects in each other, more than {MAX_DEPTH} deep");
            return self.fail(expression.span(), "the value is nested too deeply", detail);
        }
        let too_large = value.weight() > MAX_WEIGHT
            || match value.kind() {
                ValueKind::String(text) => text.len() > MAX_STRING,
                ValueKind::List(elements) => elements.len() > MAX_ELEMENTS,
                ValueKind::Object(entries) => entries.len() > MAX_ELEMENTS,
                _ => false,
            };
        if too_large {
            let detail = format!(
                "a string may have {MAX_STRING} bytes, a list or object {MAX_ELEMENTS} elements, and \
                 everything together {MAX_WEIGHT} bytes"
            );
            return self.fail(expression.span(), "the value is too large", detail);
        }
        value
    }

    /// The value of a name; `bare` if nothing follows it.
    fn variable(
        &mut self,
        name: &str,
        range: Option<Range<usize>>,
        bare: bool,
        scope: &Scope<'_>,
    ) -> Value {
        if let Some(value) = scope.get(name) {
            return value.clone();
        }
        let span = self.span(range);
        // Something always follows the names of the language itself, so a bare one isn't meant.
        let names = scope
            .names()
            .into_iter()
            .filter(|name| !bare || !ROOTS.contains(name));
        let diagnostic =
            Diagnostic::error(span, format!("there is no `{name}` here")).suggest(name, names);
        let diagnostic = match &diagnostic.help {
            None if ROOTS.contains(&name) => diagnostic.detail("it can't be used in this place"),
            None if bare => {
                diagnostic.help(format!("to mean the text, put it in quotes: \"{name}\""))
            }
            _ => diagnostic,
        };
        self.report(diagnostic)
    }

    fn object(&mut self, object: &Object, scope: &Scope<'_>) -> Value {
        let mut entries = Vec::with_capacity(object.len());
        let mut wholly_known = true;
        let mut marked = false;
        for (key, value) in object {
            let value = self.evaluate(value.expr(), scope);
            let key = match key {
                ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
                ObjectKey::Expression(Expression::Null(_)) => Some("null".to_owned()),
                ObjectKey::Expression(Expression::Traversal(traversal)) => {
                    let span = self.span(traversal.span());
                    self.report(
                        Diagnostic::error(span, "ambiguous key of an object")
                            .detail("a reference as a key")
                            .help("put it in parentheses to use its value as the key"),
                    );
                    None
                }
                ObjectKey::Expression(expression) => {
                    let key = self.evaluate(expression, scope);
                    marked |= key.is_marked();
                    self.key(&key, expression.span())
                }
            };
            match key {
                Some(key) => entries.push((key, value)),
                None => wholly_known = false,
            }
        }
        if wholly_known {
            Value::object(entries).marked(marked)
        } else {
            Value::UNKNOWN
        }
    }

    /// A key of an object as text; `None`, reported if it is wrong and not only unknown.
    fn key(&mut self, key: &Value, range: Option<Range<usize>>) -> Option<String> {
        if key.is_unknown() {
            return None;
        }
        let paid = self.context.budget.charge(key.numbers(), 0);
        if !self.paid(paid, range.clone()) {
            return None;
        }
        let text = key.to_text();
        if text.is_none() {
            let detail = format!("this is {}", article(key.type_name()));
            self.fail(range, "the key of an object must be a string", detail);
        }
        text
    }
}

/// A type's name with its article: "a list", "an object", "null".
pub(crate) fn article(type_name: &str) -> String {
    match type_name {
        "null" => "null".to_owned(),
        "object" | "unknown value" => format!("an {type_name}"),
        _ => format!("a {type_name}"),
    }
}
