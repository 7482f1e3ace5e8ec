//! What a fake hypervisor has, and the rules it keeps.
mod domains;
mod opened;

use std::{collections::BTreeMap, time::SystemTime};

use self::domains::Domain;
use super::{
    disk::{Piece, SparseBytes},
    guess,
};
use crate::{
    Error, HostDevice, NetworkFacts, PoolFacts, Result, VolumeFacts, VolumeId, VolumeSpec,
    volume::check_taken_for, xml::check_characters,
};

/// Of libvirt's numbers of errors (`virErrorNumber`) those that the fake answers with.
const XML_ERROR: i32 = 27;
const SYSTEM_ERROR: i32 = 38;
const NO_NETWORK: i32 = 43;
const NO_STORAGE_VOLUME: i32 = 50;

/// Everything there is.
#[derive(Debug, Default)]
pub(super) struct World {
    pools: BTreeMap<String, Pool>,
    networks: BTreeMap<String, NetworkFacts>,
    /// Network devices of the host, and whether they are bridges.
    devices: BTreeMap<String, bool>,
    domains: BTreeMap<String, Domain>,
    /// The files that were opened because of what volumes say.
    opened: Vec<String>,
}

#[derive(Debug)]
struct Pool {
    kind: String,
    capacity: u64,
    active: bool,
    volumes: BTreeMap<String, Volume>,
    /// Files that somebody has put into its folder, and that have not been looked at.
    unseen: BTreeMap<String, Volume>,
}

impl Pool {
    fn used(&self) -> u64 {
        self.volumes
            .values()
            .map(|volume| volume.facts.allocation)
            .sum()
    }
}

#[derive(Debug)]
struct Volume {
    spec: VolumeSpec,
    facts: VolumeFacts,
    content: SparseBytes,
    /// Somebody has removed its file.
    is_lost: bool,
}

/// Pools and networks.
impl World {
    pub(super) fn add_pool(&mut self, kind: &str, name: &str, capacity: u64, active: bool) {
        let pool = Pool {
            kind: kind.into(),
            capacity,
            active,
            volumes: BTreeMap::new(),
            unseen: BTreeMap::new(),
        };
        self.pools.insert(name.into(), pool);
    }

    pub(super) fn add_network(&mut self, name: &str, active: bool) {
        let facts = NetworkFacts {
            name: name.into(),
            active,
            bridge: Some(format!("br-{name}")),
            addresses: vec![[192, 0, 2, 1].into()],
        };
        self.networks.insert(name.into(), facts);
    }

    pub(super) fn add_device(&mut self, name: &str, is_bridge: bool) {
        self.devices.insert(name.into(), is_bridge);
    }

    pub(super) fn host_device(&self, name: &str) -> Option<HostDevice> {
        let is_bridge = *self.devices.get(name)?;
        Some(HostDevice {
            name: name.into(),
            is_bridge,
        })
    }

    pub(super) fn pool_names(&self) -> Vec<String> {
        self.pools.keys().cloned().collect()
    }

    pub(super) fn network_names(&self) -> Vec<String> {
        self.networks.keys().cloned().collect()
    }

    pub(super) fn pool(&self, name: &str) -> Result<PoolFacts> {
        let pool = self.active_pool(name)?;
        Ok(PoolFacts {
            name: name.into(),
            kind: pool.kind.clone(),
            active: true,
            capacity: pool.capacity,
            available: pool.capacity.saturating_sub(pool.used()),
            target_path: Some(pool_path(name)),
        })
    }

    pub(super) fn network(&self, name: &str) -> Result<NetworkFacts> {
        match self.networks.get(name) {
            Some(facts) if facts.active => Ok(facts.clone()),
            Some(_) => Err(Error::NetworkInactive { name: name.into() }),
            None => Err(Error::NoSuchNetwork {
                name: name.into(),
                existing: self.network_names(),
            }),
        }
    }

    fn active_pool(&self, name: &str) -> Result<&Pool> {
        match self.pools.get(name) {
            Some(pool) if pool.active => Ok(pool),
            Some(_) => Err(Error::PoolInactive { name: name.into() }),
            None => Err(Error::NoSuchPool {
                name: name.into(),
                existing: self.pool_names(),
            }),
        }
    }
}

/// Volumes.
impl World {
    pub(super) fn volume_ids(&self) -> Vec<VolumeId> {
        self.pools
            .iter()
            .flat_map(|(pool, content)| {
                content
                    .volumes
                    .keys()
                    .map(move |name| VolumeId::new(pool, name))
            })
            .collect()
    }

    pub(super) fn list_volumes(&self, pool: &str) -> Result<Vec<String>> {
        Ok(self.active_pool(pool)?.volumes.keys().cloned().collect())
    }

    /// What a download gives: the file, whatever is in it.
    pub(super) fn pieces(&mut self, id: &VolumeId) -> Result<Vec<Piece>> {
        Ok(self.file(id, "download")?.pieces())
    }

