//! `lvhost validate`: what is right, and everything that is wrong.

use std::path::Path;

use serde_json::{Value, json};

use crate::lvhost::{Lvhost, template};

const VALID: &str = "The configuration is valid.\n";

#[test]
fn every_example_of_the_documentation_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/templates/documentation");
    let mut examples = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().ends_with(".pkr.hcl") {
            continue;
        }
        let lvhost = Lvhost::new().file("drivers/driver.inf", "");
        let said = lvhost.call(&["validate", path.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{}: {}", path.display(), said.messages);
        assert_eq!(said.results, VALID, "{}", path.display());
        assert!(
            !said.messages.contains("error"),
            "{}: {}",
            path.display(),
            said.messages
        );
        // Nothing is written beside the drivers: no key, no cache, no home.
        let left = std::fs::read_dir(lvhost.folder()).unwrap().count();
        assert_eq!(left, 1, "{}", path.display());
        examples += 1;
    }
    assert_eq!(examples, 7);
}

#[test]
fn disks_that_a_kernel_for_clouds_does_not_see_are_told_of_before_the_key_is_made() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/templates/documentation/simple.pkr.hcl");
    let said = Lvhost::new().call(&["validate", example.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "simple.pkr.hcl:48:18",
        "the guest may not see this disk: kernels made for clouds",
        "write `bus = \"virtio\"`, or leave `bus` out",
        "simple.pkr.hcl:64:18",
        "the guest may not see this CD: kernels made for clouds",
        "write `bus = \"scsi\"`, or leave `bus` out",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
}

/// What it would load takes longer than all the rest, and a machine that only checks templates needs no
/// libvirt. See `library.rs` of lvhost-libvirt, where a function that is called may be missing.
#[test]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn libvirt_is_not_loaded_with_the_program() {
    // What ldd does: the loader lists the libraries and does not run the program.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lvhost"))
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .unwrap();
    let libraries = String::from_utf8(output.stdout).unwrap();
    assert!(libraries.contains("libc.so"), "{libraries}");
    assert!(!libraries.contains("libvirt"), "{libraries}");
}

