//! Locals and data sources, each evaluated after what it refers to.
//!
//! ```text
//! waiting ──► under way ──► done (a value in the roots, or unknown after an error)
//!                 │
//!                 └─ met again: a cycle, reported with the way around it
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use indexmap::IndexMap;

use super::blocks::{Blocks, Located};
use super::references::{Reference, References};
use crate::body::Label;
use crate::budget::{ENTRY, VALUE};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::environment::{DataOutcome, DataSources};
use crate::evaluate::{Context, Evaluator};
use crate::scope::Scope;
use crate::source_map::{FileId, Span};
use crate::value::{Facts, Value};

/// Longest chain of locals that refer to each other. Nobody writes one by hand, and each link
/// takes room on the stack.
const MAX_CHAIN: usize = 200;

/// What makes a node, written out.
#[derive(Clone, Copy)]
enum Definition<'a> {
    Local {
        expression: &'a Expression,
        file: FileId,
        sensitive: bool,
    },
    Data {
        located: Located<'a>,
        span: Span,
    },
}

enum State {
    Waiting,
    UnderWay,
    Done,
}

struct Node<'a> {
    definition: Definition<'a>,
    name_span: Span,
    state: State,
}

/// The locals and data sources of a template.
pub(super) struct Graph<'a, 'd> {
    nodes: IndexMap<Reference, Node<'a>>,
    context: &'a Context,
    data_sources: &'a dyn DataSources,
    diagnostics: &'d mut Diagnostics,
    /// The nodes under way, the last one innermost.
    path: Vec<usize>,
    /// The objects behind `local` and `data`, as far as they are known.
    roots: Roots,
}

impl<'a, 'd> Graph<'a, 'd> {
    pub(super) fn new(
        blocks: &Blocks<'a>,
        context: &'a Context,
        data_sources: &'a dyn DataSources,
        diagnostics: &'d mut Diagnostics,
    ) -> Self {
        let nodes = IndexMap::new();
        let mut graph = Self {
            nodes,
            context,
            data_sources,
            diagnostics,
            path: Vec::new(),
            roots: Roots::default(),
        };
        for located in &blocks.locals {
            graph.add_locals(*located);
        }
        for located in &blocks.local {
            graph.add_local(*located);
        }
        for located in &blocks.data {
            graph.add_data(*located);
        }
        for reference in graph.nodes.keys() {
            graph.roots.set(reference, Value::UNKNOWN);
        }
        graph
    }

    fn add(&mut self, reference: Reference, name_span: Span, definition: Definition<'a>) {
        if let Some(other) = self.nodes.get(&reference) {
            let line = if other.name_span.file == name_span.file {
                "it is defined above"
            } else {
                "it is defined in another file"
            };
            let summary = format!("`{}` is defined twice", address(&reference));
            self.diagnostics
                .push(Diagnostic::error(name_span, summary).detail(line));
            return;
        }
        self.nodes.insert(
            reference,
            Node {
                definition,
                name_span,
                state: State::Waiting,
            },
        );
    }

    fn add_locals(&mut self, located: Located<'a>) {
        let mut evaluator = Evaluator::new(self.context, located.file);
        located.labels::<0>(&mut evaluator, "locals { name = value }");
        for block in located.block.body.blocks() {
            let span = evaluator.span(block.ident.span());
            let name = block.ident.as_str();
            evaluator.diagnostics.push(
                Diagnostic::error(span, "there are no blocks in `locals`")
                    .help(format!("write `{name} = {{ … }}`")),
            );
        }
        self.diagnostics.extend(evaluator.diagnostics);
        for attribute in located.block.body.attributes() {
            let name_span = Span::new(located.file, attribute.key.span().unwrap_or_default());
            let definition = Definition::Local {
                expression: &attribute.value,
                file: located.file,
                sensitive: false,
            };
            self.add(
                Reference::Local(attribute.key.to_string()),
                name_span,
                definition,
            );
        }
    }

