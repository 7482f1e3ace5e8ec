//! What is said at the end of a build: times, artifact, leftovers.

use std::time::Duration;

use indicatif::BinaryBytes;
use lvhost_engine::{Artifact, Leftover, Step};

use crate::exit_code::with_causes;

/// What the time until libvirt answers is called.
const CONNECTING: &str = "connect to libvirt";

/// A table of the steps, and whose time it was.
pub(crate) fn times(connecting: Duration, steps: &[(Step, Duration)]) -> Vec<String> {
    let mut own = connecting;
    let mut guests = Duration::ZERO;
    let mut lines = vec![row(CONNECTING, connecting, "")];
    for (step, time) in steps {
        let whose = if step.is_guests_own() {
            "  (the guest's)"
        } else {
            ""
        };
        *(if step.is_guests_own() {
            &mut guests
        } else {
            &mut own
        }) += *time;
        lines.push(row(step.as_str(), *time, whose));
    }
    lines.push(format!(
        "lvhost's own time {}, the guest's {}",
        seconds(own),
        seconds(guests)
    ));
    lines
}

fn row(name: &str, time: Duration, whose: &str) -> String {
    format!("{name:<18} {:>9}{whose}", seconds(time))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Where the artifact is and how big.
pub(crate) fn artifact(artifact: &Artifact) -> Vec<String> {
    let facts = &artifact.facts;
    let mut lines = vec![
        format!("pool: {}", artifact.volume.pool),
        format!("volume: {}", artifact.volume.name),
        format!("path: {}", facts.path),
        format!(
            "size: {}, {} of them allocated",
            BinaryBytes(facts.capacity),
            BinaryBytes(facts.allocation)
        ),
    ];
    if let Some(format) = &facts.format {
        lines.push(format!("format: {format}"));
    }
    lines
}

/// What could not be removed and what to type to remove it, at the hypervisor `uri`.
pub(crate) fn leftovers(leftovers: &[Leftover], uri: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for leftover in leftovers {
        let reason = with_causes(&leftover.reason);
        lines.push(format!("{} could not be removed: {reason}", leftover.what));
        lines.push(format!("  remove it at {uri} with: {}", leftover.command));
    }
    lines
}

#[cfg(test)]
mod tests {
    use lvhost_libvirt::{VolumeFacts, VolumeId};

    use super::*;

    #[test]
    fn times_are_told_apart_by_whose_they_are() {
        let steps = [
            (Step::Check, Duration::from_millis(20)),
            (Step::Connect, Duration::from_millis(12_340)),
            (Step::CleanUp, Duration::from_millis(30)),
        ];
        assert_eq!(
            times(Duration::from_millis(50), &steps),
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
    fn an_artifact_is_told_by_where_it_is_and_its_size() {
        let made = Artifact {
            volume: VolumeId::new("default", "web"),
            facts: VolumeFacts {
                key: "k".into(),
                path: "/pool/web".into(),
                capacity: 8 << 30,
                allocation: 1 << 30,
                format: Some("qcow2".into()),
                backing: None,
            },
        };
        assert_eq!(
            artifact(&made),
            [
                "pool: default",
                "volume: web",
                "path: /pool/web",
                "size: 8.00 GiB, 1.00 GiB of them allocated",
                "format: qcow2",
            ]
        );
    }

    #[test]
    fn a_leftover_comes_with_its_remedy() {
        let left = Leftover {
            what: "the domain \"web\"".into(),
            reason: lvhost_libvirt::Error::NoSuchDomain { name: "web".into() },
            command: "virsh destroy web".into(),
        };
        assert_eq!(
            leftovers(&[left], "qemu:///system"),
            [
                "the domain \"web\" could not be removed: there is no domain \"web\"",
                "  remove it at qemu:///system with: virsh destroy web",
            ]
        );
    }
}
