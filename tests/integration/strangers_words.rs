//! What a guest and a component say, on its way to a terminal; and who may read what a build leaves behind.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::lvhost::{self, Lvhost, said};

/// Names that steer a terminal, turn what is read, or forge a line.
const ODD: [&str; 5] = [
    "\u{1b}[31mred",
    "\u{9b}2J",
    "\u{202e}turned",
    "\u{1b}]0;title\u{7}",
    "x\n==> libvirt.example: Finished in 1.0 s",
];

/// A line of a build's end that is ours: anything else that begins so is forged.
pub(crate) fn assert_tame(text: &str) {
    let steers = text
        .chars()
        .find(|it| it.is_control() && *it != '\n' || matches!(it, '\u{200b}'..='\u{202e}'));
    assert_eq!(steers, None, "{text:?}");
    let ends = text
        .lines()
        .filter(|line| line.starts_with("==> libvirt.example: Finished"));
    assert!(ends.count() <= 1, "{text}");
}

/// Names that the guest's SFTP server gives, what its commands say, and its errors.
#[test]
fn what_a_guest_says_steers_no_terminal() {
    let guest = need!(LocalGuest::new());
    let tree = guest.home().join("tree");
    std::fs::create_dir(&tree).unwrap();
    for odd in ODD {
        std::fs::write(tree.join(odd), "content").unwrap();
    }
    let lvhost = Lvhost::new();
    let odd = ODD.join(" ");
    std::fs::write(guest.home().join("says"), format!("{odd}\n{odd}")).unwrap();
    for method in ["sftp", "scp"] {
        let build = format!(
            "{}  provisioner \"file\" {{\n    direction = \"download\"\n    source = {:?}\n    \
             destination = \"got-{method}/\"\n  }}\n",
            guest.shell(
                "provisioner",
                &[&format!(
                    "cat {0}; cat {0} >&2",
                    guest.home().join("says").display()
                )]
            ),
            tree.to_str().unwrap(),
        );
        let text = guest.template(&["example"], &build).replace(
            "ssh_timeout",
            &format!("ssh_file_transfer_method = \"{method}\"\nssh_timeout"),
        );
        lvhost.write("t.pkr.hcl", &text);
        let output = lvhost.run(&["run", "-vvv", "t.pkr.hcl"]);
        let text = said(&output);
        assert!(text.contains("turned"), "{text}");
        assert_tame(&text);
    }
}

/// An SSH server with words of its own: a banner, and one for each request by SFTP.
const SFTP: &str = r#"
import struct, sys
def packet():
    length, = struct.unpack(">I", sys.stdin.buffer.read(4))
    return sys.stdin.buffer.read(length)
def send(bytes):
    sys.stdout.buffer.write(struct.pack(">I", len(bytes)) + bytes)
    sys.stdout.buffer.flush()
odd = open(sys.argv[1], "rb").read()
packet()
send(b"\x02" + struct.pack(">I", 3))
while True:
    send(b"\x65" + packet()[1:5] + struct.pack(">II", 4, len(odd)) + odd + struct.pack(">I", 0))
"#;

/// A guest whose SSH server is hostile, and a build that transfers a file to it.
pub(crate) struct OddServer {
    pub(crate) guest: LocalGuest,
    pub(crate) template: String,
    _folder: tempfile::TempDir,
}

impl OddServer {
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("odd"), ODD.join(" ")).unwrap();
        std::fs::write(at("sftp.py"), SFTP).unwrap();
        std::fs::write(at("source"), "content").unwrap();
        let lines = format!(
            "Banner {0}\nSubsystem sftp /usr/bin/env python3 {1} {0}",
            at("odd"),
            at("sftp.py")
        );
        let guest = LocalGuest::configured(&lines, None)?;
        let build = format!(
            "provisioner \"file\" {{\n  source = {:?}\n  destination = \"/nowhere/file\"\n}}\n",
            at("source")
        );
        Ok(Self {
            template: guest.template(&["example"], &build),
            guest,
            _folder: folder,
        })
    }
}

