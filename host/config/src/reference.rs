//! The reference of all blocks and options, as Markdown.

use std::fmt::Write as _;

use crate::declare::Declared;
use crate::libvirt_source::LibvirtSource;
use crate::provisioner;
use crate::schema::{BlockSchema, Choice, InnerBlockSchema, Kind, OptionSchema, prose};
use crate::volume_source::{
    SourceOption, SourceOptionType, SourceSchema, SourceSchemas, VolumeSource,
};

const INTRODUCTION: &str = include_str!("reference/introduction.md");

/// Which bus is the default where, and why.
const BUSES: &str = include_str!("reference/buses.md");

/// Every block there is, with those inside of it.
pub fn block_schemas() -> Vec<&'static BlockSchema> {
    fn add(schema: &'static BlockSchema, all: &mut Vec<&'static BlockSchema>) {
        all.push(schema);
        for block in schema.blocks {
            add(block.schema, all);
        }
    }
    let mut all = Vec::new();
    add(LibvirtSource::SCHEMA, &mut all);
    for schema in provisioner::SCHEMAS {
        add(schema, &mut all);
    }
    all
}

/// The reference of every block, with the volume sources `sources`.
pub fn reference(sources: &SourceSchemas) -> String {
    let mut text = INTRODUCTION.to_string();
    block(&mut text, 2, LibvirtSource::SCHEMA, sources);
    for schema in provisioner::SCHEMAS {
        block(&mut text, 2, schema, sources);
    }
    text.push_str(BUSES);
    text
}

/// A section on a block, and one below it for each block in it.
fn block(text: &mut String, level: usize, schema: &BlockSchema, sources: &SourceSchemas) {
    heading(text, level, schema.name);
    paragraph(text, &prose(schema.documentation));
    let supported = schema
        .options
        .iter()
        .filter(|option| !schema.lacks(option.name));
    list(text, supported.map(|known| option(schema, known)));
    if !schema.blocks.is_empty() {
        paragraph(text, "Blocks:");
        list(text, schema.blocks.iter().map(inner_block));
    }
    if !schema.not_supported.is_empty() {
        let names: Vec<_> = schema
            .not_supported
            .iter()
            .map(|mark| format!("`{mark}`"))
            .collect();
        paragraph(
            text,
            &format!("Not supported by this version: {}.", names.join(", ")),
        );
    }
    if std::ptr::eq(schema, VolumeSource::SCHEMA) {
        for source in sources.kinds() {
            volume_source(text, level + 1, source);
        }
    }
    for inner in schema.blocks {
        block(text, level + 1, inner.schema, sources);
    }
}

fn volume_source(text: &mut String, level: usize, source: &SourceSchema) {
    heading(
        text,
        level,
        &format!("source of type \"{}\"", source.type_name),
    );
    let mut about = format!("{}.", source.summary.trim_end_matches('.'));
    if !source.aliases.is_empty() {
        let names: Vec<_> = source
            .aliases
            .iter()
            .map(|alias| format!("`{alias}`"))
            .collect();
        let _ = write!(about, " Also called {}.", names.join(", "));
    }
    paragraph(text, &about);
    list(text, source.options.iter().map(source_option));
}

fn heading(text: &mut String, level: usize, title: &str) {
    // Writing to a `String` can't fail, here and below.
    let _ = writeln!(text, "\n{} {title}", "#".repeat(level));
}

fn paragraph(text: &mut String, paragraph: &str) {
    let _ = writeln!(text, "\n{paragraph}");
}

fn list(text: &mut String, items: impl Iterator<Item = String>) {
    for (index, item) in items.enumerate() {
        let before = if index == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{before}- {item}");
    }
}

fn option(schema: &BlockSchema, option: &OptionSchema) -> String {
    let mut facts = vec![kind(option.kind).to_string()];
    if option.required {
        facts.push("required".to_string());
    }
    if let Some(default) = option.default {
        facts.push(format!("default `{}`", default.trim_matches('"')));
    }
    let mut item = format!(
        "`{}` ({}): {}",
        option.name,
        facts.join(", "),
        option.prose()
    );
    if let Kind::Choice(choices) | Kind::ChoiceList(choices) = option.kind {
        for Choice {
            word,
            documentation,
        } in choices
        {
            if schema
                .words_not_supported(option.name)
                .any(|mark| mark == *word)
            {
                continue;
            }
            let _ = write!(item, "\n  - `{word}`: {}", prose(documentation));
        }
    }
    item
}

fn source_option(option: &SourceOption) -> String {
    let mut facts = vec![
        match option.option_type {
            SourceOptionType::Text => kind(Kind::Text),
            SourceOptionType::Integer => kind(Kind::Integer),
            SourceOptionType::Boolean => kind(Kind::Boolean),
            SourceOptionType::TextList => kind(Kind::TextList),
            SourceOptionType::TextMap => kind(Kind::TextMap),
        }
        .to_string(),
    ];
    if option.sensitive {
        facts.push("secret".to_string());
    }
    if option.required {
        facts.push("required".to_string());
    }
    if let Some(default) = &option.default {
        facts.push(format!("default: {default}"));
    }
    format!(
        "`{}` ({}): {}",
        option.name,
        facts.join(", "),
        option.documentation
    )
}

fn inner_block(block: &InnerBlockSchema) -> String {
    let number = if block.repeated {
        "any number"
    } else {
        "at most one"
    };
    format!(
        "`{}` ({number}): {}",
        block.name,
        prose(block.documentation)
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Secret => "text, secret",
        Kind::Integer => "whole number",
        Kind::Boolean => "`true` or `false`",
        Kind::Duration => "duration",
        Kind::Size => "size",
        Kind::Choice(_) => "one of these",
        Kind::ChoiceList(_) => "list of these",
        Kind::TextList => "list of texts",
        Kind::IntegerList => "list of whole numbers",
        Kind::TextMap => "texts by name",
    }
}
