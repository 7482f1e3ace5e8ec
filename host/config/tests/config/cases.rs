//! Every `cases/*.pkr.hcl` beside the text a user reads for it, `ok` where there is none. With
//! `UPDATE_EXPECTED=1` the texts are written anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::world::decode;

const TEMPLATE: &str = ".pkr.hcl";
const EXPECTED: &str = ".expected";

/// The documentation's examples, which all are shown the same way: without an error, and with these
/// warnings.
#[test]
fn examples_of_the_documentation_are_right() {
    let target_dev = "warning: `target_dev` has no effect";
    let agent = "warning: the guest's address is asked for from its QEMU guest agent";
    let only = "warning: SSH goes through the only network interface";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/templates/documentation");
    for (name, expected) in [
        ("simple", vec![target_dev, target_dev]),
        ("backing-store", vec![target_dev, only, agent]),
        ("cdrom", vec![only, agent]),
        ("cloning", vec![target_dev, only, agent]),
        ("cloud-init", vec![target_dev, only, agent]),
        ("external", vec![target_dev, only, agent]),
        ("floppy", vec![only, agent]),
    ] {
        let template = format!("{name}{TEMPLATE}");
        let text = fs::read_to_string(folder.join(&template)).unwrap();
        let messages = decode(&template, &text).messages;
        let said: Vec<_> = messages
            .lines()
            .filter(|line| line.starts_with("error") || line.starts_with("warning"))
            .collect();
        assert_eq!(said, expected, "{name}");
    }
}

#[test]
fn messages_are_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut templates = BTreeSet::new();
    let mut expected = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(TEMPLATE) {
            templates.insert(name.to_string());
        } else if let Some(name) = name.strip_suffix(EXPECTED) {
            expected.insert(name.to_string());
        } else {
            panic!("cases/{name} is neither a template nor what is expected of one");
        }
    }
    assert!(!templates.is_empty(), "there are no cases");
    let mut wrong = Vec::new();
    for name in &templates {
        let template = format!("{name}{TEMPLATE}");
        let text = fs::read_to_string(folder.join(&template)).unwrap();
        let messages = decode(&template, &text).messages;
        let said = if messages.is_empty() {
            "ok\n"
        } else {
            &messages
        };
        let path = folder.join(format!("{name}{EXPECTED}"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, said).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(said) {
            wrong.push(format!("--- {name}: expected something else than\n{said}"));
        }
    }
    let forgotten: Vec<_> = expected.difference(&templates).collect();
    assert!(forgotten.is_empty(), "no templates for {forgotten:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
