//! `lvhost sources`: the kinds of volume sources there are, and their options: those that ship with
//! lvhost and those of `lvhost.hcl` in the folder where it is called.

use std::path::Path;
use std::sync::Arc;

use lvhost_engine::Sources;
use lvhost_hcl::{Diagnostics, Severity, SourceMap, suggest};
use lvhost_runtime::OptionSchema;
use serde::Serialize;

use crate::arguments;
use crate::components::Components;
use crate::exit_code::Failure;
use crate::input::InputError;
use crate::printer::{Paint, Printer};
use crate::surroundings::Surroundings;

/// A kind of source, for `--json`.
#[derive(Serialize)]
struct Kind<'a> {
    #[serde(rename = "type")]
    type_name: &'a str,
    aliases: &'a [String],
    summary: &'a str,
    is_built_in: bool,
    options: Vec<KindOption<'a>>,
}

/// An option of a kind, for `--json`.
#[derive(Serialize)]
struct KindOption<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    option_type: &'static str,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'a str>,
    sensitive: bool,
    documentation: &'a str,
}

/// All kinds, those that ship with lvhost first.
fn kinds<'a>(sources: &'a Sources, built_in: &Sources) -> Vec<Kind<'a>> {
    let option = |option: &'a OptionSchema| KindOption {
        name: &option.name,
        option_type: option.option_type.as_str(),
        required: option.required,
        default: option.default.as_deref(),
        sensitive: option.sensitive,
        documentation: &option.documentation,
    };
    let known = sources
        .iter()
        .filter_map(|source| sources.kind(source.name()));
    known
        .map(|kind| Kind {
            type_name: &kind.type_name,
            aliases: &kind.aliases,
            summary: &kind.component.description().summary,
            is_built_in: built_in.kind(&kind.type_name).is_some(),
            options: kind
                .component
                .description()
                .options
                .iter()
                .map(option)
                .collect(),
        })
        .collect()
}

/// Lists all kinds, or shows one.
///
/// # Errors
/// When there is no such kind, components can't be loaded, or `lvhost.hcl` has errors.
pub(crate) fn sources(
    arguments: &arguments::Sources,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let components = Components::new(&Arc::new(surroundings), printer.notice())?;
    let (mut files, mut report) = (SourceMap::default(), Diagnostics::default());
    let sources = components.of_project(Path::new("."), &mut files, &mut report);
    if !report.is_empty() {
        printer.message(&printer.drawn(&files, &report));
    }
    let is_error = |severity| severity == Severity::Error;
    let errors = report.iter().filter(|it| is_error(it.severity)).count();
    if errors > 0 {
        return Err(Failure::Template { errors });
    }
    let kinds = kinds(&sources, components.built_in());
    let Some(wanted) = &arguments.type_name else {
        if arguments.output.json {
            printer.json(&kinds);
        } else {
            list(&kinds, printer);
        }
        return Ok(());
    };
    let names = || kinds.iter().map(|kind| kind.type_name);
    let has_name = |kind: &&Kind<'_>| {
        kind.type_name == wanted || kind.aliases.iter().any(|alias| alias == wanted)
    };
    let kind = kinds.iter().find(has_name);
    let kind = kind.ok_or_else(|| InputError::NoSuchSource {
        wanted: wanted.clone(),
        close: suggest(wanted, names()).map(str::to_owned),
        existing: names().map(str::to_owned).collect(),
    })?;
    if arguments.output.json {
        printer.json(kind);
    } else {
        show(kind, printer);
    }
    Ok(())
}

fn list(kinds: &[Kind<'_>], printer: &Printer) {
    let widest = kinds.iter().map(|kind| kind.type_name.len()).max();
    let widest = widest.unwrap_or_default();
    for kind in kinds {
        let name = format!("{:widest$}", kind.type_name);
        let name = printer.paint(Paint::Build(0), &name);
        let mut line = format!("{name}  {}", kind.summary);
        if let Some(remarks) = remarks(kind) {
            line.push_str(&printer.paint(Paint::Aside, &format!(" ({remarks})")));
        }
        printer.result(&line);
    }
}

/// Other names, and where a kind comes from if it is not built in.
fn remarks(kind: &Kind<'_>) -> Option<String> {
    let mut remarks = Vec::new();
    if !kind.aliases.is_empty() {
        remarks.push(format!("also: {}", kind.aliases.join(", ")));
    }
    if !kind.is_built_in {
        remarks.push("of lvhost.hcl".to_owned());
    }
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

fn show(kind: &Kind<'_>, printer: &Printer) {
    printer.result(&printer.paint(Paint::Build(0), kind.type_name));
    printer.result(&format!("    {}", kind.summary));
    if let Some(remarks) = remarks(kind) {
        printer.result(&format!("    {remarks}"));
    }
    for option in &kind.options {
        let mut facts = option.option_type.to_owned();
        if option.required {
            facts.push_str(", required");
        }
        if let Some(default) = option.default {
            facts.push_str(&format!(", default {default}"));
        }
        if option.sensitive {
            facts.push_str(", a secret");
        }
        printer.result("");
        let name = printer.paint(Paint::Build(0), option.name);
        printer.result(&format!("{name}  {}", printer.paint(Paint::Aside, &facts)));
        for line in option.documentation.lines() {
            printer.result(&format!("    {line}"));
        }
    }
}
