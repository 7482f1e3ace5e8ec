//! `lvhost plan`: everything a build would do, and nothing done.

use serde_json::Value;

use crate::lvhost::{Lvhost, template};

/// A template with a disk that is downloaded, a seed, and a volume that is there already.
fn download(uri: &str) -> String {
    format!(
        r#"data "sshkey" "install" {{}}

source "libvirt" "example" {{
  libvirt_uri = "{uri}"
  domain_name = "web"

  network_address_source = "lease"

  network_interface {{
    type  = "managed"
    alias = "communicator"
    mac   = "52:54:00:00:00:01"
  }}

  communicator {{
    ssh_username         = "debian"
    ssh_private_key_file = data.sshkey.install.private_key_path
  }}

  volume {{
    alias    = "artifact"
    capacity = "10G"
    source {{
      type     = "external"
      urls     = ["https://me:topsecret@example.org/image.qcow2"]
      checksum = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    }}
  }}

  volume {{
    source {{
      type     = "files"
      contents = {{ "hello.txt" = "hello" }}
      files    = ["seed/*.txt"]
    }}
  }}

  volume {{
    name = "data"
  }}
}}

build {{
  sources = ["source.libvirt.example"]
}}
"#
    )
}

/// The folder of the seed's files, and the rest of the surroundings.
fn with_seed() -> Lvhost {
    Lvhost::new().file("seed/a.txt", "a")
}

/// Nobody listens there.
const NOWHERE: &str = "qemu+tcp://127.0.0.1:1/system";

#[test]
fn a_plan_tells_volumes_downloads_grants_and_the_domain_and_touches_nothing() {
    let lvhost = with_seed().file("t.pkr.hcl", &download(NOWHERE));
    let said = lvhost.call(&["plan", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "libvirt.example:\n",
        "  hypervisor  qemu+tcp://127.0.0.1:1/system\n",
        "  domain      web\n",
        "  volume      default/web-artifact, the artifact\n",
        "made by `external`, 10.00 GiB",
        "downloads https://***@example.org/image.qcow2\n",
        "checksum sha256:0000000000",
        "needs https://***@example.org/image.qcow2: allowed by the template, in which it stands\n",
        "needs the files seed/*.txt: allowed by the template, in which it stands\n",
        "  volume      default/data\n",
        "is there already and is only used\n",
        "  interface   network default, MAC 52:54:00:00:00:01\n",
        "<name>web</name>",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}:\n{}",
            said.results
        );
    }
    assert!(!said.results.contains("topsecret"), "{}", said.results);
    assert_eq!(said.messages, "");
    // No key, no cache, nothing but the template and the seed's files.
    assert_eq!(std::fs::read_dir(lvhost.folder()).unwrap().count(), 2);
}

