//! A template's connection URI does not make libvirt run or open anything, unless the user says so too.

use std::os::unix::fs::PermissionsExt;

use crate::lvhost::{Lvhost, Said, template};

/// What the program leaves that libvirt shall not run.
const MARK: &str = "mark";

/// A folder with a program that leaves a mark, and a template with this URI, where `EVIL` stands for
/// the program's path.
fn with_evil(uri: &str) -> (Lvhost, String) {
    let lvhost = Lvhost::new();
    let evil = lvhost.folder().join("evil.sh");
    let mark = lvhost.folder().join(MARK);
    let lvhost = lvhost.file("evil.sh", &format!("#!/bin/sh\n: >{}\n", mark.display()));
    std::fs::set_permissions(&evil, PermissionsExt::from_mode(0o755)).unwrap();
    let uri = uri.replace("EVIL", evil.to_str().unwrap());
    (lvhost.file("t.pkr.hcl", &template(&uri, "")), uri)
}

fn has_run(lvhost: &Lvhost) -> bool {
    lvhost.folder().join(MARK).exists()
}

fn assert_refused(said: &Said, uri: &str) {
    assert_eq!(said.code, Some(2), "{uri}: {said:?}");
    for expected in [
        "a template may not have this URI",
        "t.pkr.hcl:2:17",
        "`--allow-uri`",
    ] {
        assert!(said.messages.contains(expected), "{uri}: {said:?}");
    }
}

/// Every one of them makes libvirt run the program: of each it is shown that it does, once the user
/// has said the URI too.
#[test]
fn a_program_runs_only_if_the_user_names_it_too() {
    for uri in [
        "qemu+ext:///system?command=./evil.sh",
        "qemu+ext:///system?command=EVIL",
        "qemu+ext:///system?COMMAND=EVIL",
        "qemu+ext:///system?no_tty=1&command=EVIL",
        "qemu+ext:///system?no_tty=1;command=EVIL",
        "qemu+ext:///system?c%6Fmmand=EVIL",
        "qemu+ext:///system?command=/bin/true&command=EVIL",
        "qemu+ssh://host/system?command=EVIL",
        "qemu+ssh://host/system?mode=auto&%63ommand=EVIL",
        "test+ssh://host/default?command=EVIL",
    ] {
        let (lvhost, written) = with_evil(uri);
        for arguments in [
            &["validate", "t.pkr.hcl"][..],
            &["plan", "t.pkr.hcl"],
            &["plan", "--check", "t.pkr.hcl"],
            &["run", "t.pkr.hcl"],
            &[
                "plan",
                "--check",
                "--allow-uri",
                "qemu+ext:///system",
                "t.pkr.hcl",
            ],
        ] {
            assert_refused(&lvhost.call(arguments), uri);
            assert!(!has_run(&lvhost), "{uri}: {arguments:?}");
        }
        // Looking runs nothing even then.
        for command in ["validate", "plan"] {
            let said = lvhost.call(&[command, "-allow-uri", &written, "t.pkr.hcl"]);
            assert_eq!(said.code, Some(0), "{uri}: {said:?}");
            assert!(!has_run(&lvhost), "{uri}: {command}");
        }
        lvhost.call(&["plan", "--check", "-allow-uri", &written, "t.pkr.hcl"]);
        assert!(has_run(&lvhost), "{uri} does not do what it is tested for");
    }
}

#[test]
fn files_and_sockets_of_this_machine_are_not_opened_either() {
    for uri in [
        "test:///EVIL",
        "qemu:///embed?root=EVIL",
        "qemu+unix:///system?socket=EVIL",
        "qemu+ssh://host/system?keyfile=EVIL",
        "qemu+ssh://host/system?netcat=EVIL",
        "qemu+ssh://host/system?no_verify=1",
        "qemu+libssh2://host/system?known_hosts=EVIL",
        "qemu+libssh://host/system?sshauth=privkey",
        "qemu+tls://host/system?pkipath=EVIL",
        "qemu:///system?authfile=EVIL",
        "qemu+ssh://-oProxyCommand=EVIL/system",
        "vmwareplayer:///session",
    ] {
        let (lvhost, _) = with_evil(uri);
        for arguments in [
            &["validate", "t.pkr.hcl"][..],
            &["plan", "--check", "t.pkr.hcl"],
            &["run", "t.pkr.hcl"],
        ] {
            assert_refused(&lvhost.call(arguments), uri);
        }
    }
}

#[test]
fn the_user_says_a_uri_in_the_environment_or_as_the_value_of_a_variable() {
    const URI: &str = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";
    let with = |name: &str, value: &str| {
        Lvhost::new()
            .file("t.pkr.hcl", &template(URI, ""))
            .variable(name, value)
            .call(&["validate", "t.pkr.hcl"])
    };
    for (name, value) in [
        ("LVHOST_ALLOW_URI", URI),
        (
            "LVHOST_ALLOW_URI",
            &format!("qemu+ext:///x?command=y\n {URI} "),
        ),
        ("LIBVIRT_DEFAULT_URI", URI),
    ] {
        let said = with(name, value);
        assert_eq!(said.code, Some(0), "{name}={value}: {said:?}");
    }
    for (name, value) in [
        ("LVHOST_ALLOW_URI", ""),
        ("LVHOST_ALLOW_URI", "qemu+unix:///system"),
        ("LVHOST_ALLOW_URI", "*"),
        ("OTHER", URI),
    ] {
        assert_refused(&with(name, value), value);
    }

    let of_variable = template("${var.uri}", "").replace("\"${var.uri}\"", "var.uri");
    let of_variable = format!("{of_variable}\nvariable \"uri\" {{\n  default = \"{URI}\"\n}}\n");
    let lvhost = Lvhost::new()
        .file("t.pkr.hcl", &of_variable)
        .file("x.pkrvars.hcl", &format!("uri = \"{URI}\"\n"));
    assert_refused(&lvhost.call(&["validate", "t.pkr.hcl"]), "a default");
    assert_refused(
        &lvhost.call(&["validate", "-var-file=x.pkrvars.hcl", "t.pkr.hcl"]),
        "a file, which may have come with the template",
    );
    let said = lvhost.call(&["validate", "-var", &format!("uri={URI}"), "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = lvhost
        .variable("PKR_VAR_uri", URI)
        .call(&["validate", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
}
