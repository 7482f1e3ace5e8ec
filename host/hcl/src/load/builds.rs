//! `build` blocks.

use std::collections::HashSet;

use hcl::edit::Span as _;
use hcl::edit::structure;
use indexmap::IndexMap;

use super::blocks::Located;
use super::sources::plain_address;
use crate::body::{Attribute, BLOCK, Body, ExpandedBlock, Label};
use crate::budget::VALUE;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{Build, PostProcessor, Provisioner, Selection, Source};
use crate::evaluate::{Context, Evaluator, SUGGESTION};
use crate::late::LateBody;
use crate::scope::Scope;
use crate::source_map::Span;

const ATTRIBUTES: [&str; 3] = ["description", "name", "sources"];
const BLOCKS: [&str; 7] = [
    "dynamic",
    "error-cleanup-provisioner",
    "hcp_packer_registry",
    "post-processor",
    "post-processors",
    "provisioner",
    "source",
];

/// What every provisioner has, whichever it is.
const PROVISIONER_ATTRIBUTES: [&str; 8] = [
    "continue_on_error",
    "except",
    "max_retries",
    "name",
    "only",
    "override",
    "pause_before",
    "timeout",
];

/// What every post-processor has, whichever it is.
const POST_PROCESSOR_ATTRIBUTES: [&str; 4] = ["except", "keep_input_artifact", "name", "only"];

/// Work of a source of a build: all its options are read and checked, and its volumes' components asked.
const SOURCE: u64 = 100_000;

/// How much larger a syntax tree is than its text.
const SYNTAX_TREE: u64 = 40;

/// What builds are made from.
pub(super) struct Builds<'a> {
    pub(super) sources: &'a IndexMap<String, Source>,
    pub(super) context: &'a Context,
    pub(super) scope: &'a Scope<'a>,
}

