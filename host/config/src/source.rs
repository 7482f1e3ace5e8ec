//! Decoding of a whole `source "libvirt"` body.

use lvhost_hcl::{Block, Body, Diagnostic, Diagnostics};

use crate::communicator::{Communicator, NOT_SUPPORTED};
use crate::declare::{Context, Declared};
use crate::libvirt_source::LibvirtSource;
use crate::rules;
use crate::volume_source::SourceSchemas;

/// Decodes and checks a `source "libvirt"` body. What is returned can be built from if `report` has
/// no errors.
///
/// Options of the communicator may stand in a `communicator` block, as the Go plugin wants them, or
/// directly in the source, as with all other builders.
pub fn decode_source(
    body: &Body,
    sources: &SourceSchemas,
    report: &mut Diagnostics,
) -> LibvirtSource {
    let context = Context { sources };
    let body = gather_communicator(body, report);
    let mut source = LibvirtSource::decode(&body, &context, report);
    rules::normalise_aliases(&mut source, report);
    rules::check(&source, report);
    source
}

/// Moves the communicator's options into one `communicator` block, and takes out those that can't
/// be done.
fn gather_communicator(body: &Body, report: &mut Diagnostics) -> Body {
    let mut body = body.clone();
    let belongs = |name: &str| {
        let schema = Communicator::SCHEMA;
        (schema.option(name).is_some() && LibvirtSource::SCHEMA.block(name).is_none())
            || NOT_SUPPORTED.contains(&name)
    };
    let (flat, own): (Vec<_>, Vec<_>) =
        std::mem::take(&mut body.attributes)
            .into_iter()
            .partition(|(name, _)| {
                // `communicator = "ssh"` beside the other options is the flat form of the type.
                belongs(name) || name == "communicator"
            });
    body.attributes = own.into_iter().collect();
    if !flat.is_empty() && !body.blocks.iter().any(|block| block.name == "communicator") {
        body.blocks.push(Block {
            name: "communicator".to_string(),
            name_span: body.span,
            labels: Vec::new(),
            body: Body::empty(body.span),
            span: body.span,
        });
    }
    let mut blocks = body
        .blocks
        .iter_mut()
        .filter(|block| block.name == "communicator");
    if let Some(block) = blocks.next() {
        for (name, attribute) in flat {
            if block.body.attributes.contains_key(&name) {
                report.push(
                    Diagnostic::error(attribute.name_span, format!("`{name}` is set twice"))
                        .help("leave it in the `communicator` block and remove it here"),
                );
                continue;
            }
            block.body.attributes.insert(name, attribute);
        }
        block.body.attributes.retain(|name, attribute| {
            let unsupported = NOT_SUPPORTED.contains(&name.as_str());
            if unsupported && !attribute.value.is_null() {
                report.push(Diagnostic::error(
                    attribute.name_span,
                    format!("`{name}` is not supported by this version of lvhost"),
                ));
            }
            !unsupported
        });
    }
    body
}
