//! The plan against what the hypervisor has: what is there, what is missing, what is in the way.

use indicatif::BinaryBytes;
use lvhost_engine::{Contents, Plan, PlannedVolume, Sources, VolumeError, with_causes};
use lvhost_libvirt::{Error, Hypervisor, InterfaceSource, Libvirt, Result};
use serde::Serialize;

use super::describe::plan_of;
use crate::template::Job;

/// What the hypervisor says.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    /// What is as it should be.
    pub(super) found: Vec<String>,
    /// What would make the build fail.
    pub(super) problems: Vec<String>,
}

impl Checked {
    fn note(&mut self, result: Result<String>) {
        match result {
            Ok(found) => self.found.push(found),
            Err(error) => self.problems.push(with_causes(&error)),
        }
    }
}

/// Asks the hypervisor of `job`.
pub(super) async fn check(job: &Job, sources: &Sources) -> Checked {
    match Libvirt::connect(&job.libvirt.libvirt_uri).await {
        Ok(hypervisor) => compare(&plan_of(job.subject()), sources, &hypervisor).await,
        Err(error) => Checked {
            problems: vec![with_causes(&error)],
            ..Checked::default()
        },
    }
}

async fn compare(plan: &Plan, sources: &Sources, hypervisor: &dyn Hypervisor) -> Checked {
    let mut checked = Checked::default();
    let mut pools: Vec<&str> = plan.volumes.iter().map(|it| it.id.pool.as_str()).collect();
    pools.sort_unstable();
    pools.dedup();
    for pool in pools {
        checked.note(hypervisor.pool(pool).await.map(|pool| {
            let free = BinaryBytes(pool.available);
            format!("pool {} ({}), {free} free", pool.name, pool.kind)
        }));
    }
    for volume in &plan.volumes {
        match compare_volume(volume, hypervisor).await {
            Ok(Ok(found)) => checked.found.extend(found),
            Ok(Err(problem)) => {
                checked.problems.push(problem);
                // Nothing more can be said of a volume that is missing.
                if matches!(volume.contents, Contents::Existing) {
                    continue;
                }
            }
            // The pool has been told of already.
            Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => {}
            Err(error) => checked.problems.push(with_causes(&error)),
        }
        compare_originals(plan, volume, sources, hypervisor, &mut checked).await;
    }
    for interface in &plan.interfaces {
        if let InterfaceSource::Network { network } = &interface.source {
            let found = hypervisor.network(network).await;
            checked.note(found.map(|network| format!("network {}", network.name)));
        }
    }
    match hypervisor.list_domains().await {
        Ok(domains) if domains.iter().any(|domain| domain.id.name == plan.domain) => checked
            .problems
            .push(format!("there is a domain {:?} already", plan.domain)),
        Ok(_) => {}
        Err(error) => checked.problems.push(with_causes(&error)),
    }
    checked
}

/// What there is of a volume, or what is wrong with that. One that is only used is told of with what it
/// leans on.
async fn compare_volume(
    volume: &PlannedVolume,
    hypervisor: &dyn Hypervisor,
) -> Result<std::result::Result<Option<String>, String>> {
    let id = &volume.id;
    let found = hypervisor.volume(id).await?;
    Ok(match (&volume.contents, found) {
        (Contents::Existing, Some(_)) => Ok(None),
        (Contents::Existing, None) => Err(format!(
            "the volume {id} is missing; a volume without a `source` must be there before the build"
        )),
        (Contents::Blank | Contents::Source { .. }, None) => {
            Ok(Some(format!("no volume {id} yet: it will be made")))
        }
        (Contents::Blank | Contents::Source { .. }, Some(_)) => Err(format!(
            "the volume {id} exists already; `lvhost run -force` replaces it if an earlier build has made it"
        )),
    })
}

/// What a volume is made from, or leans on.
async fn compare_originals(
    plan: &Plan,
    volume: &PlannedVolume,
    sources: &Sources,
    hypervisor: &dyn Hypervisor,
    checked: &mut Checked,
) {
    let id = &volume.id;
    for original in plan.originals(volume, sources, hypervisor).await {
        let name = original.name.trim_start_matches("the ");
        let role = match volume.contents {
            Contents::Existing => String::new(),
            _ => format!(", for {id}"),
        };
        match original.found {
            Ok(size) => checked
                .found
                .push(format!("{name}, {}{role}", BinaryBytes(size))),
            // The volume's own pool has been told of already.
            Err(VolumeError::Hypervisor(
                Error::NoSuchPool { name, .. } | Error::PoolInactive { name },
            )) if name == id.pool => {}
            Err(error) if original.is_needed => checked.problems.push(format!(
                "the volume {id} can't be prepared: {}",
                with_causes(&error)
            )),
            Err(error) => checked.found.push(format!(
                "{name}{role}, can't be looked at: {}",
                with_causes(&error)
            )),
        }
    }
}
