//! Typical mistakes, each with what its author sees and, stated by hand, where.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::lvhost::Lvhost;

/// Line and column of each thing that is said, in this order; `None` where it is about no place.
type Places = &'static [Option<(u64, u64)>];

/// The templates of `tests/mistakes`.
const MISTAKES: [(&str, Places); 52] = [
    ("argument-too-many", &[Some((3, 24))]),
    ("artifact-alias-of-no-volume", &[Some((3, 27))]),
    ("brace-behind-an-option", &[Some((14, 21))]),
    ("brace-missing-at-the-end", &[Some((18, 1))]),
    ("brace-missing-at-the-top", &[Some((1, 1))]),
    ("brace-missing-inside", &[Some((12, 3))]),
    ("brace-on-the-next-line", &[Some((1, 27))]),
    ("brace-too-many", &[Some((17, 1))]),
    ("braces-of-the-guest", &[Some((3, 22))]),
    ("checksum-too-short", &[Some((17, 18))]),
    ("colon-for-equals", &[Some((3, 14))]),
    ("comma-between-options", &[Some((2, 44))]),
    ("comma-missing-in-a-list", &[Some((3, 29))]),
    ("duplicate-option", &[Some((15, 5))]),
    (
        "everything-at-once",
        &[
            Some((2, 1)),
            Some((5, 3)),
            Some((6, 32)),
            Some((7, 29)),
            Some((19, 16)),
            Some((25, 3)),
            Some((26, 5)),
            Some((28, 3)),
        ],
    ),
    ("file-missing", &[Some((3, 22))]),
    ("function-without-arguments", &[Some((3, 17))]),
    ("heredoc-without-end", &[Some((3, 17))]),
    ("interface-alias-of-no-interface", &[Some((3, 28))]),
    ("label-with-a-dot", &[Some((1, 15))]),
    ("list-without-end", &[Some((3, 18))]),
    ("locals-in-a-circle", &[Some((3, 7))]),
    ("misspelt-block", &[Some((1, 1)), Some((12, 3))]),
    ("misspelt-option", &[Some((3, 3))]),
    ("nothing-to-build", &[None]),
    ("one-line-block-with-commas", &[Some((12, 30))]),
    ("one-line-block-with-two-options", &[Some((12, 31))]),
    (
        "provisioner-without-a-task",
        &[Some((20, 3)), Some((21, 5))],
    ),
    ("quote-missing", &[Some((10, 20))]),
    ("required-option-missing", &[Some((1, 1))]),
    ("script-missing", &[Some((21, 14))]),
    ("semicolon-between-options", &[Some((13, 26))]),
    ("single-quotes", &[Some((10, 20))]),
    ("source-not-there", &[Some((19, 14))]),
    ("text-for-a-number", &[Some((3, 12))]),
    ("text-without-quotes", &[Some((3, 17))]),
    ("two-equals", &[Some((3, 16))]),
    ("typographic-quotes", &[Some((10, 20))]),
    ("unit-missing", &[Some((3, 15))]),
    ("unknown-action", &[Some((3, 22))]),
    ("unknown-bus", &[Some((15, 16))]),
    ("unknown-function", &[Some((3, 17))]),
    ("unknown-provisioner", &[Some((20, 3))]),
    ("unknown-volume-source", &[Some((15, 14))]),
    ("unknown-word", &[Some((3, 19))]),
    ("uri-with-two-slashes", &[Some((2, 28))]),
    ("uri-without-a-driver", &[Some((2, 28))]),
    ("value-missing", &[Some((3, 16))]),
    ("variable-not-declared", &[Some((4, 21))]),
    ("variable-not-set", &[Some((1, 1))]),
    ("variable-of-another-type", &[Some((3, 13))]),
    ("variable-of-json", &[Some((3, 22))]),
];

fn place(finding: &Value) -> Option<(u64, u64)> {
    Some((finding["line"].as_u64()?, finding["column"].as_u64()?))
}

#[test]
fn typical_mistakes_are_told_at_their_place_in_words_that_help() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    let mut wrong = Vec::new();
    for (name, places) in MISTAKES {
        let text = std::fs::read_to_string(folder.join(format!("{name}.pkr.hcl"))).unwrap();
        let lvhost = Lvhost::new().file("template.pkr.hcl", &text);
        let said = lvhost.call(&["validate", "--json", "template.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{name}: {said:?}");
        let verdict: Value = serde_json::from_str(&said.results).unwrap();
        let findings = verdict["diagnostics"].as_array().unwrap();
        let found: Vec<_> = findings.iter().map(place).collect();
        if found != places {
            wrong.push(format!("{name}: {found:?}, not {places:?}"));
        }
        let shown = lvhost.call(&["validate", "template.pkr.hcl"]).messages;
        settings.bind(|| insta::assert_snapshot!(name, shown));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_template_with_a_mistake_is_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let templates: BTreeSet<String> = names
        .filter_map(|name| name.strip_suffix(".pkr.hcl").map(str::to_owned))
        .collect();
    let tried = MISTAKES.map(|(name, _)| name.to_owned());
    assert_eq!(templates, BTreeSet::from(tried));
}
