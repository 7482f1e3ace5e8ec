//! Completions and manual pages.

use std::process::Command;

use crate::lvhost::Lvhost;

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for (shell, mark) in [
        ("bash", "complete -F _lvhost"),
        ("fish", "complete -c lvhost"),
        ("zsh", "#compdef lvhost"),
    ] {
        let said = Lvhost::new().call(&["completions", shell]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.results.contains(mark), "{shell}: {}", said.results);
        for word in ["validate", "doctor", "--var-file", "--on-error"] {
            let word = word.trim_start_matches('-');
            assert!(said.results.contains(word), "{shell}: {word}");
        }
    }
}

/// What a user sees who types `lvhost va` and the tab key.
#[test]
fn bash_completes_by_it() {
    let lvhost = Lvhost::new();
    let script = lvhost.call(&["completions", "bash"]).results;
    std::fs::write(lvhost.folder().join("lvhost.bash"), script).unwrap();
    let ask = "source ./lvhost.bash; COMP_WORDS=(lvhost va); COMP_CWORD=1; \
               _lvhost lvhost va lvhost; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["--norc", "-c", ask])
        .current_dir(lvhost.folder())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "validate\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let said = Lvhost::new().call(&["man"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [".TH lvhost 1", ".SH SYNOPSIS", "Exit codes"] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    let lvhost = Lvhost::new();
    let said = lvhost.call(&["man", "--output", "share/man/man1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for page in [
        "lvhost",
        "lvhost-run",
        "lvhost-doctor",
        "lvhost-cache-prune",
    ] {
        let path = lvhost.folder().join(format!("share/man/man1/{page}.1"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{page}: {text}");
    }
}
