//! The pages on options are what the declarations say.

use std::fs;
use std::path::Path;

use lvhost_config::{packer_reference, reference};

use super::world::{built_in_sources, decode};

/// A page of the documentation, below the root of the repository, and what makes it.
fn pages() -> [(&'static str, String); 2] {
    let sources = built_in_sources();
    [
        ("docs/reference.md", reference(&sources)),
        (
            ".web-docs/components/builder/libvirt/README.md",
            packer_reference(&sources),
        ),
    ]
}

/// With `UPDATE_EXPECTED=1` the files are written anew.
#[test]
fn the_reference_is_up_to_date() {
    for (name, text) in pages() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(name);
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            assert!(
                fs::read_to_string(&path).is_ok_and(|written| written == text),
                "{name} is out of date: run this test with UPDATE_EXPECTED=1"
            );
        }
    }
}

#[test]
fn the_example_in_the_reference_is_a_template() {
    for (name, text) in pages() {
        let (_, example) = text.split_once("```hcl\n").unwrap();
        let (example, _) = example.split_once("```\n").unwrap();
        let decoded = decode("example.pkr.hcl", example);
        assert_eq!(decoded.messages, "", "{name}");
        assert_eq!(decoded.sources.len(), 1, "{name}");
        assert_eq!(decoded.provisioners.len(), 1, "{name}");
    }
}

/// Whoever reads a page finds every option that can be used.
#[test]
fn every_option_is_on_both_pages() {
    use lvhost_config::{BlockSchema, Declared, LibvirtSource};

    fn check(schema: &BlockSchema, name: &str, page: &str) {
        for option in schema.options {
            let shown = page.contains(&format!("\n- `{}` (", option.name));
            assert!(
                shown || schema.lacks(option.name),
                "{name}: {}",
                option.name
            );
        }
        for block in schema.blocks {
            check(block.schema, name, page);
        }
    }
    for (name, text) in pages() {
        check(LibvirtSource::SCHEMA, name, &text);
        for kind in built_in_sources().kinds() {
            for option in &kind.options {
                let item = format!("\n- `{}` (", option.name);
                assert!(text.contains(&item), "{name}: {}", option.name);
            }
        }
    }
}
