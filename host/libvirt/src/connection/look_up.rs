//! Looks volumes up by name and by path, as they are now and not as libvirt saw them last.
//!
//! libvirt knows the files of a pool by when it last looked through it. So before a name is called
//! missing, and where the file of a name can't be read, the pool is refreshed once:
//!
//! ```text
//!   known, and its file is there ───────────────────────────────► found
//!   not known ───────────────┐
//!   known, its file is gone ─┴─► refresh the pool ─► look again ─► found, or missing
//! ```
//!
//! libvirt refuses to look through a pool while one of its volumes is being made or copied. A refresh
//! waits for that a while: a name is not called missing because somebody else is at work.
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use virt::{
    error::{Error as VirtError, ErrorNumber},
    storage_pool::StoragePool,
    storage_vol::StorageVol,
};

use super::{Session, errors::Context};
use crate::{Error, Result, VolumeFacts, VolumeId, xml::check_characters};

/// How long a refresh waits for what libvirt does with a pool's volumes.
const WAIT_FOR_POOL: Duration = Duration::from_secs(20);
/// How often it tries again meanwhile: libvirt tells nobody when such work ends.
const TRY_POOL_EVERY: Duration = Duration::from_millis(100);

impl Session {
    pub(super) fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        match self.find_file(id) {
            Ok((_, facts)) => Ok(Some(facts)),
            Err(Error::NoSuchVolume { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn volume_by_path(&self, path: &str) -> Result<Option<(VolumeId, VolumeFacts)>> {
        let action = format!("look for the volume at {path:?}");
        check_characters(&action, path)?;
        let context = Context::new(self, action);
        let mut volume = self.known_at(path, &context)?;
        if volume.is_none() {
            self.refresh_pools_around(path)?;
            volume = self.known_at(path, &context)?;
        }
        let Some(volume) = volume else {
            return Ok(None);
        };
        let pool = StoragePool::lookup_by_volume(&volume)
            .and_then(|pool| pool.get_name())
            .map_err(|error| context.error(error))?;
        let name = volume.get_name().map_err(|error| context.error(error))?;
        let id = VolumeId { pool, name };
        let facts = self.volume(&id)?;
        Ok(facts.map(|facts| (id, facts)))
    }

    /// A volume whose file is there, or [`Error::NoSuchVolume`].
    pub(super) fn find_file(&self, id: &VolumeId) -> Result<(StorageVol, VolumeFacts)> {
        let volume = self.find_volume(id)?;
        let error = match self.volume_facts(id, &volume) {
            Ok(facts) => return Ok((volume, facts)),
            Err(error @ Error::Disconnected { .. }) => return Err(error),
            Err(error) => error,
        };
        let pool = self.active_pool(&id.pool)?;
        self.refresh(&pool, &id.pool)?;
        match known(&pool, &id.name) {
            Ok(None) => Err(Error::NoSuchVolume { id: id.clone() }),
            Ok(Some(_)) | Err(_) => Err(error),
        }
    }

    /// A volume, whatever can be said of its file; or [`Error::NoSuchVolume`].
    pub(super) fn find_volume(&self, id: &VolumeId) -> Result<StorageVol> {
        let action = format!("look for the volume {id}");
        check_characters(&action, &id.name)?;
        let context = Context::new(self, action);
        let pool = self.active_pool(&id.pool)?;
        if let Some(volume) = known(&pool, &id.name).map_err(|error| context.error(error))? {
            return Ok(volume);
        }
        self.refresh(&pool, &id.pool)?;
        let volume = known(&pool, &id.name).map_err(|error| context.error(error))?;
        volume.ok_or_else(|| Error::NoSuchVolume { id: id.clone() })
    }

    pub(super) fn active_pool(&self, name: &str) -> Result<StoragePool> {
        let action = format!("look at the storage pool {name:?}");
        check_characters(&action, name)?;
        let context = Context::new(self, action);
        let pool = match StoragePool::lookup_by_name(&self.connect, name) {
            Ok(pool) => pool,
            Err(error) if error.code() == ErrorNumber::NoStoragePool => {
                return Err(Error::NoSuchPool {
                    name: name.to_owned(),
                    existing: self.pools()?,
                });
            }
            Err(error) => return Err(context.error(error)),
        };
        if pool.is_active().map_err(|error| context.error(error))? {
            Ok(pool)
        } else {
            Err(Error::PoolInactive {
                name: name.to_owned(),
            })
        }
    }

    /// Has libvirt look through a pool. Where it can't, because it is at work on the pool's volumes for
    /// longer than [`WAIT_FOR_POOL`] or because this user may not, what it knows already has to do.
    pub(super) fn refresh(&self, pool: &StoragePool, name: &str) -> Result<()> {
        let patience_ends = Instant::now() + WAIT_FOR_POOL;
        loop {
            let Err(error) = pool.refresh(0) else {
                return Ok(());
            };
            // libvirt stops a pool that it can't look through.
            if let Ok(false) = pool.is_active() {
                let context = Context::new(self, format!("look through the storage pool {name:?}"));
                return Err(context.error(error));
            }
            // "pool '…' has asynchronous jobs running" (storage_driver.c) has no number of its own, and
            // other internal errors do not pass.
            let is_at_work = error.message().contains("asynchronous jobs");
            if !is_at_work || Instant::now() >= patience_ends {
                tracing::debug!(name, %error, "the pool could not be refreshed");
                return Ok(());
            }
            thread::sleep(TRY_POOL_EVERY);
        }
    }

    /// Refreshes the pools that a path may lie in.
    fn refresh_pools_around(&self, path: &str) -> Result<()> {
        for name in self.pools()? {
            let facts = match self.pool(&name) {
                Ok(facts) => facts,
                Err(error @ Error::Disconnected { .. }) => return Err(error),
                // Stopped, or gone since.
                Err(_) => continue,
            };
            let folder = facts.target_path.filter(|folder| folder.starts_with('/'));
            if folder.is_some_and(|folder| Path::new(path).starts_with(folder)) {
                self.refresh(&self.active_pool(&name)?, &name)?;
            }
        }
        Ok(())
    }

    fn known_at(&self, path: &str, context: &Context<'_>) -> Result<Option<StorageVol>> {
        found(StorageVol::lookup_by_path(&self.connect, path)).map_err(|error| context.error(error))
    }
}

/// A volume that libvirt knows by its name.
fn known(pool: &StoragePool, name: &str) -> std::result::Result<Option<StorageVol>, VirtError> {
    found(StorageVol::lookup_by_name(pool, name))
}

fn found(
    volume: std::result::Result<StorageVol, VirtError>,
) -> std::result::Result<Option<StorageVol>, VirtError> {
    match volume {
        Ok(volume) => Ok(Some(volume)),
        Err(error) if error.code() == ErrorNumber::NoStorageVolume => Ok(None),
        Err(error) => Err(error),
    }
}
