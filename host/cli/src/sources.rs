//! `lvhost sources`: the kinds of volume sources there are, and their options.

use std::sync::Arc;

use lvhost_hcl::suggest;
use lvhost_runtime::{Description, OptionSchema, Source};
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

impl<'a> From<&'a Description> for Kind<'a> {
    fn from(description: &'a Description) -> Self {
        let option = |option: &'a OptionSchema| KindOption {
            name: &option.name,
            option_type: option.option_type.as_str(),
            required: option.required,
            default: option.default.as_deref(),
            sensitive: option.sensitive,
            documentation: &option.documentation,
        };
        Self {
            type_name: &description.source_type,
            aliases: &description.aliases,
            summary: &description.summary,
            options: description.options.iter().map(option).collect(),
        }
    }
}

/// Lists all kinds, or shows one.
///
/// # Errors
/// When there is no such kind, or components can't be loaded.
pub(crate) fn sources(
    arguments: &arguments::Sources,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let components = Components::new(&Arc::new(surroundings))?;
    let sources = components.built_in();
    let all = || sources.iter().map(|source| source.description());
    let Some(wanted) = &arguments.type_name else {
        if arguments.output.json {
            printer.json(&all().map(Kind::from).collect::<Vec<_>>());
        } else {
            list(all(), printer);
        }
        return Ok(());
    };
    let found = sources
        .find(wanted)
        .map(|source| Source::description(source));
    let description = found.ok_or_else(|| InputError::NoSuchSource {
        wanted: wanted.clone(),
        close: suggest(wanted, all().map(|known| known.source_type.as_str())).map(str::to_owned),
        existing: all().map(|known| known.source_type.clone()).collect(),
    })?;
    if arguments.output.json {
        printer.json(&Kind::from(description));
    } else {
        show(description, printer);
    }
    Ok(())
}

fn list<'a>(descriptions: impl Iterator<Item = &'a Description> + Clone, printer: &Printer) {
    let widest = descriptions
        .clone()
        .map(|description| description.source_type.len())
        .max();
    let widest = widest.unwrap_or_default();
    for description in descriptions {
        let name = format!("{:widest$}", description.source_type);
        let mut line = format!(
            "{}  {}",
            printer.paint(Paint::Build(0), &name),
            description.summary
        );
        if !description.aliases.is_empty() {
            let aliases = description.aliases.join(", ");
            line.push_str(&printer.paint(Paint::Aside, &format!(" (also: {aliases})")));
        }
        printer.result(&line);
    }
}

fn show(description: &Description, printer: &Printer) {
    printer.result(&printer.paint(Paint::Build(0), &description.source_type));
    printer.result(&format!("    {}", description.summary));
    if !description.aliases.is_empty() {
        printer.result(&format!("    also: {}", description.aliases.join(", ")));
    }
    for option in &description.options {
        let mut facts = option.option_type.as_str().to_owned();
        if option.required {
            facts.push_str(", required");
        }
        if let Some(default) = &option.default {
            facts.push_str(&format!(", default {default}"));
        }
        if option.sensitive {
            facts.push_str(", a secret");
        }
        printer.result("");
        let name = printer.paint(Paint::Build(0), &option.name);
        printer.result(&format!("{name}  {}", printer.paint(Paint::Aside, &facts)));
        for line in option.documentation.lines() {
            printer.result(&format!("    {line}"));
        }
    }
}