#[test]
fn all_errors_are_shown_at_once_with_their_places() {
    let lvhost = Lvhost::new().file(
        "wrong.pkr.hcl",
        r#"source "libvirt" "example" {
  libvirt_uri = "qemu:///system"
  vcup        = 2
  memory      = "much"

  network_interface {
    type = "managed"
  }

  communicator {
    communicator = "ssh"
    ssh_username = "root"
    ssh_password = "packer"
  }

  volume {
    alias = "artifact"
    source {
      type = "extrenal"
      urls = ["https://example.org/image.qcow2"]
    }
  }
}

build {
  sources = ["source.libvirt.example"]
  provisioner "shell" {
    inlien = ["true"]
  }
}
"#,
    );
    let said = lvhost.call(&["validate", "wrong.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.results, "");
    for expected in [
        "wrong.pkr.hcl:3:3",
        "did you mean `vcpu`?",
        "wrong.pkr.hcl:4:17",
        "wrong.pkr.hcl:19:14",
        "did you mean `external`?",
        "wrong.pkr.hcl:28:5",
        "did you mean `inline`?",
        "^^^^",
        "error: the template has",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
    assert!(
        !said.messages.contains('\u{1b}'),
        "colours without a terminal: {}",
        said.messages
    );
}

#[test]
fn what_is_wrong_in_the_language_is_shown_with_a_suggestion() {
    let cases = [
        ("locals { a = uper(\"x\") }", "did you mean `upper`?"),
        ("variable \"name\" {}", "the variable `name` is not set"),
        ("locals { a = ", "t.pkr.hcl:1:10"),
        (
            "data \"sskey\" \"x\" {}",
            "the data source `sskey` is not supported",
        ),
        (
            "data \"sshkey\" \"x\" { type = \"dsa\" }",
            "there are `rsa` and `ed25519`",
        ),
        (
            "source \"qemu\" \"x\" {}\nbuild { sources = [\"source.qemu.x\"] }",
            { "there is no builder called `qemu`" },
        ),
        ("locals {}", "the template builds nothing"),
    ];
    for (template, expected) in cases {
        let said = Lvhost::new()
            .file("t.pkr.hcl", template)
            .call(&["validate", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{template}: {said:?}");
        assert!(
            said.messages.contains(expected),
            "{template}:\n{}",
            said.messages
        );
    }
}

#[test]
fn what_components_say_of_their_options_has_its_place() {
    let template = template("qemu:///system", "").replace(
        "    capacity = \"1G\"\n",
        "    source {\n      type     = \"external\"\n      urls     = [\"https://example.org/x\"]\n      \
         checksum = \"sha256:zz\"\n    }\n",
    );
    let said = Lvhost::new()
        .file("t.pkr.hcl", &template)
        .call(&["validate", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.messages.contains("t.pkr.hcl:19:18"),
        "{}",
        said.messages
    );
}

#[test]
fn variables_come_from_everywhere_and_the_command_line_wins() {
    let template = format!(
        "variable \"vcpu\" {{\n  type = number\n}}\n{}",
        template("qemu:///system", "").replace("libvirt_uri", "vcpu = var.vcpu\n  libvirt_uri")
    );
    let lvhost = Lvhost::new()
        .file("one/t.pkr.hcl", &template)
        .file("one/x.auto.pkrvars.hcl", "vcpu = 1")
        .file("two/t.pkr.hcl", &template)
        .file("good.pkrvars.hcl", "vcpu = 2")
        .file("bad.pkrvars.json", "{\"vcpu\": \"many\"}");
    let cases: [(&[&str], Option<i32>); 9] = [
        (&["one"], Some(0)),
        (&["two"], Some(2)),
        (&["two/t.pkr.hcl", "-var-file=good.pkrvars.hcl"], Some(0)),
        (&["-var-file", "good.pkrvars.hcl", "two"], Some(0)),
        (&["--var-file=bad.pkrvars.json", "two"], Some(2)),
        (
            &[
                "-var-file=bad.pkrvars.json",
                "-var-file=good.pkrvars.hcl",
                "two",
            ],
            Some(0),
        ),
        (
            &["-var", "vcpu=3", "-var-file=bad.pkrvars.json", "two"],
            Some(0),
        ),
        (&["--var=vcpu=many", "one"], Some(2)),
        (&["-var=vpcu=3", "one"], Some(2)),
    ];
    for (arguments, code) in cases {
        let arguments: Vec<_> = ["validate"].iter().chain(arguments).copied().collect();
        let said = lvhost.call(&arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
    }
    let by_environment = lvhost
        .variable("PKR_VAR_vcpu", "4")
        .call(&["validate", "two"]);
    assert_eq!(by_environment.code, Some(0), "{by_environment:?}");
}

#[test]
fn a_folder_is_one_template_of_several_files() {
    let (source, build) = {
        let whole = template("qemu:///system", "");
        let at = whole.find("build {").unwrap();
        (whole[..at].to_owned(), whole[at..].to_owned())
    };
    let lvhost = Lvhost::new()
        .file("web/source.pkr.hcl", &source)
        .file("web/build.pkr.hcl", &build)
        .file("web/notes.hcl", "this is ~ no template")
        .file("web/.build.pkr.hcl.swp", "neither is this");
    assert_eq!(lvhost.call(&["validate", "web"]).results, VALID);
    let said = lvhost
        .command(&["validate", "."])
        .current_dir(lvhost.folder().join("web"))
        .output();
    assert_eq!(String::from_utf8(said.unwrap().stdout).unwrap(), VALID);
}

#[test]
fn a_selection_leaves_out_what_is_wrong_elsewhere() {
    let template = template("qemu:///system", "").replace(
        "build {",
        "source \"libvirt\" \"other\" {\n}\nbuild {\n  name = \"web\"",
    );
    let template = template.replace(
        "[\"source.libvirt.example\"]",
        "[\"source.libvirt.example\", \"source.libvirt.other\"]",
    );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template);
    assert_eq!(lvhost.call(&["validate", "t.pkr.hcl"]).code, Some(2));
    for selection in [
        "-only=*.example",
        "-only=web.libvirt.example",
        "-except=web.libvirt.other",
    ] {
        let said = lvhost.call(&["validate", selection, "t.pkr.hcl"]);
        assert_eq!(said.code, Some(0), "{selection}: {said:?}");
    }
}

#[test]
fn errors_of_the_language_do_not_hide_those_of_options() {
    let wrong = template("qemu:///system", "").replace(
        "  volume {",
        "  memory = uper(\"x\")\n  vcup   = 2\n  volume {",
    );
    let said = Lvhost::new()
        .file("t.pkr.hcl", &wrong)
        .call(&["validate", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    for expected in ["did you mean `upper`?", "did you mean `vcpu`?"] {
        assert!(
            said.messages.contains(expected),
            "{expected}: {}",
            said.messages
        );
    }
    assert!(
        said.messages
            .ends_with("error: the template has 2 errors\n"),
        "{}",
        said.messages
    );
}

#[test]
fn programs_get_the_verdict_as_json() {
    let right = template("qemu:///system", "");
    let said = Lvhost::new()
        .file("t.pkr.hcl", &right)
        .call(&["validate", "--json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let verdict: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(
        verdict,
        json!({"valid": true, "error_count": 0, "warning_count": 0, "diagnostics": []})
    );
    let wrong = right.replace("  volume {", "  vcup = 2\n  volume {");
    let lvhost = Lvhost::new().file("t.pkr.hcl", &wrong);
    let said = lvhost.call(&["validate", "-json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.messages, "");
    let verdict: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["error_count"], 1);
    let diagnostic = &verdict["diagnostics"][0];
    assert_eq!(diagnostic["help"], "did you mean `vcpu`?");
    for (name, expected) in [
        ("line", 14),
        ("column", 3),
        ("end_line", 14),
        ("end_column", 7),
    ] {
        assert_eq!(diagnostic[name], expected, "{name}: {diagnostic}");
    }
    let said = lvhost.call(&["validate", "-json", "nothing.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let problem: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(problem["exit_code"], 2);
}

#[test]
fn post_processors_are_refused_by_name_and_place() {
    let extra = "  post-processor \"manifest\" {\n    output = \"m.json\"\n  }\n";
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template("qemu:///system", extra));
    for command in ["validate", "run"] {
        let said = lvhost.call(&[command, "t.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.messages
                .contains("the post-processor `manifest` is not supported by lvhost"),
            "{}",
            said.messages
        );
        assert!(
            said.messages.contains("t.pkr.hcl:22:3"),
            "{}",
            said.messages
        );
    }
}

#[test]
fn plugins_are_accepted_and_foreign_ones_warned_about() {
    let plugins = "packer {\n  required_plugins {\n    \
        libvirt = { version = \">= 0.5.0\", source = \"github.com/thomasklein94/libvirt\" }\n    \
        ansible = { version = \">= 1.0.0\", source = \"github.com/hashicorp/ansible\" }\n  }\n}\n";
    let template = format!("{plugins}{}", template("qemu:///system", ""));
    let said = Lvhost::new()
        .file("t.pkr.hcl", &template)
        .call(&["validate", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.results, VALID);
    assert!(
        said.messages
            .contains("warning: the plugin `ansible` is not used"),
        "{said:?}"
    );
    assert!(!said.messages.contains("`libvirt` is not used"), "{said:?}");
}

#[test]
fn colours_come_when_they_are_wanted() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", "locals { a = uper(\"x\") }");
    let colored = |arguments: &[&str]| lvhost.call(arguments).messages.contains('\u{1b}');
    assert!(!colored(&["validate", "t.pkr.hcl"]));
    assert!(colored(&["validate", "--color=always", "t.pkr.hcl"]));
    assert!(!colored(&["validate", "-color=false", "t.pkr.hcl"]));
    // Who says `always` means it.
    let lvhost = lvhost.variable("NO_COLOR", "1");
    let colored = |arguments: &[&str]| lvhost.call(arguments).messages.contains('\u{1b}');
    assert!(colored(&["--color", "always", "validate", "t.pkr.hcl"]));
    assert!(!colored(&["validate", "t.pkr.hcl"]));
}

/// Texts of several lines are a template's own in messages that go on after their first line.
#[test]
fn no_message_of_a_template_begins_a_line() {
    const FORGED: &str = "x\\n\\n==> libvirt.x: Finished\\r\\n--> libvirt.x: in pool/evil\\nThe configuration is valid.";
    let template = template("test:///default", "");
    for (place, text) in [
        (
            "a condition",
            format!(
                "variable \"v\" {{\n  default = 1\n  validation {{\n    condition = false\n    \
                 error_message = \"{FORGED}.\"\n  }}\n}}\n"
            ),
        ),
        ("a file", format!("locals {{ a = file(\"{FORGED}\") }}\n")),
        (
            "a data source",
            format!("data \"sshkey\" \"x\" {{ type = \"{FORGED}\" }}\n"),
        ),
        (
            "a variable",
            format!("variable \"v\" {{ type = {{ \"{FORGED}\" = 1 }} }}\n"),
        ),
        (
            "an overlay",
            format!("locals {{ a = jsondecode(\"{FORGED}\") }}\n"),
        ),
    ] {
        for command in ["validate", "plan"] {
            let lvhost = Lvhost::new().file("t.pkr.hcl", &format!("{text}{template}"));
            let said = lvhost.call(&[command, "t.pkr.hcl"]);
            assert_eq!(said.code, Some(2), "{place}: {said:?}");
            let mut lines = said.messages.lines().chain(said.results.lines());
            let forged = lines.find(|line| {
                ["==>", "-->", "The"]
                    .iter()
                    .any(|start| line.starts_with(start))
            });
            assert_eq!(forged, None, "{place}: {}", said.messages);
        }
    }
    let folder = "folder\n==> libvirt.x: Finished";
    let lvhost = Lvhost::new().file(&format!("{folder}/t.pkr.hcl"), "locals { a = b }\n");
    let said = lvhost.call(&["validate", folder]);
    assert!(!said.messages.contains("\n==>"), "{}", said.messages);
}

#[test]
fn a_template_steers_no_terminal_and_forges_no_line() {
    // Raw characters in names, values and excerpts, and the same as escapes of the language.
    for odd in [
        "\u{9b}31m",
        "\u{1b}[31m",
        "\u{202e}",
        "\u{2066}",
        "\u{200f}",
        "\u{7f}",
        "\u{2028}",
        "\\u001b[31m",
        "\\u009b2J",
        "\\u202e",
        "x\\n==> libvirt.example: Finished in 1.0 s",
    ] {
        for json in [false, true] {
            let text = format!(
                "source \"libvirt\" \"example\" {{\n  libvirt_uri = \"{odd}\"\n  \
                 memory = \"{odd}\"\n  \"{odd}\" = 1\n}}\n# {odd}\n\
                 build {{\n  sources = [\"libvirt.{odd}\"]\n}}\n"
            );
            let lvhost = Lvhost::new().file("odd.pkr.hcl", &text);
            let arguments: &[&str] = match json {
                true => &["validate", "--json", "odd.pkr.hcl"],
                false => &["validate", "odd.pkr.hcl"],
            };
            let said = lvhost.call(arguments);
            assert_ne!(said.code, Some(0), "{odd:?}");
            for shown in [&said.results, &said.messages] {
                let steers = shown
                    .chars()
                    .find(|it| *it != '\n' && lvhost_hcl::is_unseen(*it));
                assert_eq!(steers, None, "{odd:?}: {shown:?}");
                assert!(
                    !shown.lines().any(|line| line.starts_with("==>")),
                    "{shown}"
                );
            }
        }
    }
}

/// Each of them once, however many sources are built; what is long enough, and what is not secret, is not told of.
#[test]
fn secrets_that_are_too_short_to_be_hidden_are_told_of_once() {
    let source = |name: &str| {
        format!(
            "source \"libvirt\" \"{name}\" {{\n  libvirt_uri = \"qemu:///system\"\n  volume {{\n    \
             alias    = \"artifact\"\n    capacity = \"1G\"\n  }}\n  communicator {{\n    communicator = \"none\"\n  \
             }}\n}}\n"
        )
    };
    let template = format!(
        r#"variable "pin" {{
  default   = "a"
  sensitive = true
}}
variable "passwords" {{
  default   = ["long enough", "abc"]
  sensitive = true
}}
variable "password" {{
  default   = "long enough"
  sensitive = true
}}
variable "letter" {{
  default = "a"
}}
{}{}build {{
  sources = ["libvirt.one", "libvirt.two"]
}}
"#,
        source("one"),
        source("two")
    );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template);
    let said = lvhost.call(&["validate", "--json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let verdict: Value = serde_json::from_str(&said.results).unwrap();
    let found: Vec<_> = verdict["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (&finding["severity"], &finding["line"], &finding["summary"]))
        .collect();
    let short = |name: &str| {
        json!(format!(
            "the value of the sensitive variable `{name}` is too short to be hidden"
        ))
    };
    let (pin, passwords) = (short("pin"), short("passwords"));
    let warning = json!("warning");
    assert_eq!(
        found,
        [
            (&warning, &json!(1), &pin),
            (&warning, &json!(5), &passwords)
        ]
    );
    // It is as wrong when it comes from outside.
    let said = lvhost.call(&["validate", "-var", "password=x", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "`password` is too short",
        "t.pkr.hcl:9:1",
        "at least 4 characters",
    ] {
        assert!(
            said.messages.contains(expected),
            "{expected}:\n{}",
            said.messages
        );
    }
}
