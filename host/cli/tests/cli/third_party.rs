//! Components that are not built in: what it takes to use one, and what is refused.
//!
//! The stranger's component is lvhost's own `external`, as WebAssembly and under another name: to lvhost
//! it is as foreign as any.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lvhost::{Lvhost, Said};

const URL: &str = "https://example.org/images/disk.qcow2";

pub(crate) fn template(options: &str) -> String {
    format!(
        r#"source "libvirt" "example" {{
  network_interface {{
    type = "managed"
  }}
  communicator {{
    ssh_username = "root"
    ssh_password = "packer"
  }}
  volume {{
    alias = "artifact"
    source {{
      type = "stranger"
{options}
    }}
  }}
  libvirt_uri = "qemu:///system"
}}

build {{
  sources = ["source.libvirt.example"]
}}
"#
    )
}

fn with_url() -> Lvhost {
    let options = format!("      urls = [\"{URL}\"]\n      checksum = \"none\"");
    Lvhost::new().file("t.pkr.hcl", &template(&options))
}

fn validate(lvhost: &Lvhost) -> Said {
    lvhost.call(&["validate", "t.pkr.hcl"])
}

/// Puts the stranger's component somewhere, and gives its digest, by coreutils.
pub(crate) fn put(lvhost: &Lvhost, path: &str) -> String {
    let path = lvhost.folder().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let component = Path::new(lvhost_sources::WASM_FOLDER).join("external.wasm");
    std::fs::copy(component, &path).unwrap();
    sha256(&path)
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

fn entry(sha256: &str, more: &str) -> String {
    format!(
        "source_plugin \"stranger\" {{\n  file   = \"stranger.wasm\"\n  sha256 = \"{sha256}\"\n{more}}}\n"
    )
}

/// The entry in a message, as a person would copy it.
fn pasted(messages: &str) -> String {
    let lines = messages.lines();
    let mut block: Vec<&str> = lines
        .skip_while(|line| !line.contains("source_plugin \""))
        .collect();
    let indentation = block[0].len() - block[0].trim_start().len();
    let end = block
        .iter()
        .position(|line| line.trim() == "}" && line.len() - line.trim_start().len() == indentation);
    block.truncate(end.unwrap() + 1);
    block.join("\n")
}

fn assert_says(said: &Said, parts: &[&str]) {
    assert_eq!(said.code, Some(2), "{}", said.messages);
    for part in parts {
        assert!(said.messages.contains(part), "{part}:\n{}", said.messages);
    }
}

#[test]
fn without_a_file_it_is_said_where_to_put_it() {
    let said = validate(&with_url());
    assert_says(
        &said,
        &[
            "there is no volume source called `stranger`",
            "t.pkr.hcl:12:14",
            "stranger.wasm",
            ".local/share/lvhost/sources",
            "source_plugin \"stranger\" {",
        ],
    );
}

#[test]
fn without_an_entry_the_block_to_paste_is_shown_and_works() {
    for place in ["stranger.wasm", ".local/share/lvhost/sources/stranger.wasm"] {
        let lvhost = with_url();
        let digest = put(&lvhost, place);
        let said = validate(&lvhost);
        let allow = format!("urls = [\"{URL}\"]");
        assert_says(&said, &["t.pkr.hcl:12:14", &digest, &allow, "lvhost.hcl"]);

        let lvhost = lvhost.file("lvhost.hcl", &pasted(&said.messages));
        let said = validate(&lvhost);
        assert_eq!(said.code, Some(0), "{place}: {}", said.messages);
    }
}

#[test]
fn options_of_a_component_are_checked_in_their_places() {
    let wrong = "      ulrs = []\n      checksum = \"sha256:abc\"";
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(wrong));
    let digest = put(&lvhost, "stranger.wasm");
    let lvhost = lvhost.file("lvhost.hcl", &entry(&digest, ""));
    let said = validate(&lvhost);
    assert_says(&said, &["t.pkr.hcl:13:7", "did you mean `urls`?"]);
    assert!(!said.messages.contains("is missing"), "{}", said.messages);
    let lvhost = lvhost.file("t.pkr.hcl", &template("      checksum = \"none\""));
    assert_says(&validate(&lvhost), &["t.pkr.hcl:", "`urls` is missing"]);
    let wrong = format!("      urls = [\"{URL}\"]\n      checksum = \"sha256:abc\"");
    let lvhost = lvhost.file("t.pkr.hcl", &template(&wrong));
    assert_says(
        &validate(&lvhost),
        &["t.pkr.hcl:14:18", "has 3 digits and should have 64"],
    );
}

#[test]
fn a_component_that_has_changed_is_refused_with_both_digests() {
    let lvhost = with_url();
    let allowed = put(&lvhost, "stranger.wasm");
    let allow = format!("  allow {{\n    urls = [\"{URL}\"]\n  }}\n");
    let lvhost = lvhost.file("lvhost.hcl", &entry(&allowed, &allow));
    assert_eq!(validate(&lvhost).code, Some(0));

    // A custom section at the end: still a component, and the same one to whoever runs it.
    let path = lvhost.folder().join("stranger.wasm");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"\0\x02\x01x");
    std::fs::write(&path, bytes).unwrap();
    let found = sha256(&path);
    assert_says(
        &validate(&lvhost),
        &[
            "lvhost.hcl:3:12",
            "not the component that was allowed",
            &allowed,
            &found,
        ],
    );
}

