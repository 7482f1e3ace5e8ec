//! A stranger's source: the one of `examples/sources/newest-image`, built as its README says, on a real
//! libvirt.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::hypervisor::need;
use crate::lvhost::{Lvhost, said};
use crate::real_guests::{Stage, sha256, strs};
use crate::server::Server;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/sources/newest-image")
}

/// The component, built once by the commands of its README.
fn component() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

fn build() -> PathBuf {
    let readme = std::fs::read_to_string(example().join("README.md")).unwrap();
    let commands: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("cargo build"))
        .collect();
    let [command] = commands[..] else {
        panic!("one command that builds: {commands:?}");
    };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newest-image");
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]).current_dir(example());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        // What describes the build of this test, and would change the other.
        if name.starts_with("CARGO_TARGET") || name.contains("RUSTFLAGS") {
            shell.env_remove(&*name);
        }
    }
    let status = shell
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status()
        .unwrap();
    assert!(status.success(), "{command}: {status}");
    let built = "target/wasm32-wasip2/release/newest_image.wasm";
    assert!(readme.contains(built), "the README says what it makes");
    target.join(built.strip_prefix("target/").unwrap())
}

/// A project that uses the component for a listing, and the folder that is served.
struct Project {
    lvhost: Lvhost,
    served: tempfile::TempDir,
    server: Server,
}

impl Project {
    /// Two images in the listing: one that is too old to boot, and the guest's.
    fn new(stage: &Stage) -> Self {
        let served = tempfile::tempdir().unwrap();
        let images = served.path().join("images");
        std::fs::create_dir(&images).unwrap();
        std::fs::write(images.join("guest-9.qcow2"), "much too old").unwrap();
        std::fs::copy(&stage.image, images.join("guest-10.qcow2")).unwrap();
        let sums: String = ["guest-9.qcow2", "guest-10.qcow2"]
            .map(|name| format!("{}  {name}\n", sha256(&images.join(name))))
            .concat();
        std::fs::write(images.join("SHA256SUMS"), sums).unwrap();

        let lvhost = Lvhost::new();
        let template = std::fs::read_to_string(example().join("newest.pkr.hcl")).unwrap();
        lvhost.write("newest.pkr.hcl", &template);
        std::fs::copy(component(), lvhost.path("newest-image.wasm")).unwrap();
        let server = Server::start(served.path());
        Self {
            lvhost,
            served,
            server,
        }
    }

    /// A call of the command for this template.
    fn arguments(&self, command: &str, stage: &Stage) -> Vec<String> {
        let mut arguments = vec![command.to_owned()];
        let listing = self.server.url("images/");
        let own = [
            ("listing", listing.as_str()),
            ("pattern", "guest-*.qcow2"),
            ("checksums", "SHA256SUMS"),
            ("username", "root"),
            ("memory", "256"),
        ];
        let domain = format!("{}-newest", stage.hypervisor.pool);
        arguments.extend(stage.arguments(&domain, &own));
        arguments.push("newest.pkr.hcl".to_owned());
        arguments
    }

    /// Takes the entry over that the command proposes.
    fn paste_entry(&self, stage: &Stage) {
        let output = self.lvhost.run(&strs(&self.arguments("run", stage)));
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let digest = sha256(&self.lvhost.path("newest-image.wasm"));
        let asked = format!("urls = [\"{}\"]", self.server.url("images/"));
        for expected in ["newest.pkr.hcl:", "no entry", &digest, &asked] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        self.lvhost.write("lvhost.hcl", &entry(&text));
        assert_eq!(self.server.sent(), 0, "nothing was reached");
    }
}

/// The entry in a message, as a person would copy it: to the brace below its first letter.
fn entry(text: &str) -> String {
    let column = |line: &str| line.len() - line.trim_start().len();
    let mut lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("source_plugin \""))
        .collect();
    let is_end = |line: &&str| line.trim() == "}" && column(line) == column(lines[0]);
    let end = lines.iter().position(is_end).unwrap();
    lines.truncate(end + 1);
    lines.join("\n")
}

#[test]
fn a_strangers_source_builds_from_the_newest_image_once_it_is_allowed() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let project = Project::new(&stage);
    project.paste_entry(&stage);
    let text = project
        .lvhost
        .succeed(&strs(&project.arguments("run", &stage)));
    assert!(
        text.contains("the newest image is guest-10.qcow2"),
        "{text}"
    );
    assert_eq!(stage.hypervisor.volumes(), ["newest.qcow2"], "{text}");

    // The artifact has what was provisioned.
    let domain = format!("{}-again", stage.hypervisor.pool);
    let command = "grep 'built from the newest image' /root/built-from";
    let boot = stage.boot(&domain, &[("volume", "newest.qcow2"), ("command", command)]);
    project.lvhost.succeed(&strs(&boot));
}

#[test]
fn a_component_that_has_changed_is_not_run() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let project = Project::new(&stage);
    project.paste_entry(&stage);
    let path = project.lvhost.path("newest-image.wasm");
    let allowed = sha256(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // A section that means nothing: still the same component to whoever would run it.
    bytes.extend_from_slice(b"\0\x02\x01x");
    std::fs::write(&path, bytes).unwrap();
    let output = project.lvhost.run(&strs(&project.arguments("run", &stage)));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for digest in [&allowed, &sha256(&path)] {
        assert!(text.contains(digest), "{text}");
    }
    assert_eq!(project.server.sent(), 0, "{text}");
    assert!(stage.hypervisor.volumes().is_empty(), "{text}");
}

#[test]
fn a_server_can_not_lead_a_component_where_it_is_not_allowed() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    let project = Project::new(&stage);
    project.paste_entry(&stage);
    // The image has moved to a mirror: another server, of which nothing is said.
    let mirror = Server::start(project.served.path());
    let to = mirror.url("images/guest-9.qcow2");
    project.server.redirect("images/guest-10.qcow2", &to);
    let arguments = project.arguments("run", &stage);
    let output = project.lvhost.run(&strs(&arguments));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let host = to
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    for expected in [
        "newest-image",
        &to,
        &format!("add `hosts = [\"{host}\"]` to its `allow` block in lvhost.hcl"),
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(mirror.sent(), 0, "{text}");
    assert!(stage.hypervisor.volumes().is_empty(), "{text}");

    // With that line it is followed, and what is there is verified like anything else.
    let settings = std::fs::read_to_string(project.lvhost.path("lvhost.hcl")).unwrap();
    let line = format!("allow {{\n    hosts = [\"{host}\"]");
    project
        .lvhost
        .write("lvhost.hcl", &settings.replacen("allow {", &line, 1));
    let output = project.lvhost.run(&strs(&arguments));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("checksum mismatch"), "{text}");
    assert!(mirror.sent() > 0, "{text}");
    assert!(stage.hypervisor.volumes().is_empty(), "{text}");
}
