//! What a fake hypervisor has, and the rules it keeps.
mod domains;

use std::{collections::BTreeMap, time::SystemTime};

use self::domains::Domain;
use super::disk::{Piece, SparseBytes};
use crate::{
    Error, NetworkFacts, PoolFacts, Result, VolumeFacts, VolumeId, VolumeSpec,
    xml::check_characters,
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
    domains: BTreeMap<String, Domain>,
}

#[derive(Debug)]
struct Pool {
    kind: String,
    capacity: u64,
    active: bool,
    volumes: BTreeMap<String, Volume>,
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
}

/// Pools and networks.
impl World {
    pub(super) fn add_pool(&mut self, kind: &str, name: &str, capacity: u64, active: bool) {
        let pool = Pool {
            kind: kind.into(),
            capacity,
            active,
            volumes: BTreeMap::new(),
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

    /// What a download gives: of a raw volume all of it, of others the file.
    pub(super) fn pieces(&self, id: &VolumeId) -> Result<Vec<Piece>> {
        let missing = || Error::NoSuchVolume { id: id.clone() };
        let facts = self.volume(id)?.ok_or_else(missing)?;
        let content = self.content(id).ok_or_else(missing)?;
        let raw = facts.format.as_deref().is_none_or(|format| format == "raw");
        Ok(content.pieces(if raw { facts.capacity } else { 0 }))
    }

    pub(super) fn volume(&self, id: &VolumeId) -> Result<Option<VolumeFacts>> {
        let pool = self.active_pool(&id.pool)?;
        Ok(pool
            .volumes
            .get(&id.name)
            .map(|volume| volume.facts.clone()))
    }

    pub(super) fn content(&self, id: &VolumeId) -> Option<&SparseBytes> {
        Some(&self.pools.get(&id.pool)?.volumes.get(&id.name)?.content)
    }

    pub(super) fn volume_by_path(&self, path: &str) -> Option<(VolumeId, VolumeFacts)> {
        self.volume_ids().into_iter().find_map(|id| {
            let facts = self.volume(&id).ok()??;
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
        if pool.volumes.contains_key(&id.name) {
            return Err(Error::VolumeExists { id: id.clone() });
        }
        if let Some(backing) = &spec.backing
            && self.volume_by_path(&backing.path).is_none()
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
            format: formats.then(|| adapted.format.unwrap_or_else(|| "raw".into())),
            backing: spec.backing.clone(),
            written: None,
        };
        let volume = Volume {
            spec: spec.clone(),
            facts: facts.clone(),
            content: SparseBytes::default(),
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
    ) -> Result<VolumeFacts> {
        let original = self
            .volume(source)?
            .ok_or_else(|| Error::NoSuchVolume { id: source.clone() })?;
        let content = self.content(source).cloned().unwrap_or_default();
        self.create_volume(&VolumeSpec {
            capacity: spec.capacity.max(original.capacity),
            ..spec.clone()
        })?;
        let volume = self.volume_mut(&spec.id)?;
        volume.facts.allocation = volume.facts.allocation.max(content.stored());
        volume.content = content;
        Ok(volume.facts.clone())
    }

    pub(super) fn resize_volume(&mut self, id: &VolumeId, capacity: u64) -> Result<()> {
        let facts = &mut self.volume_mut(id)?.facts;
        if capacity < facts.capacity {
            return Err(Error::shrink(id, facts.capacity, capacity));
        }
        facts.capacity = capacity;
        Ok(())
    }

    pub(super) fn delete_volume(&mut self, id: &VolumeId) -> Result<()> {
        self.volume_mut(id)?;
        if let Some(pool) = self.pools.get_mut(&id.pool) {
            pool.volumes.remove(&id.name);
        }
        Ok(())
    }

    /// What takes an upload: any volume, of whatever size it may be by then.
    pub(super) fn check_upload(&mut self, id: &VolumeId) -> Result<()> {
        self.volume_mut(id).map(drop)
    }

    /// Puts bytes into a volume. As with libvirt, the header of a qcow2 image decides the volume's
    /// capacity.
    pub(super) fn write_volume(&mut self, id: &VolumeId, content: &SparseBytes) -> Result<()> {
        const QCOW2_MAGIC: &[u8] = b"QFI\xfb";
        const QCOW2_SIZE: std::ops::Range<usize> = 24..32;
        let volume = self.volume_mut(id)?;
        let header = content.read(0, QCOW2_SIZE.end);
        if volume.facts.format.as_deref() == Some("qcow2") && header.starts_with(QCOW2_MAGIC) {
            volume.facts.capacity = header[QCOW2_SIZE]
                .iter()
                .fold(0, |size, byte| size << 8 | u64::from(*byte));
        }
        volume.facts.allocation = volume.facts.allocation.max(content.stored());
        volume.content = content.clone();
        Ok(())
    }

    /// What an upload has brought. As with libvirt, it is written over what was there, and a hole ends a
    /// raw volume where the hole ends.
    pub(super) fn upload_volume(&mut self, id: &VolumeId, content: SparseBytes) -> Result<()> {
        let (end, has_holes) = (content.end(), content.has_holes());
        let old = self.volume_mut(id)?.content.clone();
        self.write_volume(id, &content.over(&old))?;
        let facts = &mut self.volume_mut(id)?.facts;
        if facts.format.as_deref() == Some("raw") {
            facts.capacity = match has_holes {
                true => end,
                false => end.max(facts.capacity),
            };
        }
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

fn pool_path(name: &str) -> String {
    format!("/fake/{name}")
}
