//! Typical mistakes, each with what its author sees and, stated by hand, where.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::lvhost::Lvhost;

/// Line and column of each thing that is said, in this order; `None` where it is about no place.
type Places = &'static [Option<(u64, u64)>];

/// The templates of `tests/mistakes`.
const MISTAKES: [(&str, Places); 64] = [
    ("argument-too-many", &[Some((3, 24))]),
    ("artifact-alias-of-no-volume", &[Some((3, 27))]),
    ("brace-behind-an-option", &[Some((14, 21))]),
    ("brace-missing-at-the-end", &[Some((18, 1))]),
    ("brace-missing-at-the-top", &[Some((1, 1))]),
    (
        "brace-missing-before-other-mistakes",
        &[Some((1, 1)), Some((20, 17))],
    ),
    ("brace-missing-inside", &[Some((12, 3))]),
    ("brace-on-the-next-line", &[Some((1, 27))]),
    ("brace-too-many", &[Some((17, 1))]),
    ("braces-of-the-guest", &[Some((3, 22))]),
    ("checksum-of-no-algorithm", &[Some((17, 18))]),
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
            Some((26, 5)),
            Some((28, 3)),
        ],
    ),
    ("file-missing", &[Some((3, 22))]),
    ("function-without-arguments", &[Some((3, 17))]),
    ("heredoc-without-end", &[Some((3, 17))]),
    ("heredoc-without-end-before-others", &[Some((2, 12))]),
    ("interface-alias-of-no-interface", &[Some((3, 28))]),
    ("label-with-a-dot", &[Some((1, 15))]),
    (
        "list-without-end-before-a-block",
        &[Some((2, 13)), Some((6, 3))],
    ),
    ("list-without-end", &[Some((3, 18))]),
    ("locals-in-a-circle", &[Some((3, 7))]),
    ("misspelt-block", &[Some((12, 3))]),
    ("misspelt-communicator", &[Some((4, 3)), Some((8, 3))]),
    ("misspelt-option", &[Some((3, 3))]),
    ("misspelt-option-of-a-provisioner", &[Some((21, 5))]),
    ("misspelt-option-of-a-source", &[Some((16, 7))]),
    (
        "misspelt-required-option",
        &[Some((2, 3)), Some((9, 5)), Some((14, 5))],
    ),
    ("misspelt-source", &[Some((1, 1))]),
    ("misspelt-volume", &[Some((12, 3))]),
    ("nothing-to-build", &[None]),
    ("one-line-block-with-commas", &[Some((12, 30))]),
    ("one-line-block-with-two-options", &[Some((12, 31))]),
    ("provisioner-without-a-task", &[Some((20, 3))]),
    ("quote-missing", &[Some((10, 20))]),
    ("required-option-missing", &[Some((1, 1))]),
    ("script-missing", &[Some((21, 14))]),
    ("semicolon-between-options", &[Some((13, 26))]),
    ("single-quotes", &[Some((10, 20))]),
    ("source-not-there", &[Some((19, 14))]),
    ("syntax-error-in-a-source", &[Some((2, 33)), Some((7, 32))]),
    (
        "syntax-errors-in-several-blocks",
        &[
            Some((2, 17)),
            Some((6, 10)),
            Some((13, 3)),
            Some((32, 21)),
            Some((35, 5)),
            Some((38, 14)),
        ],
    ),
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

/// Line and column of what is said of each file.
fn places_by_file(lvhost: &Lvhost, arguments: &[&str]) -> Vec<String> {
    let said = lvhost.call(arguments);
    assert_eq!(said.code, Some(2), "{said:?}");
    let verdict: Value = serde_json::from_str(&said.results).unwrap();
    let findings = verdict["diagnostics"].as_array().unwrap();
    let place = |finding: &Value| {
        let file = finding["file"].as_str().unwrap_or("-");
        let file = Path::new(file).file_name().unwrap().to_str().unwrap();
        let summary = finding["summary"].as_str().unwrap();
        match place(finding) {
            Some((line, column)) => format!("{file}:{line}:{column}: {summary}"),
            None => format!("{file}: {summary}"),
        }
    };
    findings.iter().map(place).collect()
}

