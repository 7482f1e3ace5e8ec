//! What a template uses although nobody has allowed it: the entry to paste, with what the component is
//! and what it says it needs.

use std::collections::BTreeMap;
use std::path::Path;

use lvhost_config::{LibvirtSource, PROJECT_FILE};
use lvhost_engine::{Configured, allow_lines};
use lvhost_hcl::{Diagnostic, Diagnostics, Span};
use lvhost_runtime::Grant;

use crate::third_party::{ComponentFile, entry_text};

/// A component that lies where it is looked for and has no entry.
pub(crate) struct UnlistedComponent {
    /// Where the template uses it first.
    pub(crate) span: Span,
    pub(crate) file: ComponentFile,
    pub(crate) name: String,
}

impl UnlistedComponent {
    /// The entry to paste, with what it may reach.
    pub(crate) fn entry(&self, allow: &[String]) -> String {
        let file_name = self.file.path.file_name();
        let file_name = file_name.map(|name| name.to_string_lossy());
        // What is installed for all templates is found by its name.
        let file_name = file_name.filter(|_| self.file.is_beside);
        entry_text(&self.name, file_name.as_deref(), &self.file.sha256, allow)
    }
}

/// Reports each with the entry to paste. `jobs` are all volumes with what their components have asked
/// for; `folder` is the template's.
pub(crate) fn report<'a>(
    unlisted: &[UnlistedComponent],
    folder: &Path,
    jobs: impl Iterator<Item = (&'a LibvirtSource, &'a Configured)>,
    report: &mut Diagnostics,
) {
    if unlisted.is_empty() {
        return;
    }
    let mut asked: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for (source, configured) in jobs {
        for (index, volume) in source.volume.iter().enumerate() {
            if let Some(block) = &volume.source {
                let grants = asked.entry(&block.type_name).or_default();
                grants.extend(configured.grants(index));
            }
        }
    }
    for component in unlisted {
        let UnlistedComponent { span, file, name } = component;
        let grants = asked.remove(name.as_str()).unwrap_or_default();
        let entry = component.entry(&allow_lines(grants));
        report.push(
            Diagnostic::error(
                *span,
                format!("the source `{name}` is not built in, and has no entry in {PROJECT_FILE}"),
            )
            .detail(format!("{} is there", file.shown()))
            .help(format!(
                "if you trust it with what it asks for, add this to {}:\n\n{entry}",
                folder.join(PROJECT_FILE).display()
            )),
        );
    }
}
