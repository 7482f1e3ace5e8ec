//! The reference of a source in the layout of Packer's plugins: one page for the builder, its blocks'
//! options as `name (type) - text`, the required ones first.

use std::fmt::Write as _;

use crate::declare::Declared;
use crate::libvirt_source::LibvirtSource;
use crate::schema::{BlockSchema, Choice, InnerBlockSchema, Kind, OptionSchema, prose};
use crate::volume_source::{
    SourceOption, SourceOptionType, SourceSchema, SourceSchemas, VolumeSource,
};

const INTRODUCTION: &str = include_str!("packer_reference/introduction.md");

/// The page of the builder, with the volume sources `sources`.
pub fn packer_reference(sources: &SourceSchemas) -> String {
    let mut page = INTRODUCTION.to_string();
    block(&mut page, "Configuration", LibvirtSource::SCHEMA);
    inner(&mut page, LibvirtSource::SCHEMA, sources);
    page
}

/// The sections of the blocks in a block, each with those in it behind it.
fn inner(page: &mut String, schema: &BlockSchema, sources: &SourceSchemas) {
    for InnerBlockSchema { name, schema, .. } in schema.blocks {
        block(page, &format!("`{name}`"), schema);
        if std::ptr::eq(*schema, VolumeSource::SCHEMA) {
            for source in sources.kinds() {
                kind_of_source(page, source);
            }
        }
        inner(page, schema, sources);
    }
}

fn block(page: &mut String, title: &str, schema: &BlockSchema) {
    // Writing to a `String` can't fail, here and below.
    let _ = writeln!(page, "\n## {title}\n\n{}", prose(schema.documentation));
    let supported = |option: &&OptionSchema| !schema.lacks(option.name);
    let (required, optional): (Vec<_>, Vec<_>) = schema
        .options
        .iter()
        .filter(supported)
        .partition(|option| option.required);
    items(
        page,
        "Required",
        required.iter().map(|known| option(schema, known)),
    );
    let options = optional.iter().map(|known| option(schema, known));
    items(
        page,
        "Optional",
        options.chain(schema.blocks.iter().map(inner_block)),
    );
}

fn kind_of_source(page: &mut String, source: &SourceSchema) {
    let summary = source.summary.trim_end_matches('.');
    let _ = writeln!(page, "\n### Type `{}`\n\n{summary}.", source.type_name);
    let (required, optional): (Vec<_>, Vec<_>) =
        source.options.iter().partition(|option| option.required);
    items(page, "Required", required.into_iter().map(source_option));
    items(page, "Optional", optional.into_iter().map(source_option));
}

fn items(page: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<_> = items.collect();
    if !items.is_empty() {
        let _ = writeln!(page, "\n**{title}:**\n\n{}", items.join("\n\n"));
    }
}

fn option(schema: &BlockSchema, option: &OptionSchema) -> String {
    let mut text = option.prose();
    if let Some(default) = option.default {
        let _ = write!(text, " Defaults to `{}`.", default.trim_matches('"'));
    }
    if let Kind::Choice(choices) | Kind::ChoiceList(choices) = option.kind {
        let missing: Vec<_> = schema.words_not_supported(option.name).collect();
        let words = choices
            .iter()
            .filter(|choice| !missing.contains(&choice.word));
        for Choice {
            word,
            documentation,
        } in words
        {
            let _ = write!(text, "\n  - `{word}`: {}", prose(documentation));
        }
    }
    item(option.name, type_name(option.kind), &text)
}

fn source_option(option: &SourceOption) -> String {
    let mut text = option.documentation.clone();
    if let Some(default) = &option.default {
        let _ = write!(text, " Defaults to {default}.");
    }
    item(&option.name, source_type_name(option.option_type), &text)
}

fn inner_block(block: &InnerBlockSchema) -> String {
    let text = format!(
        "{} See [`{1}`](#{1}).",
        prose(block.documentation),
        block.name
    );
    let type_name = if block.repeated { "blocks" } else { "block" };
    item(block.name, type_name, &text)
}

fn item(name: &str, type_name: &str, text: &str) -> String {
    format!("- `{name}` ({type_name}) - {text}")
}

/// Packer's names for types: those of Go.
fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Secret | Kind::Size | Kind::Choice(_) => "string",
        Kind::Integer => "int",
        Kind::Boolean => "bool",
        Kind::Duration => "duration string | ex: \"1h5m2s\"",
        Kind::TextList | Kind::ChoiceList(_) => "[]string",
        Kind::IntegerList => "[]int",
        Kind::TextMap => "map[string]string",
    }
}

fn source_type_name(option_type: SourceOptionType) -> &'static str {
    match option_type {
        SourceOptionType::Text => "string",
        SourceOptionType::Integer => "int",
        SourceOptionType::Boolean => "bool",
        SourceOptionType::TextList => "[]string",
        SourceOptionType::TextMap => "map[string]string",
    }
}
