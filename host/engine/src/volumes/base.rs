//! Finds the image that an overlay stands on, if the component may have it.

use lvhost_libvirt::{Hypervisor, VolumeFacts, VolumeId};
use lvhost_runtime::{Base, ServiceError};

use super::grants::Grants;
use crate::error::VolumeError;

/// Looks the base up.
pub(super) async fn find(
    hypervisor: &dyn Hypervisor,
    base: &Base,
    grants: &Grants,
) -> Result<(VolumeId, VolumeFacts), VolumeError> {
    let refused = |error: ServiceError| VolumeError::Refused(error.to_string());
    match base {
        Base::Volume(id) => {
            let id = VolumeId::new(&id.pool, &id.name);
            grants.volume(&id).map_err(refused)?;
            match hypervisor.volume(&id).await? {
                Some(facts) => Ok((id, facts)),
                None => Err(lvhost_libvirt::Error::NoSuchVolume { id }.into()),
            }
        }
        Base::HypervisorPath(path) => {
            grants.path(path).map_err(refused)?;
            let found = hypervisor.volume_by_path(path).await?;
            // Only what is in a pool can be read, and so looked at, through libvirt.
            found.ok_or_else(|| {
                VolumeError::Refused(format!(
                    "the hypervisor knows `{path}` as no volume, so lvhost can't look at it; put it \
                     into a folder that is a storage pool"
                ))
            })
        }
    }
}
