//! Builds that are killed at random moments, and `lvhost clean` after each.
//!
//! Two kinds of builds are killed: one whose guest has firmware variables and a TPM and stays on, and
//! one whose guest is off at once, so that the end of a build is hit as well. A moment is a line of
//! `--json` and a while after it. A first build of each kind, which isn't killed, shows which lines belong
//! to which step; each step of each kind has its turn before any has its second, so that no run leaves
//! one out.
//!
//! The daemon is the test's own. libvirt 11.3 may lock itself up when a client ends that has a stream
//! open (`daemonStreamEvent` waits for a lock that `remoteClientCloseFunc` holds); that is no fault of
//! lvhost's, so such a daemon is noticed, told of and started anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::hypervisor::{Hypervisor, need};
use crate::local_guest::LocalGuest;
use crate::lvhost::{Lvhost, said};
use crate::real_guests::{Stage, strs};

/// How many builds are killed.
const KILLED: usize = 50;

/// Builds that are started at most, so that a step which is over at once is not waited for.
const DRAWS: usize = 80;

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

impl Scene {
    /// Cleans up after a build, and looks whether anything is left.
    fn assert_clean(&self, killed: &Killed, moment: &str) {
        let hypervisor = &self.stage.hypervisor;
        let cleaned = said(&self.lvhost.run(&["clean", "--yes", &hypervisor.uri]));
        // A build that has succeeded leaves its artifact and the copy of it.
        if killed.said.contains("Cleaning up") {
            let _ = std::fs::remove_file(self.lvhost.path("output/artifact.raw"));
            if hypervisor
                .volumes()
                .iter()
                .any(|name| name == "artifact.raw")
            {
                hypervisor.virsh(&["vol-delete", "--pool", &hypervisor.pool, "artifact.raw"]);
            }
        }
        let left = self.left();
        assert!(left.is_empty(), "{left:#?}\nafter {moment}\n{cleaned}");
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

/// The lines that belong to one step of a kind of build: it may be killed after any of them.
#[derive(Debug, Clone)]
struct Stratum {
    kind: usize,
    step: String,
    lines: RangeInclusive<usize>,
}

/// The steps of a build that has said all this, in order. What is said before the first word, and after
/// the last step, are steps as well.
fn strata(kind: usize, said: &str) -> Vec<Stratum> {
    let mut strata = Vec::new();
    let mut first = 0;
    for (number, line) in said.lines().enumerate() {
        if line.contains("\"event\":\"step-finished\"") {
            let step = line.split("\"step\":\"").nth(1).unwrap_or_default();
            strata.push(Stratum {
                kind,
                step: step.split('"').next().unwrap_or_default().to_owned(),
                lines: first..=number,
            });
            first = number + 1;
        }
    }
    strata.push(Stratum {
        kind,
        step: "end".to_owned(),
        lines: first..=said.lines().count(),
    });
    strata
}

/// Draws from a set without leaving anything out: all of it, in a new order each time.
struct Rounds {
    all: Vec<Stratum>,
    left: Vec<Stratum>,
}

impl Rounds {
    fn draw(&mut self, random: &mut StdRng) -> Stratum {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
        }
        let index = random.random_range(0..self.left.len());
        self.left.swap_remove(index)
    }
}

#[test]
fn what_killed_builds_leave_is_cleaned_up() {
    let stage = need!(Stage::on(Hypervisor::own()));
    need!(stage.has_firmware());
    let lvhost = Lvhost::new();
    let scene = Scene {
        domain: format!("lvhost-killed-{}", std::process::id()),
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

    let mut all = Vec::new();
    for kind in 0..LAST_LINES.len() {
        let whole = scene.kill(kind == 0, usize::MAX, LAST_LINES[kind], Duration::ZERO);
        assert!(whole.said.contains(FIRSTS[kind]), "{}", whole.said);
        scene.assert_clean(&whole, &format!("the whole build of kind {kind}"));
        all.extend(strata(kind, &whole.said));
    }
    let mut rounds = Rounds {
        left: Vec::new(),
        all,
    };
    let mut in_time = 0;
    let mut restarts = 0;
    let mut hit: BTreeMap<(usize, String), usize> = BTreeMap::new();
    let steps: BTreeSet<_> = rounds
        .all
        .iter()
        .map(|stratum| (stratum.kind, stratum.step.clone()))
        .collect();
    let mut draws = 0;
    while in_time < KILLED || (hit.len() < steps.len() && draws < DRAWS) {
        draws += 1;
        let stratum = rounds.draw(&mut random);
        let kind = stratum.kind;
        let lines = random.random_range(stratum.lines.clone());
        let mut after = random.random_range(Duration::ZERO..AFTER);
        if lines == 0 {
            // Before its first word a build does most of what it does before it has made anything.
            after *= 4;
        }
        let killed = scene.kill(kind == 0, lines, LAST_LINES[kind], after);
        let moment = format!(
            "{SEED}={seed}, kind {kind}, {after:?} after line {lines} ({}):\n{}",
            stratum.step, killed.said
        );
        in_time += usize::from(killed.in_time);
        // The last step may be over before it can be hit.
        if killed.in_time || stratum.step == "end" {
            *hit.entry((kind, stratum.step)).or_default() += 1;
        }
        if !hypervisor.answers() {
            println!("libvirt takes no connections any more; it is started anew. {moment}");
            restarts += 1;
            hypervisor.restart();
        }
        scene.assert_clean(&killed, &moment);
    }
    println!("{in_time} of {draws} builds were killed, at these steps: {hit:?}");
    let missed: Vec<_> = steps
        .iter()
        .filter(|step| !hit.contains_key(step))
        .collect();
    println!("over before they could be hit: {missed:?}");
    assert!(missed.len() * 4 <= steps.len(), "{missed:?}");
    if restarts > 0 {
        println!("libvirt locked itself up {restarts} times");
    }
    assert!(
        restarts < KILLED / 2,
        "it is not libvirt that hangs so often"
    );
}

#[test]
fn what_a_build_leaves_that_is_killed_while_it_provisions_is_cleaned_up() {
    let guest = need!(LocalGuest::alone());
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
