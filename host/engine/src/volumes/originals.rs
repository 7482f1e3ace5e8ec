//! What volumes are made from, looked at before a build begins: originals, bases, and what they lean on.
//!
//! It is what a build does when it comes to the volume, without making anything.

use lvhost_libvirt::{Hypervisor, VolumeId};
use lvhost_runtime::{Base, Grant};

use super::grants::Grants;
use super::inspect::{Stated, inspect};
use super::{at_least, base};
use crate::error::VolumeError;
use crate::permission::Permission;
use crate::plan::{Contents, Plan, PlannedVolume};
use crate::sources::Sources;

/// A volume that has to be there before the build.
#[derive(Debug)]
pub struct Original {
    /// What was looked at, in words: `the volume default/base`.
    pub name: String,
    /// Its size for the guest, or what is wrong with it.
    pub found: Result<u64, VolumeError>,
    /// Whether the build needs it. A component that is not built in may ask for a volume only to look
    /// whether it is there.
    pub is_needed: bool,
}

impl Plan {
    /// Looks at everything that `volume` is made from, or at the volume itself if it is only used.
    pub async fn originals(
        &self,
        volume: &PlannedVolume,
        sources: &Sources,
        hypervisor: &dyn Hypervisor,
    ) -> Vec<Original> {
        let (block, grants) = match &volume.contents {
            Contents::Blank => return Vec::new(),
            Contents::Existing => {
                let stated = Stated {
                    format: volume.format.as_deref(),
                    option: "format",
                    backing_volumes: &volume.backing_volumes,
                    pool: &volume.id.pool,
                };
                return vec![Original {
                    name: format!("the volume {}", volume.id),
                    found: look(hypervisor, &volume.id, stated).await,
                    is_needed: true,
                }];
            }
            Contents::Source { block, grants } => (block, grants),
        };
        let permission = sources.permission(&block.type_name);
        let granted = Grants::new(grants, block, &volume.id, permission);
        let mut originals = Vec::new();
        for grant in grants {
            let (name, base) = match grant {
                Grant::Volume(id) => {
                    let known = VolumeId::new(&id.pool, &id.name);
                    if self.made_volumes().any(|made| *made == known) {
                        // It comes with the build, if it comes.
                        continue;
                    }
                    (format!("the volume {known}"), Base::Volume(id.clone()))
                }
                Grant::HypervisorPath(path) => (path.clone(), Base::HypervisorPath(path.clone())),
                Grant::Url(_)
                | Grant::UrlsBelow(_)
                | Grant::Files(_)
                | Grant::Post(_)
                | Grant::Secret(_) => continue,
            };
            originals.push(Original {
                name,
                found: look_at_base(volume, &base, &granted, hypervisor).await,
                is_needed: matches!(permission, Permission::Template),
            });
        }
        originals
    }
}

async fn look_at_base(
    volume: &PlannedVolume,
    base: &Base,
    granted: &Grants,
    hypervisor: &dyn Hypervisor,
) -> Result<u64, VolumeError> {
    let (id, _) = base::find(hypervisor, base, granted).await?;
    let stated = Stated {
        format: volume.source_format.as_deref(),
        option: "source_format",
        backing_volumes: &volume.backing_volumes,
        pool: &id.pool,
    };
    let capacity = look(hypervisor, &id, stated).await?;
    at_least(capacity, volume.capacity)?;
    Ok(capacity)
}

async fn look(
    hypervisor: &dyn Hypervisor,
    id: &VolumeId,
    stated: Stated<'_>,
) -> Result<u64, VolumeError> {
    let missing = || lvhost_libvirt::Error::NoSuchVolume { id: id.clone() };
    let facts = hypervisor.volume(id).await?.ok_or_else(missing)?;
    match inspect(hypervisor, id, &facts, stated).await {
        Ok(image) => Ok(image.capacity),
        // Some drivers let nobody read: then its being there is all that can be said.
        Err(super::InspectError::Hypervisor(lvhost_libvirt::Error::NotSupported { .. })) => {
            Ok(facts.capacity)
        }
        Err(error) => Err(error.into()),
    }
}
