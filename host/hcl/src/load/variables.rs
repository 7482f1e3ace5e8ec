//! `variable` blocks and the values they get.
//!
//! From the weakest to the strongest: the default, `PKR_VAR_…` in the environment, the
//! `*.auto.pkrvars.hcl` files, the files of `-var-file` in order, `-var` in order.

use std::collections::HashSet;

use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::parser;
use hcl::edit::structure::Body;
use indexmap::IndexMap;

use super::Inputs;
use super::blocks::{Blocks, Located};
use super::variable_files::{self, Assignment};
use crate::body::Label;
use crate::budget::VALUE;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Variable;
use crate::evaluate::{Context, Evaluator};
use crate::literals;
use crate::scope::Scope;
use crate::source_map::{FileId, SourceMap, Span};
use crate::types::Type;
use crate::value::Value;

/// What the environment calls a variable: this and the name.
const ENVIRONMENT_PREFIX: &str = "PKR_VAR_";

const ATTRIBUTES: [&str; 4] = ["default", "description", "sensitive", "type"];

/// A `variable` block.
struct Declaration<'a> {
    body: Option<&'a Body>,
    file: FileId,
    span: Span,
    wanted: Type,
    /// Whether the block says which type, or the type is that of the default.
    typed: bool,
    default: Option<Value>,
    description: Option<String>,
    sensitive: bool,
}

/// Reads all declarations and gives each variable its value.
pub(super) fn resolve(
    blocks: &Blocks<'_>,
    inputs: &Inputs,
    context: &Context,
    files: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Variable> {
    let declarations = declare(blocks, context, diagnostics);
    let names: HashSet<&str> = declarations.keys().map(String::as_str).collect();
    let mut assignments: IndexMap<String, Assignment> = IndexMap::new();
    for name in &names {
        let key = format!("{ENVIRONMENT_PREFIX}{name}");
        if let Some(text) = context.environment.variable(&key) {
            let origin = format!("the environment variable {key}");
            assignments.insert((*name).to_owned(), Assignment::Text { text, origin });
        }
    }
    let unread = context.unread.variables();
    if !unread {
        warn_about_environment(&names, context, diagnostics);
    }
    let variable_files = inputs
        .auto_variable_files
        .iter()
        .chain(&inputs.variable_files);
    let given_by_files = variable_files::read(variable_files, &names, context, files, diagnostics);
    for (name, assignment) in given_by_files.assignments {
        assignments.insert(name, assignment);
    }
    for (name, text) in &inputs.variables {
        if !declarations.contains_key(name) && unread {
            continue;
        }
        if !declarations.contains_key(name) {
            diagnostics.push(
                Diagnostic::error(None, format!("there is no variable `{name}`"))
                    .detail("it is set by -var")
                    .suggest(name, names.iter().copied()),
            );
            continue;
        }
        let assignment = Assignment::Text {
            text: text.clone(),
            origin: format!("-var {name}=…"),
        };
        assignments.insert(name.clone(), assignment);
    }

    let mut variables = IndexMap::new();
    let mut origins = IndexMap::new();
    for (name, declaration) in &declarations {
        let assignment = assignments.swap_remove(name);
        origins.insert(name, assignment.as_ref().map(Assignment::origin));
        let value = match assignment {
            Some(assignment) => given(name, declaration, assignment, context, diagnostics),
            // It may be set in what could not be read.
            None if declaration.default.is_none() && !given_by_files.complete => Value::UNKNOWN,
            None => declaration.default.clone().unwrap_or_else(|| {
                diagnostics.push(
                    Diagnostic::error(
                        declaration.span,
                        format!("the variable `{name}` is not set"),
                    )
                    .detail("it has no default")
                    .help(format!(
                        "set it with -var '{name}=…', in a file given with -var-file, \
                             or by {ENVIRONMENT_PREFIX}{name} in the environment"
                    )),
                );
                Value::UNKNOWN
            }),
        };
        // Whoever looks for secrets walks through all of it, and keeps them.
        let is_secret = declaration.sensitive || value.is_sensitive();
        let kept = if is_secret { value.weight() } else { 0 };
        let paid = context.budget.charge(value.weight() / VALUE, kept);
        let value = if paid.is_ok() { value } else { Value::UNKNOWN };
        let variable = Variable {
            value: value.marked(declaration.sensitive),
            description: declaration.description.clone(),
            sensitive: declaration.sensitive,
            span: declaration.span,
        };
        variables.insert(name.clone(), variable);
    }
    let mut scope = Scope::default();
    let values = variables.iter();
    let values =
        values.map(|(name, variable): (&String, &Variable)| (name, variable.value.clone()));
    scope.set("var", Value::object(values));
    for (name, declaration) in &declarations {
        let origin = origins.get(name).and_then(Option::as_deref);
        validate(name, declaration, &scope, origin, context, diagnostics);
    }
    variables
}

/// Warns about `PKR_VAR_…` that no variable has but one nearly has. The others may well be for
/// another template.
fn warn_about_environment(names: &HashSet<&str>, context: &Context, diagnostics: &mut Diagnostics) {
    for key in context.environment.variable_names() {
        let Some(name) = key.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        if !names.contains(&name)
            && let Some(close) = crate::suggest::suggest(name, names.iter().copied())
        {
            diagnostics.push(
                Diagnostic::warning(None, format!("the environment variable {key} is not used"))
                    .help(format!("did you mean `{ENVIRONMENT_PREFIX}{close}`?")),
            );
        }
    }
}

fn declare<'a>(
    blocks: &Blocks<'a>,
    context: &Context,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Declaration<'a>> {
    let context = Context {
        env_allowed: true,
        ..context.clone()
    };
    let mut declarations: IndexMap<String, Declaration<'a>> = IndexMap::new();
    let mut found = Vec::new();
    for located in &blocks.variable {
        let mut evaluator = Evaluator::new(&context, located.file);
        let label = located.labels::<1>(&mut evaluator, "variable \"name\" { … }");
        let declaration = declaration(*located, &mut evaluator);
        diagnostics.extend(evaluator.diagnostics);
        found.extend(label.map(|[Label { text, span }]| (text, span, declaration)));
    }
    for located in &blocks.variables {
        let mut evaluator = Evaluator::new(&context, located.file);
        located.labels::<0>(&mut evaluator, "variables { name = default }");
        for attribute in located.block.body.attributes() {
            let span = evaluator.span(attribute.key.span());
            let default = evaluator.evaluate(&attribute.value, &Scope::default());
            let declaration = Declaration {
                body: None,
                file: located.file,
                span,
                wanted: type_of(&default),
                typed: false,
                default: Some(default),
                description: None,
                sensitive: false,
            };
            found.push((attribute.key.to_string(), span, declaration));
        }
        diagnostics.extend(evaluator.diagnostics);
    }
    for (name, span, declaration) in found {
        if declarations.contains_key(&name) {
            let summary = format!("the variable `{name}` is declared twice");
            diagnostics.push(Diagnostic::error(span, summary));
        } else {
            declarations.insert(name, declaration);
        }
    }
    declarations
}

