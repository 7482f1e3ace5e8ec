//! `docs/reference.md` is what the declarations say.

use std::fs;
use std::path::Path;

use lvhost_config::reference;

use super::world::{built_in_sources, decode};

/// With `UPDATE_EXPECTED=1` the file is written anew.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let text = reference(&built_in_sources());
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    } else {
        assert!(
            fs::read_to_string(&path).is_ok_and(|written| written == text),
            "docs/reference.md is out of date: run this test with UPDATE_EXPECTED=1"
        );
    }
}

#[test]
fn the_example_in_the_reference_is_a_template() {
    let text = reference(&built_in_sources());
    let (_, example) = text.split_once("```hcl\n").unwrap();
    let (example, _) = example.split_once("```\n").unwrap();
    let decoded = decode("example.pkr.hcl", example);
    assert_eq!(decoded.messages, "");
    assert_eq!(decoded.sources.len(), 1);
    assert_eq!(decoded.provisioners.len(), 1);
}
