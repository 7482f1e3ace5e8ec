//! A hypervisor elsewhere: a daemon of the test's own, reached over the network of this host.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lvhost_test_daemon::{Elsewhere, free_port};

use crate::hypervisor::{need, variable};
use crate::lvhost::Lvhost;
use crate::real_guests::{stored, template};

/// More than a guest takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// The arguments of `lvhost` for a guest that is reached by a forwarded port.
fn run(uri: &str, image: &str, more: &[(&str, &str)]) -> Vec<String> {
    let domain_type = std::env::var("LVHOST_TEST_DOMAIN_TYPE").unwrap_or_default();
    let port = free_port().to_string();
    let own = [
        ("uri", uri),
        ("pool", "default"),
        ("domain_type", &domain_type),
        ("domain", "elsewhere"),
        ("image", image),
        ("port", &port),
    ];
    let mut arguments = vec!["run".to_string()];
    for (name, value) in own.iter().chain(more) {
        arguments.extend(["-var".to_string(), format!("{name}={value}")]);
    }
    arguments.push(template("forwarded.pkr.hcl").to_str().unwrap().to_string());
    arguments
}

fn as_strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// The names of the files in a pool's folder, sorted.
fn volumes(pool: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(pool)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_guest_is_built_behind_ssh_and_its_image_brought_here() {
    let image = need!(variable("LVHOST_TEST_GUEST_SMALL"));
    need!(variable("LVHOST_TEST_DOMAIN_TYPE"));
    let mut elsewhere = need!(Elsewhere::start());
    // No `ssh` of this host's user has seen the key of a server that is a moment old.
    let uri = format!("{}&no_verify=1", need!(elsewhere.ssh()));
    let lvhost = Lvhost::new();
    let text = lvhost.succeed(&as_strs(&run(
        &uri,
        &image,
        &[
            ("bastion", "true"),
            ("output_directory", "output"),
            (
                "command",
                "echo hello from $(hostname); echo built > /root/built",
            ),
        ],
    )));
    assert!(text.contains("hello from lvhost-guest"), "{text}");
    assert_eq!(volumes(&elsewhere.pool()), ["forwarded.qcow2"], "{text}");
    let domains = elsewhere.virsh(&["list", "--all", "--name"]);
    assert_eq!(domains.trim(), "", "{text}");
    let copy = lvhost.path("output/forwarded.qcow2");
    let there = elsewhere.pool().join("forwarded.qcow2");
    assert!(
        std::fs::read(&copy).unwrap() == std::fs::read(&there).unwrap(),
        "the copy is the artifact"
    );
    assert!(
        stored(&copy) <= stored(&there) + (1 << 20),
        "holes stay holes"
    );
}

/// The commands that a failed build says remove what it left.
fn removals(text: &str) -> Vec<&str> {
    let with = |line: &'_ str| line.find(" with: ").map(|at| at + " with: ".len());
    text.lines()
        .filter(|line| line.contains("remove it with: "))
        .filter_map(|line| Some(&line[with(line)?..]))
        .collect()
}

#[test]
fn a_connection_lost_in_a_build_says_what_is_left_and_how_to_remove_it() {
    let image = need!(variable("LVHOST_TEST_GUEST_SMALL"));
    need!(variable("LVHOST_TEST_DOMAIN_TYPE"));
    let mut elsewhere = need!(Elsewhere::start());
    let lvhost = Lvhost::new();
    let uri = elsewhere.tls();
    let mut child = lvhost.start(&as_strs(&run(&uri, &image, &[("command", "true")])));
    let deadline = Instant::now() + PATIENCE;
    let log = || std::fs::read_to_string(lvhost.path("log")).unwrap();
    while !log().contains("Connecting to 127.0.0.1") {
        assert!(Instant::now() < deadline, "{}", log());
        assert!(child.try_wait().unwrap().is_none(), "{}", log());
        std::thread::sleep(Duration::from_millis(100));
    }
    elsewhere.kill();
    let status = child.wait().unwrap();
    let text = log();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("connection"), "{text}");
    let removals = removals(&text);
    assert_eq!(removals.len(), 3, "the domain and two volumes: {text}");

    // They do what they say.
    need!(elsewhere.restart());
    assert_eq!(volumes(&elsewhere.pool()).len(), 2, "{text}");
    for command in removals {
        let status = Command::new("sh")
            .args(["-c", command])
            .env_remove("LIBVIRT_DEFAULT_URI")
            .status()
            .unwrap();
        assert!(status.success(), "{command}");
    }
    assert!(volumes(&elsewhere.pool()).is_empty());
    assert_eq!(elsewhere.virsh(&["list", "--all", "--name"]).trim(), "");
}
