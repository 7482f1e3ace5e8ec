//! One template, two ways in: `lvhost plan`, and Packer with the plugin. Domain, volumes, interfaces, warnings,
//! errors and the end are the same, but for the table of `docs/packer.md`.

mod odd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::documentation::for_packer;
use super::with_newest;
use crate::local_guest::key_pair;
use crate::packer::Installation;
use crate::real_guests::template;

/// Where the differences that stand are told, with their reasons.
const TABLE: &str = "## Where the same template differs";

/// In the table's first column: Packer does not ask the plugin before all that it finds itself is mended.
const PACKERS_OWN: &str = "what Packer finds by itself";

/// Where our own templates are.
const OWN: &str = "tests/templates/";

/// What the variables of `tests/templates` are set to. Nothing of it has to be there.
const VARIABLES: &[(&str, &str)] = &[
    ("uri", "qemu:///system"),
    ("pool", "default"),
    ("domain_type", "qemu"),
    ("domain", "guest"),
    ("volume", "guest-disk"),
    ("command", "true"),
    ("content", "content"),
    ("disk", "https://example.org/disk.img"),
    ("disc", "https://example.org/disc.iso"),
    ("image", "https://example.org/image.qcow2"),
    ("image_url", "https://example.org/image.qcow2"),
    (
        "image_checksum",
        "0000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("checksum", "none"),
    ("address_source", "lease"),
    ("endless", "false"),
    ("key", "key"),
    ("public_key", "ssh-ed25519 AAAA"),
];

/// What one of the two ways has come to.
#[derive(Debug, PartialEq)]
struct Outcome {
    is_valid: bool,
    /// What is wrong, and what is odd, in the words of the plugin: `what; why; what to do`.
    errors: Vec<String>,
    warnings: Vec<String>,
    /// The plan of each source, without what is random.
    plans: BTreeSet<String>,
}

/// How the two ways end on one template.
#[derive(Debug)]
enum Comparison {
    Same,
    /// Both refuse it, and the plugin was not asked.
    RefusedByPacker,
    Different(String),
}

fn compare(packer: &Installation, name: &str, text: &str) -> Comparison {
    let path = packer.path("template.pkr.hcl");
    std::fs::write(&path, text).unwrap();
    let variables: Vec<String> = VARIABLES
        .iter()
        .filter(|(name, _)| text.contains(&format!("variable \"{name}\"")))
        .map(|(name, value)| format!("-var={name}={value}"))
        .collect();
    let by_lvhost = by_lvhost(packer, &path, &variables);
    let (by_packer, was_asked, output) = by_packer(packer, &path, &variables, &by_lvhost);
    if by_lvhost == by_packer {
        return Comparison::Same;
    }
    if !by_lvhost.is_valid && !by_packer.is_valid && !was_asked {
        return Comparison::RefusedByPacker;
    }
    Comparison::Different(format!(
        "{name}:\n{text}\nlvhost: {by_lvhost:#?}\nPacker: {by_packer:#?}\n{output}"
    ))
}

fn by_lvhost(packer: &Installation, path: &Path, variables: &[String]) -> Outcome {
    let output = Command::new(crate::lvhost::command())
        .args(["plan", "--json"])
        .args(variables)
        .arg(path)
        .current_dir(packer.directory.path())
        .env_clear()
        .envs(packer.environment())
        .env("XDG_CACHE_HOME", packer.path("nothing"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let said = |severity: &str| {
        let findings = report["diagnostics"].as_array().unwrap().iter();
        let findings = findings.filter(|finding| finding["severity"] == severity);
        let mut said: Vec<_> = findings.map(in_one_line).collect();
        said.sort();
        said
    };
    let plans = report["builds"].as_array().into_iter().flatten();
    Outcome {
        is_valid: output.status.success(),
        errors: said("error"),
        warnings: said("warning"),
        plans: plans.map(comparable).collect(),
    }
}

/// A finding as the plugin writes it, but for the place.
fn in_one_line(finding: &Value) -> String {
    let parts = ["summary", "detail", "help"].map(|part| finding[part].as_str().unwrap_or(""));
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    words(&parts.join("; "))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What Packer has come to; whether the plugin was asked, and nobody else; and what it has said. Its words are
/// looked for those of lvhost, since it wraps them and puts its own around; what is left over would be counted.
fn by_packer(
    packer: &Installation,
    path: &Path,
    variables: &[String],
    expected: &Outcome,
) -> (Outcome, bool, String) {
    let _ = std::fs::remove_file(packer.path("log"));
    let mut arguments = vec!["validate"];
    arguments.extend(variables.iter().map(String::as_str));
    arguments.push(path.to_str().unwrap());
    let ended = packer.run_with(&arguments, &[("LVHOST_LOG", "lvhost=debug")]);
    let log = packer.read("log");
    let said = words(&ended.output);
    let plans = log
        .lines()
        .filter_map(|line| Some(line.split_once("the plan: ")?.1))
        .map(|plan| comparable(&serde_json::from_str(plan).unwrap()));
    let found = |wanted: &[String], mark: &str| {
        let is_said = |(index, text): &(usize, &String)| {
            // The same may be said of several places.
            let before = wanted[..*index].iter().filter(|it| it == text).count();
            said.matches(text.as_str()).count() > before
        };
        let found = wanted.iter().enumerate().filter(is_said);
        let mut found: Vec<_> = found.map(|(_, text)| text.clone()).collect();
        // What the plugin has said beyond that.
        let count = log.matches(mark).count();
        if count > found.len() {
            found.push(format!("({count} in all)"));
        }
        found
    };
    let outcome = Outcome {
        is_valid: ended.code == Some(0),
        errors: found(&expected.errors, "the source has an error: "),
        warnings: found(&expected.warnings, "the source has a warning: "),
        plans: plans.collect(),
    };
    // Of provisioners it asks its own.
    let was_asked =
        log.contains("checked the source ") && !said.contains("Failed preparing provisioner");
    (outcome, was_asked, ended.output)
}

/// A plan as text, without the build's name, which Packer does not tell, and without what is random.
fn comparable(plan: &Value) -> String {
    let mut plan: Map<String, Value> = plan.as_object().unwrap().clone();
    plan.remove("build");
    without_random(&serde_json::to_string(&plan).unwrap())
}

/// `text` with a sign in the place of each run of hexadecimal digits that is a part of a UUID, of a random word or
/// of a random address, and of each time of day in seconds.
fn without_random(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for run in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = run.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        let is_after_colon = made.ends_with(':') && digits.len() == 2;
        let is_random = matches!(digits.len(), 8 | 12) || is_after_colon;
        let is_time = digits.len() == 10 && digits.starts_with('1');
        let is_part = digits.len() == 4 && made.ends_with('-');
        match is_random || is_time || is_part {
            true => made.push_str(&format!("?{}", &run[digits.len()..])),
            false => made.push_str(run),
        }
    }
    made
}

/// The first cells of the table's rows.
fn rows() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/packer.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(TABLE).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| "));
    lines
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").collect();
            assert_eq!(cells.len(), 4, "{line}");
            let first = cells[0].trim_start_matches("| ").trim();
            first.trim_matches('`').trim().to_owned()
        })
        .collect()
}