    fn add_local(&mut self, located: Located<'a>) {
        let mut evaluator = Evaluator::new(self.context, located.file);
        let body = &located.block.body;
        let label = located.labels::<1>(&mut evaluator, "local \"name\" { expression = … }");
        evaluator.check_shape(body, &["expression", "sensitive"], &[]);
        let sensitive = body.get_attribute("sensitive").is_some_and(|attribute| {
            let value = evaluator.evaluate(&attribute.value, &Scope::default());
            value.to_bool().unwrap_or(true)
        });
        let expression = body
            .get_attribute("expression")
            .map(|attribute| &attribute.value);
        if expression.is_none() {
            let span = located.name_span();
            evaluator
                .diagnostics
                .push(Diagnostic::error(span, "the local has no `expression`"));
        }
        self.diagnostics.extend(evaluator.diagnostics);
        if let (Some([Label { text, span }]), Some(expression)) = (label, expression) {
            let definition = Definition::Local {
                expression,
                file: located.file,
                sensitive,
            };
            self.add(Reference::Local(text), span, definition);
        }
    }

    fn add_data(&mut self, located: Located<'a>) {
        let mut evaluator = Evaluator::new(self.context, located.file);
        let labels = located.labels::<2>(&mut evaluator, "data \"type\" \"name\" { … }");
        self.diagnostics.extend(evaluator.diagnostics);
        if let Some([type_name, name]) = labels {
            let definition = Definition::Data {
                located,
                span: type_name.span,
            };
            self.add(
                Reference::Data(type_name.text, name.text),
                name.span,
                definition,
            );
        }
    }

    /// Evaluates all and puts `local` and `data` into the scope.
    pub(super) fn resolve(mut self, scope: &mut Scope<'_>) {
        for position in 0..self.nodes.len() {
            self.resolve_node(position, scope);
        }
        self.roots.put_into(scope);
    }

    fn resolve_node(&mut self, position: usize, scope: &Scope<'_>) {
        let Some((_, node)) = self.nodes.get_index_mut(position) else {
            return;
        };
        if !matches!(node.state, State::Waiting) {
            return;
        }
        node.state = State::UnderWay;
        let (definition, file) = match node.definition {
            definition @ Definition::Local { file, .. } => (definition, file),
            definition @ Definition::Data { located, .. } => (definition, located.file),
        };
        self.path.push(position);
        let references = match definition {
            Definition::Local { expression, .. } => References::of_expression(expression),
            Definition::Data { located, .. } => References::of_body(&located.block.body),
        };
        for (reference, range) in references.0 {
            let span = Span::new(file, range);
            for needed in self.positions(&reference, position) {
                self.require(needed, span, scope);
            }
        }
        self.path.pop();
        let value = self.evaluate(position, definition, scope);
        if let Some((reference, node)) = self.nodes.get_index_mut(position) {
            node.state = State::Done;
            self.roots.set(reference, value);
        }
    }

    fn require(&mut self, needed: usize, span: Span, scope: &Scope<'_>) {
        let Some((_, node)) = self.nodes.get_index(needed) else {
            return;
        };
        match node.state {
            State::Done => {}
            State::UnderWay => {
                let start = self
                    .path
                    .iter()
                    .position(|at| *at == needed)
                    .unwrap_or_default();
                let around = self.path[start..].iter().chain([&needed]);
                let names: Vec<String> = around
                    .filter_map(|at| self.nodes.get_index(*at))
                    .map(|(reference, _)| address(reference))
                    .collect();
                self.diagnostics.push(
                    Diagnostic::error(span, "these values need each other")
                        .detail(names.join(" → ")),
                );
            }
            State::Waiting if self.path.len() >= MAX_CHAIN => {
                self.diagnostics.push(
                    Diagnostic::error(span, "too long a chain of references").detail(format!(
                        "more than {MAX_CHAIN} values, each needing the next"
                    )),
                );
            }
            State::Waiting => self.resolve_node(needed, scope),
        }
    }

    /// The nodes that `reference`, standing in node `from`, means.
    fn positions(&self, reference: &Reference, from: usize) -> Vec<usize> {
        let all = |wanted: fn(&Reference) -> bool| {
            if self
                .context
                .budget
                .charge(self.nodes.len() as u64, 0)
                .is_err()
            {
                return Vec::new();
            }
            self.nodes
                .keys()
                .enumerate()
                .filter(|(position, node)| wanted(node) && *position != from)
                .map(|(position, _)| position)
                .collect()
        };
        match reference {
            Reference::AllLocals => all(|node| matches!(node, Reference::Local(_))),
            Reference::AllData => all(|node| matches!(node, Reference::Data(..))),
            reference => self.nodes.get_index_of(reference).into_iter().collect(),
        }
    }

