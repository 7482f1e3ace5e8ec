//! The plan against what the hypervisor has: what is there, what is missing, what is in the way.

use indicatif::BinaryBytes;
use lvhost_engine::{Contents, Plan, PlannedVolume, with_causes};
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
pub(super) async fn check(job: &Job) -> Checked {
    match Libvirt::connect(&job.libvirt.libvirt_uri).await {
        Ok(hypervisor) => compare(&plan_of(job), &hypervisor).await,
        Err(error) => Checked {
            problems: vec![with_causes(&error)],
            ..Checked::default()
        },
    }
}

async fn compare(plan: &Plan, hypervisor: &dyn Hypervisor) -> Checked {
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
            Ok(Ok(found)) => checked.found.push(found),
            Ok(Err(problem)) => checked.problems.push(problem),
            // The pool has been told of already.
            Err(Error::NoSuchPool { .. } | Error::PoolInactive { .. }) => {}
            Err(error) => checked.problems.push(with_causes(&error)),
        }
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

/// What there is of a volume, or what is wrong with that.
async fn compare_volume(
    volume: &PlannedVolume,
    hypervisor: &dyn Hypervisor,
) -> Result<std::result::Result<String, String>> {
    let id = &volume.id;
    let found = hypervisor.volume(id).await?;
    Ok(match (&volume.contents, found) {
        (Contents::Existing, Some(facts)) => {
            Ok(format!("volume {id}, {}", BinaryBytes(facts.capacity)))
        }
        (Contents::Existing, None) => Err(format!(
            "the volume {id} is missing; a volume without a `source` must be there before the build"
        )),
        (Contents::Blank | Contents::Source { .. }, None) => {
            Ok(format!("no volume {id} yet: it will be made"))
        }
        (Contents::Blank | Contents::Source { .. }, Some(_)) => Err(format!(
            "the volume {id} exists already; `lvhost run -force` replaces it if an earlier build has made it"
        )),
    })
}
