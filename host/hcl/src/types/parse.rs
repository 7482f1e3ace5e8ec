//! Type expressions: `list(object({ name = string }))`.

use std::collections::BTreeMap;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, FuncCall, ObjectKey};

use super::{ObjectAttribute, Type};
use crate::diagnostic::Diagnostic;
use crate::evaluate::Evaluator;
use crate::scope::Scope;
use crate::source_map::Span;
use crate::value::Value;

const NAMES: [&str; 9] = [
    "any", "bool", "list", "map", "number", "object", "set", "string", "tuple",
];

impl Type {
    /// The type that `expression` names.
    pub(crate) fn parse(
        expression: &Expression,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<Self, Diagnostic> {
        let span = evaluator.span(expression.span());
        let name = match expression {
            Expression::Variable(name) => name.as_str(),
            Expression::FuncCall(call) => return Self::parse_call(call, evaluator, span),
            // Before HCL 2 types were in quotes; templates still have it.
            Expression::String(name) => name.as_str(),
            Expression::Parenthesis(inner) => return Self::parse(inner.inner(), evaluator),
            _ => {
                return Err(Diagnostic::error(span, "not a type")
                    .help("write a type like string, number, bool or list(string)"));
            }
        };
        match name {
            "any" => Ok(Self::Any),
            "bool" => Ok(Self::Bool),
            "number" => Ok(Self::Number),
            "string" => Ok(Self::String),
            "list" => Ok(Self::List(Box::new(Self::Any))),
            "set" => Ok(Self::Set(Box::new(Self::Any))),
            "map" => Ok(Self::Map(Box::new(Self::Any))),
            "object" | "tuple" => {
                let help = if name == "object" {
                    "object({…})"
                } else {
                    "tuple([…])"
                };
                Err(
                    Diagnostic::error(span, format!("`{name}` needs to say what is in it"))
                        .help(format!("write {help}")),
                )
            }
            _ => Err(
                Diagnostic::error(span, format!("there is no type `{name}`")).suggest(name, NAMES),
            ),
        }
    }

    fn parse_call(
        call: &FuncCall,
        evaluator: &mut Evaluator<'_>,
        span: Span,
    ) -> Result<Self, Diagnostic> {
        let name = call.name.name.as_str();
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let [argument] = arguments[..] else {
            return Err(Diagnostic::error(
                span,
                format!("`{name}` takes one argument"),
            ));
        };
        let argument_span = evaluator.span(argument.span());
        match (name, argument) {
            ("list", _) => Ok(Self::List(Box::new(Self::parse(argument, evaluator)?))),
            ("set", _) => Ok(Self::Set(Box::new(Self::parse(argument, evaluator)?))),
            ("map", _) => Ok(Self::Map(Box::new(Self::parse(argument, evaluator)?))),
            ("tuple", Expression::Array(elements)) => elements
                .iter()
                .map(|element| Self::parse(element, evaluator))
                .collect::<Result<_, _>>()
                .map(Self::Tuple),
            ("tuple", _) => Err(
                Diagnostic::error(argument_span, "`tuple` takes a list of types")
                    .help("write tuple([string, number])"),
            ),
            ("object", Expression::Object(object)) => {
                let mut attributes = BTreeMap::new();
                for (key, value) in object {
                    let name = match key {
                        ObjectKey::Ident(name) => name.as_str(),
                        ObjectKey::Expression(Expression::String(name)) => name.as_str(),
                        ObjectKey::Expression(_) => {
                            let summary = "the attribute of an object type must be a name";
                            return Err(Diagnostic::error(argument_span, summary));
                        }
                    };
                    attributes.insert(name.to_owned(), parse_attribute(value.expr(), evaluator)?);
                }
                Ok(Self::Object(attributes))
            }
            ("object", _) => Err(Diagnostic::error(
                argument_span,
                "`object` takes attributes and their types",
            )
            .help("write object({ name = string })")),
            ("optional", _) => Err(Diagnostic::error(
                span,
                "only an attribute of an object can be optional",
            )),
            _ => Err(
                Diagnostic::error(span, format!("there is no type `{name}(…)`"))
                    .suggest(name, NAMES),
            ),
        }
    }
}

/// A type, or `optional(type)`, or `optional(type, default)`.
fn parse_attribute(
    expression: &Expression,
    evaluator: &mut Evaluator<'_>,
) -> Result<ObjectAttribute, Diagnostic> {
    let Expression::FuncCall(call) = expression else {
        return Ok(ObjectAttribute {
            value_type: Type::parse(expression, evaluator)?,
            default: None,
        });
    };
    if call.name.name.as_str() != "optional" {
        return Ok(ObjectAttribute {
            value_type: Type::parse(expression, evaluator)?,
            default: None,
        });
    }
    let arguments: Vec<&Expression> = call.args.iter().collect();
    let span = evaluator.span(expression.span());
    let (value_type, default) = match arguments[..] {
        [value_type] => (value_type, None),
        [value_type, default] => (value_type, Some(default)),
        _ => {
            return Err(Diagnostic::error(
                span,
                "`optional` takes a type and perhaps a default",
            ));
        }
    };
    let value_type = Type::parse(value_type, evaluator)?;
    let default = match default {
        None => Value::NULL,
        Some(default) => {
            let value = literal(default, evaluator)?;
            let span = evaluator.span(default.span());
            value_type
                .convert_within(&value, &evaluator.context.budget)
                .map_err(|error| {
                    Diagnostic::error(span, "the default doesn't have the type")
                        .detail(error.to_string())
                })?
        }
    };
    Ok(ObjectAttribute {
        value_type,
        default: Some(default),
    })
}

/// The value of an expression that refers to nothing.
fn literal(expression: &Expression, evaluator: &mut Evaluator<'_>) -> Result<Value, Diagnostic> {
    let (value, diagnostics) = evaluator.attempt(expression, &Scope::default());
    diagnostics.into_iter().next().map_or(Ok(value), Err)
}
