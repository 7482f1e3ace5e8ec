//! The documentation's own examples, built with a real cloud image and with each kernel that such images have.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::hypervisor::need;
use crate::lvhost::{Lvhost, command};
use crate::real_guests::{Stage, sha256, strs, template};
use crate::server::Server;

/// Where the documentation's simple example has its image from.
const IMAGE: &str = "https://cloud-images.ubuntu.com/releases/22.04/release-20230302/ubuntu-22.04-server-cloudimg-amd64-disk-kvm.img";
const CHECKSUM: &str = "3b11d66d8211a8c48ed9a727b9a74180ac11cd8118d4f7f25fc7d1e4a148eddc";

/// The simple example with what can't be as it is: the image comes from this machine, the pool and the
/// domain are the test's own, and the guest is emulated where KVM does not work.
pub(crate) fn built_here(example: &str, stage: &Stage, url: &str, domain: &str) -> String {
    let Stage {
        hypervisor,
        image,
        domain_type,
    } = stage;
    let replaced = [
        (IMAGE, url.to_owned()),
        (CHECKSUM, sha256(image)),
        (
            "libvirt_uri = \"qemu:///system\"\n",
            format!(
                "libvirt_uri = \"{}\"\n  domain_name = \"{domain}\"\n  domain_type = \"{domain_type}\"\n",
                hypervisor.uri
            ),
        ),
        (
            "  volume {\n",
            format!("  volume {{\n    pool = \"{}\"\n", hypervisor.pool),
        ),
    ];
    replaced
        .iter()
        .fold(example.to_owned(), |text, (from, to)| {
            replace(&text, from, to)
        })
}

fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example has no {from}");
    text.replace(from, to)
}

/// The example, and two provisioners more that leave something in the image.
fn example(stage: &Stage, url: &str, domain: &str) -> String {
    let text = std::fs::read_to_string(template("documentation/simple.pkr.hcl")).unwrap();
    let breakpoint = "  provisioner \"breakpoint\" {";
    let provisioners = format!(
        "  provisioner \"file\" {{\n    content     = \"left by the file provisioner\"\n    \
         destination = \"/home/ubuntu/left\"\n  }}\n  provisioner \"shell\" {{\n    inline = \
         [\"sudo cp /home/ubuntu/left /etc/left\"]\n  }}\n{breakpoint}"
    );
    let text = replace(&text, breakpoint, &provisioners);
    built_here(&text, stage, url, domain)
}

#[test]
fn the_simple_example_builds_and_its_artifact_boots_with_what_was_provisioned() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_DEBIAN"));
    let hypervisor = &stage.hypervisor;
    let domain = format!("{}-simple", hypervisor.pool);
    let server = Server::start(stage.image.parent().unwrap());
    let url = server.url(stage.image.file_name().unwrap().to_str().unwrap());
    let lvhost = Lvhost::new();
    lvhost.write("simple.pkr.hcl", &example(&stage, &url, &domain));

    let text = run_and_press_enter(&lvhost, "simple.pkr.hcl");
    for expected in [
        "The domain has started and became accessible",
        "You can examine the created",
    ] {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
    let artifact = format!("{domain}-artifact");
    assert_eq!(hypervisor.volumes(), [artifact.as_str()], "{text}");
    assert!(hypervisor.domains(&domain).is_empty(), "{text}");

    // Another domain is another instance to cloud-init: it lets the new key in.
    let boot = stage.boot(
        &format!("{domain}-again"),
        &[
            ("volume", &artifact),
            ("address_source", "agent"),
            ("username", "ubuntu"),
            ("memory", "846"),
            ("timeout", "6m"),
            ("command", "grep 'left by the file provisioner' /etc/left"),
        ],
    );
    lvhost.succeed(&strs(&boot));
}

