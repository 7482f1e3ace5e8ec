//! docs/security.md: each of its promises names a test, and the tests and files that it names are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with Rust sources of the repository.
const SOURCES: &[&str] = &["host", "plugin-sdk", "sources", "tests"];

/// The headings of tables whose last column names tests.
const SHOWN_BY: &str = "shown by";

#[test]
fn each_promise_of_trust_names_tests_that_are_there() {
    let root = repository();
    let text = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let tests = all_tests(&root);
    assert!(tests.len() > 500, "only {} tests found", tests.len());
    let mut wrong = Vec::new();
    let promises = promises(&text);
    for (line, cells) in &promises {
        let (promise, shown_by) = cells.rsplit_once('|').unwrap_or(("", cells));
        let files = in_backticks(promise).filter(|text| text.contains("/src"));
        for file in files.filter(|file| !root.join("host").join(file).exists()) {
            wrong.push(format!("docs/security.md:{line}: there is no host/{file}"));
        }
        let named: Vec<_> = in_backticks(shown_by).collect();
        if named.is_empty() {
            wrong.push(format!("docs/security.md:{line}: no test is named"));
        }
        for name in named.into_iter().filter(|name| !tests.contains(*name)) {
            wrong.push(format!("docs/security.md:{line}: there is no test {name}"));
        }
    }
    assert!(
        promises.len() > 20,
        "only {} promises found",
        promises.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_into_the_page_about_security_lead_to_its_headings() {
    let root = repository();
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let headings: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| anchor(heading.trim_start_matches('#').trim()))
        .collect();
    let mut links = 0;
    let mut wrong = Vec::new();
    for file in ["README.md", "ARCHITECTURE.md"]
        .map(|name| root.join(name))
        .into_iter()
        .chain(files_below(&root.join("docs"), "md"))
    {
        let text = fs::read_to_string(&file).unwrap();
        for rest in text.split("security.md#").skip(1) {
            links += 1;
            let end = rest.find([')', ' ', '\n']).unwrap_or(rest.len());
            if !headings.contains(&rest[..end]) {
                wrong.push(format!("{}: security.md#{}", file.display(), &rest[..end]));
            }
        }
    }
    assert!(links > 0, "nothing leads to the page");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever writes to a terminal, and how it is known that strangers' words don't get by the filter there.
const WRITERS: &[(&str, &str)] = &[
    (
        "cli/src/exit_code.rs",
        "clap's texts: filtered where they repeat arguments",
    ),
    ("cli/src/logging.rs", "filters each event"),
    (
        "cli/src/packer_plugin.rs",
        "a handshake, and errors that are filtered",
    ),
    ("cli/src/printer.rs", "the filter's own place"),
    (
        "cli/src/surroundings.rs",
        "asks whether there is a terminal",
    ),
    ("cli/src/ui/key_echo.rs", "switches keys off"),
    ("cli/src/ui/terminal.rs", "bars, whose names are filtered"),
    (
        "libvirt/src/connection/ffi/process_end.rs",
        "empties what others have written",
    ),
];

#[test]
fn nobody_writes_past_the_filter() {
    let root = repository().join("host");
    let mut writers = BTreeSet::new();
    for file in files_below(&root, "rs") {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let is_of_tests = ["/tests", "/examples/", "/build.rs"];
        if !name.contains("/src/") || is_of_tests.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<_> = code.collect();
        let ways = [
            "print!(",
            "println!(",
            "dbg!(",
            "stdout()",
            "stderr()",
            "/dev/tty",
        ];
        if ways
            .iter()
            .any(|way| code.iter().any(|line| line.contains(way)))
        {
            writers.insert(name);
        }
    }
    let known: BTreeSet<_> = WRITERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(writers, known);
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of all tables that say in their last cells by what tests a promise is shown, with their lines.
fn promises(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_table = false;
    for (line, row) in (1..).zip(text.lines()) {
        let Some(cells) = row.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            in_table = false;
            continue;
        };
        let last = cells.rsplit('|').next().unwrap_or_default().trim();
        if last == SHOWN_BY {
            in_table = true;
        } else if in_table && !cells.trim_start().starts_with("---") {
            found.push((line, cells));
        }
    }
    found
}

/// The names of all test functions of the repository.
fn all_tests(root: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for file in SOURCES
        .iter()
        .flat_map(|folder| files_below(&root.join(folder), "rs"))
    {
        let text = fs::read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((before, name)) = line.split_once("fn ") {
                if is_test && (before.is_empty() || before.ends_with(' ')) {
                    let name = name.split('(').next().unwrap_or_default();
                    tests.insert(name.to_owned());
                }
                is_test = false;
            }
        }
    }
    tests
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.join("CACHEDIR.TAG").exists() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// How a forge turns a heading into an anchor.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|it| it.is_alphanumeric() || *it == ' ' || *it == '-')
        .map(|it| if it == ' ' { '-' } else { it })
        .collect()
}
