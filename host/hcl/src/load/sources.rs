//! `source` blocks.

use indexmap::IndexMap;

use super::blocks::Located;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Source;
use crate::evaluate::{Context, Evaluator};
use crate::scope::Scope;

/// All sources of the top level by address (`libvirt.example`).
pub(super) fn read(
    blocks: &[Located<'_>],
    context: &Context,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Source> {
    let mut sources = IndexMap::new();
    for located in blocks {
        let mut evaluator = Evaluator::new(context, located.file);
        let labels = located.labels::<2>(&mut evaluator, "source \"type\" \"name\" { … }");
        let body = evaluator.body(&located.block.body, located.span(), &[], scope);
        if let Some([type_name, name]) = labels {
            let span = located.name_span().to(name.span);
            let source = Source {
                type_name: type_name.text,
                name: name.text,
                body,
                span,
            };
            let address = source.address();
            if sources.contains_key(&address) {
                let summary = format!("the source `{address}` is defined twice");
                evaluator.diagnostics.push(Diagnostic::error(span, summary));
            } else {
                sources.insert(address, source);
            }
        }
        diagnostics.extend(evaluator.diagnostics);
    }
    sources
}

/// `libvirt.x`, `source.libvirt.x` and `sources.libvirt.x` without what they may start with.
pub(super) fn plain_address(reference: &str) -> &str {
    reference
        .strip_prefix("source.")
        .or_else(|| reference.strip_prefix("sources."))
        .unwrap_or(reference)
}
