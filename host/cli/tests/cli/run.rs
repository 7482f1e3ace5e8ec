//! `lvhost run` as far as it goes without a hypervisor; builds on a real one are in the workspace's
//! own tests.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::lvhost::{Lvhost, template};

/// Nobody listens there.
const NOWHERE: &str = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";

#[test]
fn a_hypervisor_that_cannot_be_reached_is_said_and_the_build_has_failed() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(NOWHERE, ""));
    let said = lvhost.call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.results, "");
    for expected in [
        "==> libvirt.example: Connecting to qemu+unix:///system?socket=/nonexistent/libvirt-sock\n",
        "==> libvirt.example: error: cannot connect to the hypervisor at qemu+unix:///system?socket=",
        "==> libvirt.example: Failed after ",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
}

#[test]
fn one_build_that_fails_does_not_keep_the_next_from_running() {
    let template = template(NOWHERE, "").replace(
        "sources = [\"source.libvirt.example\"]",
        "name = \"web\"\n  source \"source.libvirt.example\" {\n    name = \"one\"\n  }\n  \
         source \"source.libvirt.example\" {\n    name = \"two\"\n  }",
    );
    let said = Lvhost::new()
        .file("t.pkr.hcl", &template)
        .call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.messages.contains("==> web.libvirt.one: error: "),
        "{}",
        said.messages
    );
    assert!(
        said.messages.contains("==> web.libvirt.two: error: "),
        "{}",
        said.messages
    );
    assert!(
        said.messages.ends_with("error: 2 of 2 builds failed\n"),
        "{}",
        said.messages
    );
}

#[test]
fn the_password_of_a_connection_is_not_shown() {
    let uri = "qemu+tcp://me:topsecret@127.0.0.1:1/system";
    let said =
        Lvhost::new()
            .file("t.pkr.hcl", &template(uri, ""))
            .call(&["run", "-v", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(!said.messages.contains("topsecret"), "{}", said.messages);
    assert!(
        said.messages.contains("me:***@127.0.0.1"),
        "{}",
        said.messages
    );
}

#[test]
fn a_template_that_is_wrong_is_not_run() {
    let wrong = template(NOWHERE, "").replace("  volume {", "  vcup = 2\n  volume {");
    let said = Lvhost::new()
        .file("t.pkr.hcl", &wrong)
        .call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.messages.contains("did you mean `vcpu`?"),
        "{}",
        said.messages
    );
    assert!(!said.messages.contains("Connecting"), "{}", said.messages);
}

#[test]
fn the_key_of_a_template_is_made_once_and_kept_in_the_cache() {
    let keyed = format!(
        "data \"sshkey\" \"install\" {{\n  name = \"web\"\n  type = \"ed25519\"\n}}\n{}",
        template(NOWHERE, "").replace(
            "ssh_password = \"packer\"",
            "ssh_private_key_file = data.sshkey.install.private_key_path",
        )
    );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &keyed);
    let key = lvhost
        .cache()
        .join("sshkey/ssh_private_key_web_ed25519.pem");
    lvhost.call(&["run", "t.pkr.hcl"]);
    let made = std::fs::read(&key).unwrap();
    lvhost.call(&["run", "t.pkr.hcl"]);
    assert_eq!(std::fs::read(&key).unwrap(), made);
}

/// The part of a build's life that libvirt's test driver can do: a hypervisor that lives in the memory
/// of the process which connects to it.
fn without_guest(shutdown_timeout: &str) -> Lvhost {
    let template = format!(
        r#"source "libvirt" "example" {{
  libvirt_uri      = "test:///default"
  domain_type      = "test"
  arch             = "i686"
  domain_name      = "web"
  shutdown_timeout = "{shutdown_timeout}"

  network_interface {{
    type = "managed"
  }}

  communicator {{
    communicator = "none"
  }}

  volume {{
    alias    = "artifact"
    pool     = "default-pool"
    capacity = "1M"
  }}
}}

build {{
  sources = ["source.libvirt.example"]
}}
"#
    );
    Lvhost::new().file("t.pkr.hcl", &template)
}

#[test]
fn a_build_that_fails_says_why_and_what_took_how_long() {
    let said = without_guest("1s").call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.results, "");
    for expected in [
        "==> libvirt.example: Starting the domain web\n",
        "==> libvirt.example: error: the guest has not powered itself off within 1 s \
         (`shutdown_timeout`)\n",
        "==> libvirt.example: Cleaning up\n",
        "    libvirt.example: connect to libvirt ",
        "    libvirt.example: shut down ",
        "    libvirt.example: lvhost's own time ",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
}

#[test]
fn a_signal_cancels_the_build_which_cleans_up() {
    let cases = [
        (
            Signal::INT,
            "Cancelling, cleaning up; press Ctrl-C again to stop at once",
        ),
        (Signal::TERM, "Cancelling, cleaning up\n"),
    ];
    for (signal, expected) in cases {
        let lvhost = without_guest("1h");
        let mut child = lvhost
            .command(&["run", "t.pkr.hcl"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("Waiting for the guest to power itself off") {
            assert_ne!(
                messages.read_line(&mut said).unwrap(),
                0,
                "it ended: {said}"
            );
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        messages.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(
            said.contains("==> libvirt.example: Cleaning up\n"),
            "{said}"
        );
        assert!(
            said.contains("==> libvirt.example: Cancelled after "),
            "{said}"
        );
        assert!(said.ends_with("error: cancelled\n"), "{said}");
        assert!(!said.contains("could not be removed"), "{said}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(NOWHERE, ""));
    // From util-linux: calls a command with a terminal of its own.
    let Ok(probe) = Command::new("script").arg("--version").output() else {
        println!("SKIPPED: there is no `script` to make a terminal with");
        return;
    };
    assert!(probe.status.success());
    let on_terminal = |no_color: &str| {
        let inner = format!("{} run t.pkr.hcl", env!("CARGO_BIN_EXE_lvhost"));
        let output = Command::new("script")
            .args(["--quiet", "--return", "--command", &inner, "/dev/null"])
            .current_dir(lvhost.folder())
            .env_clear()
            .envs([
                ("PATH", "/usr/bin:/bin"),
                ("TERM", "xterm"),
                ("NO_COLOR", no_color),
            ])
            .env("HOME", lvhost.folder())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let said = on_terminal("");
    assert!(
        said.contains("\u{1b}[32m\u{1b}[1m==> libvirt.example:\u{1b}[0m"),
        "{said:?}"
    );
    let said = on_terminal("1");
    assert!(said.contains("==> libvirt.example: Connecting"), "{said:?}");
}