#[test]
fn programs_get_the_plan_as_json() {
    let lvhost = with_seed().file("t.pkr.hcl", &download(NOWHERE));
    let said = lvhost.call(&["plan", "-json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let plan: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(plan["valid"], true);
    let build = &plan["builds"][0];
    assert_eq!(build["build"], "libvirt.example");
    assert_eq!(build["domain"], "web");
    let disk = &build["volumes"][0];
    assert_eq!(disk["contents"], "source");
    assert_eq!(disk["source"], "external");
    assert_eq!(disk["capacity"], 10u64 << 30);
    assert_eq!(disk["is_artifact"], true);
    assert_eq!(
        disk["downloads"][0]["urls"][0],
        "https://***@example.org/image.qcow2"
    );
    assert_eq!(
        disk["needs"][0],
        serde_json::json!({
            "kind": "url",
            "value": "https://***@example.org/image.qcow2",
            "allowed_by": "template",
        })
    );
    assert_eq!(build["volumes"][2]["contents"], "existing");
    assert!(build["domain_xml"].as_str().unwrap().starts_with("<domain"));
    assert_eq!(build.get("check"), None);
}

#[test]
fn what_is_wrong_with_the_template_is_told_instead() {
    let wrong = template(NOWHERE, "").replace("  volume {", "  vcup = 2\n  volume {");
    let lvhost = Lvhost::new().file("t.pkr.hcl", &wrong);
    let said = lvhost.call(&["plan", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.messages.contains("did you mean `vcpu`?"), "{said:?}");
    let said = lvhost.call(&["plan", "--json", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let plan: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(plan["valid"], false);
    assert_eq!(plan["diagnostics"][0]["line"], 14, "{plan}");
}

#[test]
fn a_hypervisor_that_is_asked_and_does_not_answer_is_a_problem() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(NOWHERE, ""));
    let said = lvhost.call(&["plan", "--check", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.results
            .contains("problem  cannot connect to the hypervisor at qemu+tcp"),
        "{}",
        said.results
    );
    assert!(
        said.messages
            .ends_with("error: the plan can't be carried out: 1 problem\n"),
        "{}",
        said.messages
    );
}

/// libvirt's test driver has a pool `default-pool`, a network `default` and a domain `test`.
#[test]
fn what_is_there_and_what_is_missing_is_told() {
    let own = template("test:///default", "");
    let there = own.replace(
        "alias    = \"artifact\"",
        "pool = \"default-pool\"\n    alias    = \"artifact\"",
    );
    let said = Lvhost::new()
        .file("t.pkr.hcl", &there)
        .call(&["plan", "--check", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "ok       pool default-pool (dir), ",
        "-artifact\" in pool \"default-pool\" yet: it will be made\n",
        "ok       network default\n",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    let missing = own.replace(
        "type = \"managed\"",
        "type    = \"managed\"\n    network = \"lan\"",
    );
    let missing = missing.replace(
        "  network_interface",
        "  domain_name = \"test\"\n  network_interface",
    );
    let said = Lvhost::new()
        .file("t.pkr.hcl", &missing)
        .call(&["plan", "--check", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for expected in [
        "problem  there is no storage pool \"default\"",
        "problem  there is no network \"lan\"",
        "problem  there is a domain \"test\" already\n",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
}

/// The test driver's pool has no volume at all.
#[test]
fn what_a_volume_is_made_from_is_looked_at() {
    let own = template("test:///default", "").replace(
        "alias    = \"artifact\"",
        "pool = \"default-pool\"\n    alias    = \"artifact\"",
    );
    let volume = |lines: &str| {
        let more = format!("  volume {{\n    pool = \"default-pool\"\n{lines}\n  }}\n  volume {{");
        own.replacen("  volume {", &more, 1)
    };
    for (lines, expected) in [
        (
            "source {\ntype = \"cloning\"\nvolume = \"fedora\"\n}",
            "there is no volume \"fedora\" in pool \"default-pool\"",
        ),
        (
            "source {\ntype = \"backing-store\"\nvolume = \"fedora\"\n}",
            "there is no volume \"fedora\" in pool \"default-pool\"",
        ),
        (
            "source {\ntype = \"cloning\"\nvolume = \"fedora\"\npool = \"images\"\n}",
            "there is no storage pool \"images\"",
        ),
        (
            "source {\ntype = \"backing-store\"\npath = \"/images/fedora\"\n}",
            "the hypervisor knows `/images/fedora` as no volume",
        ),
        (
            "name = \"fedora\"",
            "the volume \"fedora\" in pool \"default-pool\" is missing",
        ),
    ] {
        let said =
            Lvhost::new()
                .file("t.pkr.hcl", &volume(lines))
                .call(&["plan", "--check", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(1), "{lines}: {said:?}");
        let problems: Vec<_> = said
            .results
            .lines()
            .filter(|line| line.contains("problem"))
            .collect();
        assert!(
            matches!(problems[..], [problem] if problem.contains(expected)),
            "{lines}: {}",
            said.results
        );
    }
}

/// Of this machine the kernel tells, whatever the driver does: each has a loopback.
#[test]
fn what_interfaces_are_attached_to_is_looked_at() {
    let own = template("test:///default", "").replace("\"lease\"", "\"arp\"");
    let own = own.replace(
        "alias    = \"artifact\"",
        "pool = \"default-pool\"\n    alias    = \"artifact\"",
    );
    for (lines, code, expected) in [
        (
            "type = \"bridge\"\n    bridge = \"lvhost-none0\"",
            1,
            "problem  there is no bridge lvhost-none0",
        ),
        (
            "type = \"bridge\"\n    bridge = \"lo\"",
            1,
            "problem  lo is a network device of the hypervisor's host, and no bridge of Linux's: if it is one of \
             Open vSwitch's, add `<virtualport type=\"openvswitch\"/>`",
        ),
        (
            "type = \"direct\"\n    device = \"lo\"",
            0,
            "ok       device lo\n",
        ),
        (
            "type = \"direct\"\n    device = \"lvhost-none0\"",
            1,
            "problem  there is no device lvhost-none0",
        ),
    ] {
        let text = own.replace("type = \"managed\"", lines);
        assert_ne!(text, own);
        let said = Lvhost::new()
            .file("t.pkr.hcl", &text)
            .call(&["plan", "--check", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(code), "{lines}: {said:?}");
        assert!(said.results.contains(expected), "{lines}: {}", said.results);
    }

    // To Linux, a bridge of Open vSwitch's is a device like any other; libvirt has to be told of it.
    let overlay = "  domain_xml_overlay = [\"<domain><devices><interface><virtualport \
                   type='openvswitch'/></interface></devices></domain>\"]\n  network_interface {";
    let text = own
        .replace(
            "type = \"managed\"",
            "type = \"bridge\"\n    bridge = \"lo\"",
        )
        .replacen("  network_interface {", overlay, 1);
    let said = Lvhost::new()
        .file("t.pkr.hcl", &text)
        .call(&["plan", "--check", "t.pkr.hcl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.results.contains("ok       Open vSwitch bridge lo\n"),
        "{}",
        said.results
    );
}

/// In the domain's XML and in messages, secrets are written otherwise than in the template.
#[test]
fn a_plan_tells_no_secret_however_it_is_written_there() {
    let variables = r#"
variable "title" {
  sensitive = true
  default   = "sword 'fish' \"and\" <more>"
}
variable "piece" {
  sensitive = true
  default   = "<domain><devices><rng model='virtio'><backend model='random'>/dev/swordfish</backend></rng></devices></domain>"
}
variable "hypervisor" {
  sensitive = true
  default   = "qemu+tcp://user:password@swordfish.invalid/system"
}
"#;
    let overlay =
        "  cpu_mode = var.title\n  domain_xml_overlay = [var.piece]\n  network_interface {";
    let text = template(NOWHERE, "")
        .replace(&format!("{NOWHERE:?}"), "var.hypervisor")
        .replacen("  network_interface {", overlay, 1);
    let lvhost = Lvhost::new().file("t.pkr.hcl", &format!("{text}{variables}"));
    for arguments in [
        &["plan", "t.pkr.hcl"][..],
        &["plan", "--json", "t.pkr.hcl"],
        &["plan", "--check", "t.pkr.hcl"],
    ] {
        let said = lvhost.call(arguments);
        let all = format!("{}{}", said.results, said.messages);
        for part in ["swordfish", "sword ", "sword&"] {
            assert!(!all.contains(part), "{arguments:?}: {part}:\n{all}");
        }
        assert!(all.contains("<sensitive>"), "{all}");
        assert!(all.contains("***</backend>"), "{all}");
    }
}
