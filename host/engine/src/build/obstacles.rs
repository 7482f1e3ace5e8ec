//! What is in the way of a build: things with the names of those it is going to make.

use lvhost_libvirt::{DomainFacts, Liveness, VolumeId, rivals};

use super::Build;
use crate::error::Error;
use crate::plan::Plan;
use crate::volumes;

/// What has to go before the build can begin.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    volumes: Vec<VolumeId>,
    domain: Option<DomainFacts>,
    /// Domains of dead builds that claim what this build is going to make.
    claims: Vec<(DomainFacts, Vec<VolumeId>)>,
}

/// Looks for what is in the way. Only [`Build::force`] removes what others have made; the claims of
/// dead builds on volumes that are not there are nobody's.
pub(super) async fn find(plan: &Plan, build: &Build) -> Result<Obstacles, Error> {
    let hypervisor = build.hypervisor.as_ref();
    let mut obstacles = Obstacles {
        volumes: volumes::check(plan, hypervisor, build.force).await?,
        ..Obstacles::default()
    };
    let domains = hypervisor.list_domains().await?;
    if let Some(domain) = domains.iter().find(|domain| domain.id.name == plan.domain) {
        if !build.force {
            return Err(Error::DomainExists {
                domain: plan.domain.clone(),
            });
        }
        obstacles.domain = Some(domain.clone());
    }
    let own = build.identity.build_id().to_string();
    for volume in plan.made_volumes() {
        for (domain, record) in rivals(&domains, &own, volume) {
            if obstacles
                .domain
                .as_ref()
                .is_some_and(|other| other.id == domain.id)
            {
                continue;
            }
            let liveness = match (&record.owner, &build.owner) {
                (Some(owner), Some(here)) => owner.liveness(here),
                _ => Liveness::Elsewhere,
            };
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

/// Removes what is in the way.
pub(super) async fn remove(obstacles: Obstacles, build: &Build) -> Result<(), Error> {
    let hypervisor = build.hypervisor.as_ref();
    if let Some(domain) = obstacles.domain {
        build
            .ui
            .say(&format!("Removing the domain {}, to replace it", domain.id));
        hypervisor.destroy_domain(&domain.id).await?;
        hypervisor.undefine_domain(&domain.id).await?;
    }
    for volume in obstacles.volumes {
        build
            .ui
            .say(&format!("Deleting the volume {volume}, to replace it"));
        hypervisor.delete_volume(&volume).await?;
    }
    for (domain, volumes) in obstacles.claims {
        if let Some(mut record) = domain.build {
            record.volumes.retain(|volume| !volumes.contains(volume));
            hypervisor.set_build_record(&domain.id, &record).await?;
        }
    }
    Ok(())
}
