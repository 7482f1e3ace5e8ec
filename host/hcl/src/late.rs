//! Bodies that are evaluated when the machine is there.

use hcl::edit::structure;

use crate::body::Body;
use crate::diagnostic::Diagnostics;
use crate::document::BUILD_ATTRIBUTES;
use crate::evaluate::{Context, Evaluator};
use crate::scope::Scope;
use crate::source_map::{FileId, Span};
use crate::value::Value;

/// A body that may refer to `build` and `source`, with everything else it refers to.
pub(crate) struct LateBody {
    pub(crate) body: structure::Body,
    pub(crate) file: FileId,
    pub(crate) span: Span,
    /// Attributes that belong to every block of the kind and are evaluated early.
    pub(crate) without: &'static [&'static str],
    pub(crate) scope: Scope<'static>,
    pub(crate) context: Context,
}

impl LateBody {
    /// The body, within a budget of its own.
    pub(crate) fn evaluate(&self, build: &Value, source: &Value) -> Result<Body, Diagnostics> {
        self.evaluate_in(&self.context.with_new_budget(), build, source)
    }

    fn evaluate_in(
        &self,
        context: &Context,
        build: &Value,
        source: &Value,
    ) -> Result<Body, Diagnostics> {
        let mut scope = self.scope.child();
        scope.set("build", build.clone());
        scope.set("source", source.clone());
        let mut evaluator = Evaluator::new(context, self.file);
        let body = evaluator.body(&self.body, self.span, self.without, &scope);
        evaluator.diagnostics.extend(context.budget.error());
        if evaluator.diagnostics.has_errors() {
            Err(evaluator.diagnostics)
        } else {
            Ok(body)
        }
    }

    /// What is wrong with the body whatever the machine will be like; paid for by the template.
    pub(crate) fn check(&self) -> Diagnostics {
        let build = Value::object(BUILD_ATTRIBUTES.map(|name| (name, Value::UNKNOWN)));
        let source = Value::object(["name", "type"].map(|name| (name, Value::UNKNOWN)));
        let checked = self.evaluate_in(&self.context, &build, &source);
        checked.err().unwrap_or_default()
    }
}
