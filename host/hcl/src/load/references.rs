//! Which locals and data sources an expression refers to.

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, Traversal, TraversalOperator};
use hcl::edit::structure::Body;
use hcl::edit::visit::{Visit, visit_expr, visit_traversal_operator};

/// Something that must be known first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    /// `local.name`.
    Local(String),
    /// `data.type.name`.
    Data(String, String),
    /// All of them: `local`, as it is given to `templatefile`.
    AllLocals,
    /// All of them, or all of one type: what is behind `data` is not a plain name.
    AllData,
}

/// References with the bytes they stand at.
#[derive(Default)]
pub(super) struct References(pub(super) Vec<(Reference, std::ops::Range<usize>)>);

impl References {
    pub(super) fn of_expression(expression: &Expression) -> Self {
        let mut references = Self::default();
        references.visit_expr(expression);
        references
    }

    pub(super) fn of_body(body: &Body) -> Self {
        let mut references = Self::default();
        references.visit_body(body);
        references
    }
}

impl Visit for References {
    fn visit_expr(&mut self, expression: &Expression) {
        if let Expression::Variable(name) = expression {
            let reference = match name.as_str() {
                "local" => Reference::AllLocals,
                "data" => Reference::AllData,
                _ => return,
            };
            self.0
                .push((reference, expression.span().unwrap_or_default()));
        } else {
            visit_expr(self, expression);
        }
    }

    fn visit_traversal(&mut self, traversal: &Traversal) {
        let attribute = |position: usize| match traversal.operators.get(position)?.value() {
            TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
            TraversalOperator::Index(Expression::String(key)) => Some(key.value().clone()),
            _ => None,
        };
        match &traversal.expr {
            Expression::Variable(name) => {
                let reference = match (name.as_str(), attribute(0), attribute(1)) {
                    ("local", Some(name), _) => Some(Reference::Local(name)),
                    ("local", None, _) => Some(Reference::AllLocals),
                    ("data", Some(type_name), Some(name)) => Some(Reference::Data(type_name, name)),
                    ("data", ..) => Some(Reference::AllData),
                    _ => None,
                };
                let range = traversal.span().unwrap_or_default();
                self.0.extend(reference.map(|reference| (reference, range)));
            }
            other => self.visit_expr(other),
        }
        for operator in &traversal.operators {
            visit_traversal_operator(self, operator.value());
        }
    }
}
