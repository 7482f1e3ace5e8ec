//! Whole builds of guests whose SSH server is not as usual.

use std::path::PathBuf;
use std::process::Command;

use crate::hypervisor::need;
use crate::local_guest::{LocalGuest, ROOTS_PASSWORD};
use crate::lvhost::{Lvhost, said};

/// PAM that asks for the password.
const ASKS: &str = "auth required pam_unix.so\naccount required pam_permit.so\nsession required \
                    pam_permit.so\n";
/// PAM that asks nothing.
const ASKS_NOTHING: &str =
    "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";

/// Builds with scripts, files and folders in both directions; `options` are more of the communicator's.
fn build(guest: &LocalGuest, options: &str) -> String {
    let lvhost = Lvhost::new();
    let home = guest.home();
    lvhost.write("folder/inner/file", "content");
    let sent = home.join("sent");
    let steps = [
        guest.shell("provisioner", &["echo first"]),
        format!(
            "  provisioner \"file\" {{\n    source = \"folder\"\n    destination = {:?}\n  }}\n",
            sent.to_str().unwrap()
        ),
        guest.shell(
            "provisioner",
            &[&format!("cat {}", sent.join("folder/inner/file").display())],
        ),
        format!(
            "  provisioner \"file\" {{\n    direction = \"download\"\n    source = {:?}\n    \
             destination = \"got/\"\n  }}\n",
            sent.join("").to_str().unwrap()
        ),
        guest.shell("provisioner", &["echo last"]),
    ];
    let text = guest
        .template(&["example"], &steps.concat())
        .replace("ssh_timeout", &format!("{options}ssh_timeout"));
    lvhost.write("t.pkr.hcl", &text);
    let output = lvhost.run(&["run", "t.pkr.hcl"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("first") && text.contains("last"), "{text}");
    let got = lvhost.path("got/folder/inner/file");
    assert_eq!(std::fs::read_to_string(got).unwrap(), "content", "{text}");
    text
}

#[test]
fn a_guest_with_one_session_at_a_time_is_built() {
    let guest = need!(LocalGuest::configured("MaxSessions 1", None));
    build(&guest, "");
}

#[test]
fn a_guest_that_wants_two_proofs_is_built_in_either_order() {
    let password = format!("ssh_password = {ROOTS_PASSWORD:?}\n");
    for (methods, rules, options) in [
        ("publickey,password", ASKS, password.as_str()),
        ("password,publickey", ASKS, &password),
        ("publickey,keyboard-interactive", ASKS, &password),
        ("keyboard-interactive,publickey", ASKS, &password),
        ("publickey,keyboard-interactive", ASKS_NOTHING, ""),
        ("keyboard-interactive,publickey", ASKS_NOTHING, ""),
    ] {
        let lines = format!(
            "AuthenticationMethods {methods}\nUsePAM yes\nKbdInteractiveAuthentication yes\n\
             MaxSessions 1"
        );
        let guest = need!(LocalGuest::configured(&lines, Some(rules)));
        build(&guest, options);
    }
}

#[test]
fn a_guest_without_sftp_is_built_by_scp() {
    let guest = need!(LocalGuest::configured(
        "MaxSessions 1\nSubsystem sftp /no/such/sftp-server",
        None
    ));
    let text = build(&guest, "");
    let remark = "files go by scp, as there is no SFTP at ";
    assert_eq!(text.matches(remark).count(), 1, "{text}");
}

/// By SFTP, by scp and for scripts, `~/` leads to the same place, and scripts leave nothing there.
#[test]
fn a_tilde_is_the_home_of_the_guests_user_by_every_way() {
    let asked = Command::new("sh")
        .args(["-c", "getent passwd \"$(id -un)\" | cut -d : -f 6"])
        .output()
        .unwrap();
    let home = PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim());
    for method in ["sftp", "scp"] {
        let guest = need!(LocalGuest::new());
        let place = tempfile::Builder::new()
            .prefix("lvhost test ")
            .tempdir_in(&home)
            .unwrap();
        let name = place.path().file_name().unwrap().to_str().unwrap();
        let lvhost = Lvhost::new();
        lvhost.write("folder/inner/file", "content");
        let steps = format!(
            r#"
  provisioner "file" {{
    source      = "folder"
    destination = "~/{name}/sent"
  }}
  provisioner "shell" {{
    remote_folder    = "~/{name}"
    use_env_var_file = true
    inline           = ["cat ~/'{name}'/sent/folder/inner/file; echo ' for' $PACKER_BUILD_NAME"]
  }}
  provisioner "file" {{
    direction   = "download"
    source      = "~/{name}/sent/"
    destination = "got/"
  }}
"#
        );
        let text = guest.template(&["example"], &steps).replace(
            "ssh_timeout",
            &format!("ssh_file_transfer_method = {method:?}\nssh_timeout"),
        );
        lvhost.write("t.pkr.hcl", &text);
        let text = lvhost.succeed(&["run", "t.pkr.hcl"]);
        assert!(text.contains("content for example"), "{text}");
        let got = lvhost.path("got/folder/inner/file");
        assert_eq!(std::fs::read_to_string(got).unwrap(), "content", "{text}");
        let entries = std::fs::read_dir(place.path()).unwrap();
        let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["sent"], "{text}");
        assert!(!home.join("~").join(name).exists(), "{text}");
    }
}
