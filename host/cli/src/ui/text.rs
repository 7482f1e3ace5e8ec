//! Events as lines for people, with the build's name in front as Packer writes them.

use std::sync::OnceLock;

use indicatif::BinaryBytes;

use super::event::{ArtifactFacts, BuildResult, Event, Level, StepTime};
use crate::printer::{Paint, Printer};

/// Lines of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// For whoever watches.
    Message(String),
    /// What was asked for.
    Result(String),
}

/// Turns events into lines.
pub(super) struct Text {
    printer: Printer,
    /// The names of the run's builds, whose places in it choose their colours.
    builds: OnceLock<Vec<String>>,
}

impl Text {
    /// For one run. `printer` only paints.
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            builds: OnceLock::new(),
        }
    }

    /// What is said of an event; nothing of those that are shown otherwise.
    pub(super) fn lines(&self, event: &Event<'_>) -> Vec<Line> {
        let message = |line: String| vec![Line::Message(line)];
        match event {
            Event::Diagnostics { text, .. } => message(text.trim_end().to_owned()),
            Event::BuildStarted { build, uri, .. } => {
                message(self.announce(build, &format!("Connecting to {uri}")))
            }
            Event::Message { build, level, text } => spread(build, text, |text| match level {
                Level::Info => self.announce(build, text),
                Level::Warning => self.labelled(build, Paint::Warning, &format!("warning: {text}")),
                Level::Error => self.error(build, text),
            }),
            Event::Output {
                build,
                stream,
                line,
            } => spread(build, line, |line| match *stream {
                "stderr" => detail(build, &self.printer.paint(Paint::Aside, line)),
                _ => detail(build, line),
            }),
            Event::Leftover {
                build,
                what,
                reason,
                command,
                ..
            } => vec![
                Line::Message(self.error(build, &format!("{what} could not be removed: {reason}"))),
                Line::Message(detail(build, &format!("remove it with: {command}"))),
            ],
            Event::Kept {
                build,
                what,
                command,
                ..
            } => vec![
                Line::Message(self.announce(build, &format!("{what} is left for you to look at"))),
                Line::Message(detail(build, &format!("remove it with: {command}"))),
            ],
            Event::Cancelling { text } => message((*text).to_owned()),
            Event::BuildFinished {
                build,
                result,
                error,
                seconds,
                steps,
                artifact,
            } => self.finished(
                build,
                *result,
                error.as_deref(),
                *seconds,
                steps,
                artifact.as_ref(),
            ),
            Event::RunStarted { builds, .. } => {
                self.builds.get_or_init(|| builds.to_vec());
                Vec::new()
            }
            Event::StepFinished { .. }
            | Event::TransferStarted { .. }
            | Event::TransferProgress { .. }
            | Event::TransferFinished { .. }
            | Event::RunFinished { .. } => Vec::new(),
        }
    }

    fn finished(
        &self,
        build: &str,
        result: BuildResult,
        error: Option<&str>,
        seconds: f64,
        steps: &[StepTime],
        artifact: Option<&ArtifactFacts>,
    ) -> Vec<Line> {
        let mut lines = error.map_or_else(Vec::new, |error| {
            spread(build, error, |error| self.error(build, error))
        });
        let mut messages = Vec::new();
        messages.push(match (result, artifact) {
            (BuildResult::Succeeded, Some(artifact)) => {
                let volume = format!("{}/{}", artifact.pool, artifact.volume);
                self.announce(build, &format!("Finished in {seconds:.1} s: {volume}"))
            }
            (BuildResult::Succeeded, None) => {
                self.announce(build, &format!("Finished in {seconds:.1} s"))
            }
            (BuildResult::Cancelled, _) => {
                self.announce(build, &format!("Cancelled after {seconds:.1} s"))
            }
            (BuildResult::Failed, _) => {
                self.announce(build, &format!("Failed after {seconds:.1} s"))
            }
        });
        messages.extend(times(steps).iter().map(|line| detail(build, line)));
        lines.extend(messages.into_iter().map(Line::Message));
        if let Some(artifact) = artifact {
            let results = artifact_lines(artifact);
            lines.extend(
                results
                    .iter()
                    .map(|line| Line::Result(format!("{build}: {line}"))),
            );
        }
        lines
    }

    fn announce(&self, build: &str, message: &str) -> String {
        let mut builds = self.builds.get().into_iter().flatten();
        let position = builds.position(|known| known == build);
        self.labelled(build, Paint::Build(position.unwrap_or_default()), message)
    }

    fn error(&self, build: &str, message: &str) -> String {
        self.labelled(build, Paint::Error, &format!("error: {message}"))
    }

    fn labelled(&self, build: &str, paint: Paint, message: &str) -> String {
        let label = self.printer.paint(paint, &format!("==> {build}:"));
        format!("{label} {message}")
    }
}

/// A text of one line or more: the first as `first` has it, the others with their source before them.
fn spread(build: &str, text: &str, first: impl Fn(&str) -> String) -> Vec<Line> {
    let mut lines = text.split('\n');
    let mut spread = vec![Line::Message(first(lines.next().unwrap_or_default()))];
    spread.extend(lines.map(|line| Line::Message(detail(build, line))));
    spread
}

/// A line of less weight, below what was said.
fn detail(build: &str, line: &str) -> String {
    format!("    {build}: {line}")
}

