//! The template language: what lvhost's own tests expect of it, asked of a real Packer.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::packer::{Installation, packers};

/// The tables of `host/hcl/tests/cases`.
const TABLES: [&str; 7] = [
    "answers",
    "collections",
    "encodings",
    "expressions",
    "packer",
    "strings",
    "templates",
];

/// Expressions about a world that only the tests of the language have: its time, home, secrets and the like.
const OTHER_WORLD: [&str; 12] = [
    "timestamp()",
    "uuidv4()",
    "$2a$04$",
    "legacy_isotime() ==>",
    "legacy_isotime(\"2006",
    "legacy_isotime(\"January 2",
    "abspath(\"x",
    "pathexpand(\"~",
    "file(\"~",
    "path.cwd",
    "packer.version",
    "data.",
];

/// Where `docs/packer.md` says what differs.
const HEADING: &str = "## Functions\n";

const LOCALS: &str = r#"
  list   = ["a", "b", "c"]
  object = { name = "x", ports = [22, 80] }
  people = [{ name = "Ann", age = 30 }, { name = "Bob", age = 40 }]
  none   = null
"#;

/// An expression, and what lvhost says to it; `None` is an error.
struct Line {
    expression: String,
    expected: Option<String>,
}

fn lines() -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/hcl/tests/cases");
    let mut lines = Vec::new();
    for table in TABLES {
        let text = std::fs::read_to_string(folder.join(table).with_extension("txt")).unwrap();
        for line in text.lines() {
            let is_asked = !line.starts_with('#') && !line.contains("var.secret");
            if !is_asked || OTHER_WORLD.iter().any(|part| line.contains(part)) {
                continue;
            }
            let Some((expression, expected)) = line.split_once(" ==> ") else {
                continue;
            };
            let is_error = expected.trim().starts_with("error:");
            lines.push(Line {
                expression: expression.trim().to_owned(),
                expected: (!is_error).then(|| expected.trim().to_owned()),
            });
        }
    }
    lines
}

/// What Packer makes of each expression, as JSON; `null` where it fails. `None` if it can't read them all.
fn ask(packer: &Installation, expressions: &[&str]) -> Option<Vec<Option<String>>> {
    let tried = expressions
        .iter()
        .map(|expression| expression.replace('↵', "\n"))
        .map(|expression| format!("    try(jsonencode({expression}), null),\n"));
    let tried: String = tried.collect();
    let template = format!("locals {{{LOCALS}  asked = [\n{tried}  ]\n}}\n");
    std::fs::write(packer.path("asked.pkr.hcl"), template).unwrap();
    let mut console = Command::new(&packer.packer)
        .args(["console", "asked.pkr.hcl"])
        .current_dir(packer.directory.path())
        .env_clear()
        .envs(packer.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = console.stdin.take().unwrap();
    input.write_all(b"jsonencode(local.asked)\n").unwrap();
    drop(input);
    let output = console.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// The expressions that Packer sees otherwise, and how.
fn compare(packer: &Installation, lines: &[Line]) -> Vec<(String, String)> {
    let expressions: Vec<_> = lines
        .iter()
        .flat_map(|line| {
            [
                &line.expression,
                line.expected.as_ref().unwrap_or(&line.expression),
            ]
        })
        .map(String::as_str)
        .collect();
    let Some(answers) = ask(packer, &expressions) else {
        // One of them spoils all others.
        return match lines {
            [] => Vec::new(),
            [line] if line.expected.is_none() => Vec::new(),
            [line] => vec![(line.expression.clone(), "Packer can't read it".to_owned())],
            lines => {
                let (first, second) = lines.split_at(lines.len() / 2);
                let mut different = compare(packer, first);
                different.extend(compare(packer, second));
                different
            }
        };
    };
    let mut different = Vec::new();
    for (line, answers) in lines.iter().zip(answers.chunks_exact(2)) {
        let same = match line.expected {
            Some(_) => answers[0].is_some() && answers[0] == answers[1],
            None => answers[0].is_none(),
        };
        if !same {
            let said = format!("{:?}, not {:?}", answers[0], line.expected);
            different.push((line.expression.clone(), said));
        }
    }
    different
}

/// The first cells of the table in the documentation.
fn rows() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/packer.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split("` | ").next().unwrap().to_owned())
        .collect()
}

#[test]
fn expressions_mean_the_same_both_ways() {
    let name = "expressions_mean_the_same_both_ways";
    // For what has nothing to do with plugins.
    let Some(packer) = packers(name).into_iter().next() else {
        return;
    };
    // The files that the tests of the language have.
    std::fs::create_dir(packer.path("templates")).unwrap();
    std::fs::create_dir(packer.path("texts")).unwrap();
    for (file, content) in [
        ("hello.txt", &b"hello\n"[..]),
        ("binary", b"\xff\xfe"),
        (
            "Unattend.xml.tmpl",
            b"<ComputerName>${ComputerName}</ComputerName>",
        ),
        (
            "templates/motd.tmpl",
            b"Welcome to ${name}%{ if loud }!%{ endif }\n",
        ),
        (
            "templates/list.tmpl",
            b"%{ for n in names ~}\n- ${n}\n%{ endfor ~}\n",
        ),
        ("templates/wrong.tmpl", b"one\n${ nmae }\n"),
        (
            "templates/nested.tmpl",
            b"${templatefile(\"motd.tmpl\", {})}",
        ),
        ("templates/unclosed.tmpl", b"${ name "),
    ] {
        std::fs::write(packer.path(file), content).unwrap();
    }
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/hcl/tests/cases/texts");
    for entry in std::fs::read_dir(cases).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), packer.path("texts").join(entry.file_name())).unwrap();
    }
    let lines = lines();
    assert!(lines.len() > 1900, "{}", lines.len());
    let different = compare(&packer, &lines);
    let expressions: BTreeSet<_> = different.iter().map(|(asked, _)| asked.clone()).collect();
    let unknown: Vec<_> = different
        .iter()
        .filter(|(asked, _)| !rows().contains(asked))
        .map(|(asked, how)| format!("{asked}: {how:.200}"))
        .collect();
    assert!(
        unknown.is_empty(),
        "no row of docs/packer.md:\n{}",
        unknown.join("\n")
    );
    assert_eq!(
        expressions,
        rows(),
        "a row that nothing needs says what is not so"
    );
}
