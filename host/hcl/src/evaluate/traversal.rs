//! `a.b`, `a[0]`, `a[*].b` and `a.*.b`.

use std::ops::Range;

use hcl::edit::expr::{Expression, Traversal, TraversalOperator};
use hcl::edit::{Decorated, Span as _};

use super::{Evaluator, article};
use crate::budget::{STEP, VALUE};
use crate::diagnostic::Diagnostic;
use crate::scope::Scope;
use crate::value::{Value, ValueKind};

/// Work of holding one name against another: the square of what names are long.
pub(crate) const SUGGESTION: u64 = 300;

type Operators = [Decorated<TraversalOperator>];

impl Evaluator<'_> {
    pub(super) fn traversal(&mut self, traversal: &Traversal, scope: &Scope<'_>) -> Value {
        let (value, root) = match &traversal.expr {
            Expression::Variable(name) => {
                let value = self.variable(name.as_str(), name.span(), false, scope);
                (value, Some(name.as_str()))
            }
            other => (self.evaluate(other, scope), None),
        };
        self.walk(value, root, &traversal.operators, scope)
    }

    fn walk(
        &mut self,
        start: Value,
        root: Option<&str>,
        operators: &Operators,
        scope: &Scope<'_>,
    ) -> Value {
        let mut value = start;
        let mut root = root;
        let mut rest = operators;
        while let Some((operator, following)) = rest.split_first() {
            if value.is_unknown() {
                return value;
            }
            rest = following;
            let range = operator.span().or_else(|| operator.value().span());
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    let range = name.span().or(range);
                    self.attribute(&value, name.as_str(), root, range)
                }
                TraversalOperator::Index(expression) => {
                    let index = self.evaluate(expression, scope);
                    self.index(&value, &index, expression.span().or(range))
                }
                TraversalOperator::LegacyIndex(index) => {
                    let index = Value::from(crate::number::Number::from(*index.value()));
                    self.index(&value, &index, range)
                }
                TraversalOperator::FullSplat(_) => {
                    return self.splat(&value, rest, scope);
                }
                TraversalOperator::AttrSplat(_) => {
                    // Only attributes belong to the elements; what follows, to the result.
                    let attributes = rest
                        .iter()
                        .take_while(|operator| {
                            matches!(
                                operator.value(),
                                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
                            )
                        })
                        .count();
                    let (inner, outer) = rest.split_at(attributes);
                    rest = outer;
                    self.splat(&value, inner, scope)
                }
            };
            root = None;
        }
        value
    }

    /// Whether the object behind the name `root` has more in it than was read.
    fn may_be_unread(&self, root: Option<&str>) -> bool {
        let unread = &self.context.unread;
        match root {
            Some("var") => unread.variables(),
            Some("local") => unread.locals(),
            Some("data") => unread.data(),
            _ => false,
        }
    }

    /// Pays for looking for a close one among so many names.
    fn can_suggest(&self, names: usize, range: Option<Range<usize>>) -> bool {
        let paid = self.context.budget.charge(names as u64 * SUGGESTION, 0);
        self.paid(paid, range)
    }

    fn splat(&mut self, value: &Value, rest: &Operators, scope: &Scope<'_>) -> Value {
        let count = value.as_list().map_or(1, <[Value]>::len);
        let steps = count as u64 * (rest.len() as u64 + 1) * STEP;
        let paid = self.context.budget.charge(steps, count as u64 * 2 * VALUE);
        let range = rest.first().and_then(|operator| operator.span());
        if !self.paid(paid, range) {
            return Value::UNKNOWN.marked(value.is_marked());
        }
        let elements = match value.kind() {
            ValueKind::Unknown => return value.clone(),
            ValueKind::Null => Vec::new(),
            ValueKind::List(elements) => elements.to_vec(),
            _ => vec![value.clone().unmarked()],
        };
        let elements: Vec<Value> = elements
            .into_iter()
            .map(|element| self.walk(element, None, rest, scope))
            .collect();
        Value::list(elements).marked(value.is_marked())
    }

    fn attribute(
        &mut self,
        value: &Value,
        name: &str,
        root: Option<&str>,
        range: Option<Range<usize>>,
    ) -> Value {
        let span = self.span(range.clone());
        match value.kind() {
            ValueKind::Object(entries) => match entries.get(name) {
                Some(entry) => entry.clone().marked(value.is_marked()),
                None if self.may_be_unread(root) => Value::UNKNOWN,
                None => {
                    if !self.can_suggest(entries.len(), range) {
                        return Value::UNKNOWN;
                    }
                    let summary = match root {
                        Some("var") => format!("there is no variable `{name}`"),
                        Some("local") => format!("there is no local value `{name}`"),
                        Some("data") => format!("there is no data source of type `{name}`"),
                        Some(root) => format!("`{root}` has no attribute `{name}`"),
                        None => format!("the object has no attribute `{name}`"),
                    };
                    let diagnostic = Diagnostic::error(span, summary)
                        .suggest(name, entries.keys().map(String::as_str));
                    let diagnostic = match (root, &diagnostic.help) {
                        (Some("var"), None) => {
                            diagnostic.help(format!("declare it: variable \"{name}\" {{}}"))
                        }
                        _ => diagnostic,
                    };
                    self.report(diagnostic)
                }
            },
            ValueKind::List(_) => self.report(
                Diagnostic::error(span, "a list has no attributes").help(format!(
                    "`[0].{name}` is that of the first element, `[*].{name}` that of all"
                )),
            ),
            ValueKind::Unknown => value.clone(),
            _ => {
                let summary = format!("{} has no attributes", article(value.type_name()));
                self.fail(range, summary, "")
            }
        }
    }

    pub(crate) fn index(
        &mut self,
        value: &Value,
        index: &Value,
        range: Option<Range<usize>>,
    ) -> Value {
        let marked = value.is_marked() || index.is_marked();
        if value.is_unknown() || index.is_unknown() {
            return Value::UNKNOWN.marked(marked);
        }
        let element = match value.kind() {
            ValueKind::List(elements) => {
                let position = index.to_number().and_then(|number| number.to_i64());
                let Some(position) = position else {
                    return self.fail(
                        range,
                        "the index of a list must be a whole number",
                        format!("this is {}", article(index.type_name())),
                    );
                };
                match usize::try_from(position)
                    .ok()
                    .and_then(|at| elements.get(at))
                {
                    Some(element) => element.clone(),
                    None => {
                        let detail = match elements.len() {
                            0 => "the list is empty".to_owned(),
                            1 => "the list has one element, [0]".to_owned(),
                            count => {
                                format!("the list has {count} elements, [0] to [{}]", count - 1)
                            }
                        };
                        return self.fail(range, "the index is out of range", detail);
                    }
                }
            }
            ValueKind::Object(entries) => {
                let length = index.as_str().map_or(0, str::len);
                let paid = self.context.budget.charge_new_text(length);
                let paid = paid.and_then(|()| self.context.budget.charge(index.numbers(), 0));
                if !self.paid(paid, range.clone()) {
                    return Value::UNKNOWN.marked(marked);
                }
                let Some(key) = index.to_text() else {
                    return self.fail(
                        range,
                        "the key of an object must be a string",
                        format!("this is {}", article(index.type_name())),
                    );
                };
                match entries.get(&key) {
                    Some(entry) => entry.clone(),
                    None => {
                        if !self.can_suggest(entries.len(), range.clone()) {
                            return Value::UNKNOWN.marked(marked);
                        }
                        let shown = if index.is_marked() {
                            "(sensitive)"
                        } else {
                            &key
                        };
                        let span = self.span(range);
                        return self.report(
                            Diagnostic::error(span, format!("the object has no key \"{shown}\""))
                                .suggest(&key, entries.keys().map(String::as_str)),
                        );
                    }
                }
            }
            _ => {
                let summary = format!("{} has no elements", article(value.type_name()));
                return self.fail(range, summary, "");
            }
        };
        element.marked(marked)
    }
}
