//! What a domain's metadata says of the build that made it, and how a dead build is known.
//!
//! A build that is killed leaves a domain and volumes behind. libvirt's volumes have no place for a
//! note, and what is written down on the client's side is gone with the client (a container of a CI, a
//! laptop). So it is the domain, at the hypervisor, that tells everybody:
//!
//! ```text
//!  define_domain(build, no volumes)        before anything else: the record is there from now on
//!    │  for each volume that is to be made:
//!    │    it must not exist               (a volume that was there is never claimed)
//!    │    set_build_record(+ volume)      the claim comes before the volume
//!    │    create_volume / clone_volume / upload
//!  update_domain(final definition)         when formats and paths of the volumes are known
//!  start_domain … the guest … shut off
//!    │  success: set_build_record(- artifact)   it is the user's now
//!    │  for each volume still claimed: delete_volume
//!  undefine_domain                         last: nothing is left to be known
//! ```
//!
//! Killed at any moment, a build leaves a domain that claims at least what was made. Whoever finds one
//! whose [`BuildRecord::owner`] is [dead](Liveness::Dead) knows where to look. But every user of the
//! hypervisor can write such a record: what it says is a claim, and whoever wants to remove what it names
//! has to see by other means that the build has made it. A claim on a volume that was not made yet could later hit
//! another build's volume of the same name, so a build that claims a volume first takes it off the
//! records of dead ones: [`rivals`] finds them.
use std::{fs, io, time::SystemTime};

use uuid::Uuid;

use crate::{DomainFacts, METADATA_NAMESPACE, VolumeId};

/// The build a domain belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRecord {
    /// The build's id, unique.
    pub id: String,
    /// The process that runs the build. Without one nobody can tell whether it is dead.
    pub owner: Option<Owner>,
    /// When the build began, in whole seconds.
    pub begun: Option<SystemTime>,
    /// The volumes that the build makes or has made, and that go when it fails.
    pub volumes: Vec<VolumeId>,
}

impl BuildRecord {
    /// A record without an owner that claims nothing.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            owner: None,
            begun: None,
            volumes: Vec::new(),
        }
    }

    /// Whether the record claims a volume.
    pub fn claims(&self, volume: &VolumeId) -> bool {
        self.volumes.contains(volume)
    }
}

/// The domains of other builds than `build` whose records claim a volume.
pub fn rivals<'a>(
    domains: &'a [DomainFacts],
    build: &str,
    volume: &VolumeId,
) -> impl Iterator<Item = (&'a DomainFacts, &'a BuildRecord)> {
    domains.iter().filter_map(move |domain| {
        let record = domain.build.as_ref()?;
        (record.id != build && record.claims(volume)).then_some((domain, record))
    })
}

/// A process, named so that no other one is ever taken for it.
///
/// A process id alone is given to another process soon after a crash. With the time of the process's
/// start, counted since the boot, and the boot's id it is unique; the machine and the namespace the
/// id is counted in (containers have their own) tell whether it can be looked up at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name of the host the process runs on, for people.
    pub host: String,
    /// What tells hosts of the same name apart: made from `/etc/machine-id`, which is itself not
    /// shown around. Containers often have none.
    pub machine: Option<Uuid>,
    /// The id of the host's boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// The namespace of process ids (`/proc/self/ns/pid`, as `pid:[4026531836]`).
    pub pid_namespace: String,
    /// The process id.
    pub pid: u32,
    /// When the process started: ticks of the kernel's clock since boot (field 22 of
    /// `/proc/PID/stat`).
    pub started: u64,
}