#[test]
fn what_an_ssh_server_says_steers_no_terminal() {
    let server = need!(OddServer::new());
    let lvhost = Lvhost::new();
    lvhost.write("t.pkr.hcl", &server.template);
    for arguments in [&["run", "t.pkr.hcl"][..], &["run", "-vvv", "t.pkr.hcl"]] {
        let output = lvhost.run(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("turned"), "{text}");
        assert_tame(&text);
    }
    server.guest.assert_clean("");
}

/// Everything below `folder`, with its mode.
fn modes(folder: &Path, into: &mut BTreeMap<PathBuf, u32>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_symlink() {
            continue;
        }
        into.insert(entry.path(), metadata.permissions().mode() & 0o7777);
        if metadata.is_dir() {
            modes(&entry.path(), into);
        }
    }
}

/// A build with everything that leaves a file on this machine, by somebody who hides nothing by his umask:
/// all but the artifact and what was downloaded by name is the user's alone all the same.
#[test]
fn what_a_build_leaves_is_the_users_alone_whatever_the_umask_is() {
    let guest = need!(LocalGuest::new());
    let lvhost = Lvhost::new();
    for made in ["temporary", "cache", "state", "config"] {
        std::fs::create_dir(lvhost.path(made)).unwrap();
    }
    std::fs::write(guest.home().join("from-guest"), "content").unwrap();
    let served = lvhost.write("served/image.raw", &"x".repeat(4096));
    let server = crate::server::Server::start(served.parent().unwrap());
    let build = format!(
        "{}  provisioner \"shell-local\" {{\n    environment_vars = [\"SECRET=hunter2\"]\n    \
         inline = [\"find ${{path.cwd}} -type f -newer ${{path.cwd}}/t.pkr.hcl >listed\", \"stat -c '%a %n' \\\"$0\\\" >script\"]\n  }}\n  \
         provisioner \"file\" {{\n    direction = \"download\"\n    source = {:?}\n    destination = \"got\"\n  }}\n",
        guest.shell("provisioner", &["true"]),
        guest.home().join("from-guest"),
    );
    let options = format!(
        "libvirt_uri = {:?}\nconsole_log = \"logs/console.log\"\noutput_directory = \"artifact\"\n",
        guest.hypervisor.uri
    );
    let text = guest
        .template(&["example"], &build)
        .replace(
            &format!("libvirt_uri = {:?}\n", guest.hypervisor.uri),
            &options,
        )
        .replace(
            "capacity = \"1M\"\n",
            &format!(
                "source {{\n type = \"external\"\n urls = [{:?}]\n checksum = \"none\"\n}}\n",
                server.url("image.raw")
            ),
        );
    lvhost.write("t.pkr.hcl", &format!("data \"sshkey\" \"k\" {{}}\n{text}"));
    let mut before = BTreeMap::new();
    modes(&lvhost.path(""), &mut before);

    let arguments = ["run", "t.pkr.hcl"];
    let prepared = lvhost.prepare(&arguments);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 0; exec \"$0\" \"$@\""])
        .arg(lvhost::command())
        .args(arguments)
        .current_dir(prepared.get_current_dir().unwrap())
        .env("TMPDIR", lvhost.path("temporary"));
    for (name, value) in prepared.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell.output().unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");

    let mut after = BTreeMap::new();
    modes(&lvhost.path(""), &mut after);
    // What shell-local's own commands have made is theirs; the script they stood in is told by its mode.
    let theirs = ["listed", "script"].map(|name| lvhost.path(name));
    let made: BTreeMap<_, _> = after
        .into_iter()
        .filter(|(path, _)| !before.contains_key(path) && !theirs.contains(path))
        .collect();
    let script = std::fs::read_to_string(lvhost.path("script")).unwrap();
    let mode = u32::from_str_radix(script.split(' ').next().unwrap(), 8).unwrap();
    assert_eq!(mode & 0o077, 0, "{script}");
    for expected in ["logs/console.log", "artifact", "got"] {
        assert!(
            made.contains_key(&lvhost.path(expected)),
            "{expected}: {made:#?}"
        );
    }
    // What the user has named as a place for it is as readable as his umask has it.
    let named = [lvhost.path("artifact"), lvhost.path("got")];
    let mut wrong = Vec::new();
    for (path, mode) in &made {
        if mode & 0o077 != 0 && !named.iter().any(|named| path.starts_with(named)) {
            wrong.push(format!("{mode:o} {}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
