//! Help, version, and command lines that can't be used.

use std::process::Command;

use crate::lvhost::{Lvhost, Said, template};

#[test]
fn the_version_is_a_result() {
    for arguments in [["version"], ["--version"], ["-version"]] {
        let said = Lvhost::new().call(&arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(
            said.results,
            concat!("lvhost ", env!("CARGO_PKG_VERSION"), "\n")
        );
        assert_eq!(said.messages, "");
    }
}

#[test]
fn the_help_tells_commands_and_exit_codes() {
    let said = Lvhost::new().call(&["--help"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "run ",
        "validate ",
        "plan ",
        "sources ",
        "doctor ",
        "clean ",
        "cache ",
        "completions ",
        "man ",
        "version ",
        "Exit codes:",
        "130  cancelled",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    // The same on every subcommand's own help, option by option.
    let said = Lvhost::new().call(&["run", "--help"]);
    for expected in [
        "--var <NAME=VALUE>",
        "--var-file <FILE>",
        "--only",
        "--except",
        "--color",
        "--force",
        "--on-error",
        "--parallel-builds",
        "--json",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_why() {
    let lvhost = Lvhost::new()
        .file("t.pkr.hcl", &template("qemu:///system", ""))
        .file("binary.pkrvars.hcl", "x")
        .file("empty/readme", "");
    std::fs::write(lvhost.folder().join("binary.pkrvars.hcl"), b"\xff\xfe").unwrap();
    let cases: [(&[&str], &str); 9] = [
        (
            &["validat", "t.pkr.hcl"],
            "a similar subcommand exists: 'validate'",
        ),
        (&["validate"], "<PATH>"),
        (
            &["run", "-debug", "t.pkr.hcl"],
            "Packer's option `-debug` is not supported by lvhost: use `-on-error=ask`",
        ),
        (
            &["validate", "-var", "novalue", "t.pkr.hcl"],
            "write NAME=VALUE",
        ),
        (
            &["validate", "nothing.pkr.hcl"],
            "error: can't read nothing.pkr.hcl: No such file",
        ),
        (
            &["validate", "empty"],
            "error: there is no template in empty: no file in it ends in",
        ),
        (
            &["validate", "-var-file=no.hcl", "t.pkr.hcl"],
            "error: can't read no.hcl: No such file",
        ),
        (
            &["validate", "-var-file=binary.pkrvars.hcl", "t.pkr.hcl"],
            "error: binary.pkrvars.hcl is not text in UTF-8",
        ),
        (
            &["validate", "-only=libvirt.other", "t.pkr.hcl"],
            "error: nothing is left to build: the sources of the template are libvirt.example",
        ),
    ];
    for (arguments, expected) in cases {
        let said = lvhost.call(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(
            said.messages.contains(expected),
            "{arguments:?}: {}",
            said.messages
        );
        assert_eq!(said.results, "", "{arguments:?}");
    }
}

#[test]
fn a_variable_of_the_environment_that_cannot_be_used_is_named() {
    let lvhost = Lvhost::new()
        .file("t.pkr.hcl", &template("qemu:///system", ""))
        .variable("SOURCE_DATE_EPOCH", "yesterday");
    let said = lvhost.call(&["validate", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.messages.contains(
            "the environment variable SOURCE_DATE_EPOCH can't be used: \
             `yesterday` is not a number of seconds since 1970"
        ),
        "{}",
        said.messages
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template("qemu:///system", ""));
    let mut child = lvhost
        .command(&["validate", "t.pkr.hcl"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn no_destructor_of_a_library_runs_after_the_exit_code_is_known() {
    // libvirt's threads still run then, and what they use would be torn down under them.
    let lvhost = Lvhost::new().file(
        "torn-down.c",
        "#include <stdlib.h>\n__attribute__((destructor)) static void tear_down(void) { abort(); }\n",
    );
    let library = lvhost.folder().join("torn-down.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(lvhost.folder().join("torn-down.c"))
        .status();
    assert!(compiled.unwrap().success());
    let lvhost = lvhost
        .file("example.pkr.hcl", &template("test:///default", ""))
        .variable("LD_PRELOAD", library.to_str().unwrap());
    for (arguments, code) in [
        (&["sources"][..], 0),
        (&["validate", "example.pkr.hcl"], 0),
        (&["doctor", "test:///nowhere"], 1),
        (&["run", "example.pkr.hcl"], 1),
        (&["validate", "missing.pkr.hcl"], 2),
    ] {
        let said = lvhost.call(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    }
    // Without Packer it ends with an error.
    for (arguments, code) in [(&["describe"][..], 0), (&["start", "builder", "-"], 1)] {
        let plugin = Command::new(env!("CARGO_BIN_EXE_packer-plugin-libvirt"))
            .args(arguments)
            .env_clear()
            .env("LD_PRELOAD", &library)
            .output();
        let said = Said::of(plugin.unwrap());
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
    }
}
