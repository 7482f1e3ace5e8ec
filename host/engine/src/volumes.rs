//! Gives every volume of a plan its bytes, several at a time.
//!
//! ```text
//!             ┌─ existing ─► look it up
//!   volume ───┼─ blank ────► create
//!             └─ source ───► component.prepare ─┬─ Blank ───► create
//!                                               ├─ Overlay ─► find the base, create on it
//!                                               ├─ Clone ───► clone, resize
//!                                               └─ Image ───► (filled already) resize
//! ```

mod base;
mod files;
mod grants;
mod services;
mod target;

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use lvhost_config::LibvirtSource;
use lvhost_libvirt::{Hypervisor, VolumeFacts, VolumeId, VolumeSpec};
use lvhost_runtime::Recipe;

use self::files::Matches;
use self::grants::Grants;
use self::services::{VolumeServices, Wanted};
use crate::build::Build;
use crate::configure::{component_volume, options};
use crate::error::{Error, VolumeError};
use crate::ledger::Ledger;
use crate::plan::{Contents, Plan, PlannedVolume};

/// Volumes that are prepared at the same time. An upload holds a few MiB of buffers, and more than
/// this many do not go faster on any disk.
const AT_ONCE: usize = 4;

/// Checks, before anything is downloaded or made, that pools are there, that volumes which must exist
/// do, and that those to be made don't. With `force` those that do are returned, to be replaced.
pub(crate) async fn check(
    plan: &Plan,
    hypervisor: &dyn Hypervisor,
    force: bool,
) -> Result<Vec<(VolumeId, VolumeFacts)>, Error> {
    let mut in_the_way = Vec::new();
    for volume in &plan.volumes {
        hypervisor.pool(&volume.id.pool).await?;
        let found = hypervisor.volume(&volume.id).await?;
        match (&volume.contents, found) {
            (Contents::Existing, None) => {
                // Without names the error says what matters most all the same.
                let existing = hypervisor.list_volumes(&volume.id.pool).await;
                return Err(Error::MissingVolume {
                    volume: volume.id.clone(),
                    existing: existing.unwrap_or_default(),
                });
            }
            (Contents::Blank | Contents::Source { .. }, Some(facts)) if force => {
                in_the_way.push((volume.id.clone(), facts));
            }
            (Contents::Blank | Contents::Source { .. }, Some(_)) => {
                return Err(Error::VolumeExists {
                    volume: volume.id.clone(),
                });
            }
            _ => {}
        }
    }
    Ok(in_the_way)
}

/// Prepares the volumes of one build.
pub(crate) struct Volumes<'a> {
    pub(crate) build: &'a Build,
    pub(crate) source: &'a LibvirtSource,
    pub(crate) plan: &'a Plan,
    pub(crate) ledger: &'a Ledger,
}

