//! Facts that hold for every declaration, whatever is declared.

use std::collections::BTreeSet;

use lvhost_config::{BlockSchema, Choice, Kind, block_schemas};

use super::world::{built_in_sources, decode};

fn is_prose(lines: &[&str]) -> bool {
    lines.concat().trim_end().ends_with('.')
}

#[test]
fn everything_is_documented_in_sentences() {
    for schema in block_schemas() {
        let block = schema.name;
        assert!(is_prose(schema.documentation), "{block}");
        for option in schema.options {
            let name = option.name;
            assert!(is_prose(option.documentation), "{block}: {name}");
            if let Kind::Choice(choices) | Kind::ChoiceList(choices) = option.kind {
                for Choice {
                    word,
                    documentation,
                } in choices
                {
                    assert!(is_prose(documentation), "{block}: {name}: {word}");
                }
            }
        }
        for inner in schema.blocks {
            assert!(is_prose(inner.documentation), "{block}: {}", inner.name);
        }
    }
    for source in built_in_sources().kinds() {
        for option in &source.options {
            let (source, name) = (&source.type_name, &option.name);
            assert!(is_prose(&[&option.documentation]), "{source}: {name}");
        }
    }
}

#[test]
fn names_are_unique_in_their_block() {
    for schema in block_schemas() {
        let options = schema.options.iter().map(|option| option.name);
        let blocks = schema.blocks.iter().map(|block| block.name);
        let mut seen = BTreeSet::new();
        for name in options.chain(blocks) {
            assert!(
                seen.insert(name.to_string()),
                "{}: {name} twice",
                schema.name
            );
        }
        let mut marks = BTreeSet::new();
        for mark in schema.not_supported {
            assert!(
                marks.insert(mark.to_string()),
                "{}: {mark} twice",
                schema.name
            );
        }
    }
}

#[test]
fn a_required_option_has_no_default() {
    for schema in block_schemas() {
        for option in schema.options {
            assert!(
                !(option.required && option.default.is_some()),
                "{}: {}",
                schema.name,
                option.name
            );
        }
    }
}

/// What is marked as not supported is an error wherever it stands; what isn't, is none.
#[test]
fn marks_are_errors() {
    let decoded = |block: &str, line: &str| {
        let inside = match block {
            "source \"libvirt\"" => line.to_string(),
            "network_interface" | "volume" | "graphics" | "communicator" => {
                format!("{block} {{\n{line}\n}}")
            }
            _ => return None,
        };
        let text = format!("source \"libvirt\" \"x\" {{\n{inside}\n}}\n");
        Some(decode("marks.pkr.hcl", &text).messages)
    };
    for schema in block_schemas() {
        for mark in schema.not_supported {
            let value = mark.word.unwrap_or("1");
            let Some(said) = decoded(schema.name, &format!("{} = \"{value}\"", mark.option)) else {
                continue;
            };
            let error = format!("error: `{mark}` is not supported by this version of lvhost");
            assert!(said.contains(&error), "{said}");
            for nothing in ["null", "\"\""] {
                let line = format!("{} = {nothing}", mark.option);
                let said = decoded(schema.name, &line).unwrap();
                assert!(!said.contains("not supported"), "{said}");
            }
            if let Some(word) = mark.word {
                let words = match schema.option(mark.option).map(|option| option.kind) {
                    Some(Kind::Choice(choices)) => choices,
                    kind => panic!("{mark} is a word of {kind:?}"),
                };
                assert!(words.iter().any(|choice| choice.word == word), "{mark}");
            }
        }
    }
    // To switch off what can't be switched on is no wish.
    for schema in block_schemas() {
        let off = |name: &str| {
            let option = schema.option(name)?;
            (option.kind == Kind::Boolean).then(|| format!("{name} = false"))
        };
        for line in schema
            .not_supported
            .iter()
            .filter_map(|mark| off(mark.option))
        {
            let said = decoded(schema.name, &line).unwrap_or_default();
            assert!(!said.contains("not supported"), "{said}");
        }
    }
}

/// Defaults stand in the reference as one would write them, so writing them must work.
#[test]
fn defaults_can_be_written() {
    let defaults = |schema: &BlockSchema| -> String {
        let supported = schema
            .options
            .iter()
            .filter(|option| !schema.lacks(option.name));
        let written = supported.filter_map(|option| {
            let default = option.default?;
            Some(format!("{} = {default}\n", option.name))
        });
        written.collect()
    };
    for schema in block_schemas() {
        let lines = defaults(schema);
        let (inside, provisioner) = match schema.name {
            "source \"libvirt\"" => (lines, String::new()),
            "port_forward" => (
                format!(
                    "network_interface {{\n type = \"user\"\n \
                     port_forward {{\n guest_port = 22\n{lines}}}\n}}"
                ),
                String::new(),
            ),
            "network_interface" => (
                format!("network_interface {{\n type = \"managed\"\n{lines}}}"),
                String::new(),
            ),
            "volume" => (
                format!("volume {{\n name = \"other\"\n{lines}}}"),
                String::new(),
            ),
            "communicator" => (
                format!(
                    "communicator {{\n ssh_host = \"h\"\n ssh_username = \"u\"\n \
                     ssh_password = \"p\"\n{lines}}}"
                ),
                String::new(),
            ),
            "graphics" => (
                format!("graphics {{\n type = \"vnc\"\n{lines}}}"),
                String::new(),
            ),
            "source" => {
                assert_eq!(lines, "", "the options of sources have no defaults here");
                continue;
            }
            "provisioner \"shell\"" | "provisioner \"shell-local\"" => (
                String::new(),
                format!("{} {{\n inline = [\"true\"]\n{lines}}}", schema.name),
            ),
            "provisioner \"file\"" => (
                String::new(),
                format!(
                    "{} {{\n source = \"s\"\n destination = \"d\"\n{lines}}}",
                    schema.name
                ),
            ),
            "provisioner \"breakpoint\"" => {
                (String::new(), format!("{} {{\n{lines}}}", schema.name))
            }
            other => panic!("write down how a block `{other}` looks"),
        };
        let communicator = if schema.name == "communicator" {
            ""
        } else {
            "communicator = \"none\""
        };
        let text = format!(
            "source \"libvirt\" \"x\" {{\n libvirt_uri = \"test:///default\"\n {communicator}\n \
             volume {{\n alias = \"artifact\"\n capacity = \"1G\"\n}}\n{inside}\n}}\n\
             build {{\n sources = [\"libvirt.x\"]\n{provisioner}\n}}\n"
        );
        assert_eq!(decode("defaults.pkr.hcl", &text).messages, "", "{text}");
    }
}
