//! Aliases of volumes and interfaces: one spelling, allowed characters, no two alike.

use std::collections::BTreeMap;

use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::console::Console;
use crate::libvirt_source::LibvirtSource;

/// The prefix libvirt demands of users' aliases. It is added when the domain is made, and taken off
/// where a template has it, so that `ua-artifact` and `artifact` are the same.
const PREFIX: &str = "ua-";

/// Takes the prefix off all aliases and checks their characters.
pub(crate) fn normalise(source: &mut LibvirtSource, report: &mut Diagnostics) {
    let volumes = source
        .volume
        .iter_mut()
        .map(|volume| (&mut volume.alias, &volume.origin));
    let interfaces = source
        .network_interface
        .iter_mut()
        .map(|interface| (&mut interface.alias, &interface.origin));
    let mut seen = BTreeMap::new();
    for (alias, origin) in volumes.chain(interfaces) {
        let Some(alias) = alias else { continue };
        let written = alias.clone();
        strip_prefix(alias);
        let span = origin.span_of("alias");
        if origin.is_unknown("alias") {
            continue;
        }
        if alias.is_empty()
            || !alias
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            report.push(
                Diagnostic::error(span, format!("`{written}` can't be an alias"))
                    .help("use letters, digits, `_` and `-`"),
            );
        } else if Console::from_word(alias).is_some() {
            report.push(Diagnostic::error(
                span,
                format!("the alias `{alias}` is that of a console of the domain"),
            ));
        } else if let Some(other) = seen.insert(alias.clone(), span) {
            // The one that stands further down is the one too many.
            report.push(Diagnostic::error(
                span.max(other),
                format!("the alias `{alias}` is used twice; it must be unique in the domain"),
            ));
        }
    }
    strip_prefix(&mut source.artifact_volume_alias);
    strip_prefix(&mut source.communicator_interface);
}

fn strip_prefix(alias: &mut String) {
    if let Some(rest) = alias.strip_prefix(PREFIX) {
        *alias = rest.to_string();
    }
}