    /// The first bytes of the file.
    pub(super) fn volume_head(&mut self, id: &VolumeId, length: usize) -> Result<Vec<u8>> {
        let content = self.file(id, "read the beginning of")?;
        let length = usize::try_from(content.end()).map_or(length, |end| end.min(length));
        Ok(content.read(0, length))
    }

    fn file(&mut self, id: &VolumeId, action: &str) -> Result<&SparseBytes> {
        let missing = || Error::NoSuchVolume { id: id.clone() };
        let facts = self.volume(id)?.ok_or_else(missing)?;
        if !facts.is_image() {
            return Err(no_folder(id, action));
        }
        self.content(id).ok_or_else(missing)
    }

    /// A volume, after another look at the pool if it has none of that name or no file of it.
    pub(super) fn volume(&mut self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        self.look_again(id)?;
        self.known(id)
    }

    /// A volume as it was seen last.
    fn known(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        let pool = self.active_pool(&id.pool)?;
        let volume = pool.volumes.get(&id.name);
        Ok(volume.map(|volume| volume.facts.clone()))
    }

    pub(super) fn content(&self, id: &VolumeId) -> Option<&SparseBytes> {
        Some(&self.pools.get(&id.pool)?.volumes.get(&id.name)?.content)
    }

    pub(super) fn volume_by_path(&mut self, path: &str) -> Option<(VolumeId, VolumeFacts)> {
        let (folder, name) = path.rsplit_once('/')?;
        if let Some(pool) = folder.strip_prefix("/fake/") {
            // A pool that is missing or stopped has no volumes.
            let _ = self.look_again(&VolumeId::new(pool, name));
        }
        self.known_by_path(path)
    }

    fn known_by_path(&self, path: &str) -> Option<(VolumeId, VolumeFacts)> {
        self.volume_ids().into_iter().find_map(|id| {
            let facts = self.known(&id).ok()??;
            (facts.path == path).then_some((id, facts))
        })
    }

    pub(super) fn create_volume(&mut self, spec: &VolumeSpec) -> Result<VolumeFacts> {
        let id = &spec.id;
        check_characters(&format!("create the volume {id}"), &crate::volume_xml(spec))?;
        let facts = self.pool(&id.pool)?;
        let adapted = spec.adapted_to(&facts)?;
        check_name(&format!("create the volume {id}"), &id.name)?;
        let pool = self.active_pool(&id.pool)?;
        if pool.volumes.contains_key(&id.name) || pool.unseen.contains_key(&id.name) {
            self.refresh(&id.pool);
            return Err(Error::VolumeExists { id: id.clone() });
        }
        if let Some(backing) = &spec.backing
            && self.known_by_path(&backing.path).is_none()
        {
            return Err(libvirt_error(
                format!("create the volume {id}"),
                SYSTEM_ERROR,
                format!("cannot access backing store {:?}", backing.path),
            ));
        }
        let allocation = adapted.allocation.unwrap_or(spec.capacity);
        if allocation > facts.available {
            return Err(Error::NoSpace {
                action: format!("create the volume {id}"),
                message: "not enough free space in the pool".into(),
                needed: Some(allocation),
                available: Some(facts.available),
            });
        }
        let formats = facts.has_formats();
        let path = format!("{}/{}", pool_path(&id.pool), id.name);
        let facts = VolumeFacts {
            key: path.clone(),
            path,
            capacity: spec.capacity,
            allocation,
            physical: None,
            kind: if formats { "file" } else { "block" }.into(),
            guessed_format: formats.then(|| adapted.format.unwrap_or_else(|| "raw".into())),
            guessed_backing: spec.backing.clone(),
            written: None,
        };
        let mut content = SparseBytes::default();
        match facts.guessed_format.as_deref() {
            None | Some("raw") => content.reach(spec.capacity),
            Some("qcow2") => {
                content.overwrite(&guess::empty_qcow2(spec.capacity, spec.backing.as_ref()));
            }
            // The fake looks into no others.
            Some(_) => {}
        }
        let facts = VolumeFacts {
            physical: Some(content.end()),
            ..facts
        };
        if let Some(backing) = &spec.backing {
            // qemu-img looks how large it is, and opens it for that.
            let format = backing.format.as_deref().unwrap_or("raw");
            let opened = self.opened_by_header(&backing.path, format);
            self.opened.push(backing.path.clone());
            self.opened.extend(opened);
        }
        let volume = Volume {
            spec: spec.clone(),
            facts: facts.clone(),
            content,
            is_lost: false,
        };
        if let Some(pool) = self.pools.get_mut(&id.pool) {
            pool.volumes.insert(id.name.clone(), volume);
        }
        Ok(facts)
    }

