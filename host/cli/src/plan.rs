//! `lvhost plan`: what a build would make, download and be allowed to reach.
//!
//! ```text
//!  template ─► jobs ─► a value for each ─┬──────────────────────────────► text or JSON
//!                                        └► --check: ask the hypervisor ─┘
//! ```
//! Without `--check` nothing is touched: no hypervisor, no network, no file but those of the template
//! and the cache's index.

mod check;
mod describe;
mod reach;
mod text;

use std::sync::Arc;

use lvhost_engine::Secrets;
use lvhost_hcl::Severity;
use serde::Serialize;
use serde_json::Value;

pub(crate) use self::describe::{Look, PlannedBuild, Subject};
use crate::arguments;
use crate::async_runtime;
use crate::components::Components;
use crate::data_sources::BuiltIn;
use crate::downloads;
use crate::exit_code::Failure;
use crate::findings::Finding;
use crate::printer::Printer;
use crate::surroundings::Surroundings;
use crate::template::Examiner;

/// All plans of a template, for `--json`.
#[derive(Serialize)]
struct Report<'a> {
    valid: bool,
    diagnostics: Vec<Finding>,
    builds: &'a [Value],
}

/// Data as it may be shown: each text of it is masked by itself, so that what is data stays data.
pub(crate) fn masked(data: Value, secrets: &Secrets) -> Value {
    match data {
        Value::String(text) => Value::String(secrets.mask(&text).into_owned()),
        Value::Array(elements) => {
            let elements = elements.into_iter();
            elements.map(|element| masked(element, secrets)).collect()
        }
        Value::Object(entries) => {
            let entries = entries.into_iter();
            entries
                .map(|(key, value)| (key, masked(value, secrets)))
                .collect()
        }
        other => other,
    }
}

/// Shows the plan of every build the template describes.
///
/// # Errors
/// See [`Failure`]; with `--check`, that something is missing or in the way.
pub(crate) fn plan(
    arguments: &arguments::Plan,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let surroundings = Arc::new(surroundings);
    let components = Components::new(&surroundings, printer.notice())?;
    let examiner = Examiner::new(&arguments.template, &components, &surroundings)?;
    let data_sources = match surroundings.cache_directory() {
        Some(cache) => BuiltIn::existing(cache),
        None => BuiltIn::check_only(),
    };
    let runtime = async_runtime::small()?;
    let mut examined = runtime.block_on(examiner.examine(&data_sources));
    let diagnostics = examined.findings();
    if !arguments.output.json
        && let Some(text) = examined.text(printer)
    {
        printer.message(&text);
    }
    let jobs = match std::mem::replace(&mut examined.jobs, Ok(Vec::new())) {
        Ok(jobs) => jobs,
        Err(failure) => {
            if arguments.output.json && examined.count(Severity::Error) > 0 {
                printer.json(&Report {
                    valid: false,
                    diagnostics,
                    builds: &[],
                });
            }
            return Err(failure);
        }
    };
    let downloads = surroundings.cache_directory();
    let downloads = downloads.map(|cache| downloads::held_only(&surroundings, &cache));
    let downloads = downloads.transpose()?;
    let look = Look {
        sources: &examined.sources,
        downloads: downloads.as_ref(),
        working_directory: &surroundings.working_directory,
        secrets: &surroundings.secrets,
    };
    let mut builds = Vec::new();
    for job in &jobs {
        let mut planned = PlannedBuild::of(job.subject(), &look)?;
        if arguments.check {
            planned.check = Some(runtime.block_on(check::check(job, &examined.sources)));
        }
        if !arguments.output.json {
            text::show(&planned, printer, &surroundings.secrets);
        }
        builds.push(planned);
    }
    if arguments.output.json {
        let data = builds
            .iter()
            .map(|planned| planned.shown(&surroundings.secrets));
        let data: Vec<_> = data.collect::<Result<_, _>>()?;
        printer.json(&Report {
            valid: true,
            diagnostics,
            builds: &data,
        });
    }
    let problems = builds.iter().flat_map(|planned| &planned.check);
    let problems: usize = problems.map(|check| check.problems.len()).sum();
    if problems > 0 {
        return Err(Failure::Plan { problems });
    }
    Ok(())
}
