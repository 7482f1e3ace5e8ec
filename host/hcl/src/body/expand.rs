//! From parsed bodies to evaluated ones; `dynamic` blocks become the blocks they stand for.

use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::structure::{self, BlockLabel, Structure};
use indexmap::IndexMap;

use super::{Attribute, Block, Body, ElementSpans, Label};
use crate::budget::VALUE;
use crate::diagnostic::Diagnostic;
use crate::evaluate::Evaluator;
use crate::scope::Scope;
use crate::source_map::Span;
use crate::value::Value;

/// Bytes of an attribute, without its value.
const ATTRIBUTE: u64 = 512;

/// Bytes of a block, without what is in it.
pub(crate) const BLOCK: u64 = 1024;

/// A block that is written out or that a `dynamic` block stands for, not evaluated yet.
pub(crate) struct ExpandedBlock<'a> {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) labels: Vec<Label>,
    pub(crate) body: &'a structure::Body,
    pub(crate) span: Span,
    /// The iterators of the `dynamic` blocks around it.
    pub(crate) iterators: Vec<(String, Value)>,
}

impl ExpandedBlock<'_> {
    /// `scope` with the iterators.
    pub(crate) fn scope<'a>(&self, scope: &'a Scope<'a>) -> Scope<'a> {
        let mut inner = scope.child();
        for (name, value) in &self.iterators {
            inner.set(name, value.clone());
        }
        inner
    }
}