impl Volumes<'_> {
    /// Prepares all; returns their facts in the order of the plan. The first failure ends the others.
    pub(crate) async fn prepare(&self) -> Result<Vec<VolumeFacts>, Error> {
        // Not by a closure that the stream keeps: the compiler can't tell that such a stream may be sent
        // to another thread.
        let work: Vec<_> = (0..self.plan.volumes.len())
            .map(|index| self.prepare_one(index))
            .collect();
        stream::iter(work).buffered(AT_ONCE).try_collect().await
    }

    async fn prepare_one(&self, index: usize) -> Result<VolumeFacts, Error> {
        let volume = &self.plan.volumes[index];
        self.one(index, volume)
            .await
            .map_err(|error| Error::Volume {
                volume: volume.id.clone(),
                source: Box::new(error),
            })
    }

    async fn one(&self, index: usize, volume: &PlannedVolume) -> Result<VolumeFacts, VolumeError> {
        match &volume.contents {
            Contents::Existing => self.facts(&volume.id).await,
            Contents::Blank => self.blank(volume).await,
            Contents::Source { block, grants } => {
                let component = self.build.sources.find(&block.type_name).ok_or_else(|| {
                    VolumeError::Refused(format!("there is no source `{}`", block.type_name))
                })?;
                let grants = Grants::new(
                    grants,
                    block,
                    &volume.id,
                    self.build.sources.permission(&block.type_name),
                );
                let refused =
                    |error: lvhost_runtime::ServiceError| VolumeError::Refused(error.to_string());
                grants.may_run().map_err(refused)?;
                let services = self.services(volume, grants.clone());
                let id = lvhost_runtime::VolumeId {
                    pool: volume.id.pool.clone(),
                    name: volume.id.name.clone(),
                };
                let asked = component_volume(&self.source.volume[index], &id, &self.plan.domain);
                let recipe = component
                    .prepare(&asked, &options(block), Arc::new(services))
                    .await?;
                self.follow(volume, &recipe, &grants).await
            }
        }
    }

    fn services(&self, volume: &PlannedVolume, grants: Grants) -> VolumeServices {
        VolumeServices {
            hypervisor: Arc::clone(&self.build.hypervisor),
            fetcher: self.build.fetcher.clone(),
            ledger: self.ledger.clone(),
            ui: Arc::clone(&self.build.ui),
            cancel: self.build.cancel.clone(),
            working_directory: self.build.working_directory.clone(),
            grants,
            matches: Matches::default(),
            wanted: Wanted {
                id: volume.id.clone(),
                capacity: volume.capacity,
                allocation: volume.allocation,
                format: volume.format.clone(),
            },
            label: volume.id.name.clone(),
        }
    }

    async fn follow(
        &self,
        volume: &PlannedVolume,
        recipe: &Recipe,
        grants: &Grants,
    ) -> Result<VolumeFacts, VolumeError> {
        let refused = |error: lvhost_runtime::ServiceError| VolumeError::Refused(error.to_string());
        match recipe {
            Recipe::Blank => self.blank(volume).await,
            Recipe::Overlay(base) => {
                let base = base::find(self.build.hypervisor.as_ref(), base, grants).await?;
                self.overlay(volume, base).await
            }
            Recipe::Clone(source) => {
                let source = VolumeId::new(&source.pool, &source.name);
                grants.volume(&source).map_err(refused)?;
                self.copy(volume, source).await
            }
            Recipe::Image => self.grow(volume).await,
        }
    }

    async fn facts(&self, id: &VolumeId) -> Result<VolumeFacts, VolumeError> {
        let facts = self.build.hypervisor.volume(id).await?;
        Ok(facts.ok_or_else(|| lvhost_libvirt::Error::NoSuchVolume { id: id.clone() })?)
    }

    async fn blank(&self, volume: &PlannedVolume) -> Result<VolumeFacts, VolumeError> {
        let capacity = volume.capacity.ok_or_else(|| {
            VolumeError::Refused("`capacity` must be set for a volume that begins empty".into())
        })?;
        let spec = VolumeSpec {
            id: volume.id.clone(),
            capacity,
            allocation: Some(volume.allocation.min(capacity)),
            format: volume.format.clone(),
            backing: None,
        };
        Ok(self.ledger.create_volume(spec).await?)
    }

    async fn overlay(
        &self,
        volume: &PlannedVolume,
        base: base::Found,
    ) -> Result<VolumeFacts, VolumeError> {
        let capacity = at_least(base.capacity, volume.capacity)?;
        let spec = VolumeSpec {
            id: volume.id.clone(),
            capacity,
            allocation: Some(volume.allocation.min(capacity)),
            format: Some(volume.format.clone().unwrap_or_else(|| "qcow2".to_string())),
            backing: Some(base.backing),
        };
        Ok(self.ledger.create_volume(spec).await?)
    }

    /// Clones at the source's own size and grows afterwards, so that the copy is written down before
    /// anything else can go wrong with it.
    async fn copy(
        &self,
        volume: &PlannedVolume,
        source: VolumeId,
    ) -> Result<VolumeFacts, VolumeError> {
        let facts = self.facts(&source).await?;
        at_least(facts.capacity, volume.capacity)?;
        let spec = VolumeSpec {
            id: volume.id.clone(),
            capacity: facts.capacity,
            allocation: Some(volume.allocation.min(facts.capacity)),
            format: volume.format.clone().or(facts.format),
            backing: None,
        };
        self.build
            .ui
            .say(&format!("{}: cloning {source}", volume.id.name));
        self.ledger.clone_volume(spec, source).await?;
        self.grow(volume).await
    }

    /// Grows a volume to what the template wants, if that is more.
    async fn grow(&self, volume: &PlannedVolume) -> Result<VolumeFacts, VolumeError> {
        let facts = self.facts(&volume.id).await?;
        match volume.capacity {
            Some(capacity) if capacity != facts.capacity => {
                at_least(facts.capacity, Some(capacity))?;
                self.build
                    .hypervisor
                    .resize_volume(&volume.id, capacity)
                    .await?;
                self.facts(&volume.id).await
            }
            _ => Ok(facts),
        }
    }
}

fn at_least(needed: u64, wanted: Option<u64>) -> Result<u64, VolumeError> {
    match wanted {
        Some(wanted) if wanted < needed => Err(VolumeError::Capacity { wanted, needed }),
        Some(wanted) => Ok(wanted),
        None => Ok(needed),
    }
}
