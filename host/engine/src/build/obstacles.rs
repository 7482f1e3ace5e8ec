//! What is in the way of a build: things with the names of those it is going to make.
//!
//! Only [`Build::force`] removes them, and only what [`ownership`](crate::ownership) shows to be an earlier
//! build's, or what the user has typed the name of. All is looked at before the first thing is removed.

use lvhost_libvirt::{DiskSource, DomainFacts, Liveness, VolumeId, rivals};

use super::Build;
use crate::error::Error;
use crate::journal::HypervisorId;
use crate::ownership::{Uses, build_of, made_by_lvhost};
use crate::plan::Plan;
use crate::removal::Removal;
use crate::ui::Ui as _;
use crate::volumes;

/// What has to go before the build can begin.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    volumes: Vec<VolumeId>,
    domain: Option<DomainFacts>,
    /// Domains of dead builds that claim what this build is going to make.
    claims: Vec<(DomainFacts, Vec<VolumeId>)>,
}

/// Looks for what is in the way. The claims of dead builds on volumes that are not there are nobody's.
pub(super) async fn find(
    plan: &Plan,
    nvram: Option<&str>,
    hypervisor_id: &HypervisorId,
    build: &Build,
) -> Result<Obstacles, Error> {
    let hypervisor = build.hypervisor.as_ref();
    let mut obstacles = Obstacles::default();
    let in_the_way = volumes::check(plan, hypervisor, build.force).await?;
    let domains = hypervisor.list_domains().await?;
    if let Some(domain) = domains.iter().find(|domain| domain.id.name == plan.domain) {
        check_domain(domain, build)?;
        obstacles.domain = Some(domain.clone());
    }
    let replaced = obstacles.domain.as_ref().map(|domain| &domain.id);
    if let Some(path) = nvram {
        check_nvram(path, &domains, replaced, hypervisor_id)?;
    }
    if !in_the_way.is_empty() {
        let uses = Uses::look(hypervisor, &domains).await?;
        for (volume, facts) in in_the_way {
            let entry = build.journal.find(hypervisor_id, &volume).await?;
            let made = made_by_lvhost(&facts, entry.as_ref(), hypervisor_id, &uses, replaced);
            if let Err(doubt) = made
                && !build.is_named(&volume)
            {
                return Err(Error::ForeignVolume { volume, doubt });
            }
            obstacles.volumes.push(volume);
        }
    }
    let own = build.identity.build_id().to_string();
    for volume in plan.made_volumes() {
        for (domain, _) in rivals(&domains, &own, volume) {
            if replaced == Some(&domain.id) {
                continue;
            }
            let liveness = liveness(domain, build);
            if liveness == Liveness::Alive && build.force {
                check_liveness(domain, build)?;
            }
            if liveness != Liveness::Dead && !build.force {
                return Err(Error::Rival {
                    volume: volume.clone(),
                    domain: domain.id.name.clone(),
                });
            }
            match obstacles
                .claims
                .iter_mut()
                .find(|(other, _)| other.id == domain.id)
            {
                Some((_, volumes)) => volumes.push(volume.clone()),
                None => obstacles
                    .claims
                    .push((domain.clone(), vec![volume.clone()])),
            }
        }
    }
    Ok(obstacles)
}

impl Build {
    /// Whether the user has typed a volume's name.
    fn is_named(&self, volume: &VolumeId) -> bool {
        let place = format!("{}/{}", volume.pool, volume.name);
        self.force_foreign
            .iter()
            .any(|name| *name == volume.name || *name == place)
    }
}

/// A domain of the name that the build gives is replaced if it is an earlier build's.
fn check_domain(domain: &DomainFacts, build: &Build) -> Result<(), Error> {
    let name = &domain.id.name;
    if !build.force {
        return Err(Error::DomainExists {
            domain: name.clone(),
        });
    }
    match build_of(domain) {
        Ok(_) => check_liveness(domain, build),
        Err(_) if build.force_foreign.contains(name) => Ok(()),
        Err(doubt) => Err(Error::ForeignDomain {
            domain: name.clone(),
            doubt,
        }),
    }
}

fn liveness(domain: &DomainFacts, build: &Build) -> Liveness {
    let owner = domain
        .build
        .as_ref()
        .and_then(|record| record.owner.as_ref());
    match (owner, &build.owner) {
        (Some(owner), Some(here)) => owner.liveness(here),
        _ => Liveness::Elsewhere,
    }
}

/// Refuses to take anything away from a build that is seen to run.
fn check_liveness(domain: &DomainFacts, build: &Build) -> Result<(), Error> {
    let record = domain.build.as_ref();
    match record.and_then(|record| record.owner.as_ref()) {
        Some(owner) if liveness(domain, build) == Liveness::Alive => Err(Error::BuildRuns {
            domain: domain.id.name.clone(),
            pid: owner.pid,
            host: owner.host.clone(),
        }),
        _ => Ok(()),
    }
}

/// libvirt removes the file of a domain's variables with the domain, whoever has made it.
fn check_nvram(
    path: &str,
    domains: &[DomainFacts],
    replaced: Option<&lvhost_libvirt::DomainId>,
    hypervisor: &HypervisorId,
) -> Result<(), Error> {
    let uses = |domain: &&DomainFacts| {
        let named = |source: &DiskSource| matches!(source, DiskSource::File(file) if file == path);
        domain.uses.iter().any(named)
    };
    let is_replaced = |domain: &&DomainFacts| Some(&domain.id) == replaced;
    let mut users = domains.iter().filter(uses);
    if let Some(user) = users.clone().find(|domain| !is_replaced(domain)) {
        return Err(Error::NvramExists {
            path: path.to_owned(),
            user: Some(user.id.name.clone()),
        });
    }
    // That of an earlier build goes with its domain.
    if hypervisor.has_file(path) && users.next().is_none() {
        return Err(Error::NvramExists {
            path: path.to_owned(),
            user: None,
        });
    }
    Ok(())
}

/// Removes what is in the way.
pub(super) async fn remove(
    obstacles: Obstacles,
    hypervisor_id: &HypervisorId,
    build: &Build,
) -> Result<(), Error> {
    let hypervisor = build.hypervisor.as_ref();
    let tell = |text: &str| build.ui.say(text);
    let removal = Removal::new(hypervisor, &tell);
    if let Some(domain) = obstacles.domain {
        build
            .ui
            .say(&format!("Removing the domain {}, to replace it", domain.id));
        removal.destroy_domain(&domain.id).await?;
        removal.undefine_domain(&domain.id).await?;
    }
    for volume in obstacles.volumes {
        build
            .ui
            .say(&format!("Deleting the volume {volume}, to replace it"));
        removal.delete_volume(&volume).await?;
        build.journal.forget(hypervisor_id, &volume).await?;
    }
    for (domain, volumes) in obstacles.claims {
        if let Some(mut record) = domain.build {
            record.volumes.retain(|volume| !volumes.contains(volume));
            hypervisor.set_build_record(&domain.id, &record).await?;
        }
    }
    Ok(())
}
