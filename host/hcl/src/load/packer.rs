//! The `packer` block: which Packer and which plugins the template was written for.

use hcl::edit::Span as _;
use hcl::edit::structure::Attribute;

use super::blocks::Located;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{RequiredPlugin, VersionConstraint};
use crate::evaluate::{Context, Evaluator};
use crate::scope::Scope;

pub(super) fn read(
    blocks: &[Located<'_>],
    context: &Context,
    diagnostics: &mut Diagnostics,
) -> (Option<VersionConstraint>, Vec<RequiredPlugin>) {
    let mut version = None;
    let mut plugins = Vec::new();
    for located in blocks {
        let mut evaluator = Evaluator::new(context, located.file);
        located.labels::<0>(&mut evaluator, "packer { … }");
        let body = &located.block.body;
        evaluator.check_shape(body, &["required_version"], &["required_plugins"]);
        if let Some(attribute) = body.get_attribute("required_version") {
            version = constraint(&mut evaluator, attribute).or(version);
        }
        for block in body.get_blocks("required_plugins") {
            for attribute in block.body.attributes() {
                plugins.extend(plugin(&mut evaluator, attribute));
            }
            for block in block.body.blocks() {
                let span = evaluator.span(block.ident.span());
                let name = block.ident.as_str();
                evaluator.diagnostics.push(
                    Diagnostic::error(span, "a required plugin is not a block")
                        .help(format!("write `{name} = {{ … }}`")),
                );
            }
        }
        diagnostics.extend(evaluator.diagnostics);
    }
    (version, plugins)
}

fn constraint(evaluator: &mut Evaluator<'_>, attribute: &Attribute) -> Option<VersionConstraint> {
    let attribute = evaluator.body_attribute(attribute, &Scope::default());
    let span = attribute.value_span;
    let text = attribute.value.as_str().map(|text| text.trim().to_owned());
    if text.is_none() && !attribute.value.is_unknown() {
        evaluator
            .diagnostics
            .push(Diagnostic::error(span, "a version must be a string"));
    }
    text.map(|text| VersionConstraint { text, span })
}

fn plugin(evaluator: &mut Evaluator<'_>, attribute: &Attribute) -> Option<RequiredPlugin> {
    let name = attribute.key.as_str().to_owned();
    let attribute = evaluator.body_attribute(attribute, &Scope::default());
    let span = attribute.name_span;
    // A plain version is the form of the first days.
    let (version, source) = match (attribute.value.as_str(), attribute.value.as_object()) {
        (Some(version), _) => (Some(version.to_owned()), None),
        (None, Some(entries)) => {
            for key in entries
                .keys()
                .filter(|key| !["version", "source"].contains(&key.as_str()))
            {
                let span = attribute.element_span(key);
                evaluator.diagnostics.push(
                    Diagnostic::error(span, format!("a required plugin has no `{key}`"))
                        .suggest(key, ["version", "source"]),
                );
            }
            let text = |key: &str| {
                entries
                    .get(key)?
                    .as_str()
                    .map(|text| text.trim().to_owned())
            };
            (text("version"), text("source"))
        }
        (None, None) => {
            if !attribute.value.is_unknown() {
                evaluator.diagnostics.push(
                    Diagnostic::error(attribute.value_span, "not a required plugin")
                        .help("write { version = \">= 1.0.0\", source = \"github.com/…\" }"),
                );
            }
            return None;
        }
    };
    let version = version.map(|text| VersionConstraint {
        text,
        span: attribute.element_span("version"),
    });
    Some(RequiredPlugin {
        name,
        version,
        source,
        span,
    })
}
