//! Every option, of a `source "libvirt"`, of a volume's source and of a provisioner, is written in a
//! template of this crate's tests, so that more is known of it than how it is read.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use lvhost_config::{BlockSchema, block_schemas};

use crate::scene::sources;

/// Options that do nothing: a private key brings its public one, and a hypervisor keeps no key pairs.
const WITHOUT_EFFECT: [&str; 2] = ["ssh_public_key", "ssh_keypair_name"];

/// The words in the Rust files and templates below `folder` that something is assigned to: `name =`.
fn assigned(folder: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy().into_owned();
        let is_test = name.contains("/tests") && !name.ends_with("/options.rs");
        if path.is_dir() {
            assigned(&path, found)?;
        } else if is_test && (name.ends_with(".rs") || name.ends_with(".pkr.hcl")) {
            // In Rust, templates stand in texts with their line breaks escaped.
            let text = fs::read_to_string(&path)?.replace("\\n", "\n");
            for (before, _) in text.match_indices('=').map(|(at, _)| text.split_at(at)) {
                let word: String = before
                    .trim_end_matches([' ', '{'])
                    .chars()
                    .rev()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                found.insert(word.chars().rev().collect());
            }
        }
    }
    Ok(())
}

fn missing(schema: &BlockSchema, written: &BTreeSet<String>, found: &mut Vec<String>) {
    let options = schema.options.iter().map(|option| option.name);
    let supported = options.filter(|name| !schema.lacks(name) && !WITHOUT_EFFECT.contains(name));
    let unwritten = supported.filter(|name| !written.contains(*name));
    found.extend(unwritten.map(|name| format!("{}: {name}", schema.name)));
}

#[test]
fn every_option_is_written_in_a_template_of_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut written = BTreeSet::new();
    for folder in ["tests", "src"] {
        assigned(&root.join(folder), &mut written).unwrap();
    }
    let mut without = Vec::new();
    for schema in block_schemas() {
        missing(schema, &written, &mut without);
    }
    for kind in sources().schemas().kinds() {
        let unwritten = kind.options.iter().filter(|it| !written.contains(&it.name));
        without.extend(unwritten.map(|it| format!("{}: {}", kind.type_name, it.name)));
    }
    assert!(without.is_empty(), "in no test:\n{}", without.join("\n"));
}
