//! Function calls, and the four functions that need their arguments unevaluated.

use std::path::Path;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, FuncCall};
use hcl::edit::parser;

use super::{Context, Evaluator, article};
use crate::budget::{Spent, VALUE};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::functions::{self, Arguments, Function, Kind, Parameter};
use crate::literals;
use crate::scope::Scope;
use crate::source_map::{SourceMap, Span, line_and_column};
use crate::types::Type;
use crate::value::{Value, ValueKind};

/// An argument and where it stands.
struct Argument {
    value: Value,
    span: Span,
}

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Value {
        let name = call.name.name.as_str();
        if call.name.is_namespaced() {
            let span = self.span(call.name.name.span());
            return self.report(
                Diagnostic::error(span, "functions of plugins are not supported")
                    .detail(format!("`{name}` is in a namespace")),
            );
        }
        match name {
            "try" => self.call_try(call, scope),
            "can" => self.call_can(call, scope),
            "convert" => self.call_convert(call, scope),
            "templatefile" => self.call_templatefile(call, scope),
            _ => match functions::find(name) {
                Some(function) => self.call_function(function, call, scope),
                None => {
                    let span = self.span(call.name.name.span());
                    self.report(unknown_function(name, span))
                }
            },
        }
    }

    fn call_function(
        &mut self,
        function: &'static Function,
        call: &FuncCall,
        scope: &Scope<'_>,
    ) -> Value {
        let Some(arguments) = self.arguments(call, scope) else {
            return Value::UNKNOWN;
        };
        let name_span = self.span(call.name.name.span());
        let whole = match call.args.span() {
            Some(arguments) => name_span.to(self.span(Some(arguments))),
            None => name_span,
        };
        if !self.count_is_right(function, &arguments, whole) {
            return Value::UNKNOWN;
        }
        let mut known = true;
        let mut marked = false;
        let mut values = Vec::with_capacity(arguments.len());
        for (position, Argument { value, span }) in arguments.iter().enumerate() {
            // What only moves elements about leaves them their marks, and may not know them.
            let (is_marked, is_known) = if function.structural {
                (value.is_marked(), !value.is_unknown())
            } else {
                (value.is_sensitive(), value.is_wholly_known())
            };
            marked |= is_marked;
            if !is_known {
                known = false;
                continue;
            }
            if !function.structural {
                let paid = self.context.budget.charge(value.numbers(), 0);
                if !self.paid(paid, call.name.name.span()) {
                    return Value::UNKNOWN;
                }
            }
            let parameter = function.parameter(position);
            // A list of numbers may have to become one of texts.
            if matches!(parameter.kind, Kind::Strings | Kind::Numbers) {
                let paid = self
                    .context
                    .budget
                    .charge(value.weight() / VALUE, value.weight());
                if !self.paid(paid, call.name.name.span()) {
                    return Value::UNKNOWN;
                }
            }
            match parameter.kind.convert(value) {
                Ok(value) => values.push(value.unmarked()),
                Err(problem) => {
                    known = false;
                    self.report(argument_error(function.name, parameter, *span, &problem));
                }
            }
        }
        if !known {
            return Value::UNKNOWN.marked(marked);
        }
        let paid = function.charge(&values, &self.context.budget);
        if !self.paid(paid, call.name.name.span()) {
            return Value::UNKNOWN.marked(marked);
        }
        let outcome = (function.run)(&Arguments {
            values: &values,
            context: self.context,
        });
        if self.context.budget.is_spent() {
            self.paid(Err(Spent), call.name.name.span());
            return Value::UNKNOWN.marked(marked);
        }
        match outcome {
            Ok(value) => value.marked(marked),
            Err(error) => {
                let span = error
                    .argument
                    .and_then(|position| arguments.get(position))
                    .map_or(whole, |argument| argument.span);
                let detail = if marked {
                    "not shown, because an argument is sensitive".to_owned()
                } else {
                    error.message
                };
                self.report(
                    Diagnostic::error(span, format!("`{}` failed", function.name)).detail(detail),
                )
            }
        }
    }

    /// The arguments, the last one spread out if it ends in `...`; `None` if that is unknown.
    fn arguments(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Option<Vec<Argument>> {
        let mut arguments = Vec::with_capacity(call.args.len());
        let last = call.args.len().checked_sub(1);
        for (position, expression) in call.args.iter().enumerate() {
            let value = self.evaluate(expression, scope);
            let span = self.span(expression.span());
            if !(call.args.expand_final() && Some(position) == last) {
                arguments.push(Argument { value, span });
                continue;
            }
            match value.kind() {
                ValueKind::List(elements) => {
                    let paid = self.context.budget.charge_elements(elements.len() * 2);
                    if !self.paid(paid, expression.span()) {
                        return None;
                    }
                    let marked = value.is_marked();
                    arguments.extend(elements.iter().map(|element| Argument {
                        value: element.clone().marked(marked),
                        span,
                    }));
                }
                ValueKind::Unknown => return None,
                _ => {
                    let detail = format!("this is {}", article(value.type_name()));
                    self.fail(
                        expression.span(),
                        "only a list can be spread with `...`",
                        detail,
                    );
                    return None;
                }
            }
        }
        Some(arguments)
    }

    fn count_is_right(&mut self, function: &Function, arguments: &[Argument], span: Span) -> bool {
        let count = arguments.len();
        let limit = if function.variadic {
            usize::MAX
        } else {
            function.parameters.len()
        };
        if (function.required..=limit).contains(&count) {
            return true;
        }
        let summary = if count > limit {
            format!("too many arguments for `{}`", function.name)
        } else {
            format!("too few arguments for `{}`", function.name)
        };
        let span = arguments.get(limit).map_or(span, |argument| argument.span);
        self.report(
            Diagnostic::error(span, summary)
                .detail(format!("{count} given"))
                .help(format!("it is {}", function.signature())),
        );
        false
    }

    fn call_try(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Value {
        let mut reasons = Vec::new();
        for expression in call.args.iter() {
            let (value, diagnostics) = self.attempt(expression, scope);
            if diagnostics.has_errors() {
                reasons.extend(first_error(diagnostics));
                continue;
            }
            return value;
        }
        let span = self.span(call.span());
        let diagnostic = if call.args.is_empty() {
            Diagnostic::error(span, "too few arguments for `try`").help("it is try(expression, …)")
        } else {
            Diagnostic::error(span, "none of the expressions of `try` succeeded")
                .detail(reasons.join("; "))
        };
        self.report(diagnostic)
    }

    fn call_can(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Value {
        let Some([expression]) = self.exactly(call, "can(expression)") else {
            return Value::UNKNOWN;
        };
        let (value, diagnostics) = self.attempt(expression, scope);
        if diagnostics.has_errors() {
            Value::from(false)
        } else if value.is_wholly_known() {
            Value::from(true)
        } else {
            Value::UNKNOWN
        }
    }

    fn call_convert(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Value {
        let Some([expression, wanted]) = self.exactly(call, "convert(value, type)") else {
            return Value::UNKNOWN;
        };
        let value = self.evaluate(expression, scope);
        let source = wanted.span().map_or(0, |range| range.len());
        let paid = self.context.budget.charge_new_text(source * 8);
        if !self.paid(paid, wanted.span()) {
            return Value::UNKNOWN;
        }
        match Type::parse(wanted, self) {
            Err(diagnostic) => self.report(diagnostic),
            Ok(wanted) => match wanted.convert_within(&value, &self.context.budget) {
                Ok(value) => value,
                Err(_) if self.context.budget.is_spent() => {
                    self.paid(Err(Spent), call.name.name.span());
                    Value::UNKNOWN
                }
                Err(error) => self.fail(expression.span(), "`convert` failed", error.to_string()),
            },
        }
    }

    fn call_templatefile(&mut self, call: &FuncCall, scope: &Scope<'_>) -> Value {
        let Some([path, variables]) = self.exactly(call, "templatefile(path, variables)") else {
            return Value::UNKNOWN;
        };
        if self.context.template_file_of.is_some() {
            let detail = "a file read by `templatefile` may not call it again";
            return self.fail(call.span(), "`templatefile` failed", detail);
        }
        let path_value = self.evaluate(path, scope);
        let variables_value = self.evaluate(variables, scope);
        if path_value.is_unknown() || variables_value.is_unknown() {
            return Value::UNKNOWN;
        }
        let Some(name) = path_value.as_str() else {
            let detail = format!("the path is {}", article(path_value.type_name()));
            return self.fail(path.span(), "`templatefile` failed", detail);
        };
        let ValueKind::Object(entries) = variables_value.kind() else {
            let detail = format!(
                "the variables are {}, and must be an object",
                article(variables_value.type_name())
            );
            return self.fail(variables.span(), "`templatefile` failed", detail);
        };
        let text = match functions::read_text(self.context, Path::new(name)) {
            Ok(text) => text,
            Err(_) if path_value.is_marked() => {
                let detail = "not shown, because an argument is sensitive";
                return self.fail(path.span(), "`templatefile` failed", detail);
            }
            Err(problem) => return self.fail(path.span(), "`templatefile` failed", problem),
        };
        let paid = self.context.budget.charge_syntax(&text);
        let paid = paid.and_then(|()| self.context.budget.charge_elements(entries.len() * 2));
        if !self.paid(paid, call.span()) {
            return Value::UNKNOWN;
        }
        let mut inner = Scope::default();
        for (key, value) in entries.iter() {
            inner.set(key, value.clone().marked(variables_value.is_marked()));
        }
        let place = self.span(call.span());
        match self.render_file(name, text, place, &inner) {
            Ok(value) => value.marked(path_value.is_marked()),
            Err(problem) => self.fail(call.span(), "`templatefile` failed", problem),
        }
    }

    /// Renders a template file; the error names the place in that file.
    fn render_file(
        &self,
        name: &str,
        text: String,
        place: Span,
        scope: &Scope<'_>,
    ) -> Result<Value, String> {
        let mut template = parser::parse_template(&text).map_err(|error| {
            let at = error.location();
            format!("{name}:{}:{}: {}", at.line(), at.column(), error.message())
        })?;
        literals::settle_template(&mut template, &text).map_err(|misread| {
            let (line, column) = line_and_column(&text, misread.range.start);
            format!("{name}:{line}:{column}: {}", misread.summary)
        })?;
        let mut files = SourceMap::default();
        let file = files.add(name, text);
        let context = Context {
            template_file_of: Some(place),
            ..self.context.clone()
        };
        let mut evaluator = Evaluator::new(&context, file);
        let value = evaluator.template(&template, scope);
        let mut problems = evaluator.diagnostics.into_iter().map(|diagnostic| {
            let place = diagnostic.span.map_or_else(String::new, |span| {
                let (line, column) = files.line_and_column(span);
                format!("{name}:{line}:{column}: ")
            });
            [diagnostic.summary, diagnostic.detail]
                .into_iter()
                .filter(|part| !part.is_empty())
                .chain(diagnostic.help)
                .fold(place, |text, part| {
                    if text.is_empty() || text.ends_with(' ') {
                        text + &part
                    } else {
                        text + ", " + &part
                    }
                })
        });
        match problems.next() {
            None => Ok(value),
            Some(first) => Err(first),
        }
    }

    /// The arguments of a call that takes exactly `N`; reports if there are more or fewer.
    fn exactly<'e, const N: usize>(
        &mut self,
        call: &'e FuncCall,
        signature: &str,
    ) -> Option<[&'e Expression; N]> {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let count = arguments.len();
        let arguments = arguments
            .try_into()
            .ok()
            .filter(|_| !call.args.expand_final());
        if arguments.is_none() {
            let span = self.span(call.span());
            let summary = format!(
                "wrong number of arguments for `{}`",
                call.name.name.as_str()
            );
            self.report(
                Diagnostic::error(span, summary)
                    .detail(format!("{count} given"))
                    .help(format!("it is {signature}")),
            );
        }
        arguments
    }
}

fn first_error(diagnostics: Diagnostics) -> Option<String> {
    diagnostics
        .into_iter()
        .find(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.summary)
}

fn argument_error(name: &str, parameter: &Parameter, span: Span, problem: &str) -> Diagnostic {
    Diagnostic::error(
        span,
        format!("wrong argument for `{}` of `{name}`", parameter.name),
    )
    .detail(problem.to_owned())
}

fn unknown_function(name: &str, span: Span) -> Diagnostic {
    if let Some(reason) = functions::not_supported(name) {
        return Diagnostic::error(span, format!("the function `{name}` is not supported"))
            .detail(reason);
    }
    let diagnostic = Diagnostic::error(span, format!("there is no function `{name}`"));
    match functions::replacement(name) {
        Some(replacement) => diagnostic.help(format!("write {replacement} instead")),
        None => diagnostic.suggest(name, functions::names()),
    }
}
