//! Arithmetic, comparison, logic and the conditional.

use std::ops::Range;

use hcl::edit::Span as _;
use hcl::edit::expr::{BinaryOp, BinaryOperator, Conditional, Expression, UnaryOp, UnaryOperator};

use super::{Evaluator, article};
use crate::number::Number;
use crate::scope::Scope;
use crate::types::unify;
use crate::value::{Value, ValueKind};

impl Evaluator<'_> {
    pub(super) fn conditional(&mut self, conditional: &Conditional, scope: &Scope<'_>) -> Value {
        let condition = self.evaluate(&conditional.cond_expr, scope);
        let Some(holds) = self.truth(&condition, conditional.cond_expr.span()) else {
            return Value::UNKNOWN.marked(condition.is_marked());
        };
        let (chosen, other) = if holds {
            (&conditional.true_expr, &conditional.false_expr)
        } else {
            (&conditional.false_expr, &conditional.true_expr)
        };
        let value = self.evaluate(chosen, scope);
        let value = match value.is_null() || value.is_unknown() {
            true => value,
            false => self.beside(value, other, conditional, scope),
        };
        value.marked(condition.is_marked())
    }

    /// The value of one branch in the type that both have.
    fn beside(
        &mut self,
        value: Value,
        other: &Expression,
        conditional: &Conditional,
        scope: &Scope<'_>,
    ) -> Value {
        let (other, diagnostics) = self.attempt(other, scope);
        if diagnostics.has_errors() {
            return value;
        }
        let budget = &self.context.budget;
        let unified = unify(&[&value, &other], budget).and_then(|change| match change {
            Some(change) => change.apply(&value, budget).map(Some),
            None => Ok(None),
        });
        let range = conditional.span();
        match unified {
            Ok(Some(unified)) => unified,
            Ok(None) => {
                let (one, two) = (article(value.type_name()), article(other.type_name()));
                let detail = match one == two {
                    true => {
                        format!("what is in {one} is not of one type with what is in the other")
                    }
                    false => format!("one is {one}, the other {two}"),
                };
                self.fail(
                    range,
                    "the two values of the condition have no type in common",
                    detail,
                )
            }
            Err(spent) => {
                self.paid(Err(spent), range);
                Value::UNKNOWN.marked(value.is_marked())
            }
        }
    }

    pub(super) fn unary(&mut self, operation: &UnaryOp, scope: &Scope<'_>) -> Value {
        let value = self.evaluate(&operation.expr, scope);
        let range = operation.expr.span();
        let result = match operation.operator.value() {
            UnaryOperator::Neg => self.number(&value, range).map(|n| Value::from(n.negated())),
            UnaryOperator::Not => self.truth(&value, range).map(|truth| Value::from(!truth)),
        };
        result.unwrap_or(Value::UNKNOWN).marked(value.is_marked())
    }

    pub(super) fn binary(&mut self, operation: &BinaryOp, scope: &Scope<'_>) -> Value {
        use BinaryOperator::{And, Eq, NotEq, Or};
        let operator = *operation.operator.value();
        let left = self.evaluate(&operation.lhs_expr, scope);
        if matches!(operator, And | Or) {
            return self.logic(operation, operator, &left, scope);
        }
        let right = self.evaluate(&operation.rhs_expr, scope);
        let marked = left.is_sensitive() || right.is_sensitive();
        let result = match operator {
            Eq | NotEq if left.is_wholly_known() && right.is_wholly_known() => {
                // They are walked through together, as far as the lighter one goes.
                let weight = left.weight().min(right.weight());
                let numbers = left.numbers().min(right.numbers());
                let work = (weight / 16 + 1).saturating_add(numbers);
                let paid = self.context.budget.charge(work, 0);
                if !self.paid(paid, operation.span()) {
                    return Value::UNKNOWN.marked(marked);
                }
                Some(Value::from(equal(&left, &right) == (operator == Eq)))
            }
            Eq | NotEq => None,
            _ => {
                let left = self.number(&left, operation.lhs_expr.span());
                let right = self.number(&right, operation.rhs_expr.span());
                left.zip(right)
                    .and_then(|(left, right)| self.arithmetic(operator, &left, &right, operation))
            }
        };
        result.unwrap_or(Value::UNKNOWN).marked(marked)
    }

    /// `&&` and `||`: the right side is only looked at when it decides.
    fn logic(
        &mut self,
        operation: &BinaryOp,
        operator: BinaryOperator,
        left: &Value,
        scope: &Scope<'_>,
    ) -> Value {
        let decisive = operator == BinaryOperator::Or;
        let left_truth = self.truth(left, operation.lhs_expr.span());
        if left_truth == Some(decisive) {
            return Value::from(decisive).marked(left.is_marked());
        }
        let right = self.evaluate(&operation.rhs_expr, scope);
        let right_truth = self.truth(&right, operation.rhs_expr.span());
        let result = match (left_truth, right_truth) {
            (Some(_), Some(right)) => Value::from(right),
            (None, Some(right)) if right == decisive => Value::from(decisive),
            _ => Value::UNKNOWN,
        };
        result.marked(left.is_marked() || right.is_marked())
    }

    fn arithmetic(
        &mut self,
        operator: BinaryOperator,
        left: &Number,
        right: &Number,
        operation: &BinaryOp,
    ) -> Option<Value> {
        use BinaryOperator::{Div, Greater, GreaterEq, Less, LessEq, Minus, Mod, Mul, Plus};
        let paid = self.context.budget.charge(left.work() + right.work(), 0);
        if !self.paid(paid, operation.span()) {
            return None;
        }
        let number = match operator {
            Less => return Some(Value::from(left < right)),
            LessEq => return Some(Value::from(left <= right)),
            Greater => return Some(Value::from(left > right)),
            GreaterEq => return Some(Value::from(left >= right)),
            Div | Mod if right.is_zero() => {
                self.fail(
                    operation.rhs_expr.span(),
                    "division by zero",
                    "this is zero",
                );
                return None;
            }
            Plus => left.add(right),
            Minus => left.subtract(right),
            Mul => left.multiply(right),
            Div => left.divide(right),
            Mod => left.remainder(right),
            _ => None,
        };
        if number.is_none() {
            self.fail(operation.span(), "the result is out of range", "");
        }
        number.map(Value::from)
    }

    /// A bool, loosely; `None`, reported if it is wrong and not only unknown.
    pub(super) fn truth(&mut self, value: &Value, range: Option<Range<usize>>) -> Option<bool> {
        let truth = value.to_bool();
        if truth.is_none() && !value.is_unknown() {
            let detail = format!("this is {}", article(value.type_name()));
            self.fail(range, "a bool is needed, `true` or `false`", detail);
        }
        truth
    }

    /// A number, loosely; `None`, reported if it is wrong and not only unknown.
    pub(super) fn number(&mut self, value: &Value, range: Option<Range<usize>>) -> Option<Number> {
        let number = value.to_number();
        if number.is_none() && !value.is_unknown() {
            let detail = match value.as_str() {
                Some(_) => "this string is not one".to_owned(),
                None => format!("this is {}", article(value.type_name())),
            };
            self.fail(range, "a number is needed", detail);
        }
        number
    }
}

/// Whether two values are the same, marks aside.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left.kind(), right.kind()) {
        (ValueKind::List(left), ValueKind::List(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(l, r)| equal(l, r))
        }
        (ValueKind::Object(left), ValueKind::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right.iter())
                    .all(|(l, r)| l.0 == r.0 && equal(l.1, r.1))
        }
        (left, right) => left == right,
    }
}