#[test]
fn what_is_not_allowed_names_the_component_and_the_line_to_add() {
    let lvhost = with_url();
    let digest = put(&lvhost, "stranger.wasm");
    // Which rule covers what is tested where they are; here it is which rules count.
    for allow in [
        "",
        "  allow {\n    hosts = [\"example.com\"]\n    files = [\"/\"]\n  }\n",
    ] {
        let lvhost_hcl = entry(&digest, allow);
        std::fs::write(lvhost.folder().join("lvhost.hcl"), lvhost_hcl).unwrap();
        assert_says(
            &validate(&lvhost),
            &[
                "the source `stranger` asks for the URL https://example.org/images/disk.qcow2",
                "t.pkr.hcl:13:15",
                &format!("add `urls = [\"{URL}\"]` to its `allow` block in lvhost.hcl"),
            ],
        );
    }
    let allow = "  allow {\n    urls = [\"https://example.org/images/\"]\n  }\n";
    std::fs::write(lvhost.folder().join("lvhost.hcl"), entry(&digest, allow)).unwrap();
    let said = validate(&lvhost);
    assert_eq!(said.code, Some(0), "{}", said.messages);
}

#[test]
fn the_settings_are_checked_like_a_template() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "source_plugin \"stranger\" {\n  fiel = \"x\"\n}\n",
            &["lvhost.hcl:2:3", "`file`"],
        ),
        (
            "source_plugin {\n}\n",
            &["lvhost.hcl:1:1", "takes one label"],
        ),
        (
            "sourceplugin \"x\" {\n}\n",
            &["lvhost.hcl:1:1", "`source_plugin`"],
        ),
        (
            "source_plugin \"external\" {\n}\n",
            &["lvhost.hcl:1:15", "`external` is built in"],
        ),
        (
            "source_plugin \"a\" {\n  allow {\n    hosts = [\"a\", \"https://b\"]\n  }\n}\n",
            &["lvhost.hcl:3:19", "`https://b` is no host"],
        ),
        (
            "source_plugin \"a\" {\n  limits {\n    memory = \"2GiB\"\n  }\n}\n",
            &["lvhost.hcl:3:14", "from 2 to 1024 MiB"],
        ),
        (
            "source_plugin \"a\" {\n  limits {\n    time = \"2h\"\n  }\n}\n",
            &["lvhost.hcl:3:12", "from 1 to 3600 seconds"],
        ),
        (
            "source_plugin \"stranger\" {\n  file = \"nothing.wasm\"\n}\n",
            &["lvhost.hcl:2:10", "can't read", "nothing.wasm"],
        ),
        (
            "source_plugin \"a\" {",
            &["lvhost.hcl", "`source_plugin \"a\"` is not closed"],
        ),
    ];
    for (text, parts) in cases {
        let said = validate(&with_url().file("lvhost.hcl", text));
        assert_says(&said, parts);
    }

    let lvhost = with_url();
    let digest = put(&lvhost, "stranger.wasm");
    let unpinned = "source_plugin \"stranger\" {\n  file = \"stranger.wasm\"\n}\n";
    let lvhost = lvhost.file("lvhost.hcl", unpinned);
    let add = format!("add `sha256 = \"{digest}\"`");
    assert_says(&validate(&lvhost), &["`sha256` is missing", &add]);
}

#[test]
fn a_component_that_is_not_used_is_not_touched() {
    let lvhost = Lvhost::new()
        .file("t.pkr.hcl", &crate::lvhost::template("qemu:///system", ""))
        .file("lvhost.hcl", &entry("not even a digest", ""));
    let said = validate(&lvhost);
    assert_eq!(said.code, Some(0), "{}", said.messages);
}

#[test]
fn what_is_no_component_is_refused() {
    let lvhost = with_url().file("stranger.wasm", "not WebAssembly");
    let digest = sha256(&lvhost.folder().join("stranger.wasm"));
    let refusal = "source \"stranger\" is not a WebAssembly component";
    assert_says(&validate(&lvhost), &[refusal, "t.pkr.hcl:12:14"]);
    let lvhost = lvhost.file("lvhost.hcl", &entry(&digest, ""));
    assert_says(&validate(&lvhost), &[refusal, "lvhost.hcl:2:12"]);
}