fn declaration<'a>(located: Located<'a>, evaluator: &mut Evaluator<'_>) -> Declaration<'a> {
    let body = &located.block.body;
    let scope = Scope::default();
    evaluator.check_shape(body, &ATTRIBUTES, &["validation"]);
    let wanted = body.get_attribute("type").and_then(|attribute| {
        Type::parse(&attribute.value, evaluator)
            .map_err(|diagnostic| evaluator.diagnostics.push(diagnostic))
            .ok()
    });
    let default = body.get_attribute("default").map(|attribute| {
        let value = evaluator.evaluate(&attribute.value, &scope);
        match wanted
            .as_ref()
            .map(|wanted| wanted.convert_within(&value, &evaluator.context.budget))
        {
            None => value,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                let span = evaluator.span(attribute.value.span());
                evaluator.diagnostics.push(
                    Diagnostic::error(span, "the default doesn't have the type of the variable")
                        .detail(error.to_string()),
                );
                Value::UNKNOWN
            }
        }
    });
    let description = body.get_attribute("description").and_then(|attribute| {
        evaluator
            .evaluate(&attribute.value, &scope)
            .as_str()
            .map(str::to_owned)
    });
    let sensitive = body.get_attribute("sensitive").is_some_and(|attribute| {
        // What isn't a bool has been reported as such when it is evaluated; hide it meanwhile.
        evaluator
            .evaluate(&attribute.value, &scope)
            .to_bool()
            .unwrap_or(true)
    });
    let typed = wanted.is_some();
    let wanted = wanted.unwrap_or_else(|| default.as_ref().map_or(Type::Any, type_of));
    Declaration {
        body: Some(body),
        file: located.file,
        span: located.name_span(),
        wanted,
        typed,
        default,
        description,
        sensitive,
    }
}

/// The type a variable has from its default.
fn type_of(default: &Value) -> Type {
    match default.type_name() {
        "bool" => Type::Bool,
        "number" => Type::Number,
        "string" => Type::String,
        "list" => Type::List(Box::new(Type::Any)),
        "object" => Type::Map(Box::new(Type::Any)),
        _ => Type::Any,
    }
}

