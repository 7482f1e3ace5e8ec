//! The process that a stranger's component runs in, seen while the command runs.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::lvhost::Lvhost;
use crate::third_party::{composed, put, template};

/// Much longer than it takes to start and compile.
const PATIENCE: Duration = Duration::from_secs(120);

/// Computes without end as soon as it is instantiated, which it is for each call.
const SPINNING: &str = "(component
    (core module $m (func $f (loop (br 0))) (start $f))
    (core instance (instantiate $m)))";

/// The children of all threads of a process.
fn children(of: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{of}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let numbers = list.split_whitespace();
            numbers.map(|it| it.parse().unwrap()).collect::<Vec<u32>>()
        })
        .collect()
}

/// The process for a component, once it is called what such a process is called.
fn component_of(lvhost: &mut Child) -> u32 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for child in children(lvhost.id()) {
            let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if line == b"lvhost-component\0" {
                return child;
            }
        }
        assert!(lvhost.try_wait().unwrap().is_none(), "it has ended");
        assert!(Instant::now() < deadline, "there was no process");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_component_runs_in_another_process_of_the_very_same_program() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(""));
    put(&lvhost, "stranger.wasm");
    let path = lvhost.folder().join("stranger.wasm");
    composed(&path, SPINNING);
    let mut command = lvhost.command(&["validate", "t.pkr.hcl"]);
    let mut running = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let component = component_of(&mut running);
    let program = std::fs::read_link(format!("/proc/{component}/exe"));
    let environment = std::fs::read(format!("/proc/{component}/environ"));
    let output = running.wait_with_output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{messages}");
    assert!(
        messages.contains("computed for more than 5 s"),
        "{messages}"
    );
    match program {
        Ok(program) => {
            let own = Path::new(env!("CARGO_BIN_EXE_lvhost"));
            assert_eq!(program, own.canonicalize().unwrap());
            assert_eq!(environment.unwrap(), b"");
        }
        // It has made itself invisible to all but root.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("SKIPPED: a_component_runs_in_another_process: only root can look at it");
        }
        Err(error) => panic!("{error}"),
    }
}
