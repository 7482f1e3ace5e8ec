//! `lvhost sources`: the kinds of volume sources there are, and their options: those that ship with
//! lvhost, those of `lvhost.hcl` in the folder where it is called, and what is in a file.

use std::path::Path;
use std::sync::Arc;

use lvhost_engine::Sources;
use lvhost_hcl::{Diagnostics, Severity, SourceMap, suggest};
use lvhost_runtime::Source;
use serde::Serialize;

use crate::arguments;
use crate::components::{Components, FileSource};
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
    /// Of one that is in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
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
    let known = sources
        .iter()
        .filter_map(|source| sources.kind(source.name()));
    known
        .map(|kind| Kind {
            type_name: &kind.type_name,
            aliases: &kind.aliases,
            summary: &kind.component.description().summary,
            is_built_in: built_in.kind(&kind.type_name).is_some(),
            sha256: None,
            options: options(&kind.component),
        })
        .collect()
}

fn options(source: &Source) -> Vec<KindOption<'_>> {
    let options = source.description().options.iter();
    options
        .map(|option| KindOption {
            name: &option.name,
            option_type: option.option_type.as_str(),
            required: option.required,
            default: option.default.as_deref(),
            sensitive: option.sensitive,
            documentation: &option.documentation,
        })
        .collect()
}

/// Lists all kinds, or shows one. What there is beside what is wrong is shown.
///
/// # Errors
/// When there is no such kind, or components can't be loaded.
pub(crate) fn sources(
    arguments: &arguments::Sources,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let components = Components::new(&Arc::new(surroundings), printer.notice())?;
    let built_in = components.built_in();
    let is_json = arguments.output.json;
    let (mut files, mut report) = (SourceMap::default(), Diagnostics::default());
    let shown = match arguments.wanted.as_deref() {
        Some(path) if is_path(path) => {
            if let Some(file) = components.of_file(Path::new(path), &mut report) {
                show_one(&kind_of(&file), is_json, printer);
            }
            Ok(())
        }
        // Nothing has to be read for it.
        Some(name) if built_in.kind(name).is_some() => {
            show_wanted(name, &kinds(built_in, built_in), is_json, printer)
        }
        wanted => {
            let folder = Path::new(".");
            let sources = components.of_project(folder, wanted, &mut files, &mut report);
            let kinds = kinds(&sources, built_in);
            match wanted {
                Some(name) => show_wanted(name, &kinds, is_json, printer),
                None => {
                    show_all(&kinds, is_json, printer);
                    Ok(())
                }
            }
        }
    };
    if !report.is_empty() {
        printer.message(&printer.drawn(&files, &report));
    }
    let is_error = |severity| severity == Severity::Error;
    match report.iter().filter(|it| is_error(it.severity)).count() {
        0 => Ok(shown?),
        errors => Err(Failure::Sources { errors }),
    }
}

/// Whether a file is meant and no kind: names of kinds have neither of these.
fn is_path(wanted: &str) -> bool {
    wanted.contains(['/', '.'])
}

fn kind_of(file: &FileSource) -> Kind<'_> {
    Kind {
        type_name: file.source.name(),
        aliases: &[],
        summary: &file.source.description().summary,
        is_built_in: false,
        sha256: Some(&file.sha256),
        options: options(&file.source),
    }
}

fn show_all(kinds: &[Kind<'_>], is_json: bool, printer: &Printer) {
    if is_json {
        printer.json(&kinds);
    } else {
        list(kinds, printer);
    }
}

/// Shows the kind of a name, if there is one.
fn show_wanted(
    wanted: &str,
    kinds: &[Kind<'_>],
    is_json: bool,
    printer: &Printer,
) -> Result<(), InputError> {
    let names = || kinds.iter().map(|kind| kind.type_name);
    let has_name = |kind: &&Kind<'_>| {
        kind.type_name == wanted || kind.aliases.iter().any(|alias| alias == wanted)
    };
    let kind = kinds.iter().find(has_name);
    let kind = kind.ok_or_else(|| InputError::NoSuchSource {
        wanted: wanted.to_owned(),
        close: suggest(wanted, names()).map(str::to_owned),
        existing: names().map(str::to_owned).collect(),
    })?;
    show_one(kind, is_json, printer);
    Ok(())
}

fn show_one(kind: &Kind<'_>, is_json: bool, printer: &Printer) {
    if is_json {
        printer.json(kind);
    } else {
        show(kind, printer);
    }
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
    match kind.sha256 {
        Some(sha256) => remarks.push(format!("SHA-256 {sha256}")),
        None if !kind.is_built_in => remarks.push("of lvhost.hcl".to_owned()),
        None => {}
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
