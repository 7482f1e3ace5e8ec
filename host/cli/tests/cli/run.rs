//! `lvhost run` as far as it goes without a hypervisor; builds on a real one are in the workspace's
//! own tests.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use serde_json::{Value, json};

use crate::lvhost::{Lvhost, Said, template};

/// Nobody listens there.
pub(crate) const NOWHERE: &str = "qemu+tcp://127.0.0.1:1/system";

#[test]
fn a_hypervisor_that_cannot_be_reached_is_said_and_the_build_has_failed() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(NOWHERE, ""));
    let said = lvhost.call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.results, "");
    for expected in [
        "==> libvirt.example: Connecting to qemu+tcp://127.0.0.1:1/system\n",
        "==> libvirt.example: error: cannot connect to the hypervisor at qemu+tcp://127.0.0.1:1/system",
        "==> libvirt.example: What to do is told by: lvhost doctor 'qemu+tcp://127.0.0.1:1/system'\n",
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

/// The events of a run, without what is different each time.
fn events(said: &Said) -> Vec<Value> {
    let lines = said.results.lines();
    let mut events: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        assert!(
            event
                .remove("time")
                .unwrap()
                .as_str()
                .unwrap()
                .ends_with('Z')
        );
    }
    events
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

#[test]
fn programs_get_events() {
    let said = without_guest("1s").call(&["run", "-json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.messages, "");
    let events = events(&said);
    assert_eq!(
        events[0],
        json!({
            "event": "run-started",
            "version": env!("CARGO_PKG_VERSION"),
            "builds": ["libvirt.example"],
        })
    );
    let started = named(&events, "build-started");
    assert_eq!(started[0]["build"], "libvirt.example");
    assert_eq!(started[0]["uri"], "test:///default");
    assert!(started[0]["build_id"].as_str().unwrap().len() == 36);
    let steps: Vec<_> = named(&events, "step-finished")
        .iter()
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    for step in [
        "connect-to-libvirt",
        "check",
        "volumes",
        "start",
        "shut-down",
        "clean-up",
    ] {
        assert!(steps.iter().any(|known| known == step), "{step}: {steps:?}");
    }
    let messages = named(&events, "message");
    assert!(
        messages
            .iter()
            .any(|event| event["text"] == "Starting the domain web" && event["level"] == "info"),
        "{messages:?}"
    );
    let finished = named(&events, "build-finished");
    assert_eq!(finished[0]["result"], "failed");
    let error = finished[0]["error"].as_str().unwrap();
    assert!(error.contains("`shutdown_timeout`"), "{error}");
    assert_eq!(
        events.last().unwrap(),
        &json!({"event": "run-finished", "exit_code": 1, "error": "1 of 1 builds failed"})
    );
}

#[test]
fn programs_get_what_is_wrong_with_the_template_as_an_event() {
    let wrong = template(NOWHERE, "").replace("  volume {", "  vcup = 2\n  volume {");
    let said = Lvhost::new()
        .file("t.pkr.hcl", &wrong)
        .call(&["run", "--json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.messages, "");
    let events = events(&said);
    assert_eq!(events.len(), 2, "{events:?}");
    let diagnostic = &events[0]["diagnostics"][0];
    assert_eq!(diagnostic["severity"], "error");
    assert_eq!(diagnostic["file"], "t.pkr.hcl");
    assert_eq!(diagnostic["line"], 14);
    assert_eq!(diagnostic["column"], 3);
    assert_eq!(diagnostic["end_column"], 7);
    assert_eq!(events[1]["exit_code"], 2);
    let said = Lvhost::new().call(&["run", "--json", "nothing.pkr.hcl"]);
    let last: Value = serde_json::from_str(said.results.trim_end()).unwrap();
    assert_eq!(last["event"], "run-finished");
    assert!(
        last["error"]
            .as_str()
            .unwrap()
            .contains("can't read nothing.pkr.hcl")
    );
}

#[test]
fn builds_run_beside_each_other_unless_one_at_a_time_is_wanted() {
    let one = without_guest("1s");
    let template = std::fs::read_to_string(one.folder().join("t.pkr.hcl")).unwrap();
    let template = template
        .replace("  domain_name      = \"web\"\n", "")
        .replace(
            "sources = [\"source.libvirt.example\"]",
            "source \"source.libvirt.example\" {\n    name = \"one\"\n  }\n  \
         source \"source.libvirt.example\" {\n    name = \"two\"\n  }",
        );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template);
    let order = |arguments: &[&str]| -> Vec<(String, String)> {
        let said = lvhost.call(arguments);
        assert_eq!(said.code, Some(1), "{said:?}");
        events(&said)
            .iter()
            .filter(|event| {
                ["build-started", "build-finished"].contains(&event["event"].as_str().unwrap())
            })
            .map(|event| {
                let text = |name: &str| event[name].as_str().unwrap().to_owned();
                (text("event"), text("build"))
            })
            .collect()
    };
    let kinds = |order: &[(String, String)]| -> Vec<String> {
        order.iter().map(|(event, _)| event.clone()).collect()
    };
    let together = order(&["run", "-json", "t.pkr.hcl"]);
    assert_eq!(
        kinds(&together),
        [
            "build-started",
            "build-started",
            "build-finished",
            "build-finished"
        ]
    );
    let alone = order(&["run", "-json", "-parallel-builds=1", "t.pkr.hcl"]);
    assert_eq!(
        kinds(&alone),
        [
            "build-started",
            "build-finished",
            "build-started",
            "build-finished"
        ]
    );
    assert_eq!(alone[0].1, alone[1].1);
    assert_eq!(alone[2].1, "libvirt.two");
}

#[test]
fn what_a_failed_build_made_can_stay() {
    let said = without_guest("1s").call(&["run", "-on-error=abort", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for expected in [
        "==> libvirt.example: the domain \"web\" is left for you to look at\n",
        "    libvirt.example: remove it with: virsh -c test:///default destroy web; virsh -c ",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
    assert!(!said.messages.contains("Cleaning up"), "{}", said.messages);
    // Where nobody can be asked, nothing stays.
    let said = without_guest("1s").call(&["run", "-on-error=ask", "t.pkr.hcl"]);
    assert!(
        said.messages
            .contains("nobody can be asked (standard input is not a terminal)"),
        "{}",
        said.messages
    );
    assert!(said.messages.contains("Cleaning up"), "{}", said.messages);
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
    // A template that is wrong makes none.
    let lvhost = Lvhost::new().file(
        "t.pkr.hcl",
        &keyed.replace("  volume {", "  vcup = 2\n  volume {"),
    );
    let said = lvhost.call(&["run", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(!lvhost.cache().exists());
}

/// The part of a build's life that libvirt's test driver can do: a hypervisor that lives in the memory
/// of the process which connects to it.
pub(crate) fn without_guest(shutdown_timeout: &str) -> Lvhost {
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
