//! What a fake hypervisor has, and the rules it keeps.
mod domains;

use std::collections::BTreeMap;

use self::domains::Domain;
use super::disk::{Piece, SparseBytes};
use crate::{
    DiskSource, Error, NetworkFacts, PoolFacts, Result, VolumeFacts, VolumeId, VolumeSpec,
    xml::check_characters,
};

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
        let pool = self.active_pool(&id.pool)?;
        if pool.volumes.contains_key(&id.name) {
            return Err(Error::VolumeExists { id: id.clone() });
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
        if let Some(name) = self.running_user_of(id) {
            return Err(Error::VolumeInUse {
                id: id.clone(),
                message: format!("it is a disk of the running domain {name:?}"),
            });
        }
        if let Some(pool) = self.pools.get_mut(&id.pool) {
            pool.volumes.remove(&id.name);
        }
        Ok(())
    }

    pub(super) fn check_upload(&mut self, id: &VolumeId, length: Option<u64>) -> Result<()> {
        if let Some(name) = self.running_user_of(id) {
            return Err(Error::VolumeInUse {
                id: id.clone(),
                message: format!("it is a disk of the running domain {name:?}"),
            });
        }
        let facts = &self.volume_mut(id)?.facts;
        if facts.format.as_deref() == Some("raw")
            && let Some(length) = length
            && length > facts.capacity
        {
            return Err(Error::Upload {
                id: id.clone(),
                message: format!("{length} bytes do not fit into {}", facts.capacity),
            });
        }
        Ok(())
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

    fn volume_mut(&mut self, id: &VolumeId) -> Result<&mut Volume> {
        self.active_pool(&id.pool)?;
        self.pools
            .get_mut(&id.pool)
            .and_then(|pool| pool.volumes.get_mut(&id.name))
            .ok_or_else(|| Error::NoSuchVolume { id: id.clone() })
    }

    fn running_user_of(&self, id: &VolumeId) -> Option<&str> {
        self.domains
            .iter()
            .find(|(_, domain)| {
                let uses = |source: &DiskSource| match source {
                    DiskSource::Volume(volume) => volume == id,
                    DiskSource::File(path) | DiskSource::Block(path) => self
                        .volume_by_path(path)
                        .is_some_and(|(volume, _)| volume == *id),
                };
                !domain.state.is_off() && domain.spec.disks.iter().any(|disk| uses(&disk.source))
            })
            .map(|(name, _)| name.as_str())
    }
}

fn pool_path(name: &str) -> String {
    format!("/fake/{name}")
}