/// Two components, one of which passes a string to the other. The engine puts an adapter between them,
/// made of more of WebAssembly than a component itself may use.
const PASSING_A_STRING: &str = r#"(component
    (component $a
        (core module $m (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "take") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "take") (param "text" string) (canon lift (core func $i "take")
            (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    (component $b
        (import "take" (func $take (param "text" string)))
        (core module $memory (memory (export "memory") 1))
        (core instance $memory (instantiate $memory))
        (core func $take
            (canon lower (func $take) (memory (core memory $memory "memory"))))
        (core module $m (import "" "take" (func (param i32 i32))))
        (core instance (instantiate $m (with "" (instance (export "take" (func $take)))))))
    (instance $a (instantiate $a))
    (instance (instantiate $b (with "take" (func $a "take")))))"#;

/// What the engine may stumble over is said of the component, and is not the end of lvhost.
#[test]
fn whatever_a_component_is_made_of_lvhost_says_what_it_is() {
    let not_ours = "\"stranger\" is not a volume source";
    let not_wasm = "source \"stranger\" is not a WebAssembly component that lvhost can run";
    for (text, expected) in [
        (PASSING_A_STRING, not_ours),
        ("(component)", not_ours),
        ("(module)", "source \"stranger\" is a WebAssembly module"),
        ("(component (core module (memory 1) (memory 1)))", not_wasm),
        (
            "(component (core type (module
                (type $t (func)) (import \"\" \"\" (func (param (ref null $t)))))))",
            not_wasm,
        ),
        ("(component (type (stream u8)))", not_wasm),
    ] {
        let lvhost = with_url();
        let path = lvhost.folder().join("stranger.wasm");
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        assert_says(&validate(&lvhost), &[expected, "t.pkr.hcl:12:14"]);
        let lvhost = lvhost.file("lvhost.hcl", &entry(&sha256(&path), ""));
        assert_says(&validate(&lvhost), &[expected, "lvhost.hcl:2:12"]);
    }
}

/// Puts a component into the one of a file, and an instance of it.
pub(crate) fn composed(path: &Path, inner: &str) {
    let mut wasm = std::fs::read(path).unwrap();
    let inner = wat::parse_str(inner).unwrap();
    // A section with a component in it, its length in two bytes.
    let length = u16::try_from(inner.len()).unwrap();
    assert!(length < 0x4000, "{length}");
    wasm.extend([4, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
    wasm.extend(inner);
    // A section with one instance, of component number 1, without arguments: number 0 is the one that
    // wit-component puts around an exported interface.
    wasm.extend([5, 4, 1, 0, 1, 0]);
    std::fs::write(path, wasm).unwrap();
}

/// A source that others have put together of components is one like any other.
#[test]
fn a_composed_component_can_be_a_source() {
    let lvhost = with_url();
    put(&lvhost, "stranger.wasm");
    let path = lvhost.folder().join("stranger.wasm");
    composed(&path, PASSING_A_STRING);
    let allow = "  allow {\n    urls = [\"https://example.org/images/\"]\n  }\n";
    let lvhost = lvhost.file("lvhost.hcl", &entry(&sha256(&path), allow));
    let said = validate(&lvhost);
    assert_eq!(said.code, Some(0), "{}", said.messages);
}

#[test]
fn the_settings_lie_beside_the_template_or_in_its_folder() {
    let lvhost = with_url()
        .file("project/t.pkr.hcl", &template(""))
        .file("project/lvhost.hcl", "found {}\n")
        .file("lvhost.hcl", "not_searched {}\n");
    let absolute: PathBuf = lvhost.folder().join("project/t.pkr.hcl");
    for path in [
        "project/t.pkr.hcl",
        "project",
        "./project/",
        absolute.to_str().unwrap(),
    ] {
        let said = lvhost.call(&["validate", path]);
        assert_says(
            &said,
            &["project/lvhost.hcl:1:1", "no block called `found`"],
        );
        assert!(!said.messages.contains("not_searched"), "{}", said.messages);
    }
}

/// What it has asked for is one thing, what its entry allows another: a plan tells both.
#[test]
fn a_plan_tells_the_rules_and_what_they_allow_beyond_what_is_asked_for() {
    let lvhost = with_url();
    let digest = put(&lvhost, "stranger.wasm");
    let allow = "  allow {\n    urls  = [\"https://example.org/images/\"]\n    hosts = [\"*.debian.org\"]\n    \
                 aws_credentials = true\n  }\n";
    let lvhost = lvhost.file("lvhost.hcl", &entry(&digest, allow));
    let said = lvhost.call(&["plan", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "needs https://example.org/images/disk.qcow2: allowed by urls = [\"https://example.org/images/\"] in its \
         entry, which allows everything below it\n",
        "does not need, but may use: hosts = [\"*.debian.org\"] in its entry\n",
        "does not need, but may use: aws_credentials = true in its entry\n",
        "downloads https://example.org/images/disk.qcow2\n",
        "without a checksum\n",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    let said = lvhost.call(&["plan", "--json", "t.pkr.hcl"]);
    let plan: serde_json::Value = serde_json::from_str(&said.results).unwrap();
    let volume = &plan["builds"][0]["volumes"][0];
    assert_eq!(
        volume["needs"],
        serde_json::json!([{
            "kind": "url",
            "value": URL,
            "allowed_by": "urls = [\"https://example.org/images/\"]",
            "allows_beyond": "everything below it",
        }])
    );
    assert_eq!(
        volume["also_allowed"],
        serde_json::json!(["hosts = [\"*.debian.org\"]", "aws_credentials = true"])
    );
    assert_eq!(
        volume["downloads"],
        serde_json::json!([{ "urls": [URL], "checksum": "none", "cached": false }])
    );
}
