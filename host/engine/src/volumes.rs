//! Gives every volume of a plan its bytes, several at a time.
//!
//! ```text
//!             ┌─ existing ─► look it up, inspect
//!   volume ───┼─ blank ────► create
//!             └─ source ───► component.prepare ─┬─ Blank ───► create
//!                                               ├─ Overlay ─► find the base, inspect, create on it
//!                                               ├─ Clone ───► inspect, clone, resize
//!                                               └─ Image ───► (filled already) resize
//! ```
//!
//! What comes out is a [`DiskImage`]: a volume in a format that somebody has said. libvirt's guesses at
//! formats decide one thing only, which is what libvirt may be asked to work on.

mod base;
mod copy;
mod download_progress;
mod fetch_errors;
mod files;
pub(crate) mod grants;
mod inspect;
mod originals;
mod progress_lines;
mod services;
mod target;
mod web;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use futures::stream::{self, StreamExt, TryStreamExt};
use lvhost_config::LibvirtSource;
use lvhost_libvirt::{Backing, Hypervisor, VolumeFacts, VolumeId, VolumeSpec};
use lvhost_runtime::Recipe;

use self::files::Matches;
use self::grants::Grants;
pub use self::inspect::InspectError;
use self::inspect::{Stated, inspect};
pub use self::originals::Original;
use self::progress_lines::ProgressLines;
use self::services::{VolumeServices, Wanted};
use crate::build::Build;
use crate::configure::{component_volume, options};
use crate::disk_image::{DiskImage, StatedBy};
use crate::error::{Error, VolumeError};
use crate::ledger::Ledger;
use crate::local_paths::readable_file;
use crate::plan::{Contents, Plan, PlannedVolume};
use crate::ui::Ui as _;

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

/// Whether a source's pattern of files matches something that can be read; else what is wrong. This blocks on
/// the file system.
pub(crate) fn check_files(pattern: &str, working_directory: &Path) -> Result<(), String> {
    let matched = Matches::default().list(pattern, working_directory, None);
    matched.map_err(|error| error.to_string())?;
    // A name without a pattern, which is looked at more closely.
    let path = working_directory.join(pattern);
    match path.is_file() {
        true => readable_file(&path).map_err(|why| format!("can't read `{pattern}`: {why}")),
        false => Ok(()),
    }
}

/// Prepares the volumes of one build.
pub(crate) struct Volumes<'a> {
    pub(crate) build: &'a Build,
    pub(crate) source: &'a LibvirtSource,
    pub(crate) plan: &'a Plan,
    pub(crate) ledger: &'a Ledger,
}