    fn evaluate(
        &mut self,
        position: usize,
        definition: Definition<'_>,
        scope: &Scope<'_>,
    ) -> Value {
        let mut inner = scope.child();
        self.roots.put_into(&mut inner);
        match definition {
            Definition::Local {
                expression,
                file,
                sensitive,
            } => {
                let mut evaluator = Evaluator::new(self.context, file);
                let value = evaluator.evaluate(expression, &inner);
                self.diagnostics.extend(evaluator.diagnostics);
                value.marked(sensitive)
            }
            Definition::Data { located, span } => {
                let mut evaluator = Evaluator::new(self.context, located.file);
                let body = evaluator.body(&located.block.body, located.span(), &[], &inner);
                let failed = evaluator.diagnostics.has_errors();
                self.diagnostics.extend(evaluator.diagnostics);
                let Some((Reference::Data(type_name, name), _)) = self.nodes.get_index(position)
                else {
                    return Value::UNKNOWN;
                };
                if failed {
                    return Value::UNKNOWN;
                }
                match self.data_sources.evaluate(type_name, name, &body) {
                    DataOutcome::Value(value) => value,
                    DataOutcome::Unknown => Value::UNKNOWN,
                    DataOutcome::NotSupported(message) => {
                        let summary = format!("the data source `{type_name}` is not supported");
                        self.diagnostics
                            .push(Diagnostic::error(span, summary).detail(message));
                        Value::UNKNOWN
                    }
                    DataOutcome::Failed(message) => {
                        let summary = format!("`data.{type_name}.{name}` failed");
                        self.diagnostics
                            .push(Diagnostic::error(span, summary).detail(message));
                        Value::UNKNOWN
                    }
                }
            }
        }
    }
}

/// The objects behind `local` and `data`. What is not known yet is there all the same, so a name that isn't
/// there is one that never will be.
///
/// They are kept up to date entry by entry: making them anew for each value would take the square of
/// the number of values.
#[derive(Default)]
struct Roots {
    locals: Root,
    data: BTreeMap<String, Root>,
}

impl Roots {
    fn set(&mut self, reference: &Reference, value: Value) {
        match reference {
            Reference::Local(name) => self.locals.set(name, value),
            Reference::Data(type_name, name) => {
                let of_type = self.data.entry(type_name.clone()).or_default();
                of_type.set(name, value);
            }
            Reference::AllLocals | Reference::AllData => {}
        }
    }

    fn put_into(&self, scope: &mut Scope<'_>) {
        scope.set("local", self.locals.value());
        let data = self.data.iter();
        let data = data.map(|(type_name, names)| (type_name, names.value()));
        scope.set("data", Value::object(data));
    }
}

/// An object that grows.
#[derive(Default)]
struct Root {
    /// Shared with scopes only while an expression is evaluated, unless a value refers to all of it.
    entries: Arc<BTreeMap<String, Value>>,
    /// How many of the entries are not wholly known.
    unknown: usize,
    holds_sensitive: bool,
    depth: u32,
    weight: u64,
    numbers: u64,
}

impl Root {
    fn set(&mut self, name: &str, value: Value) {
        self.holds_sensitive |= value.is_sensitive();
        self.depth = self.depth.max(value.depth());
        self.weight = self.weight.saturating_add(value.weight());
        self.numbers = self.numbers.saturating_add(value.numbers());
        self.unknown += usize::from(!value.is_wholly_known());
        let entries = Arc::make_mut(&mut self.entries);
        match entries.insert(name.to_owned(), value) {
            Some(before) => {
                self.weight = self.weight.saturating_sub(before.weight());
                self.numbers = self.numbers.saturating_sub(before.numbers());
                self.unknown -= usize::from(!before.is_wholly_known());
            }
            None => self.weight = self.weight.saturating_add(ENTRY + name.len() as u64),
        }
    }

    fn value(&self) -> Value {
        let facts = Facts {
            holds_sensitive: self.holds_sensitive,
            wholly_known: self.unknown == 0,
            depth: self.depth.saturating_add(1),
            weight: self.weight.saturating_add(VALUE),
            numbers: self.numbers,
        };
        Value::object_with(Arc::clone(&self.entries), facts)
    }
}

fn address(reference: &Reference) -> String {
    match reference {
        Reference::Local(name) => format!("local.{name}"),
        Reference::Data(type_name, name) => format!("data.{type_name}.{name}"),
        Reference::AllLocals => "local".to_owned(),
        Reference::AllData => "data".to_owned(),
    }
}
