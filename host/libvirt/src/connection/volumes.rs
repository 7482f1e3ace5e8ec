//! Pools and networks, and what is done to volumes.
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use virt::{
    error::{Error as VirtError, ErrorNumber},
    network::Network,
    storage_pool::StoragePool,
    storage_vol::StorageVol,
};
use virt_sys as sys;

use super::{Session, errors::Context};
use crate::{
    Error, NetworkFacts, PoolFacts, Result, VolumeFacts, VolumeId, VolumeSpec, is_local,
    volume::{NO_WORD, check_taken_for},
    volume_xml,
    xml::{self, check_characters},
};

/// libvirt's type of a volume that begins like an image of Parallels: it holds such volumes to be
/// folders with the image in them, and does so of files, too.
const FOLDER_OF_PARALLELS: &str = "ploop";

/// Bytes of a block in which a file system counts what a file takes (stat(2)).
const BLOCK: u64 = 512;

impl Session {
    pub(super) fn pools(&self) -> Result<Vec<String>> {
        let context = Context::new(self, "list the storage pools");
        let pools = self
            .connect
            .list_all_storage_pools(0)
            .map_err(|error| context.error(error))?;
        sorted(pools.iter().map(StoragePool::get_name), &context)
    }

    pub(super) fn networks(&self) -> Result<Vec<String>> {
        let context = Context::new(self, "list the networks");
        let networks = self
            .connect
            .list_all_networks(0)
            .map_err(|error| context.error(error))?;
        sorted(networks.iter().map(Network::get_name), &context)
    }

    pub(super) fn pool(&self, name: &str) -> Result<PoolFacts> {
        let pool = self.active_pool(name)?;
        self.pool_facts(&pool, name)
    }

    fn pool_facts(&self, pool: &StoragePool, name: &str) -> Result<PoolFacts> {
        let context = Context::new(self, format!("look at the storage pool {name:?}"));
        let xml = pool.get_xml_desc(0).map_err(|error| context.error(error))?;
        xml::pool_facts(&xml, true)
    }

    pub(super) fn network(&self, name: &str) -> Result<NetworkFacts> {
        let action = format!("look at the network {name:?}");
        check_characters(&action, name)?;
        let context = Context::new(self, action);
        let network = match Network::lookup_by_name(&self.connect, name) {
            Ok(network) => network,
            Err(error) if error.code() == ErrorNumber::NoNetwork => {
                return Err(Error::NoSuchNetwork {
                    name: name.to_owned(),
                    existing: self.networks()?,
                });
            }
            Err(error) => return Err(context.error(error)),
        };
        if !network.is_active().map_err(|error| context.error(error))? {
            return Err(Error::NetworkInactive {
                name: name.to_owned(),
            });
        }
        let xml = network
            .get_xml_desc(0)
            .map_err(|error| context.error(error))?;
        xml::network_facts(&xml, true)
    }

    pub(super) fn list_volumes(&self, name: &str) -> Result<Vec<String>> {
        let pool = self.active_pool(name)?;
        let context = Context::new(self, format!("list the volumes of the pool {name:?}"));
        let volumes = pool
            .list_all_volumes(0)
            .map_err(|error| context.error(error))?;
        sorted(volumes.iter().map(StorageVol::get_name), &context)
    }

    pub(super) fn create_volume(&self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        let id = &spec.id;
        let action = format!("create the volume {id}");
        let pool = self.active_pool(&id.pool)?;
        let xml = volume_xml(&spec.adapted_to(&self.pool_facts(&pool, &id.pool)?)?);
        check_characters(&action, &xml)?;
        self.refuse_existing(id, &pool)?;
        let volume = StorageVol::create_xml(&pool, &xml, 0)
            .map_err(|error| self.creation_error(id, action, error))
            .map_err(|error| self.measured(error, &id.pool, spec.capacity))?;
        self.facts_or_delete(id, &volume)
    }

