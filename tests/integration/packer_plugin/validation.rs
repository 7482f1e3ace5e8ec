//! `packer validate`: what is right passes, and what is wrong is said.

use std::path::Path;

use super::documentation::example;
use super::{with_each, with_newest};
use crate::local_guest::key_pair;
use crate::packer::Installation;
use crate::real_guests::template;

/// The documentation's examples.
const EXAMPLES: [&str; 7] = [
    "backing-store",
    "cdrom",
    "cloning",
    "cloud-init",
    "external",
    "floppy",
    "simple",
];

fn validate_the_examples(packer: &Installation) {
    let inner = template("documentation/Unattend.xml.tmpl");
    std::fs::copy(inner, packer.path("Unattend.xml.tmpl")).unwrap();
    // It is called `key`.
    key_pair(packer.directory.path());
    std::fs::create_dir(packer.path("drivers")).unwrap();
    std::fs::write(packer.path("drivers/driver.inf"), "").unwrap();
    for name in EXAMPLES {
        let path = packer.path(&format!("{name}.pkr.hcl"));
        std::fs::write(&path, example(name)).unwrap();
        let validated = packer.command("validate", &path);
        assert_eq!(validated.code, Some(0), "{name}: {}", validated.output);
        let said = validated.output.contains("The configuration is valid.");
        assert!(said, "{name}: {}", validated.output);
    }
}

#[test]
fn the_documentations_examples_are_valid() {
    with_each("the_documentations_examples_are_valid", |packer| {
        validate_the_examples(packer);
        let log = packer.read("log");
        let encoding = match packer.mode.name {
            "1.16.0" => "as protobuf",
            "1.16.0 with gob" => "as gob",
            // It knows one only, and does not say so.
            _ => return,
        };
        assert!(log.contains(encoding), "{log}");
    });
}

/// As a user has it who tries this plugin and still has the one in Go, under another name.
#[test]
fn the_examples_are_valid_beside_the_plugin_in_go() {
    let name = "the_examples_are_valid_beside_the_plugin_in_go";
    let variable = "LVHOST_TEST_GO_PLUGIN_0_5_0";
    let Some(other) = std::env::var(variable).ok().filter(|path| !path.is_empty()) else {
        println!("SKIPPED: {name}: {variable} is not set (tests/packer/build.sh builds it)");
        return;
    };
    with_newest(name, |packer| {
        packer.install(&other, "github.com/other/golibvirt");
        validate_the_examples(packer);
        let log = packer.read("log");
        assert!(log.contains("as gob") && !log.contains("as protobuf"));
    });
}

/// A source that is right, but for the lines `more`.
fn source(more: &str) -> String {
    format!(
        r#"
        source "libvirt" "a" {{
          libvirt_uri            = "qemu:///system"
          network_address_source = "lease"
          network_interface {{
            alias = "communicator"
            type  = "managed"
          }}
          communicator {{
            ssh_username = "root"
            ssh_password = "hush"
          }}
          volume {{
            alias    = "artifact"
            capacity = "1G"
          }}
          {more}
        }}
        build {{ sources = ["libvirt.a"] }}
        "#
    )
}

fn said(packer: &Installation, name: &str, text: &str) -> (Option<i32>, String) {
    let path: &Path = &packer.path(name);
    std::fs::write(path, text).unwrap();
    let validated = packer.command("validate", path);
    // Packer wraps long lines.
    let words: Vec<_> = validated.output.split_whitespace().collect();
    (validated.code, words.join(" "))
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    let cases = [
        (
            "volume {\n source {\n type = \"external\"\n }\n }",
            "volume[1].source: `urls` is missing",
        ),
        (
            "volume {\n capacity = \"10 parsecs\"\n }",
            "volume[1]: `capacity`: ",
        ),
        (
            "volume {\n source {\n type = \"hologram\"\n }\n }",
            "volume[1].source.type: ",
        ),
        ("boot_wait = \"soon\"", "`boot_wait`: "),
        ("shutdown_mode = \"acip\"", "did you mean \"acpi\"?"),
        (
            "domain_name = \"{{ ds.meta_data }}\"",
            "domain_name: there is no function `ds.meta_data` in {{ }}",
        ),
        (
            "boot_command = [\"http://{{ .HTTPPrt }}/\"]",
            "boot_command: there is no `.HTTPPrt` here",
        ),
    ];
    with_each("what_is_wrong_is_said_with_its_path", |packer| {
        for (more, expected) in cases {
            let (code, output) = said(packer, "wrong.pkr.hcl", &source(more));
            assert_eq!(code, Some(1), "{more}: {output}");
            assert!(output.contains(expected), "{more}: {output}");
        }
        let several = source("memory = 1\nchipset = \"\"\nvcpu = 1.5\nboot_wait = \"soon\"");
        let (code, output) = said(packer, "several.pkr.hcl", &several);
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains("2 errors: * "), "{output}");
    });
}

#[test]
fn warnings_are_shown_and_stop_nothing() {
    with_each("warnings_are_shown_and_stop_nothing", |packer| {
        let text = source("").replace("network_address_source = \"lease\"", "");
        let (code, output) = said(packer, "warning.pkr.hcl", &text);
        assert_eq!(code, Some(0), "{output}");
        let warning = "Warning: the guest's address is asked for from its QEMU guest agent";
        assert!(output.contains(warning), "{output}");
    });
}

/// A data source is not read by `packer validate`.
#[test]
fn what_is_not_known_yet_is_no_error() {
    with_each("what_is_not_known_yet_is_no_error", |packer| {
        let text = source(
            r#"
            domain_name  = data.null.later.output
            memory       = length(data.null.later.output)
            boot_devices = [data.null.later.output]
            shutdown_mode = data.null.later.output
            volume {
              size = data.null.later.output
              source {
                type = "external"
                urls = split(",", data.null.later.output)
              }
            }
            "#,
        );
        let text = format!("data \"null\" \"later\" {{ input = \"hd\" }}\n{text}");
        let (code, output) = said(packer, "unknown.pkr.hcl", &text);
        assert_eq!(code, Some(0), "{output}");
    });
}

#[test]
fn a_template_in_json_may_be_written_loosely() {
    with_each("a_template_in_json_may_be_written_loosely", |packer| {
        let text = r#"{
          "variables": {"size": "1G"},
          "builders": [{
            "type": "libvirt",
            "libvirt_uri": "qemu:///system",
            "memory": "512",
            "vcpu": 2,
            "secure_boot": "false",
            "boot_devices": "hd,network",
            "Network_Address_Source": "lease",
            "network_interface": {"type": "managed", "alias": "communicator"},
            "communicator": {"ssh_username": "root", "ssh_password": "hush", "ssh_port": "22"},
            "volume": {"alias": "artifact", "capacity": "{{user `size`}}"}
          }]
        }"#;
        let (code, output) = said(packer, "loose.json", text);
        assert_eq!(code, Some(0), "{output}");

        let wrong = text
            .replace("\"vcpu\": 2", "\"vcpus\": 2")
            .replace("{{user `size`}}", "{{env `SIZE`}}");
        let (code, output) = said(packer, "wrong.json", &wrong);
        assert_eq!(code, Some(1), "{output}");
        for expected in ["no option called `vcpus`", "did you mean", "`env`"] {
            assert!(output.contains(expected), "{expected}: {output}");
        }
    });
}
