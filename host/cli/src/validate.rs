//! `lvhost validate`.

use std::sync::Arc;

use lvhost_hcl::Severity;
use serde::Serialize;

use crate::arguments::Validate;
use crate::async_runtime;
use crate::components::Components;
use crate::data_sources::BuiltIn;
use crate::exit_code::Failure;
use crate::findings::Finding;
use crate::printer::Printer;
use crate::surroundings::Surroundings;
use crate::template::Examiner;

/// The verdict, for `--json`.
#[derive(Serialize)]
struct Verdict {
    valid: bool,
    error_count: usize,
    warning_count: usize,
    diagnostics: Vec<Finding>,
}

/// Checks a template as far as that is possible without touching anything, and says so.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn validate(
    arguments: &Validate,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let surroundings = Arc::new(surroundings);
    let components = Components::new(&surroundings, printer.notice())?;
    let examiner = Examiner::new(&arguments.template, &components, &surroundings)?;
    let runtime = async_runtime::small()?;
    let examined = runtime.block_on(examiner.examine(&BuiltIn::check_only()));
    if arguments.output.json {
        // A selection that leaves nothing is no verdict on the template.
        if let Ok(_) | Err(Failure::Template { .. }) = &examined.jobs {
            printer.json(&Verdict {
                valid: examined.jobs.is_ok(),
                error_count: examined.count(Severity::Error),
                warning_count: examined.count(Severity::Warning),
                diagnostics: examined.findings(),
            });
        }
    } else if let Some(text) = examined.text(printer) {
        printer.message(&text);
    }
    examined.jobs?;
    if !arguments.output.json {
        printer.result("The configuration is valid.");
    }
    Ok(())
}