const SOURCE: &str = "source \"libvirt\" \"example\" {
  libvirt_uri = var.uri
  domain_name = \"${local.prefix}-x\"
  memory      = var.memroy
  volume {
    alias    = \"artifact\"
    capacity = \"much\"
  }
  communicator {
    communicator = \"none\"
  }
}
";

/// A file that can't be read is no reason to say nothing of the others, and what it may hold is not missing.
#[test]
fn files_with_syntax_errors_hide_no_mistakes_of_others() {
    let lvhost = Lvhost::new()
        .file("all/a.pkr.hcl", "variable \"memory\" {\n  default = 1024,\n}\n")
        .file("all/b.pkr.hcl", "locals {\n  prefix = 'x'\n}\n")
        .file("all/c.pkr.hcl", SOURCE)
        .file(
            "all/d.pkr.hcl",
            "variable \"uri\" {\n  default = \"qemu:///system\"\n}\n\nbuild {\n  sources = [\"libvirt.example\"]\n  \
             provisioner \"shell\" {\n    inlien = [var.other]\n  }\n  provisioner \"file\" {\n    content = \"a\n  \
             }\n}\n",
        )
        .file("all/e.pkr.hcl", "}\n");
    assert_eq!(
        places_by_file(&lvhost, &["validate", "--json", "all"]),
        [
            "a.pkr.hcl:2:17: there is no `,` between options",
            "b.pkr.hcl:2:12: a text is in single quotes",
            "c.pkr.hcl:7:16: `capacity`: `much`: a size begins with a number, such as \"10GiB\"",
            "d.pkr.hcl:8:5: provisioner \"shell\" has no option called `inlien`",
            "d.pkr.hcl:11:15: the text is not closed",
            "e.pkr.hcl:1:1: there is a `}` too many",
        ]
    );
}

/// With the declarations whole, names that are not there are told of again.
#[test]
fn only_what_may_be_missing_is_left_out() {
    let lvhost = Lvhost::new()
        .file(
            "all/a.pkr.hcl",
            "variable \"memory\" {\n  default = 1024\n}\nvariable \"uri\" {\n  default = \"qemu:///system\"\n}\n",
        )
        .file("all/b.pkr.hcl", "locals {\n  prefix = 'x'\n}\n")
        .file("all/c.pkr.hcl", &SOURCE.replace("much", "1G"))
        .file("all/d.pkr.hcl", "build {\n  sources = [\"libvirt.exmple\"]\n}\n");
    assert_eq!(
        places_by_file(&lvhost, &["validate", "--json", "all"]),
        [
            "b.pkr.hcl:2:12: a text is in single quotes",
            "c.pkr.hcl:4:21: there is no variable `memroy`",
            "d.pkr.hcl:2:14: there is no source `libvirt.exmple`",
        ]
    );
}

/// Nor is a variable unset whose value may stand in a file that can't be read.
#[test]
fn a_broken_file_of_values_leaves_no_variable_unset() {
    let lvhost = Lvhost::new()
        .file(
            "all/t.pkr.hcl",
            &format!("variable \"uri\" {{}}\nvariable \"memroy\" {{}}\nlocals {{\n  prefix = \"x\"\n}}\n{SOURCE}build {{\n  \
             sources = [\"libvirt.example\"]\n}}\n"),
        )
        .file("values.pkrvars.hcl", "uri = \"qemu:///system\"\nmemroy = 'much'\n");
    let arguments = [
        "validate",
        "--json",
        "-var-file",
        "values.pkrvars.hcl",
        "all",
    ];
    assert_eq!(
        places_by_file(&lvhost, &arguments),
        [
            "t.pkr.hcl:12:16: `capacity`: `much`: a size begins with a number, such as \"10GiB\"",
            "values.pkrvars.hcl:2:10: a text is in single quotes",
        ]
    );
}