impl Evaluator<'_> {
    /// Evaluates all of a body but the attributes named in `without`.
    pub(crate) fn body(
        &mut self,
        body: &structure::Body,
        span: Span,
        without: &[&str],
        scope: &Scope<'_>,
    ) -> Body {
        let mut attributes = IndexMap::new();
        for attribute in body.attributes() {
            if self.context.budget.is_spent() {
                break;
            }
            let name = attribute.key.as_str();
            if !without.contains(&name) {
                attributes.insert(name.to_owned(), self.body_attribute(attribute, scope));
            }
        }
        let blocks = self
            .expand(body, scope)
            .into_iter()
            .map(|block| {
                let inner = block.scope(scope);
                let body = self.body(block.body, block.span, &[], &inner);
                let ExpandedBlock {
                    name,
                    name_span,
                    labels,
                    span,
                    ..
                } = block;
                Block {
                    name,
                    name_span,
                    labels,
                    body,
                    span,
                }
            })
            .collect();
        Body {
            attributes,
            blocks,
            span,
        }
    }

    /// Evaluates one attribute.
    pub(crate) fn body_attribute(
        &mut self,
        attribute: &structure::Attribute,
        scope: &Scope<'_>,
    ) -> Attribute {
        let value = self.evaluate(&attribute.value, scope);
        // Whoever reads the option walks through its value, and makes something of it.
        let size = value.weight().saturating_add(ATTRIBUTE);
        let paid = self.context.budget.charge(size / VALUE, size);
        let is_paid = self.paid(paid, attribute.value.span());
        Attribute {
            name_span: self.span(attribute.key.span()),
            value: if is_paid { value } else { Value::UNKNOWN },
            value_span: self.span(attribute.value.span()),
            elements: ElementSpans::of(&attribute.value, self.file),
        }
    }

    /// The blocks of a body in order.
    pub(crate) fn expand<'a>(
        &mut self,
        body: &'a structure::Body,
        scope: &Scope<'_>,
    ) -> Vec<ExpandedBlock<'a>> {
        let mut blocks = Vec::new();
        for block in body.iter().filter_map(Structure::as_block) {
            let paid = self.context.budget.charge(BLOCK / VALUE, BLOCK);
            if !self.paid(paid, block.ident.span()) {
                break;
            }
            if block.has_ident("dynamic") {
                self.expand_dynamic(block, scope, &mut blocks);
            } else {
                blocks.push(ExpandedBlock {
                    name: block.ident.as_str().to_owned(),
                    name_span: self.span(block.ident.span()),
                    labels: self.labels(block),
                    body: &block.body,
                    span: self.span(block.span()),
                    iterators: Vec::new(),
                });
            }
        }
        blocks
    }

    /// The labels of a block as they are written.
    pub(crate) fn labels(&self, block: &structure::Block) -> Vec<Label> {
        let label = |label: &BlockLabel| Label {
            text: label.as_str().to_owned(),
            span: self.span(label.span()),
        };
        block.labels.iter().map(label).collect()
    }

    fn expand_dynamic<'a>(
        &mut self,
        dynamic: &'a structure::Block,
        scope: &Scope<'_>,
        blocks: &mut Vec<ExpandedBlock<'a>>,
    ) {
        let span = self.span(dynamic.ident.span());
        let labels = self.labels(dynamic);
        let [name] = &labels[..] else {
            self.diagnostics.push(
                Diagnostic::error(
                    span,
                    "a `dynamic` block takes one label, the block it makes",
                )
                .help("write dynamic \"name\" { for_each = … content { … } }"),
            );
            return;
        };
        let before = self.diagnostics.len();
        self.check_shape(
            &dynamic.body,
            &["for_each", "iterator", "labels"],
            &["content"],
        );
        let content = dynamic.body.get_blocks("content").next();
        let for_each = dynamic.body.get_attribute("for_each");
        let (Some(content), Some(for_each)) = (content, for_each) else {
            let missing = if content.is_none() {
                "content { … }"
            } else {
                "for_each = …"
            };
            self.diagnostics.push(Diagnostic::error(
                span,
                format!("the `dynamic` block has no `{missing}`"),
            ));
            return;
        };
        let iterator = match dynamic
            .body
            .get_attribute("iterator")
            .map(|found| &found.value)
        {
            None => name.text.clone(),
            Some(Expression::Variable(iterator)) => iterator.as_str().to_owned(),
            Some(other) => {
                let span = self.span(other.span());
                self.diagnostics
                    .push(Diagnostic::error(span, "`iterator` is a name, unquoted"));
                return;
            }
        };
        if self.diagnostics.len() > before {
            return;
        }
        let collection = self.evaluate(&for_each.value, scope);
        let marked = collection.is_marked();
        let items = match self.items(&collection, for_each.value.span()) {
            Some(items) => items,
            // How many blocks there will be isn't known; one stands for all.
            None if collection.is_unknown() => vec![(Value::UNKNOWN, Value::UNKNOWN)],
            None => return,
        };
        for (key, value) in items {
            let paid = self.context.budget.charge(BLOCK / VALUE, BLOCK);
            if !self.paid(paid, for_each.value.span()) {
                return;
            }
            let item = Value::object([("key", key), ("value", value.marked(marked))]);
            let mut inner = scope.child();
            inner.set(&iterator, item.clone());
            let labels = match dynamic.body.get_attribute("labels") {
                None => Vec::new(),
                Some(labels) => self.dynamic_labels(&labels.value, &inner),
            };
            blocks.push(ExpandedBlock {
                name: name.text.clone(),
                name_span: name.span,
                labels,
                body: &content.body,
                span: self.span(dynamic.span()),
                iterators: vec![(iterator.clone(), item)],
            });
        }
    }

    fn dynamic_labels(&mut self, expression: &Expression, scope: &Scope<'_>) -> Vec<Label> {
        let span = self.span(expression.span());
        let value = self.evaluate(expression, scope);
        let labels = value.as_list().map(|elements| {
            let label = |element: &Value| {
                Some(Label {
                    text: element.to_text()?,
                    span,
                })
            };
            elements.iter().map(label).collect::<Option<Vec<_>>>()
        });
        match labels {
            Some(Some(labels)) => labels,
            _ if !value.is_wholly_known() => Vec::new(),
            _ => {
                self.diagnostics
                    .push(Diagnostic::error(span, "`labels` is a list of strings"));
                Vec::new()
            }
        }
    }

    /// Reports whatever is in `body` besides these attributes and blocks.
    pub(crate) fn check_shape(
        &mut self,
        body: &structure::Body,
        attributes: &[&str],
        blocks: &[&str],
    ) {
        for structure in body {
            let (name, range, known, others, kind) = match structure {
                Structure::Attribute(attribute) => {
                    let key = &attribute.key;
                    (key.as_str(), key.span(), attributes, blocks, "attribute")
                }
                Structure::Block(block) => {
                    let ident = &block.ident;
                    (ident.as_str(), ident.span(), blocks, attributes, "block")
                }
            };
            if known.contains(&name) {
                continue;
            }
            let span = self.span(range);
            let diagnostic = if others.contains(&name) {
                let (article, help) = match kind {
                    "attribute" => ("an", format!("write `{name} {{ … }}`, without `=`")),
                    _ => ("a", format!("write `{name} = …`")),
                };
                let summary = format!("`{name}` can't be written as {article} {kind}");
                let diagnostic =
                    Diagnostic::error(span, summary).suggest(name, known.iter().copied());
                match diagnostic.help {
                    Some(_) => diagnostic,
                    None => diagnostic.help(help),
                }
            } else {
                let candidates = known.iter().chain(others).copied();
                Diagnostic::error(span, format!("there is no {kind} `{name}` here"))
                    .suggest(name, candidates)
            };
            self.diagnostics.push(diagnostic);
        }
    }
}
