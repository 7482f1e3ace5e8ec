//! Which domains are a build's, whether the build is dead, and which volumes go with it.

use std::collections::{HashMap, HashSet};

use lvhost_engine::{
    Claim, Doubt, HypervisorId, Identity, Journal, JournalError, Uses, build_of, with_causes,
};
use lvhost_libvirt::{
    BuildRecord, DomainFacts, DomainId, DomainState, Error, Hypervisor, Liveness, Owner,
    VolumeFacts, VolumeId,
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

/// What a record's claim on a volume comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The build has made it.
    Own,
    /// Nothing shows that the build has made it, or something speaks against it.
    Doubtful(Doubt),
    /// It is not there: never made, or gone.
    Missing,
    /// Its pool is not there.
    NoPool,
}

/// What one build has at the hypervisor.
#[derive(Debug, Clone)]
pub(super) struct Remains {
    /// The domain whose record tells of the build.
    pub(super) domain: DomainId,
    /// The state that is in.
    pub(super) state: DomainState,
    /// What its metadata says.
    pub(super) record: BuildRecord,
    /// Whether it still runs.
    pub(super) standing: Standing,
    /// Why the domain is not the build's own, if it is not.
    pub(super) doubt: Option<Doubt>,
    /// The volumes that the record claims.
    pub(super) volumes: Vec<(VolumeId, Verdict)>,
}

/// Why nobody knows what there is.
#[derive(Debug, thiserror::Error)]
pub(super) enum SurveyError {
    /// The hypervisor does not say.
    #[error(transparent)]
    Hypervisor(#[from] Error),
    /// The journal does not say.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Everything that is looked at.
pub(super) struct Survey<'a> {
    pub(super) hypervisor: &'a dyn Hypervisor,
    pub(super) hypervisor_id: &'a HypervisorId,
    pub(super) journal: &'a dyn Journal,
    /// The process it is seen from.
    pub(super) here: &'a Owner,
}

impl Survey<'_> {
    /// Everything that records of builds tell of.
    pub(super) async fn look(&self) -> Result<Vec<Remains>, SurveyError> {
        let domains = self.hypervisor.list_domains().await?;
        let claims = Claims::new(&domains, self.here);
        // Only if a volume is there that might go: it takes a look at all others.
        let mut uses = None;
        let mut remains = Vec::new();
        for domain in &domains {
            let Some(record) = &domain.build else {
                continue;
            };
            let build = build_of(domain);
            let standing = standing(record, self.here);
            let siblings: HashSet<&VolumeId> = record.volumes.iter().collect();
            let mut volumes = Vec::new();
            for volume in &record.volumes {
                let facts = match self.hypervisor.volume(volume).await {
                    Ok(Some(facts)) => Ok(facts),
                    Ok(None) => Err(Verdict::Missing),
                    Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => {
                        Err(Verdict::NoPool)
                    }
                    Err(error @ Error::Disconnected { .. }) => return Err(error.into()),
                    Err(error) => Err(Verdict::Doubtful(Doubt::Unreadable(with_causes(&error)))),
                };
                let verdict = match (facts, &build) {
                    (Err(verdict), _) => verdict,
                    (Ok(_), Err(doubt)) => Verdict::Doubtful(doubt.clone()),
                    (Ok(_), Ok(_)) if standing == Standing::Alive => Verdict::Own,
                    (Ok(facts), Ok(build)) => {
                        if uses.is_none() {
                            uses = Some(Uses::look(self.hypervisor, &domains).await?);
                        }
                        let claimed = Claimed {
                            build: *build,
                            domain,
                            siblings: &siblings,
                            volume,
                            facts: &facts,
                        };
                        match uses.as_ref() {
                            Some(uses) => self.judge(&claimed, uses, &claims).await?,
                            None => Verdict::Doubtful(Doubt::NotWrittenDown),
                        }
                    }
                };
                volumes.push((volume.clone(), verdict));
            }
            remains.push(Remains {
                domain: domain.id.clone(),
                state: domain.state,
                record: record.clone(),
                standing,
                doubt: build.err(),
                volumes,
            });
        }
        Ok(remains)
    }

    async fn judge(
        &self,
        claimed: &Claimed<'_>,
        uses: &Uses,
        claims: &Claims<'_>,
    ) -> Result<Verdict, SurveyError> {
        let volume = claimed.volume;
        if let Some(rival) = claims.rival(volume, &claimed.domain.id) {
            let doubt = Doubt::ClaimedBy(rival.name.clone());
            return Ok(Verdict::Doubtful(doubt));
        }
        let entry = self.journal.find(self.hypervisor_id, volume).await?;
        let record = claimed.domain.build.as_ref();
        let claim = Claim {
            build: claimed.build,
            domain: &claimed.domain.id,
            begun: record.and_then(|record| record.begun),
            siblings: claimed.siblings,
            volume,
            facts: claimed.facts,
            entry: entry.as_ref(),
        };
        Ok(match claim.judge(self.hypervisor_id, uses) {
            Ok(()) => Verdict::Own,
            Err(doubt) => Verdict::Doubtful(doubt),
        })
    }
}

/// A volume that is there, and the record that claims it.
struct Claimed<'a> {
    build: Identity,
    domain: &'a DomainFacts,
    siblings: &'a HashSet<&'a VolumeId>,
    volume: &'a VolumeId,
    facts: &'a VolumeFacts,
}

/// The claims of builds that may still run, by volume.
struct Claims<'a> {
    living: HashMap<&'a VolumeId, Vec<&'a DomainId>>,
}

impl<'a> Claims<'a> {
    fn new(domains: &'a [DomainFacts], here: &Owner) -> Self {
        let mut living: HashMap<_, Vec<_>> = HashMap::new();
        for domain in domains {
            let record = domain.build.as_ref();
            let Some(record) = record.filter(|record| standing(record, here) != Standing::Dead)
            else {
                continue;
            };
            for volume in &record.volumes {
                living.entry(volume).or_default().push(&domain.id);
            }
        }
        Self { living }
    }

    /// Another domain whose build claims the volume and may still run.
    fn rival(&self, volume: &VolumeId, own: &DomainId) -> Option<&DomainId> {
        let claimed = self.living.get(volume)?;
        claimed.iter().copied().find(|domain| *domain != own)
    }
}

fn standing(record: &BuildRecord, here: &Owner) -> Standing {
    match record.owner.as_ref().map(|owner| owner.liveness(here)) {
        Some(Liveness::Alive) => Standing::Alive,
        Some(Liveness::Dead) => Standing::Dead,
        Some(Liveness::Elsewhere) | None => Standing::Unknown,
    }
}