    pub(super) fn clone_volume(
        &self,
        spec: &VolumeSpec,
        source: &VolumeId,
        source_format: &str,
    ) -> Result<VolumeFacts> {
        let id = &spec.id;
        let action = format!("clone the volume {source} to {id}");
        let pool = self.active_pool(&id.pool)?;
        let xml = volume_xml(&spec.adapted_to(&self.pool_facts(&pool, &id.pool)?)?);
        check_characters(&action, &xml)?;
        let (original, original_facts) = self.find_file(source)?;
        self.refuse_existing(id, &pool)?;
        // libvirt copies a raw volume byte by byte, and all others by `qemu-img convert`, with the
        // rights of root and in the format that it has guessed.
        check_taken_for(source, &original_facts, source_format)?;
        let volume = StorageVol::create_xml_from(&pool, &xml, &original, 0)
            .map_err(|error| self.creation_error(id, action, error))
            .map_err(|error| self.measured(error, &id.pool, original_facts.allocation))?;
        let facts = self.facts_or_delete(id, &volume)?;
        // libvirt gives a clone its source's capacity, whatever the XML asks for.
        if facts.capacity >= spec.capacity {
            return Ok(facts);
        }
        let format = spec.format.as_deref().unwrap_or("raw");
        match self.grow(id, &volume, &facts, format, spec.capacity) {
            Ok(()) => self.facts_or_delete(id, &volume),
            Err(error) => {
                self.delete_again(id, &volume);
                Err(error)
            }
        }
    }

    pub(super) fn resize_volume(&self, id: &VolumeId, format: &str, capacity: u64) -> Result<()> {
        let (volume, facts) = self.find_file(id)?;
        self.grow(id, &volume, &facts, format, capacity)
    }

