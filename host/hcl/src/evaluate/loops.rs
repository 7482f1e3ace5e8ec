//! `[for …]` and `{for …}`, and the loop of a template.

use std::ops::Range;

use hcl::edit::Span as _;
use hcl::edit::expr::ForExpr;

use super::{Evaluator, article};
use crate::budget::{ENTRY, VALUE};
use crate::diagnostic::Diagnostic;
use crate::scope::Scope;
use crate::value::{Value, ValueKind};

impl Evaluator<'_> {
    pub(super) fn for_expression(&mut self, expression: &ForExpr, scope: &Scope<'_>) -> Value {
        let intro = &expression.intro;
        let collection = self.evaluate(&intro.collection_expr, scope);
        let Some(items) = self.items(&collection, intro.collection_expr.span()) else {
            return Value::UNKNOWN.marked(collection.is_marked());
        };
        let mut known = true;
        let mut marked = collection.is_marked();
        let mut elements = Vec::new();
        let mut entries: Vec<(String, Vec<Value>)> = Vec::new();
        let mut positions = std::collections::HashMap::new();
        for (key, value) in items {
            if self.context.budget.is_spent() {
                return Value::UNKNOWN.marked(marked);
            }
            let mut inner = scope.child();
            if let Some(name) = &intro.key_var {
                inner.set(name.as_str(), key);
            }
            inner.set(intro.value_var.as_str(), value);
            if let Some(condition) = &expression.cond {
                let wanted = self.evaluate(&condition.expr, &inner);
                marked |= wanted.is_marked();
                match self.truth(&wanted, condition.expr.span()) {
                    Some(true) => {}
                    Some(false) => continue,
                    None => {
                        known = false;
                        continue;
                    }
                }
            }
            let Some(key_expression) = &expression.key_expr else {
                elements.push(self.evaluate(&expression.value_expr, &inner));
                continue;
            };
            let key = self.evaluate(key_expression, &inner);
            let value = self.evaluate(&expression.value_expr, &inner);
            let secret = key.is_marked();
            marked |= secret;
            let Some(key) = self.key(&key, key_expression.span()) else {
                known = false;
                continue;
            };
            // In the table of positions, and in the object.
            let size = 2 * (key.len() as u64 + VALUE + ENTRY);
            let paid = self.context.budget.charge(size / VALUE, size);
            if !self.paid(paid, key_expression.span()) {
                return Value::UNKNOWN.marked(marked);
            }
            match positions.get(&key) {
                None => {
                    positions.insert(key.clone(), entries.len());
                    entries.push((key, vec![value]));
                }
                Some(&position) if expression.grouping => entries[position].1.push(value),
                Some(_) => {
                    let span = self.span(key_expression.span());
                    let key = if secret { "(sensitive)" } else { &key };
                    self.report(
                        Diagnostic::error(span, format!("the key \"{key}\" comes up twice"))
                            .help("write `...` behind the value to collect all values of a key"),
                    );
                    known = false;
                }
            }
        }
        if !known {
            return Value::UNKNOWN.marked(marked);
        }
        let value = if expression.key_expr.is_none() {
            Value::list(elements)
        } else {
            Value::object(entries.into_iter().map(|(key, mut values)| {
                let value = if expression.grouping {
                    Value::list(values)
                } else {
                    values.pop().unwrap_or(Value::NULL)
                };
                (key, value)
            }))
        };
        value.marked(marked)
    }

    /// Keys and values of a collection; `None`, reported if it is none and not only unknown.
    pub(crate) fn items(
        &mut self,
        collection: &Value,
        range: Option<Range<usize>>,
    ) -> Option<Vec<(Value, Value)>> {
        // A key and a value for each, and what they are put into.
        let count = match collection.kind() {
            ValueKind::List(elements) => elements.len() as u64 * 4 * VALUE,
            ValueKind::Object(entries) => {
                let keys = entries.keys().map(|key| key.len() as u64 + 4 * VALUE);
                keys.sum()
            }
            _ => 0,
        };
        let paid = self.context.budget.charge(count / VALUE, count);
        if !self.paid(paid, range.clone()) {
            return None;
        }
        match collection.kind() {
            ValueKind::List(elements) => Some(
                elements
                    .iter()
                    .enumerate()
                    .map(|(at, v)| (Value::from(at), v.clone()))
                    .collect(),
            ),
            ValueKind::Object(entries) => Some(
                entries
                    .iter()
                    .map(|(k, v)| (Value::string(k), v.clone()))
                    .collect(),
            ),
            ValueKind::Unknown => None,
            _ => {
                let detail = format!("this is {}", article(collection.type_name()));
                self.fail(range, "only a list or an object can be looped over", detail);
                None
            }
        }
    }
}