/// A table of the steps, and whose time it was.
fn times(steps: &[StepTime]) -> Vec<String> {
    let (mut own, mut guests) = (0.0, 0.0);
    let mut lines = Vec::new();
    for step in steps {
        let (sum, whose) = if step.is_guests_own {
            (&mut guests, "  (the guest's)")
        } else {
            (&mut own, "")
        };
        *sum += step.seconds;
        let time = format!("{:.2} s", step.seconds);
        lines.push(format!("{:<18} {time:>9}{whose}", step.name));
    }
    lines.push(format!(
        "lvhost's own time {own:.2} s, the guest's {guests:.2} s"
    ));
    lines
}

fn artifact_lines(artifact: &ArtifactFacts) -> Vec<String> {
    let mut lines = vec![
        format!("pool: {}", artifact.pool),
        format!("volume: {}", artifact.volume),
        format!("path: {}", artifact.path),
        format!(
            "size: {}, {} of them allocated",
            BinaryBytes(artifact.capacity),
            BinaryBytes(artifact.allocation)
        ),
    ];
    lines.push(format!("format: {}", artifact.format));
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lvhost_engine::{Step, Stream};

    use super::*;

    fn told(event: &Event<'_>) -> Vec<Line> {
        let (printer, _) = Printer::for_test();
        Text::new(printer).lines(event)
    }

    fn messages(lines: &[&str]) -> Vec<Line> {
        let message = |line: &&str| Line::Message((*line).to_owned());
        lines.iter().map(message).collect()
    }

    #[test]
    fn lines_carry_the_name_of_the_source() {
        let build = "libvirt.example";
        let said = |level, text| told(&Event::Message { build, level, text });
        assert_eq!(
            said(Level::Info, "Starting"),
            messages(&["==> libvirt.example: Starting"])
        );
        assert_eq!(
            said(Level::Warning, "odd"),
            messages(&["==> libvirt.example: warning: odd"])
        );
        assert_eq!(
            said(Level::Error, "bad"),
            messages(&["==> libvirt.example: error: bad"])
        );
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = Event::output(build, stream, "hello");
            assert_eq!(told(&line), messages(&["    libvirt.example: hello"]));
        }
    }

    #[test]
    fn a_line_break_forges_no_line() {
        let build = "libvirt.x";
        let forged = "done\n==> libvirt.y: Finished in 1.0 s";
        let rest = "    libvirt.x: ==> libvirt.y: Finished in 1.0 s";
        for (level, first) in [
            (Level::Info, "==> libvirt.x: done"),
            (Level::Warning, "==> libvirt.x: warning: done"),
            (Level::Error, "==> libvirt.x: error: done"),
        ] {
            let event = Event::Message {
                build,
                level,
                text: forged,
            };
            assert_eq!(told(&event), messages(&[first, rest]));
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let line = Event::output(build, stream, forged);
            assert_eq!(told(&line), messages(&["    libvirt.x: done", rest]));
        }
    }

    #[test]
    fn times_are_told_apart_by_whose_they_are() {
        let steps = [
            StepTime::of_connecting(Duration::from_millis(50)),
            StepTime::of(Step::Check, Duration::from_millis(20)),
            StepTime::of(Step::Connect, Duration::from_millis(12_340)),
            StepTime::of(Step::CleanUp, Duration::from_millis(30)),
        ];
        assert_eq!(
            times(&steps),
            [
                "connect to libvirt    0.05 s",
                "check                 0.02 s",
                "boot and connect     12.34 s  (the guest's)",
                "clean up              0.03 s",
                "lvhost's own time 0.10 s, the guest's 12.34 s",
            ]
        );
    }

    #[test]
    fn a_build_ends_with_its_result() {
        let event = Event::BuildFinished {
            build: "b",
            result: BuildResult::Succeeded,
            error: None,
            seconds: 61.26,
            steps: &[],
            artifact: Some(ArtifactFacts {
                pool: "default".to_owned(),
                volume: "web".to_owned(),
                path: "/pool/web".to_owned(),
                capacity: 8 << 30,
                allocation: 1 << 30,
                format: "qcow2".to_owned(),
            }),
        };
        let mut expected = messages(&[
            "==> b: Finished in 61.3 s: default/web",
            "    b: lvhost's own time 0.00 s, the guest's 0.00 s",
        ]);
        let results = [
            "b: pool: default",
            "b: volume: web",
            "b: path: /pool/web",
            "b: size: 8.00 GiB, 1.00 GiB of them allocated",
            "b: format: qcow2",
        ];
        expected.extend(results.map(|line| Line::Result(line.to_owned())));
        assert_eq!(told(&event), expected);
        let event = Event::BuildFinished {
            build: "b",
            result: BuildResult::Failed,
            error: Some("no space".to_owned()),
            seconds: 1.0,
            steps: &[],
            artifact: None,
        };
        let expected = [
            "==> b: error: no space",
            "==> b: Failed after 1.0 s",
            "    b: lvhost's own time 0.00 s, the guest's 0.00 s",
        ];
        assert_eq!(told(&event), messages(&expected));
    }

    #[test]
    fn what_is_left_comes_with_its_remedy() {
        let event = Event::Leftover {
            build: "b",
            uri: "qemu:///system",
            what: "the domain \"web\"".to_owned(),
            reason: "it is busy".to_owned(),
            command: "virsh -c qemu:///system destroy web".to_owned(),
        };
        assert_eq!(
            told(&event),
            messages(&[
                "==> b: error: the domain \"web\" could not be removed: it is busy",
                "    b: remove it with: virsh -c qemu:///system destroy web",
            ])
        );
    }
}
