//! A plan as text for people.

use indicatif::BinaryBytes;
use lvhost_engine::Secrets;

use super::describe::{ContentsKind, PlannedBuild, Volume};
use super::reach::{Needed, Thing};
use crate::printer::{Paint, Printer};

/// Prints lines without secrets.
struct Lines<'a> {
    printer: &'a Printer,
    secrets: &'a Secrets,
}

impl Lines<'_> {
    fn result(&self, line: &str) {
        self.printer.result(&self.secrets.mask(line));
    }
}

/// Prints `planned`, without `secrets`.
pub(super) fn show(planned: &PlannedBuild, printer: &Printer, secrets: &Secrets) {
    let lines = Lines { printer, secrets };
    let heading = secrets.mask(&planned.build);
    printer.result(&printer.paint(Paint::Build(0), &format!("{heading}:")));
    lines.result(&format!("  hypervisor  {}", planned.uri));
    lines.result(&format!("  domain      {}", planned.domain));
    for volume in &planned.volumes {
        show_volume(volume, &lines);
    }
    for interface in &planned.interfaces {
        lines.result(&format!(
            "  interface   {}, MAC {}",
            interface.attached_to, interface.mac
        ));
    }
    lines.result("  the domain's XML:");
    for line in planned.domain_xml.lines() {
        lines.result(&format!("    {line}"));
    }
    let Some(check) = &planned.check else {
        return;
    };
    lines.result("  at the hypervisor:");
    for found in &check.found {
        let word = printer.paint(Paint::Build(0), "ok");
        printer.result(&format!("    {word}       {}", secrets.mask(found)));
    }
    for problem in &check.problems {
        let word = printer.paint(Paint::Error, "problem");
        printer.result(&format!("    {word}  {}", secrets.mask(problem)));
    }
}

fn show_volume(volume: &Volume, lines: &Lines<'_>) {
    let artifact = if volume.is_artifact {
        ", the artifact"
    } else {
        ""
    };
    lines.result(&format!(
        "  volume      {}/{}{artifact}",
        volume.pool, volume.name
    ));
    let from = match volume.contents {
        ContentsKind::Existing => "is there already and is only used".to_owned(),
        ContentsKind::Blank => "begins empty".to_owned(),
        ContentsKind::Source => {
            let source = volume.source.as_deref().filter(|name| !name.is_empty());
            format!(
                "made by `{}`",
                source.unwrap_or("(a source known in the build)")
            )
        }
    };
    let size = match volume.capacity {
        Some(capacity) => format!(", {}", BinaryBytes(capacity)),
        None => String::new(),
    };
    let format = volume.format.as_ref().map(|format| format!(", {format}"));
    let detail = |text: String| lines.result(&format!("                {text}"));
    detail(format!("{from}{size}{}", format.unwrap_or_default()));
    for download in &volume.reach.downloads {
        let word = match download.cached {
            Some(true) => "cached, from",
            Some(false) => "downloads",
            None => "downloads, unless it is what the list of checksums names,",
        };
        for url in &download.urls {
            detail(format!("{word} {url}"));
        }
        detail(match download.checksum.as_deref() {
            None => "with a checksum that is only known when the build runs, or without".to_owned(),
            Some("none") => "without a checksum".to_owned(),
            Some(checksum) => format!("checksum {checksum}"),
        });
    }
    for needed in &volume.reach.needs {
        detail(format!("needs {}: {}", thing(&needed.thing), rule(needed)));
    }
    for line in &volume.reach.also_allowed {
        detail(format!("does not need, but may use: {line} in its entry"));
    }
    if !volume.is_known {
        detail("the rest depends on values that are only known when the build runs".to_owned());
    }
}

fn thing(thing: &Thing) -> String {
    match thing {
        Thing::Url(url) => url.clone(),
        Thing::UrlsBelow(url) => format!("what is below {url}"),
        Thing::Files(pattern) => format!("the files {pattern}"),
        Thing::Volume(id) => format!("the volume {id}"),
        Thing::HypervisorPath(path) => format!("the hypervisor's path {path}"),
        Thing::Post(url) => format!("sending something to {url}"),
        Thing::Secret(name) => format!("having the secret {name} sent"),
    }
}

fn rule(needed: &Needed) -> String {
    match (needed.allowed_by.as_deref(), needed.allows_beyond) {
        (None, _) => "not allowed".to_owned(),
        (Some("template"), _) => "allowed by the template, in which it stands".to_owned(),
        (Some(line), None) => format!("allowed by {line} in its entry"),
        (Some(line), Some(beyond)) => {
            format!("allowed by {line} in its entry, which allows {beyond}")
        }
    }
}