impl Builds<'_> {
    pub(super) fn read(&self, blocks: &[Located<'_>], diagnostics: &mut Diagnostics) -> Vec<Build> {
        blocks
            .iter()
            .map(|located| {
                let mut evaluator = Evaluator::new(self.context, located.file);
                let build = self.build(*located, &mut evaluator);
                diagnostics.extend(evaluator.diagnostics);
                build
            })
            .collect()
    }

    fn build(&self, located: Located<'_>, evaluator: &mut Evaluator<'_>) -> Build {
        located.labels::<0>(evaluator, "build { … }");
        let body = &located.block.body;
        evaluator.check_shape(body, &ATTRIBUTES, &BLOCKS);
        let mut build = Build {
            name: self.text(body, "name", self.scope, evaluator),
            description: self.text(body, "description", self.scope, evaluator),
            sources: Vec::new(),
            provisioners: Vec::new(),
            error_cleanup_provisioner: None,
            post_processors: Vec::new(),
            span: located.name_span(),
        };
        build.name = build.name.filter(|name| !name.is_empty());
        if let Some(attribute) = body.get_attribute("sources") {
            let attribute = evaluator.body_attribute(attribute, self.scope);
            for Label { text, span } in strings(&attribute, evaluator) {
                build.sources.extend(self.source(&text, span, evaluator));
            }
        }
        let mut late = 0;
        for block in evaluator.expand(body, self.scope) {
            let before = self.context.budget.work_left();
            self.block(&block, &mut build, evaluator);
            if block.name != "source" {
                late += before.saturating_sub(self.context.budget.work_left());
            }
        }
        if build.sources.is_empty()
            && !evaluator.diagnostics.has_errors()
            && !self.context.unread.sources()
        {
            evaluator.diagnostics.push(
                Diagnostic::error(located.name_span(), "the build has no source")
                    .help("write `sources = [\"source.type.name\"]`"),
            );
        }
        let mut addresses = HashSet::new();
        for source in &build.sources {
            if !addresses.insert(source.address()) {
                let summary = format!("`{}` is in the build twice", source.address());
                evaluator.diagnostics.push(
                    Diagnostic::error(source.span, summary)
                        .help("give one of them another `name` in a `source` block of the build"),
                );
            }
        }
        if !self.context.unread.sources() {
            check_selections(&build, evaluator);
        }
        // Provisioners are checked again for each source.
        let again = build.sources.len().saturating_sub(1) as u64;
        let paid = self.context.budget.charge(late.saturating_mul(again), 0);
        evaluator.paid(paid, located.block.ident.span());
        build
    }

    fn block(&self, block: &ExpandedBlock<'_>, build: &mut Build, evaluator: &mut Evaluator<'_>) {
        match block.name.as_str() {
            "source" => build.sources.extend(self.source_block(block, evaluator)),
            "provisioner" => build
                .provisioners
                .extend(self.provisioner(block, evaluator)),
            "error-cleanup-provisioner" => {
                let provisioner = self.provisioner(block, evaluator);
                if build.error_cleanup_provisioner.is_some() {
                    evaluator.diagnostics.push(Diagnostic::error(
                        block.name_span,
                        "a build has one `error-cleanup-provisioner`",
                    ));
                }
                build.error_cleanup_provisioner = provisioner;
            }
            "post-processor" => {
                build
                    .post_processors
                    .extend(self.post_processor(block, evaluator).map(|p| vec![p]));
            }
            "post-processors" => {
                evaluator.check_shape(block.body, &[], &["dynamic", "post-processor"]);
                let scope = block.scope(self.scope);
                let mut chain = Vec::new();
                for mut inner in evaluator.expand(block.body, &scope) {
                    inner
                        .iterators
                        .splice(0..0, block.iterators.iter().cloned());
                    if inner.name == "post-processor" {
                        chain.extend(self.post_processor(&inner, evaluator));
                    }
                }
                build.post_processors.push(chain);
            }
            "hcp_packer_registry" => evaluator.diagnostics.push(
                Diagnostic::warning(block.name_span, "the HCP Packer registry is not supported")
                    .detail("nothing is published"),
            ),
            // Only `dynamic` can bring these: what is written out has been checked.
            name if !BLOCKS.contains(&name) => evaluator.diagnostics.push(
                Diagnostic::error(block.name_span, format!("there is no block `{name}` here"))
                    .suggest(name, BLOCKS),
            ),
            _ => {}
        }
    }

    /// The source a build names.
    fn source(&self, name: &str, span: Span, evaluator: &mut Evaluator<'_>) -> Option<Source> {
        let address = plain_address(name);
        let paid = self.context.budget.charge(SOURCE, 0);
        if paid.is_err() {
            self.context.budget.locate(span);
            return None;
        }
        if let Some(source) = self.sources.get(address) {
            let size = size_of_body(&source.body);
            if self.context.budget.charge(size / VALUE, size).is_err() {
                self.context.budget.locate(span);
                return None;
            }
            return Some(Source {
                span,
                ..source.clone()
            });
        }
        if self.context.unread.sources() {
            return None;
        }
        let diagnostic = Diagnostic::error(span, format!("there is no source `{address}`"));
        let known = self.sources.keys().map(String::as_str);
        let diagnostic = match crate::suggest::suggest(address, known.clone()) {
            Some(_) => diagnostic.suggest(address, known),
            None => match address.split_once('.') {
                Some((type_name, name)) => diagnostic.help(format!(
                    "define it: source \"{type_name}\" \"{name}\" {{ … }}"
                )),
                None => diagnostic.help("a source is named by its type and name: \"type.name\""),
            },
        };
        evaluator.diagnostics.push(diagnostic);
        None
    }

    /// A source a build names in a block, to which the block may add.
    fn source_block(
        &self,
        block: &ExpandedBlock<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Option<Source> {
        let label = self.label(block, "source \"type.name\" { … }", evaluator)?;
        let scope = block.scope(self.scope);
        let name = self.text(block.body, "name", &scope, evaluator);
        let added = evaluator.body(block.body, block.span, &["name"], &scope);
        let mut source = self.source(&label.text, label.span, evaluator)?;
        for (name, attribute) in added.attributes {
            if source.body.attributes.contains_key(&name) {
                evaluator.diagnostics.push(
                    Diagnostic::error(
                        attribute.name_span,
                        format!("`{name}` is set both here and in the source"),
                    )
                    .help("leave it in one of the two"),
                );
            } else {
                source.body.attributes.insert(name, attribute);
            }
        }
        source.body.blocks.extend(added.blocks);
        if let Some(name) = name {
            source.name = name;
        }
        Some(source)
    }

    fn provisioner(
        &self,
        block: &ExpandedBlock<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Option<Provisioner> {
        let form = format!("{} \"type\" {{ … }}", block.name);
        let label = self.label(block, &form, evaluator)?;
        let scope = block.scope(self.scope);
        let mut early = |name| {
            let attribute = block.body.get_attribute(name)?;
            let attribute = evaluator.body_attribute(attribute, &scope);
            (!attribute.value.is_null()).then_some(attribute)
        };
        let pause_before = early("pause_before");
        let max_retries = early("max_retries");
        let timeout = early("timeout");
        let continue_on_error = early("continue_on_error");
        let overrides = early("override");
        let provisioner = Provisioner {
            type_name: label.text,
            name: self.text(block.body, "name", &scope, evaluator),
            selection: self.selection(block, &scope, evaluator),
            pause_before,
            max_retries,
            timeout,
            continue_on_error,
            overrides,
            span: block.name_span.to(label.span),
            body: self.late(block, &PROVISIONER_ATTRIBUTES, &scope, evaluator),
        };
        evaluator.diagnostics.extend(provisioner.body.check());
        Some(provisioner)
    }

    fn post_processor(
        &self,
        block: &ExpandedBlock<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Option<PostProcessor> {
        let label = self.label(block, "post-processor \"type\" { … }", evaluator)?;
        let scope = block.scope(self.scope);
        let keep = block.body.get_attribute("keep_input_artifact");
        let post_processor = PostProcessor {
            type_name: label.text,
            name: self.text(block.body, "name", &scope, evaluator),
            selection: self.selection(block, &scope, evaluator),
            keep_input_artifact: keep.map(|keep| evaluator.body_attribute(keep, &scope)),
            span: block.name_span.to(label.span),
            body: self.late(block, &POST_PROCESSOR_ATTRIBUTES, &scope, evaluator),
        };
        evaluator.diagnostics.extend(post_processor.body.check());
        Some(post_processor)
    }

    fn late(
        &self,
        block: &ExpandedBlock<'_>,
        without: &'static [&'static str],
        scope: &Scope<'_>,
        evaluator: &Evaluator<'_>,
    ) -> LateBody {
        // The syntax tree is copied for each block that a `dynamic` one makes.
        let text = block.body.span().map_or(0, |range| range.len());
        let paid = self
            .context
            .budget
            .charge(text as u64, text as u64 * SYNTAX_TREE);
        let body = match evaluator.paid(paid, block.body.span()) {
            true => block.body.clone(),
            false => structure::Body::new(),
        };
        LateBody {
            body,
            file: evaluator.file,
            span: block.name_span,
            without,
            scope: scope.flattened(),
            context: self.context.clone(),
        }
    }

    fn selection(
        &self,
        block: &ExpandedBlock<'_>,
        scope: &Scope<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Selection {
        let mut names = |name| match block.body.get_attribute(name) {
            None => Vec::new(),
            Some(attribute) => {
                let attribute = evaluator.body_attribute(attribute, scope);
                strings(&attribute, evaluator)
                    .into_iter()
                    .map(|label| label.text)
                    .collect()
            }
        };
        Selection {
            only: names("only"),
            except: names("except"),
        }
    }

    /// The one label of a block.
    fn label(
        &self,
        block: &ExpandedBlock<'_>,
        form: &str,
        evaluator: &mut Evaluator<'_>,
    ) -> Option<Label> {
        if let [label] = &block.labels[..] {
            return Some(label.clone());
        }
        evaluator.diagnostics.push(
            Diagnostic::error(
                block.name_span,
                format!("a `{}` block takes one label", block.name),
            )
            .help(format!("write {form}")),
        );
        None
    }

    /// A string attribute; reported if it is something else.
    fn text(
        &self,
        body: &structure::Body,
        name: &str,
        scope: &Scope<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Option<String> {
        let attribute = evaluator.body_attribute(body.get_attribute(name)?, scope);
        let text = attribute.value.to_text();
        if text.is_none() && !attribute.value.is_null() && !attribute.value.is_unknown() {
            let summary = format!("`{name}` must be a string");
            evaluator
                .diagnostics
                .push(Diagnostic::error(attribute.value_span, summary));
        }
        text
    }
}

/// Bytes of a copy of `body`, whose values are shared.
fn size_of_body(body: &Body) -> u64 {
    let blocks = body.blocks.iter().map(|block| size_of_body(&block.body));
    let attributes = body.attributes.len() as u64 * BLOCK / 2;
    blocks.sum::<u64>() + attributes + BLOCK
}

/// Warns about names in `only` and `except` that are nearly those of a source: they would
/// silently select nothing.
fn check_selections(build: &Build, evaluator: &mut Evaluator<'_>) {
    let addresses: Vec<String> = build.sources.iter().map(Source::address).collect();
    let known = || addresses.iter().map(String::as_str);
    let provisioners = build
        .provisioners
        .iter()
        .map(|step| (&step.selection, step.span));
    let post_processors = build.post_processors.iter().flatten();
    let post_processors = post_processors.map(|step| (&step.selection, step.span));
    for (selection, span) in provisioners.chain(post_processors) {
        for name in selection.only.iter().chain(&selection.except) {
            let plain = plain_address(name);
            let paid = evaluator
                .context
                .budget
                .charge(addresses.len() as u64 * SUGGESTION, 0);
            if paid.is_err() {
                evaluator.context.budget.locate(span);
                return;
            }
            if known().any(|address| address == plain) {
                continue;
            }
            if crate::suggest::suggest(plain, known()).is_some() {
                evaluator.diagnostics.push(
                    Diagnostic::warning(span, format!("the build has no source `{name}`"))
                        .detail("`only` or `except` of this names it")
                        .suggest(plain, known()),
                );
            }
        }
    }
}

/// The elements of a list of strings with their places; reported if it is something else.
fn strings(attribute: &Attribute, evaluator: &mut Evaluator<'_>) -> Vec<Label> {
    let value = &attribute.value;
    if value.is_null() || value.is_unknown() {
        return Vec::new();
    }
    let Some(elements) = value.as_list() else {
        let summary = "a list of strings is needed";
        evaluator
            .diagnostics
            .push(Diagnostic::error(attribute.value_span, summary));
        return Vec::new();
    };
    let mut labels = Vec::new();
    for (position, element) in elements.iter().enumerate() {
        let span = attribute.element_span(&format!("[{position}]"));
        match element.to_text() {
            Some(text) => labels.push(Label { text, span }),
            None if element.is_unknown() => {}
            None => evaluator
                .diagnostics
                .push(Diagnostic::error(span, "a string is needed")),
        }
    }
    labels
}