    pub(super) fn set_written(&mut self, id: &VolumeId, time: SystemTime) {
        if let Ok(volume) = self.volume_mut(id) {
            volume.facts.written = Some(time);
        }
    }

    pub(super) fn volume_spec(&self, id: &VolumeId) -> Option<VolumeSpec> {
        let volume = self.pools.get(&id.pool)?.volumes.get(&id.name)?;
        Some(volume.spec.clone())
    }

    pub(super) fn clone_volume(
        &mut self,
        spec: &VolumeSpec,
        source: &VolumeId,
        source_format: &str,
    ) -> Result<VolumeFacts> {
        let original = self
            .volume(source)?
            .ok_or_else(|| Error::NoSuchVolume { id: source.clone() })?;
        check_taken_for(source, &original, source_format)?;
        let content = self.file(source, "clone")?.clone();
        self.create_volume(&VolumeSpec {
            capacity: spec.capacity.max(original.capacity),
            ..spec.clone()
        })?;
        let guessed = original.guessed_format.as_deref().unwrap_or("raw");
        let opened = self.opened_by_header(&original.path, guessed);
        self.opened.extend(opened);
        let volume = self.volume_mut(&spec.id)?;
        volume.facts.allocation = volume.facts.allocation.max(content.stored());
        // What is converted, or made whole from an overlay, the fake has no bytes of.
        if volume.facts.is_taken_for(guessed) && original.guessed_backing.is_none() {
            let end = volume.content.end();
            volume.content = content;
            volume.content.reach(end);
        }
        Ok(volume.facts.clone())
    }

    pub(super) fn resize_volume(
        &mut self,
        id: &VolumeId,
        format: &str,
        capacity: u64,
    ) -> Result<()> {
        self.look_again(id)?;
        let volume = self.volume_mut(id)?;
        let from = volume.facts.capacity_as(format);
        if capacity < from {
            return Err(Error::shrink(id, from, capacity));
        }
        if capacity == from {
            return Ok(());
        }
        check_taken_for(id, &volume.facts, format)?;
        volume.facts.capacity = capacity;
        if format == "raw" {
            volume.content.reach(capacity);
            volume.facts.physical = Some(volume.content.end());
        }
        let path = volume.facts.path.clone();
        let opened = self.opened_by_header(&path, format);
        self.opened.extend(opened);
        Ok(())
    }

    /// What libvirt takes for a folder can be deleted on its own host only.
    pub(super) fn delete_volume(&mut self, id: &VolumeId, is_local: bool) -> Result<()> {
        // The name is enough: the file may be gone.
        if self.known(id)?.is_none() {
            self.refresh(&id.pool);
        }
        let facts = &self.volume_mut(id)?.facts;
        if !facts.is_image() && !is_local {
            return Err(Error::TakenForFolder {
                id: id.clone(),
                path: facts.path.clone(),
                message: "libvirt can't, and the file is not on this host".into(),
            });
        }
        if let Some(pool) = self.pools.get_mut(&id.pool) {
            pool.volumes.remove(&id.name);
        }
        Ok(())
    }

    /// What takes an upload: any volume, of whatever size it may be by then.
    pub(super) fn check_upload(&mut self, id: &VolumeId) -> Result<()> {
        self.file(id, "upload to").map(drop)
    }

    /// What an upload has brought. As with libvirt, it is written over what was there, a hole ends the
    /// volume where the hole ends, and the pool is refreshed.
    pub(super) fn upload_volume(&mut self, id: &VolumeId, content: SparseBytes) -> Result<()> {
        let volume = self.volume_mut(id)?;
        volume.content = content.over(&volume.content);
        volume.facts.allocation = volume.facts.allocation.max(volume.content.stored());
        self.refresh(&id.pool);
        Ok(())
    }

    fn volume_mut(&mut self, id: &VolumeId) -> Result<&mut Volume> {
        self.active_pool(&id.pool)?;
        self.pools
            .get_mut(&id.pool)
            .and_then(|pool| pool.volumes.get_mut(&id.name))
            .ok_or_else(|| Error::NoSuchVolume { id: id.clone() })
    }
}

/// A name that libvirt's schemas and drivers take for a volume or a domain.
fn check_name(action: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', '\n']) {
        return Err(libvirt_error(
            action.to_owned(),
            XML_ERROR,
            format!("the name {name:?} is not allowed"),
        ));
    }
    Ok(())
}

fn libvirt_error(action: String, code: i32, message: String) -> Error {
    Error::Libvirt {
        action,
        code,
        message,
    }
}

/// What libvirt answers of a volume that it takes for a folder, and that is none.
fn no_folder(id: &VolumeId, action: &str) -> Error {
    libvirt_error(
        format!("{action} the volume {id}"),
        SYSTEM_ERROR,
        "Not a directory".into(),
    )
}

fn pool_path(name: &str) -> String {
    format!("/fake/{name}")
}
