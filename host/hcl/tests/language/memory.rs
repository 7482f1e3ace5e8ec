//! What random programs take of memory: each is loaded by a process of its own, whose peak is read at the end.

use std::io::Write as _;
use std::process::Command;

use proptest::prelude::*;

use super::budget::{expression, program};
use super::world::load_template;

/// Peak of resident memory: twice the budget in bytes (`budget::BYTES`), since a value is there once more
/// while it is handed on, and what a process of tests takes without any program.
const PEAK: u64 = 2 * (128 << 20) + (32 << 20);

/// What the process loads.
const PROGRAM: &str = "LVHOST_TEST_PROGRAM";

/// How the process says what it took.
const SAYS: &str = "peak of resident memory in KiB: ";

/// The peak of a process that loads the program, in bytes. `test` is the caller, which the process runs.
fn peak(test: &str, program: &str) -> u64 {
    let own = std::env::current_exe().expect("the tests' own path");
    let output = Command::new(own)
        .args(["--exact", "--nocapture", test])
        .env(PROGRAM, program)
        .output()
        .expect("another process of the tests");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program}\n{said}");
    let peak = said
        .split_once(SAYS)
        .and_then(|(_, rest)| rest.lines().next());
    peak.and_then(|peak| peak.trim().parse::<u64>().ok())
        .unwrap_or_else(|| panic!("{program}\n{said}"))
        << 10
}

/// Whether this is the process of [`peak`], which then has done its work.
fn is_measured() -> bool {
    let Ok(program) = std::env::var(PROGRAM) else {
        return false;
    };
    let loaded = load_template(&program);
    let _ = loaded.messages();
    drop(loaded);
    let status = std::fs::read_to_string("/proc/self/status").expect("a kernel that counts");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let said = writeln!(std::io::stdout(), "\n{SAYS}{}", peak.expect("a peak"));
    said.expect("somebody who listens");
    true
}

#[test]
fn the_measure_sees_what_a_program_takes() {
    const TEST: &str = "memory::the_measure_sees_what_a_program_takes";
    if is_measured() {
        return;
    }
    let few = peak(TEST, "locals {\n  a = 1\n}\n");
    let text = "join(\"\", [for i in range(1000) : format(\"%064d\", i)])";
    let much = format!(
        "locals {{\n  a = {text}\n  x = [for i in range(800) : \"${{i}}${{local.a}}\"]\n}}\n"
    );
    let much = peak(TEST, &much);
    assert!(few < 32 << 20, "{few}");
    assert!(much > few + (45 << 20), "{much} and {few}");
    assert!(much < PEAK, "{much}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a program asks for: no process that loads it grows beyond the bound.
    #[test]
    fn random_programs_take_no_more_memory_than_the_budget_has(a in expression(), b in expression(), x in expression()) {
        if is_measured() {
            return Ok(());
        }
        let text = program(&a, &b, &x);
        let peak = peak("memory::random_programs_take_no_more_memory_than_the_budget_has", &text);
        prop_assert!(peak < PEAK, "{peak}: {text}");
    }
}