/// The template in the README.
fn readme() -> String {
    let path = template("../../README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, example) = text.split_once("```hcl\n").unwrap();
    let (example, _) = example.split_once("```\n").unwrap();
    example.to_owned()
}

#[test]
fn the_readmes_example_logs_in_to_a_guest_with_a_kernel_for_clouds() {
    let mut stage = need!(Stage::new("LVHOST_TEST_GUEST_DEBIAN"));
    stage.image = need!(stage.cloud_image());
    let hypervisor = &stage.hypervisor;
    let domain = format!("{}-readme", hypervisor.pool);
    let server = Server::start(stage.image.parent().unwrap());
    let url = server.url(stage.image.file_name().unwrap().to_str().unwrap());
    // What can't be as it is, and what shows which kernel there was.
    let replaced = [
        (
            "\"https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2\"".to_owned(),
            format!("\"{url}\""),
        ),
        ("  volume {\n".into(), format!("  volume {{\n    pool = \"{}\"\n", hypervisor.pool)),
        (
            "\"qemu:///system\"\n".into(),
            format!(
                "\"{}\"\n  domain_name = \"{domain}\"\n  domain_type = \"{}\"\n",
                hypervisor.uri, stage.domain_type
            ),
        ),
        ("\"debian\"\n".into(), "\"ubuntu\"\n    ssh_timeout = \"15m\"\n".into()),
        (
            "[\"sudo apt-get update\", \"sudo apt-get install -y nginx\"]".into(),
            "[\"uname -r | grep -- -cloud-\", \"sudo true\"]".into(),
        ),
    ];
    let text = replaced
        .iter()
        .fold(readme(), |text, (from, to)| replace(&text, from, to));
    let lvhost = Lvhost::new();
    let path = lvhost.write("readme.pkr.hcl", &text);
    lvhost.succeed(&["run", path.to_str().unwrap()]);
    assert_eq!(hypervisor.volumes(), [format!("{domain}-artifact")]);
}

/// A template of this repository by its path in it.
fn of_repository(path: &str) -> String {
    std::fs::read_to_string(template("../..").join(path)).unwrap()
}

/// The smallest template of the documentation as the warnings about it want it: without its buses.
fn smallest() -> String {
    let text = of_repository("tests/templates/documentation/simple.pkr.hcl");
    replace(&text, "    bus        = \"sata\"\n", "")
}

/// The XML of the domain that a template comes to.
fn planned(lvhost: &Lvhost, text: &str) -> String {
    // Its text is as good as any other, and known before the build.
    let text = text.replace("data.sshkey.install.public_key", "\"ssh-ed25519 AAAA\"");
    let path = lvhost.write("planned.pkr.hcl", &text);
    let mut arguments = vec!["plan"];
    let image = format!("image={}", lvhost.write("image", "").display());
    if text.contains("variable \"image\" ") {
        arguments.extend(["-var", &image]);
    }
    arguments.push(path.to_str().unwrap());
    lvhost.succeed(&arguments)
}

#[test]
fn all_examples_attach_their_disc_in_the_way_that_was_tried_with_both_kernels() {
    let lvhost = Lvhost::new();
    for (name, text) in [
        ("README", readme()),
        ("simple", smallest()),
        ("demo", of_repository("examples/demo/demo.pkr.hcl")),
    ] {
        let plan = planned(&lvhost, &text);
        for expected in [
            "<controller type=\"scsi\" index=\"0\" model=\"virtio-scsi\"/>",
            "<target dev=\"vda\" bus=\"virtio\"/>",
            "<disk type=\"volume\" device=\"cdrom\">",
            "<target dev=\"sda\" bus=\"scsi\"/>",
        ] {
            assert!(plan.contains(expected), "{name}: no {expected} in:\n{plan}");
        }
        assert!(!plan.contains("sata"), "{name}: {plan}");
    }
}

/// Runs the command on a terminal, as a person would, and presses Enter at the breakpoint.
fn run_and_press_enter(lvhost: &Lvhost, template: &str) -> String {
    let line = format!("{} run {template}", command().display());
    let mut terminal = std::process::Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .current_dir(lvhost.path("."))
        .env("XDG_CACHE_HOME", lvhost.path("cache"))
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let mut pressed = false;
    loop {
        let read = screen.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if !pressed && text.contains("Press Enter") {
            keyboard.write_all(b"\n").unwrap();
            pressed = true;
        }
    }
    let status = terminal.wait().unwrap();
    assert!(status.success(), "{status}:\n{text}");
    assert!(pressed, "the breakpoint did not stop:\n{text}");
    assert!(
        text.contains("MiB/s") || text.contains("GiB/s"),
        "a bar shows the rate:\n{text}"
    );
    println!("{text}");
    text
}
