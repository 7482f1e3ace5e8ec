//! Decoding of a whole `source "libvirt"` body.

use std::time::Duration;

use lvhost_hcl::{Block, Body, Diagnostic, Diagnostics};

use crate::communicator::Communicator;
use crate::declare::{Context, Declared};
use crate::libvirt_source::LibvirtSource;
use crate::volume_source::SourceSchemas;
use crate::{rules, spelling};

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
    let mut body = gather_communicator(body, report);
    spelling::normalise(&mut body);
    let mut source = LibvirtSource::decode(&body, &context, report);
    settle(&mut source, report);
    rules::check(&source, report);
    source
}

/// How long a guest may take to shut down if the template has no say in it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Fills in what follows from other options.
fn settle(source: &mut LibvirtSource, report: &mut Diagnostics) {
    rules::aliases::normalise(source, report);
    rules::boot::settle(source);
    if let Some(communicator) = &mut source.communicator {
        communicator.settle();
    }
    // As with Packer, where zero is what an option is when left out: nobody wants a guest to be forced
    // off while it writes.
    if source.shutdown_timeout.is_zero() {
        source.shutdown_timeout = SHUTDOWN_TIMEOUT;
    }
    for volume in &mut source.volume {
        volume.capacity = volume.capacity.or(volume.size.filter(|size| size.0 > 0));
    }
}

/// Moves the communicator's options into one `communicator` block.
fn gather_communicator(body: &Body, report: &mut Diagnostics) -> Body {
    let mut body = body.clone();
    let (flat, own): (Vec<_>, Vec<_>) = std::mem::take(&mut body.attributes)
        .into_iter()
        .partition(|(name, _)| is_of_communicator(name));
    body.attributes = own.into_iter().collect();
    let flat: Vec<_> = flat
        .into_iter()
        .filter(|(_, attribute)| !attribute.value.is_null())
        .collect();
    if flat.is_empty() {
        return body;
    }
    if !body.blocks.iter().any(|block| block.name == "communicator") {
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
            } else {
                block.body.attributes.insert(name, attribute);
            }
        }
    }
    body
}

/// Whether an option that stands directly in the source belongs to the communicator, also when it
/// is misspelt. `communicator = "ssh"` beside the other options is the flat form of its type.
fn is_of_communicator(name: &str) -> bool {
    let (source, communicator) = (LibvirtSource::SCHEMA, Communicator::SCHEMA);
    if source.knows(name) {
        return false;
    }
    if communicator.knows(name) {
        return true;
    }
    let options = source.options.iter().chain(communicator.options);
    let names = options
        .map(|option| option.name)
        .chain(source.blocks.iter().map(|block| block.name));
    lvhost_hcl::suggest(name, names)
        .is_some_and(|guess| guess != "communicator" && communicator.option(guess).is_some())
}
