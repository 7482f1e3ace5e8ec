//! `docs/migration.md` goes through all faults of the Go plugin, and the tests it names exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// How many faults of the Go plugin 0.5.0 are known.
const FAULTS: usize = 29;

/// The names of all tests in the Rust files below `folder`.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                tests_in(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    is_test = true;
                } else if let Some((before, after)) = line.split_once("fn ") {
                    if is_test && matches!(before, "" | "async ") {
                        let name = after.split(['(', '<']).next().unwrap_or_default();
                        found.insert(name.to_string());
                    }
                    is_test = false;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_fault_of_the_go_plugin_is_answered_by_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("docs/migration.md")).unwrap();
    let mut tests = BTreeSet::new();
    for folder in ["host", "plugin-sdk", "sources", "tests"] {
        tests_in(&root.join(folder), &mut tests).unwrap();
    }

    let (_, faults) = text.split_once("\n## Faults").unwrap();
    let (faults, _) = faults.split_once("\n## ").unwrap();
    let sections: Vec<_> = faults.split("\n### ").skip(1).collect();
    assert_eq!(sections.len(), FAULTS);
    let mut missing = Vec::new();
    for (section, number) in sections.iter().zip(1..) {
        let title = section.lines().next().unwrap_or_default();
        assert!(title.starts_with(&format!("{number}. ")), "{title}");
        let shown = section
            .lines()
            .find_map(|line| line.strip_prefix("Shown by: "))
            .unwrap_or_else(|| panic!("`{title}` names no test"));
        let names: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{title}");
        let unknown = names.iter().filter(|name| !tests.contains(**name));
        missing.extend(unknown.map(|name| format!("{title}: there is no test `{name}`")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
