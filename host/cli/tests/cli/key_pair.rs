//! The key pair that is made for a build.

use crate::lvhost::{Lvhost, Said, template};

/// A template without a password, with a seed that has this text.
fn keyed(uri: &str, text: &str) -> Lvhost {
    let seed = format!(
        "  volume {{\n    source {{\n      type      = \"cloud-init\"\n      user_data = <<-EOT\n        \
         #cloud-config\n        {text}\n      EOT\n    }}\n  }}\n"
    );
    let template = template(uri, "")
        .replace("    ssh_password = \"packer\"\n", "")
        .replace("  volume {\n", &format!("{seed}  volume {{\n"));
    Lvhost::new().file("t.pkr.hcl", &template)
}

fn validated(text: &str) -> Said {
    keyed("qemu:///system", text).call(&["validate", "t.pkr.hcl"])
}

#[test]
fn a_template_without_a_way_to_log_in_needs_the_builds_key_in_its_guest() {
    let said = validated("ssh_authorized_keys: ['{{ .SSHPublicKey }}']");
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = validated("packages: [vim]");
    assert_eq!(said.code, Some(2), "{said:?}");
    for expected in [
        "error: there is no way to log in over SSH",
        "write `{{ .SSHPublicKey }}` where the guest takes its keys from",
    ] {
        assert!(said.messages.contains(expected), "{}", said.messages);
    }
}

#[test]
fn the_builds_key_is_made_before_anything_else_and_never_shown() {
    let lvhost = keyed("test:///default", "key: '{{ .SSHPublicKey }}'");
    let said = lvhost.call(&["run", "-vvv", "t.pkr.hcl"]);
    // libvirt's test driver has no pool of that name, which shows after the key.
    assert_eq!(said.code, Some(1), "{said:?}");
    let made = "==> libvirt.example: Making a key pair (ed25519) for this build";
    assert!(said.messages.contains(made), "{}", said.messages);
    assert!(!said.messages.contains("PRIVATE KEY"), "{}", said.messages);
}
