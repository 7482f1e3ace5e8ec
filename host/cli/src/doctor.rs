//! `lvhost doctor`: whether images can be built here, part by part, and what to do where they can't.
//!
//! ```text
//!  connect ─► kinds of guests ─► a guest that runs ─► pools, networks, firmware, TPM ─► leftovers
//!  processes for components
//! ```

mod checks;
mod component_process;
mod execution;
mod resources;
mod trial;

use lvhost_libvirt::{ConnectionUri, Libvirt};
use serde::Serialize;

use self::checks::{Check, Verdict};
use self::execution::KvmDevice;
use crate::arguments;
use crate::async_runtime;
use crate::exit_code::Failure;
use crate::printer::{Paint, Printer};

/// All findings, for `--json`.
#[derive(Serialize)]
struct Report<'a> {
    uri: String,
    healthy: bool,
    checks: &'a [Check],
}

/// Looks at everything a build needs, and says what it found.
///
/// # Errors
/// When a check failed.
pub(crate) fn doctor(arguments: &arguments::Doctor, printer: &Printer) -> Result<(), Failure> {
    let runtime = async_runtime::small()?;
    let tell = |check: &Check| {
        if !arguments.output.json {
            show(check, printer);
        }
    };
    let mut checks = runtime.block_on(examine(&arguments.uri, tell));
    let processes = component_process::check();
    tell(&processes);
    checks.push(processes);
    let failed = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .count();
    if arguments.output.json {
        printer.json(&Report {
            uri: ConnectionUri::new(arguments.uri.as_str()).to_string(),
            healthy: failed == 0,
            checks: &checks,
        });
    }
    if failed > 0 {
        return Err(Failure::Checks {
            failed,
            total: checks.len(),
        });
    }
    Ok(())
}

async fn examine(uri: &str, tell: impl Fn(&Check)) -> Vec<Check> {
    match Libvirt::connect(uri).await {
        Err(error) => {
            let check = checks::unreachable(uri, &error);
            tell(&check);
            vec![check]
        }
        Ok(hypervisor) => checks::all(&hypervisor, KvmDevice::of_this_host(), tell).await,
    }
}

fn show(check: &Check, printer: &Printer) {
    let (paint, word) = match check.verdict {
        Verdict::Ok => (Paint::Build(0), "ok"),
        Verdict::Warn => (Paint::Warning, "warn"),
        Verdict::Fail => (Paint::Error, "fail"),
    };
    let word = printer.paint(paint, &format!("{word:<4}"));
    printer.result(&format!("{word}  {}: {}", check.name, check.finding));
    for line in check.advice.iter().flat_map(|advice| advice.lines()) {
        printer.result(&format!("      {line}"));
    }
}
