//! Which domains are a build's, whether the build is dead, and which volumes go with it.

use lvhost_libvirt::{
    BuildRecord, DomainFacts, DomainId, DomainState, Liveness, Owner, VolumeId, rivals,
};
use serde::Serialize;

/// How a build stands, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    /// Its process runs.
    #[serde(rename = "running")]
    Alive,
    /// Its process is gone.
    Dead,
    /// Its process runs, or ran, where nobody can see it from here; or nobody knows which it is.
    Unknown,
}

/// What one build has at the hypervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The domain that is the build's.
    pub(super) domain: DomainId,
    /// The state that is in.
    pub(super) state: DomainState,
    /// What its metadata says.
    pub(super) record: BuildRecord,
    /// Whether it still runs.
    pub(super) standing: Standing,
    /// The volumes that are its own: those it claims and no build claims that may still live.
    pub(super) volumes: Vec<VolumeId>,
}

/// Everything that belongs to builds among `domains`, seen from the process `here`.
pub(super) fn survey(domains: &[DomainFacts], here: &Owner) -> Vec<Found> {
    let mut found = Vec::new();
    for domain in domains {
        let Some(record) = &domain.build else {
            continue;
        };
        let is_own = |volume: &&VolumeId| {
            let mut others = rivals(domains, &record.id, volume);
            others.all(|(_, rival)| standing(rival, here) == Standing::Dead)
        };
        found.push(Found {
            domain: domain.id.clone(),
            state: domain.state,
            record: record.clone(),
            standing: standing(record, here),
            volumes: record.volumes.iter().filter(is_own).cloned().collect(),
        });
    }
    found
}

fn standing(record: &BuildRecord, here: &Owner) -> Standing {
    match record.owner.as_ref().map(|owner| owner.liveness(here)) {
        Some(Liveness::Alive) => Standing::Alive,
        Some(Liveness::Dead) => Standing::Dead,
        Some(Liveness::Elsewhere) | None => Standing::Unknown,
    }
}
