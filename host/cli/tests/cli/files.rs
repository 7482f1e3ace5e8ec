//! Files that a user or a template names and that are none: pipes, devices, sockets, folders, files
//! without an end, links to what is nobody's business. The command neither waits nor shows them.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::lvhost::{Lvhost, Said, template};

/// More than any of these commands takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls the command, which has to end by itself.
fn call(lvhost: &Lvhost, arguments: &[&str]) -> Said {
    let child = lvhost
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => Said::of(output.unwrap()),
        Err(_) => {
            kill_process(id, Signal::KILL).unwrap();
            panic!("{arguments:?} does not end");
        }
    }
}

/// Things that are no regular files, with what is said of them.
fn with_odd_files() -> (Lvhost, UnixListener) {
    let lvhost = Lvhost::new();
    let at = |name: &str| lvhost.folder().join(name);
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    symlink("pipe", at("link-to-pipe")).unwrap();
    symlink("/dev/zero", at("endless")).unwrap();
    symlink("/dev/tty", at("terminal")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    let file = std::fs::File::create(at("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    let socket = UnixListener::bind(at("socket")).unwrap();
    (lvhost, socket)
}

const ODD: [(&str, &str); 6] = [
    ("pipe", "it is a pipe"),
    ("link-to-pipe", "it is a pipe"),
    ("endless", "it is a device"),
    ("terminal", "it is a device"),
    ("socket", "it is a socket"),
    ("huge", "it has more than 16 MiB"),
];

#[test]
fn what_is_no_file_is_refused_wherever_a_file_is_read() {
    let good = template("test:///default", "");
    let (lvhost, _socket) = with_odd_files();
    let lvhost = lvhost.file("good.pkr.hcl", &good);
    let mut checked = 0;
    for (odd, reason) in ODD.into_iter().chain([("folder", "irectory")]) {
        // As a template, unless it is a folder, which may be one.
        if odd != "folder" {
            let said = call(&lvhost, &["validate", odd]);
            assert_eq!(said.code, Some(2), "{odd}: {said:?}");
            assert!(said.messages.contains(reason), "{odd}: {said:?}");
        }
        let argument = format!("-var-file={odd}");
        let said = call(&lvhost, &["validate", &argument, "good.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{odd}: {said:?}");
        assert!(said.messages.contains(reason), "{odd}: {said:?}");
        // In the template's own words.
        for expression in [
            format!("file(\"{odd}\")"),
            format!("templatefile(\"{odd}\", {{}})"),
            format!("file(\"~/{odd}\")"),
        ] {
            let text = format!("locals {{\n  x = {expression}\n}}\n{good}");
            let lvhost_with = write(&lvhost, "uses.pkr.hcl", &text);
            let said = call(lvhost_with, &["validate", "uses.pkr.hcl"]);
            assert_eq!(said.code, Some(2), "{expression}: {said:?}");
            assert!(said.messages.contains(reason), "{expression}: {said:?}");
            assert!(said.messages.contains("uses.pkr.hcl:2:"), "{said:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, 21);
}

fn write<'a>(lvhost: &'a Lvhost, name: &str, text: &str) -> &'a Lvhost {
    std::fs::write(lvhost.folder().join(name), text).unwrap();
    lvhost
}

/// What lvhost finds beside a template by itself.
#[test]
fn what_is_no_file_is_refused_where_it_lies_beside_the_template() {
    let good = template("test:///default", "");
    for name in [
        "lvhost.hcl",
        "x.auto.pkrvars.hcl",
        "second.pkr.hcl",
        "odd.wasm",
    ] {
        for (odd, reason) in ODD {
            let reason = match (name, odd) {
                ("odd.wasm", "huge") => "it has more than",
                _ => reason,
            };
            let (lvhost, _socket) = with_odd_files();
            let (lvhost, arguments) = match name {
                "odd.wasm" => {
                    let uses = good.replace(
                        "capacity = \"1G\"",
                        "capacity = \"1G\"\n    source {\n      type = \"odd\"\n    }",
                    );
                    let entry = "source_plugin \"odd\" {\n  sha256 = \"00\"\n}\n";
                    let lvhost = lvhost.file("t.pkr.hcl", &uses).file("lvhost.hcl", entry);
                    (lvhost, ["validate", "t.pkr.hcl"])
                }
                _ => (lvhost.file("t.pkr.hcl", &good), ["validate", "."]),
            };
            let at = |name: &str| lvhost.folder().join(name);
            std::fs::rename(at(odd), at(name)).unwrap();
            if odd == "link-to-pipe" {
                assert!(at(name).is_symlink());
            }
            let said = call(&lvhost, &arguments);
            assert_eq!(said.code, Some(2), "{name}, {odd}: {said:?}");
            assert!(said.messages.contains(reason), "{name}, {odd}: {said:?}");
        }
    }
}

#[test]
fn a_script_and_a_key_that_are_pipes_are_not_waited_for() {
    let (lvhost, _socket) = with_odd_files();
    let script = template(
        "test:///default",
        "  provisioner \"shell\" {\n    script = \"pipe\"\n  }\n",
    );
    let lvhost = lvhost.file("script.pkr.hcl", &script);
    let said = call(&lvhost, &["validate", "script.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let key = template("test:///default", "").replace(
        "ssh_password = \"packer\"",
        "ssh_private_key_file = \"pipe\"",
    );
    let lvhost = lvhost.file("key.pkr.hcl", &key);
    for command in ["validate", "run"] {
        let said = call(&lvhost, &[command, "key.pkr.hcl"]);
        assert!(!said.results.contains("artifact"), "{said:?}");
    }
}

/// A stranger's folder may have a link in the place of a file that lvhost reads by itself, or that
/// its user names in good faith.
#[test]
fn nothing_of_what_a_link_leads_to_is_shown() {
    const SECRETS: [&str; 3] = [
        "-----BEGIN OPENSSH PRIVATE KEY-----\ntopsecret\n",
        "token = topsecret\n",
        "source_plugin \"topsecret\" {\n  topsecret = 1\n}\n",
    ];
    for secret in SECRETS {
        for (name, arguments) in [
            ("lvhost.hcl", &["validate", "t.pkr.hcl"][..]),
            ("lvhost.hcl", &["validate", "--json", "t.pkr.hcl"]),
            ("lvhost.hcl", &["plan", "t.pkr.hcl"]),
            ("lvhost.hcl", &["sources"]),
            ("second.pkr.hcl", &["validate", "."]),
            ("second.pkr.hcl", &["validate", "second.pkr.hcl"]),
            ("second.pkr.hcl", &["validate", "--json", "second.pkr.hcl"]),
            ("x.auto.pkrvars.hcl", &["validate", "."]),
            (
                "x.pkrvars.hcl",
                &["validate", "-var-file=x.pkrvars.hcl", "t.pkr.hcl"],
            ),
        ] {
            let lvhost = Lvhost::new()
                .file("t.pkr.hcl", &template("test:///default", ""))
                .file("elsewhere/secret", secret);
            symlink("elsewhere/secret", lvhost.folder().join(name)).unwrap();
            let said = call(&lvhost, arguments);
            for shown in [&said.messages, &said.results] {
                assert!(!shown.contains("topsecret"), "{name}: {said:?}");
                assert!(!shown.contains("BEGIN"), "{name}: {said:?}");
            }
            let all = format!("{}{}", said.messages, said.results);
            assert!(all.contains("is a link"), "{name}: {said:?}");
            // The same text in a file that is there itself is shown.
            let path = lvhost.folder().join(name);
            std::fs::remove_file(&path).unwrap();
            std::fs::copy(lvhost.folder().join("elsewhere/secret"), &path).unwrap();
            let said = call(&lvhost, arguments);
            let all = format!("{}{}", said.messages, said.results);
            assert!(!all.contains("is a link"), "{name}: {said:?}");
        }
    }
}