/// Compares all `templates`, each with its name.
fn assert_same(packer: &Installation, templates: &[(String, String)]) -> BTreeSet<String> {
    let rows = rows();
    let mut used = BTreeSet::new();
    let mut differences = Vec::new();
    for (name, text) in templates {
        let row = match compare(packer, name, text) {
            Comparison::Same if rows.contains(name) => {
                differences.push(format!("{name}: there is no difference, but a row"));
                continue;
            }
            Comparison::Same => continue,
            Comparison::RefusedByPacker => PACKERS_OWN.to_owned(),
            Comparison::Different(how) if !rows.contains(name) => {
                differences.push(how);
                continue;
            }
            Comparison::Different(_) => name.clone(),
        };
        used.insert(row);
    }
    assert!(
        differences.is_empty(),
        "{} of {}:\n{}",
        differences.len(),
        templates.len(),
        differences.join("\n\n")
    );
    used
}

#[test]
fn odd_templates_mean_the_same_both_ways() {
    with_newest("odd_templates_mean_the_same_both_ways", |packer| {
        let templates: Vec<_> = odd::ODD
            .iter()
            .map(|odd| (odd.row(), odd.template()))
            .collect();
        assert!(templates.len() >= 60);
        let used = assert_same(packer, &templates);
        // A row that nothing needs says what is not so.
        let rows = rows().into_iter().filter(|row| !row.starts_with(OWN));
        assert_eq!(used, rows.collect());
    });
}

#[test]
fn our_own_templates_mean_the_same_both_ways() {
    with_newest("our_own_templates_mean_the_same_both_ways", |packer| {
        let inner = template("documentation/Unattend.xml.tmpl");
        std::fs::copy(inner, packer.path("Unattend.xml.tmpl")).unwrap();
        let _ = key_pair(packer.directory.path());
        let mut templates = Vec::new();
        for file in ["payload", "folder", "content"] {
            std::fs::write(packer.path(file), "").unwrap();
        }
        for folder in ["", "documentation/"] {
            for entry in std::fs::read_dir(template(folder)).unwrap() {
                let path: PathBuf = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.ends_with(".pkr.hcl") {
                    let name = format!("{OWN}{folder}{name}");
                    let text = std::fs::read_to_string(&path).unwrap();
                    templates.push((name, for_packer(&text)));
                }
            }
        }
        assert!(templates.len() >= 17, "{}", templates.len());
        assert_same(packer, &templates);
    });
}
