//! `lvhost run` as far as it goes without a hypervisor; builds on a real one are in the workspace's
//! own tests.

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