/// Whether a build still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Its process is there.
    Alive,
    /// Its process is not there any more.
    Dead,
    /// Its process is, or was, on another host or in another container: it cannot be seen from here.
    Elsewhere,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// Where there is no `/proc` as Linux has it.
    pub fn this_process() -> io::Result<Self> {
        let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
        let namespace = fs::read_link("/proc/self/ns/pid")?;
        let machine = line("/etc/machine-id").unwrap_or_default();
        let pid = std::process::id();
        Ok(Self {
            host: line("/proc/sys/kernel/hostname")?,
            machine: (!machine.is_empty()).then(|| machine_id(&machine)),
            boot: line("/proc/sys/kernel/random/boot_id")?,
            pid_namespace: namespace.to_string_lossy().into_owned(),
            pid,
            started: start_of(pid).ok_or(io::ErrorKind::Unsupported)?,
        })
    }

    /// Whether the process lives, as far as it can be seen from `here`, which is
    /// [this process](Self::this_process).
    pub fn liveness(&self, here: &Self) -> Liveness {
        self.liveness_by(here, start_of)
    }

    /// `start_of` tells when a process of this host and namespace started, if it is there.
    fn liveness_by(&self, here: &Self, start_of: impl FnOnce(u32) -> Option<u64>) -> Liveness {
        if self.boot != here.boot {
            // Nothing survives a boot, if it was this machine's.
            let same_machine = self.machine.is_some()
                && (&self.machine, &self.host) == (&here.machine, &here.host);
            return if same_machine {
                Liveness::Dead
            } else {
                Liveness::Elsewhere
            };
        }
        if self.pid_namespace != here.pid_namespace {
            return Liveness::Elsewhere;
        }
        if start_of(self.pid) == Some(self.started) {
            Liveness::Alive
        } else {
            Liveness::Dead
        }
    }
}

/// The machine id in a form that may be shown, as machine-id(5) asks for: derived by a hash.
fn machine_id(text: &str) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, METADATA_NAMESPACE.as_bytes());
    Uuid::new_v5(&namespace, text.as_bytes())
}

/// When a process started, if it is there and no zombie.
fn start_of(pid: u32) -> Option<u64> {
    start_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads proc_pid_stat(5). The second field is the program's name in parentheses and may have
/// anything in it.
fn start_in(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Field 22; the state was the third.
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            host: "here".into(),
            machine: Some(Uuid::from_u128(1)),
            boot: "a".into(),
            pid_namespace: "pid:[1]".into(),
            pid: 42,
            started: 1000,
        }
    }

    #[test]
    fn only_a_process_that_can_be_seen_to_be_gone_is_dead() {
        let here = owner();
        let rebooted = Owner {
            boot: "b".into(),
            ..owner()
        };
        let namesake = Owner {
            machine: Some(Uuid::from_u128(2)),
            ..rebooted.clone()
        };
        let nameless = Owner {
            machine: None,
            ..rebooted.clone()
        };
        let container = Owner {
            pid_namespace: "pid:[2]".into(),
            ..owner()
        };
        let cases = [
            (owner(), Some(1000), Liveness::Alive),
            // Its id went to another process.
            (owner(), Some(1001), Liveness::Dead),
            (owner(), None, Liveness::Dead),
            (rebooted, Some(1000), Liveness::Dead),
            (namesake, None, Liveness::Elsewhere),
            (nameless, None, Liveness::Elsewhere),
            (container, None, Liveness::Elsewhere),
        ];
        for (owner, started, expected) in cases {
            assert_eq!(owner.liveness_by(&here, |_| started), expected, "{owner:?}");
        }
    }

    #[test]
    fn this_process_lives_and_a_child_that_ended_does_not() {
        let here = Owner::this_process().unwrap();
        assert_eq!(here.liveness(&here), Liveness::Alive);
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let owner = Owner {
            pid: child.id(),
            started: start_of(child.id()).unwrap(),
            ..here.clone()
        };
        assert_eq!(owner.liveness(&here), Liveness::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.liveness(&here), Liveness::Dead);
    }

    #[test]
    fn names_of_programs_do_not_confuse() {
        let rest = "1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        for (name, state, expected) in [
            ("sh", "S", Some(777)),
            ("a) Z 1 (b", "R", Some(777)),
            ("sh", "Z", None),
        ] {
            assert_eq!(start_in(&format!("7 ({name}) {state} {rest}")), expected);
        }
        assert_eq!(start_in(""), None);
        assert_eq!(start_in("7 (sh) S 1"), None);
    }
}