impl Volumes<'_> {
    /// Prepares all; returns them in the order of the plan. The first failure ends the others.
    pub(crate) async fn prepare(&self) -> Result<Vec<DiskImage>, Error> {
        // Not by a closure that the stream keeps: the compiler can't tell that such a stream may be sent
        // to another thread.
        let work: Vec<_> = (0..self.plan.volumes.len())
            .map(|index| self.prepare_one(index))
            .collect();
        stream::iter(work).buffered(AT_ONCE).try_collect().await
    }

    async fn prepare_one(&self, index: usize) -> Result<DiskImage, Error> {
        let volume = &self.plan.volumes[index];
        self.one(index, volume)
            .await
            .map_err(|error| Error::Volume {
                volume: volume.id.clone(),
                source: Box::new(error),
            })
    }

    async fn one(&self, index: usize, volume: &PlannedVolume) -> Result<DiskImage, VolumeError> {
        match &volume.contents {
            Contents::Existing => self.existing(volume).await,
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
                let services = Arc::new(self.services(volume, grants.clone()));
                let id = lvhost_runtime::VolumeId {
                    pool: volume.id.pool.clone(),
                    name: volume.id.name.clone(),
                };
                let asked = component_volume(&self.source.volume[index], &id, &self.plan.domain);
                let recipe = component
                    .prepare(&asked, &options(block), Arc::clone(&services) as _)
                    .await?;
                self.follow(volume, &recipe, &services).await
            }
        }
    }

    fn services(&self, volume: &PlannedVolume, grants: Grants) -> VolumeServices {
        VolumeServices {
            hypervisor: Arc::clone(&self.build.hypervisor),
            fetcher: self.build.fetcher.clone(),
            ledger: self.ledger.clone(),
            ui: Arc::new(self.build.ui.clone()),
            cancel: self.build.cancel.clone(),
            working_directory: self.build.working_directory.clone(),
            grants,
            matches: Matches::default(),
            wanted: Wanted {
                id: volume.id.clone(),
                capacity: volume.capacity,
                allocation: volume.allocation,
                format: volume.format.clone(),
                source_format: volume.source_format.clone(),
                backing_volumes: volume.backing_volumes.clone(),
            },
            secrets: self.build.ui.secrets().clone(),
            label: volume.id.name.clone(),
            uploaded: OnceLock::new(),
            progress_lines: ProgressLines::default(),
        }
    }

    async fn follow(
        &self,
        volume: &PlannedVolume,
        recipe: &Recipe,
        services: &VolumeServices,
    ) -> Result<DiskImage, VolumeError> {
        let refused = |error: lvhost_runtime::ServiceError| VolumeError::Refused(error.to_string());
        match recipe {
            Recipe::Blank => self.blank(volume).await,
            Recipe::Overlay(base) => {
                let hypervisor = self.build.hypervisor.as_ref();
                let (id, facts) = base::find(hypervisor, base, &services.grants).await?;
                let stated = services.wanted.stated_of_source(&id);
                let base = inspect(hypervisor, &id, &facts, stated).await?;
                self.overlay(volume, base).await
            }
            Recipe::Clone(source) => {
                let source = VolumeId::new(&source.pool, &source.name);
                services.grants.volume(&source).map_err(refused)?;
                self.copy(volume, source, &services.wanted).await
            }
            Recipe::Image => {
                // The runtime lets no component answer so that has uploaded nothing.
                let format = services.uploaded.get().map_or("raw", String::as_str);
                let facts = self.grow(volume, format).await?;
                Ok(DiskImage::new(&facts, format, StatedBy::Upload))
            }
        }
    }

    async fn facts(&self, id: &VolumeId) -> Result<VolumeFacts, VolumeError> {
        let facts = self.build.hypervisor.volume(id).await?;
        Ok(facts.ok_or_else(|| lvhost_libvirt::Error::NoSuchVolume { id: id.clone() })?)
    }

    /// A volume that was there before: as the template says, or as its header does.
    async fn existing(&self, volume: &PlannedVolume) -> Result<DiskImage, VolumeError> {
        let facts = self.facts(&volume.id).await?;
        let stated = Stated {
            format: volume.format.as_deref(),
            option: "format",
            backing_volumes: &volume.backing_volumes,
            pool: &volume.id.pool,
        };
        let hypervisor = self.build.hypervisor.as_ref();
        Ok(inspect(hypervisor, &volume.id, &facts, stated).await?)
    }

    async fn blank(&self, volume: &PlannedVolume) -> Result<DiskImage, VolumeError> {
        let capacity = volume.capacity.ok_or_else(|| {
            VolumeError::Refused("`capacity` must be set for a volume that begins empty".into())
        })?;
        let format = volume.format.as_deref().unwrap_or("raw");
        let facts = self.create(volume, capacity, format, None).await?;
        Ok(DiskImage::new(&facts, format, StatedBy::Made))
    }

    async fn create(
        &self,
        volume: &PlannedVolume,
        capacity: u64,
        format: &str,
        backing: Option<Backing>,
    ) -> Result<VolumeFacts, VolumeError> {
        let spec = VolumeSpec {
            id: volume.id.clone(),
            capacity,
            allocation: Some(volume.allocation.min(capacity)),
            format: Some(format.to_owned()),
            backing,
        };
        Ok(self.ledger.create_volume(spec).await?)
    }

    async fn overlay(
        &self,
        volume: &PlannedVolume,
        base: DiskImage,
    ) -> Result<DiskImage, VolumeError> {
        let capacity = at_least(base.capacity, volume.capacity)?;
        let format = volume.format.as_deref().unwrap_or("qcow2");
        let backing = Backing {
            path: base.path.clone(),
            format: Some(base.format.name.clone()),
        };
        let facts = self.create(volume, capacity, format, Some(backing)).await?;
        Ok(DiskImage::new(&facts, format, StatedBy::Made).over(base))
    }

    /// Clones at the source's own size and grows afterwards, so that the copy is written down before
    /// anything else can go wrong with it.
    async fn copy(
        &self,
        volume: &PlannedVolume,
        source: VolumeId,
        wanted: &Wanted,
    ) -> Result<DiskImage, VolumeError> {
        let hypervisor = self.build.hypervisor.as_ref();
        let facts = self.facts(&source).await?;
        let stated = wanted.stated_of_source(&source);
        let image = inspect(hypervisor, &source, &facts, stated).await?;
        let capacity = at_least(image.capacity, volume.capacity)?;
        let format = volume.format.as_deref().unwrap_or(&image.format.name);
        if !facts.is_taken_for(&image.format.name) {
            copy::check(&source, &image, format)?;
            self.copy_through(volume, &source, &image, capacity).await?;
            let facts = self.facts(&volume.id).await?;
            return Ok(DiskImage::new(&facts, format, StatedBy::Made));
        }
        let spec = VolumeSpec {
            id: volume.id.clone(),
            capacity: image.capacity,
            allocation: Some(volume.allocation.min(image.capacity)),
            format: Some(format.to_owned()),
            backing: None,
        };
        self.build
            .ui
            .say(&format!("{}: cloning {source}", volume.id.name));
        self.ledger
            .clone_volume(spec, source, image.format.name.clone())
            .await?;
        let facts = self.grow(volume, format).await?;
        Ok(DiskImage::new(&facts, format, StatedBy::Made))
    }

    /// Copies a raw volume that libvirt would not take for raw.
    async fn copy_through(
        &self,
        volume: &PlannedVolume,
        source: &VolumeId,
        image: &DiskImage,
        capacity: u64,
    ) -> Result<(), VolumeError> {
        let name = &volume.id.name;
        self.build.ui.say(&format!(
            "{name}: cloning {source} through lvhost, since libvirt takes it for something else than \
             raw"
        ));
        self.create(volume, capacity, "raw", None).await?;
        let hypervisor = self.build.hypervisor.as_ref();
        let upload = hypervisor.open_upload(&volume.id, Some(capacity)).await?;
        let padding = capacity - image.capacity;
        Ok(copy::copy(hypervisor, source, upload, padding).await?)
    }

    /// Grows a volume of this format to what the template wants, if that is more.
    async fn grow(&self, volume: &PlannedVolume, format: &str) -> Result<VolumeFacts, VolumeError> {
        let facts = self.facts(&volume.id).await?;
        let present = facts.capacity_as(format);
        match volume.capacity {
            Some(capacity) if capacity != present => {
                at_least(present, Some(capacity))?;
                self.build
                    .hypervisor
                    .resize_volume(&volume.id, format, capacity)
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