    pub(super) fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        let volume = self.find_volume(id)?;
        let Err(error) = volume.delete(0) else {
            return Ok(());
        };
        Err(match error.code() {
            ErrorNumber::NoStorageVolume => Error::NoSuchVolume { id: id.clone() },
            // "volume '…' is still in use", or "… being allocated" (storage_driver.c).
            ErrorNumber::OperationInvalid => Error::VolumeInUse {
                id: id.clone(),
                message: error.message().to_owned(),
            },
            _ => match self.volume_facts(id, &volume) {
                Ok(facts) if facts.kind == FOLDER_OF_PARALLELS => {
                    return self.delete_taken_for_folder(id, &facts);
                }
                _ => Context::new(self, format!("delete the volume {id}")).error(error),
            },
        })
    }

    /// Deletes a file that libvirt takes for a folder because of its first bytes, and so can't delete.
    /// There is no call of libvirt for that: it takes a hypervisor on this host, and the right to write
    /// into the pool.
    fn delete_taken_for_folder(&self, id: &VolumeId, facts: &VolumeFacts) -> Result<()> {
        let context = Context::new(self, format!("delete the volume {id}"));
        let uri = self
            .connect
            .get_uri()
            .map_err(|error| context.error(error))?;
        let pool = self.active_pool(&id.pool)?;
        let folder = self.pool_facts(&pool, &id.pool)?.target_path;
        let path = Path::new(&facts.path);
        // The volume's own file, and not what a name may lead to.
        let is_own = folder.is_some_and(|folder| path.parent() == Some(Path::new(&folder)))
            && path.symlink_metadata().is_ok_and(|file| file.is_file());
        let removed = match is_local(&uri) && is_own {
            true => std::fs::remove_file(path).map_err(|error| error.to_string()),
            false => Err("libvirt can't, and the file is not on this host".to_owned()),
        };
        removed.map_err(|message| Error::TakenForFolder {
            id: id.clone(),
            path: facts.path.clone(),
            message,
        })?;
        self.refresh(&pool, &id.pool)
    }

    pub(super) fn volume_facts(&self, id: &VolumeId, volume: &StorageVol) -> Result<VolumeFacts> {
        let context = Context::new(self, format!("look at the volume {id}"));
        match volume.get_xml_desc(0) {
            Ok(xml) => xml::volume_facts(&xml),
            // "unknown volume format number -2", or "unknown storage file meta->format -2": what a guest has
            // written there looks to libvirt like an image on another one whose format it must not guess,
            // and it has no word for that.
            Err(error)
                if error.message().contains("format -2")
                    || error.message().contains("number -2") =>
            {
                self.facts_without_xml(volume)
                    .map_err(|error| context.error(error))
            }
            Err(error) => Err(context.error(error)),
        }
    }

    /// The facts of a volume that libvirt can't describe: those of its file if that is on this host, or else
    /// what libvirt can still say.
    fn facts_without_xml(
        &self,
        volume: &StorageVol,
    ) -> std::result::Result<VolumeFacts, VirtError> {
        let (key, path) = (volume.get_key()?, volume.get_path()?);
        let facts = |capacity, allocation, physical, written| VolumeFacts {
            key,
            path: path.clone(),
            capacity,
            allocation,
            physical: Some(physical),
            kind: "file".to_owned(),
            guessed_format: Some(NO_WORD.to_owned()),
            guessed_backing: None,
            written,
        };
        if is_local(&self.connect.get_uri()?)
            && let Ok(file) = Path::new(&path).symlink_metadata()
            && file.is_file()
        {
            let allocation = file.blocks() * BLOCK;
            return Ok(facts(
                file.len(),
                allocation,
                file.len(),
                file.modified().ok(),
            ));
        }
        let info = volume.get_info()?;
        // With that flag it stands in the place of the allocation.
        let physical = volume.get_info_flags(sys::VIR_STORAGE_VOL_GET_PHYSICAL)?;
        Ok(facts(
            info.capacity,
            info.allocation,
            physical.allocation,
            None,
        ))
    }

    /// The facts of a volume that was just made. The caller learns of the volume by them, so one
    /// without is removed.
    fn facts_or_delete(&self, id: &VolumeId, volume: &StorageVol) -> Result<VolumeFacts> {
        self.volume_facts(id, volume)
            .inspect_err(|_| self.delete_again(id, volume))
    }

    fn delete_again(&self, id: &VolumeId, volume: &StorageVol) {
        if let Err(error) = volume.delete(0) {
            tracing::warn!(%id, %error, "an unfinished volume could not be removed");
        }
    }

    fn grow(
        &self,
        id: &VolumeId,
        volume: &StorageVol,
        facts: &VolumeFacts,
        format: &str,
        to: u64,
    ) -> Result<()> {
        let from = facts.capacity_as(format);
        if to == from {
            return Ok(());
        }
        // libvirt runs `qemu-img resize` on what it does not take for raw.
        check_taken_for(id, facts, format)?;
        if to < from {
            return Err(Error::shrink(id, from, to));
        }
        let context = Context::new(self, format!("resize the volume {id} to {to} bytes"));
        volume
            .resize(to, 0)
            .map(drop)
            .map_err(|error| self.measured(context.error(error), &id.pool, to))
    }

    /// Tells of a full pool what was needed, and how much is free.
    pub(super) fn measured(&self, error: Error, pool: &str, needed: u64) -> Error {
        let Error::NoSpace {
            action, message, ..
        } = error
        else {
            return error;
        };
        Error::NoSpace {
            action,
            message,
            needed: Some(needed),
            available: self.free_space(pool),
        }
    }

    /// Bytes a pool has left, counted now. `None` for one that knows no size.
    pub(super) fn free_space(&self, name: &str) -> Option<u64> {
        let pool = self.active_pool(name).ok()?;
        // libvirt counts when it is told to; without, the number is an old one.
        if let Err(error) = pool.refresh(0) {
            tracing::debug!(name, %error, "the pool's free space could not be counted anew");
        }
        let facts = self.pool_facts(&pool, name).ok()?;
        (facts.capacity > 0).then_some(facts.available)
    }

    /// Not all drivers answer a second creation with a number of its own.
    fn refuse_existing(&self, id: &VolumeId, pool: &StoragePool) -> Result<()> {
        match StorageVol::lookup_by_name(pool, &id.name) {
            Ok(_) => Err(Error::VolumeExists { id: id.clone() }),
            Err(error) if error.code() == ErrorNumber::NoStorageVolume => Ok(()),
            Err(error) => Err(Context::new(self, format!("look for the volume {id}")).error(error)),
        }
    }

    fn creation_error(&self, id: &VolumeId, action: String, error: VirtError) -> Error {
        match error.code() {
            ErrorNumber::StorageVolExist => Error::VolumeExists { id: id.clone() },
            number if may_exist(number, error.message()) && self.find_volume(id).is_ok() => {
                Error::VolumeExists { id: id.clone() }
            }
            _ => Context::new(self, action).error(error),
        }
    }
}

/// Whether libvirt may have refused to make a volume because there is one of that name, or its file
/// (storage_driver.c).
pub(super) fn may_exist(number: ErrorNumber, message: &str) -> bool {
    match number {
        // Its file is there, and libvirt had not looked: "volume target path '…' already exists".
        ErrorNumber::OperationInvalid => true,
        // Somebody else had libvirt look for it while a clone of that name was about to be made: "storage volume name
        // '…' already in use."
        ErrorNumber::InternalError => message.contains("already in use"),
        _ => false,
    }
}

fn sorted(
    names: impl Iterator<Item = std::result::Result<String, VirtError>>,
    context: &Context<'_>,
) -> Result<Vec<String>> {
    let mut names = names
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| context.error(error))?;
    names.sort();
    Ok(names)
}
