//! What a process for a stranger's component can't do, tried by such a process itself.

use std::collections::BTreeMap;
use std::process::Command;

/// What each of its attempts is answered with.
const EXPECTED: &[(&str, &str)] = &[
    ("read a file", "refused: PermissionDenied"),
    ("read what it is", "refused: PermissionDenied"),
    ("list a folder", "refused: PermissionDenied"),
    ("make a file", "refused: PermissionDenied"),
    ("remove a file", "refused: PermissionDenied"),
    ("listen", "refused: PermissionDenied"),
    ("connect", "refused: PermissionDenied"),
    ("send a datagram", "refused: PermissionDenied"),
    ("connect to a local socket", "refused: PermissionDenied"),
    ("make a local socket", "refused: PermissionDenied"),
    ("start a program", "refused: PermissionDenied"),
    ("signal another process", "refused: PermissionDenied"),
    ("raise a limit", "refused: PermissionDenied"),
    ("take 128 MiB", "refused: OutOfMemory"),
    // What it needs, it has.
    ("take 16 MiB", "done"),
    ("start a thread", "done"),
];

#[test]
fn a_process_for_a_component_has_no_files_no_network_and_no_other_programs() {
    let output = Command::new(env!("CARGO_BIN_EXE_component-process"))
        .output()
        .expect("the process was started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {said}", output.status);
    let outcomes: BTreeMap<_, _> = said
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    if let Some(why) = outcomes.get("seccomp") {
        println!(
            "SKIPPED: a_process_for_a_component_has_no_files_no_network_and_no_other_programs: seccomp: {why}"
        );
        return;
    }
    assert_eq!(outcomes, EXPECTED.iter().copied().collect());
}
