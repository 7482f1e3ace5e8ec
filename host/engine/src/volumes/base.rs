//! Finds the image that an overlay stands on: where it is, its format, its size.

use lvhost_libvirt::{Backing, Hypervisor, VolumeFacts, VolumeId};
use lvhost_runtime::{Base, ServiceError};

use super::grants::Grants;
use crate::error::VolumeError;

/// A base image that exists.
pub(super) struct Found {
    pub(super) backing: Backing,
    pub(super) capacity: u64,
}

/// Looks the base up, if it is granted.
pub(super) async fn find(
    hypervisor: &dyn Hypervisor,
    base: &Base,
    grants: &Grants,
) -> Result<Found, VolumeError> {
    let refused = |error: ServiceError| VolumeError::Refused(error.to_string());
    let facts = match base {
        Base::Volume(id) => {
            let id = VolumeId::new(&id.pool, &id.name);
            grants.volume(&id).map_err(refused)?;
            let facts = hypervisor.volume(&id).await?;
            facts.ok_or(lvhost_libvirt::Error::NoSuchVolume { id })?
        }
        Base::HypervisorPath(path) => {
            grants.path(path).map_err(refused)?;
            let found = hypervisor.volume_by_path(path).await?;
            // Its format must be known for certain: a guest could write a header into a raw disk
            // that names any file of the host as its backing store.
            let (_, facts) = found.ok_or_else(|| {
                VolumeError::Refused(format!(
                    "the hypervisor knows `{path}` as no volume, so its format is not certain; put \
                     it into a storage pool and run `virsh pool-refresh` on that"
                ))
            })?;
            facts
        }
    };
    Ok(found(facts))
}

fn found(facts: VolumeFacts) -> Found {
    // Pools without formats (LVM, ZFS) hold raw volumes.
    let format = Some(facts.format.unwrap_or_else(|| "raw".to_string()));
    Found {
        capacity: facts.capacity,
        backing: Backing {
            path: facts.path,
            format,
        },
    }
}