fn given(
    name: &str,
    declaration: &Declaration<'_>,
    assignment: Assignment,
    context: &Context,
    diagnostics: &mut Diagnostics,
) -> Value {
    let origin = assignment.origin();
    let (value, span) = match assignment {
        Assignment::Value { value, span, .. } => (value, Some(span)),
        Assignment::Text { text, .. } => match read_text(declaration, &text, context) {
            Ok(value) => (value, None),
            Err(problem) => {
                let problem = if declaration.sensitive {
                    "not an expression"
                } else {
                    &problem
                };
                diagnostics.push(
                    Diagnostic::error(None, format!("the value of the variable `{name}` is wrong"))
                        .detail(format!("{origin}: {problem}"))
                        .help(format!("its type is {}", declaration.wanted)),
                );
                return Value::UNKNOWN;
            }
        },
    };
    // A list or object may be of any type if only the default says it is one.
    let wanted = match &declaration.wanted {
        Type::Map(_) if !declaration.typed => &Type::Any,
        wanted => wanted,
    };
    wanted
        .convert_within(&value, &context.budget)
        .unwrap_or_else(|error| {
            if declaration.sensitive {
                // Neither what it says nor the line that it stands in.
                diagnostics.push(
                    Diagnostic::error(
                        declaration.span,
                        format!("the value of the variable `{name}` is wrong"),
                    )
                    .detail(format!(
                        "{origin}: what it has is of another type; it is sensitive and not shown"
                    ))
                    .help(format!("its type is {}", declaration.wanted)),
                );
                return Value::UNKNOWN;
            }
            let detail = match span {
                Some(_) => error.to_string(),
                None => format!("{origin}: {error}"),
            };
            diagnostics.push(
                Diagnostic::error(span, format!("the value of the variable `{name}` is wrong"))
                    .detail(detail)
                    .help(format!("its type is {}", declaration.wanted)),
            );
            Value::UNKNOWN
        })
}

/// A value given as text: the text itself for a string, an expression for anything else.
fn read_text(
    declaration: &Declaration<'_>,
    text: &str,
    context: &Context,
) -> Result<Value, String> {
    let literal = match declaration.wanted {
        Type::String | Type::Bool | Type::Number => true,
        Type::Any => !declaration.typed,
        _ => false,
    };
    if literal {
        return Ok(Value::string(text));
    }
    if context.budget.charge_syntax(text).is_err() {
        return Err("it is too long".to_owned());
    }
    let text_of_expression = text.trim();
    let expression = match parser::parse_expr(text_of_expression) {
        Ok(mut expression) => {
            literals::settle_expression(&mut expression, text_of_expression)
                .map_err(|misread| misread.summary.to_owned())?;
            expression
        }
        // Of any type, and no expression: then it is a string.
        Err(_) if declaration.wanted == Type::Any => return Ok(Value::string(text)),
        Err(error) => return Err(error.message().to_owned()),
    };
    if let (Type::Any, Expression::Variable(_)) = (&declaration.wanted, &expression) {
        return Ok(Value::string(text));
    }
    let mut evaluator = Evaluator::new(context, declaration.file);
    let value = evaluator.evaluate(&expression, &Scope::default());
    match evaluator.diagnostics.into_iter().next() {
        None => Ok(value),
        Some(diagnostic) => Err(diagnostic.summary),
    }
}

/// Checks the `validation` blocks of a variable.
fn validate(
    name: &str,
    declaration: &Declaration<'_>,
    scope: &Scope<'_>,
    origin: Option<&str>,
    context: &Context,
    diagnostics: &mut Diagnostics,
) {
    let Some(body) = declaration.body else { return };
    let mut evaluator = Evaluator::new(context, declaration.file);
    for block in body.get_blocks("validation") {
        evaluator.check_shape(&block.body, &["condition", "error_message"], &[]);
        let condition = block.body.get_attribute("condition");
        let message = block.body.get_attribute("error_message");
        let (Some(condition), Some(message)) = (condition, message) else {
            let span = evaluator.span(block.ident.span());
            let summary = "a `validation` needs a `condition` and an `error_message`";
            evaluator.diagnostics.push(Diagnostic::error(span, summary));
            continue;
        };
        let holds = evaluator.evaluate(&condition.value, scope);
        let message = evaluator.evaluate(&message.value, scope);
        let span = evaluator.span(condition.value.span());
        match holds.to_bool() {
            Some(true) => {}
            None if holds.is_unknown() => {}
            None => evaluator.diagnostics.push(Diagnostic::error(
                span,
                "the condition must be `true` or `false`",
            )),
            Some(false) => {
                let message = match message.as_str() {
                    Some(text) if !message.is_marked() => text.to_owned(),
                    _ => "the condition does not hold".to_owned(),
                };
                let origin = origin.unwrap_or("its default");
                evaluator.diagnostics.push(
                    Diagnostic::error(
                        span,
                        format!("the value of the variable `{name}` is not valid"),
                    )
                    .detail(message)
                    .help(format!("the value is from {origin}")),
                );
            }
        }
    }
    diagnostics.extend(evaluator.diagnostics);
}
