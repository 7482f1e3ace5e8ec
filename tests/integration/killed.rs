//! Builds that are killed at random moments, and `lvhost clean` after each.
//!
//! Two kinds of builds are killed: one whose guest has firmware variables and a TPM and stays on, and
//! one whose guest is off at once, so that the end of a build is hit as well. A moment is a line of
//! `--json` and a while after it; a first build of each kind, which isn't killed, shows how many lines
//! there are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::lvhost::{Lvhost, said};
use crate::real_guests::{Stage, strs};

/// How many builds are killed.
const KILLED: usize = 50;

/// What a build is killed after is no instant: up to so long may pass after a line.
const AFTER: Duration = Duration::from_millis(150);

/// Bytes of the disk.
const DATA: usize = 64 << 20;

/// Set to what a run has printed, to kill at the same moments again.
const SEED: &str = "LVHOST_TEST_SEED";

/// What an endless build says once its guest runs, and one that ends once nothing is left to do.
const LAST_LINES: [&str; 2] = ["power itself off", "run-finished"];

/// What only builds say that get so far.
const FIRSTS: [&str; 2] = ["power itself off", "\"result\":\"succeeded\""];

/// What the builds of this test share.
struct Scene {
    stage: Stage,
    lvhost: Lvhost,
    domain: String,
    disk: PathBuf,
}

/// A build as it was when it was killed.
struct Killed {
    /// All it has said.
    said: String,
    /// Whether it was killed, and not over already.
    in_time: bool,
}

impl Scene {
    fn start(&self, is_endless: bool) -> Child {
        let arguments = self.stage.run(
            "killed.pkr.hcl",
            &self.domain,
            &[
                ("endless", if is_endless { "true" } else { "false" }),
                ("disk", self.disk.to_str().unwrap()),
            ],
        );
        let mut arguments = strs(&arguments);
        arguments.insert(1, "--json");
        self.lvhost
            .prepare(&arguments)
            .env("TMPDIR", self.lvhost.path("tmp"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs a build until it has said `lines` lines or one that contains `text`, waits a while, and kills it.
    fn kill(&self, is_endless: bool, lines: usize, text: &str, while_after: Duration) -> Killed {
        let mut child = self.start(is_endless);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        for _ in 0..lines {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                break;
            }
            let is_last = line.contains(text);
            said.push_str(&line);
            if is_last {
                break;
            }
        }
        std::thread::sleep(while_after);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        output.read_to_string(&mut said).unwrap();
        Killed {
            said,
            in_time: status.code().is_none(),
        }
    }

    /// Everything that is there and belongs to builds of this test.
    fn left(&self) -> Vec<String> {
        let hypervisor = &self.stage.hypervisor;
        let mut left: Vec<_> = hypervisor
            .domains(&self.domain)
            .iter()
            .map(|name| format!("domain {name}"))
            .collect();
        let volumes = hypervisor.volumes();
        let made = volumes.iter().filter(|name| *name != "base.raw");
        left.extend(made.map(|name| format!("volume {name}")));
        left.extend(files(&self.lvhost.path("tmp")));
        left.extend(files(&self.lvhost.path("output")));
        let variables = hypervisor.variables_of(&self.domain);
        left.extend(variables.map(|path| path.display().to_string()));
        left.extend(processes(&self.domain));
        left
    }
}

/// A disk that takes a while to be moved.
fn disk(lvhost: &Lvhost) -> PathBuf {
    let path = lvhost.write_power_off_disk("off.raw");
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&vec![b'x'; DATA], 1 << 20).unwrap();
    path
}

/// The files in a folder, also hidden ones.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| format!("file {}", entry.unwrap().path().display()))
        .collect()
}

/// The processes whose arguments name a domain: QEMU, passt, swtpm.
fn processes(domain: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        // Those of other users, and those that have just ended, have no arguments to read.
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains(domain) {
            found.push(format!("process {arguments}"));
        }
    }
    found
}

#[test]
fn what_killed_builds_leave_is_cleaned_up() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    need!(stage.has_firmware());
    let lvhost = Lvhost::new();
    let scene = Scene {
        domain: format!("{}-killed", stage.hypervisor.pool),
        disk: disk(&lvhost),
        lvhost,
        stage,
    };
    let hypervisor = &scene.stage.hypervisor;
    scene.lvhost.write("files/some", "some file\n");
    let base = scene.lvhost.write("base.raw", "base-data");
    hypervisor.add_volume("base.raw", &base);
    std::fs::create_dir(scene.lvhost.path("tmp")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = std::env::var(SEED).map_or(now.as_secs(), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut in_time = 0;
    let mut lengths = [usize::MAX; 2];
    while in_time < KILLED {
        // The first of each kind goes as far as it can.
        let kind =
            usize::from(lengths[0] != usize::MAX && (lengths[1] == usize::MAX || random.random()));
        let is_first = lengths[kind] == usize::MAX;
        let lines = match is_first {
            true => usize::MAX,
            false => random.random_range(0..=lengths[kind]),
        };
        let mut after = random.random_range(Duration::ZERO..AFTER);
        if lines == 0 {
            // Before its first word a build does most of what it does before it has made anything.
            after *= 4;
        }
        let killed = scene.kill(kind == 0, lines, LAST_LINES[kind], after);
        let moment = format!(
            "kind {kind}, {after:?} after line {lines}:\n{}",
            killed.said
        );
        if is_first {
            assert!(killed.said.contains(FIRSTS[kind]), "{moment}");
            lengths[kind] = killed.said.lines().count();
        }
        in_time += usize::from(killed.in_time);

        // Somebody else's dead build may be there as well, and not to be removed; ours is looked for below.
        let cleaned = said(&scene.lvhost.run(&["clean", "--yes", &hypervisor.uri]));
        // A build that has succeeded leaves its artifact and the copy of it.
        if killed.said.contains("Cleaning up") {
            let _ = std::fs::remove_file(scene.lvhost.path("output/artifact.raw"));
            if hypervisor
                .volumes()
                .iter()
                .any(|name| name == "artifact.raw")
            {
                hypervisor.virsh(&["vol-delete", "--pool", &hypervisor.pool, "artifact.raw"]);
            }
        }
        let left = scene.left();
        assert!(left.is_empty(), "{left:#?}\nafter {moment}\n{cleaned}");
    }
    println!("{in_time} builds were killed; they had {lengths:?} lines");
}

#[test]
fn what_a_build_leaves_that_is_killed_while_it_provisions_is_cleaned_up() {
    let guest = need!(LocalGuest::new());
    let lvhost = Lvhost::new();
    // Ends with the connection, which it writes to.
    let commands = ["while echo it runs; do sleep 0.1; done"];
    let template = guest.template(&["a"], &guest.shell("provisioner", &commands));
    lvhost.write("template.pkr.hcl", &template);
    let mut build = lvhost
        .prepare(&["run", "template.pkr.hcl"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(build.stderr.take().unwrap()).lines();
    let said = output.find(|line| line.as_ref().unwrap().contains("it runs"));
    assert!(said.is_some(), "{:?}", build.wait());
    let uri = &guest.hypervisor.uri;
    // One that is alive is left alone.
    lvhost.succeed(&["clean", "--yes", uri]);
    assert_eq!(guest.hypervisor.volumes(), [guest.domain("a")]);
    build.kill().unwrap();
    build.wait().unwrap();
    guest.assert_clean(&lvhost.succeed(&["clean", "--yes", uri]));
}
