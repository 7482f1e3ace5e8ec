//! The scripts of the repository: one that gives up says where, and one of several phases how long each took.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The repository's files below a folder, without what is built or kept there.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["target", "dist", ".git"].contains(&name) {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// The shell scripts, and the pieces that they source, with their text.
fn scripts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&repository(), &mut found);
    found
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let first = text.lines().next()?;
            let is_script = first.starts_with("#!") && first.contains("sh")
                || path.extension().is_some_and(|extension| extension == "sh");
            is_script.then_some((path, text))
        })
        .collect()
}

#[test]
fn every_script_that_ends_at_a_failure_says_so() {
    let scripts = scripts();
    assert!(scripts.len() > 10, "too few were found: {scripts:?}");
    let mut silent = Vec::new();
    for (path, text) in &scripts {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.starts_with("set -") || !line.contains('e') || line.starts_with("set -E") {
                continue;
            }
            // What runs in a guest of busybox has no bash.
            let told = lines[number + 1..].iter().take(2).any(|line| {
                line.starts_with(". ") && (line.contains("failure.sh") || line.contains("$FAILURE"))
            });
            if !told {
                silent.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(
        silent.is_empty(),
        "these do not source tests/set-up/failure.sh right after it:\n{}",
        silent.join("\n")
    );
}

#[test]
fn every_script_is_one_that_its_shell_can_read() {
    for (path, text) in scripts() {
        let bash = text.starts_with("#!/usr/bin/env bash") || text.contains("shell=bash");
        let shell = if bash { "bash" } else { "sh" };
        let checked = Command::new(shell).arg("-n").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}

/// Users move the folder that cargo builds into.
#[test]
fn what_cargo_has_built_is_looked_for_where_cargo_puts_it() {
    let script = repository().join("tests/set-up/target-directory.sh");
    for (moved, expected) in [
        ("/else where/t", PathBuf::from("/else where/t")),
        ("moved", repository().join("moved")),
    ] {
        let output = Command::new(&script)
            .env("CARGO_TARGET_DIR", moved)
            .current_dir("/")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.trim_end(), expected.to_str().unwrap(), "{output:?}");
    }
    let makefile = repository().join("Makefile");
    let text = std::fs::read_to_string(&makefile).unwrap();
    let mut fixed = Vec::new();
    // A bare root has no settings of a user's.
    let scripts = scripts()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("bare.sh"));
    for (path, text) in scripts.chain([(makefile, text)]) {
        for line in text.lines() {
            let code = line.split("# ").next().unwrap_or_default();
            if ["target/debug", "target/release"]
                .iter()
                .any(|folder| code.contains(folder))
            {
                fixed.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(
        fixed.is_empty(),
        "these should ask tests/set-up/target-directory.sh:\n{}",
        fixed.join("\n")
    );
}

/// Runs a script that sources what all scripts source and, if asked, counts its phases.
fn run(phases: bool, body: &str) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let set_up = repository().join("tests/set-up");
    let mut text = format!(
        "#!/usr/bin/env bash\nset -euo pipefail\n. {}\n",
        set_up.join("failure.sh").display()
    );
    if phases {
        text.push_str(&format!(". {}\n", set_up.join("phases.sh").display()));
    }
    text.push_str(body);
    fs::write(folder.path().join("script.sh"), text).unwrap();
    let output = Command::new("bash")
        .arg("script.sh")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn a_script_that_gives_up_names_the_line_the_command_and_the_status() {
    // The body begins at line 4.
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (
            "a command",
            "true\nfalse\n",
            "script.sh:5: gave up: `false` ended with status 1\n",
            &[],
        ),
        (
            "a function",
            "inner() {\n  ls /no/such/folder 2>/dev/null\n}\nouter() {\n  inner\n}\nouter\n",
            "script.sh:5: gave up: `ls /no/such/folder 2> /dev/null` ended with status 2\n",
            &[
                "in inner, called at line 8\n",
                "in outer, called at line 10\n",
            ],
        ),
        (
            "a command substitution",
            "version() { dpkg-query -W no-such-package 2>/dev/null | cat; }\nfound=$(version)\necho $found\n",
            "script.sh:4: gave up: ",
            &["(its parts: ", "script.sh:5: gave up: `found=$(version)`"],
        ),
        (
            "a subshell",
            "(cd /; exit 7)\n",
            "script.sh:4: gave up: ",
            &["ended with status 7\n"],
        ),
        (
            "the first part of a pipeline",
            "grep nothing /dev/null |\n  cat\n",
            "ended with status 1 (its parts: 1 0)\n",
            &["gave up: `"],
        ),
        (
            "a loop of a pipeline",
            "seq 1 3 | while read -r number; do\n  [ \"$number\" != 2 ]\ndone\n",
            "script.sh:5: gave up: `[ \"$number\" != 2 ]` ended with status 1\n",
            &[],
        ),
        (
            "a command that is not there",
            "no-such-command --at all\n",
            "script.sh:4: gave up: `no-such-command --at all` ended with status 127\n",
            &["command not found"],
        ),
        (
            "a command ended by a signal",
            "bash -c 'kill -TERM $$'\n",
            "ended with status 143 (signal TERM)\n",
            &["script.sh:4: gave up: "],
        ),
        (
            "a piece that is sourced, after another folder was entered",
            "cd /\nprintf 'false\\n' >\"$OLDPWD/piece.sh\"\n. \"$OLDPWD/piece.sh\"\n",
            "/piece.sh:1: gave up: `false` ended with status 1\n",
            &[],
        ),
    ];
    for (name, body, place, others) in cases {
        let (output, said) = run(false, body);
        assert!(!output.status.success(), "{name} was no failure: {said}");
        for part in std::iter::once(place).chain(*others) {
            assert!(said.contains(part), "{name}: no `{part}` in:\n{said}");
        }
    }
}

#[test]
fn what_a_script_tests_itself_is_no_failure() {
    let body = "if false; then :; fi\nfalse || true\nfound=$(grep nothing /dev/null || true)\n\
                ! true && echo never\nwhile false; do :; done\nfalse | true || true\n";
    let (output, said) = run(false, body);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "");
}

#[test]
fn a_script_prints_its_phases_with_their_times_however_it_ends() {
    // A child that the kernel ends after two seconds of processor time.
    let work = "bash -c 'ulimit -t 2; while :; do :; done' 2>/dev/null || true";
    let (output, said) = run(true, &format!("phase one\n{work}\nphase 'and two'\ntrue\n"));
    assert!(output.status.success(), "{said}");
    let row = |name: &str| -> Vec<u64> {
        let row = said.lines().rfind(|line| line.ends_with(name));
        let row = row.unwrap_or_else(|| panic!("no row `{name}` in:\n{said}"));
        row.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let (one, two, all) = (row("   one"), row("   and two"), row("   in all"));
    assert_eq!([one.len(), two.len(), all.len()], [2; 3], "{said}");
    assert!(one[0] >= 1 && one[1] >= 1, "{said}");
    assert!(two[1] == 0 && all[0] >= one[0] + two[0], "{said}");

    let (output, said) = run(true, "phase one\ntrue\nphase two\nfalse\nphase three\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("gave up: `false`"), "{said}");
    assert!(
        said.ends_with("It ended with status 1 in the phase \"two\".\n"),
        "{said}"
    );
    assert!(!said.contains("three"), "{said}");
}
