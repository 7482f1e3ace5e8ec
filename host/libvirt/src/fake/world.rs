//! What a fake hypervisor has, and the rules it keeps.
use std::collections::BTreeMap;

use uuid::Uuid;

use super::disk::SparseBytes;
use crate::{
    DiskSource, DomainId, DomainSpec, DomainState, Error, InterfaceSource, NetworkFacts, PoolFacts,
    Result, VolumeFacts, VolumeId, VolumeSpec, xml::check_characters,
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

#[derive(Debug)]
struct Domain {
    spec: DomainSpec,
    uuid: Uuid,
    state: DomainState,
}

/// Pools and networks.
impl World {
    pub(super) fn add_pool(&mut self, name: &str, capacity: u64, active: bool) {
        let pool = Pool {
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
            kind: "dir".into(),
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
        let pool = self.active_pool(&id.pool)?;
        if pool.volumes.contains_key(&id.name) {
            return Err(Error::VolumeExists { id: id.clone() });
        }
        let allocation = spec.allocation.unwrap_or(spec.capacity);
        if allocation > pool.capacity.saturating_sub(pool.used()) {
            return Err(Error::NoSpace {
                action: format!("create the volume {id}"),
                message: "not enough free space in the pool".into(),
            });
        }
        let path = format!("{}/{}", pool_path(&id.pool), id.name);
        let facts = VolumeFacts {
            key: path.clone(),
            path,
            capacity: spec.capacity,
            allocation,
            format: Some(spec.format.clone().unwrap_or_else(|| "raw".into())),
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
                    DiskSource::File(path) => self
                        .volume_by_path(path)
                        .is_some_and(|(volume, _)| volume == *id),
                };
                !domain.state.is_off() && domain.spec.disks.iter().any(|disk| uses(&disk.source))
            })
            .map(|(name, _)| name.as_str())
    }
}

/// Domains.
impl World {
    pub(super) fn domain_names(&self) -> Vec<String> {
        self.domains.keys().cloned().collect()
    }

    pub(super) fn domain_spec(&self, name: &str) -> Option<DomainSpec> {
        self.domains.get(name).map(|domain| domain.spec.clone())
    }

    pub(super) fn domain_id(&self, name: &str) -> Option<DomainId> {
        let domain = self.domains.get(name)?;
        Some(DomainId {
            uuid: domain.uuid,
            name: name.into(),
        })
    }

    pub(super) fn define_domain(&mut self, spec: &DomainSpec) -> Result<DomainId> {
        let action = format!("define the domain {:?}", spec.name);
        check_characters(&action, &crate::domain_xml(spec))?;
        let uuid = spec.uuid.unwrap_or_else(Uuid::new_v4);
        let known = self.domains.values().any(|domain| domain.uuid == uuid);
        if known || self.domains.contains_key(&spec.name) {
            return Err(Error::DomainExists {
                name: spec.name.clone(),
            });
        }
        let domain = Domain {
            spec: spec.clone(),
            uuid,
            state: DomainState::ShutOff,
        };
        self.domains.insert(spec.name.clone(), domain);
        Ok(DomainId {
            uuid,
            name: spec.name.clone(),
        })
    }

    /// A domain can be started if it is off and everything it names is there.
    pub(super) fn check_start(&self, id: &DomainId) -> Result<()> {
        let domain = self.domain(id).ok_or_else(|| Error::NoSuchDomain {
            name: id.name.clone(),
        })?;
        if !domain.state.is_off() {
            return Err(Error::DomainState {
                action: format!("start the domain {id}"),
                message: "it is already running".into(),
            });
        }
        for disk in &domain.spec.disks {
            if let DiskSource::Volume(volume) = &disk.source {
                self.volume(volume)?
                    .ok_or_else(|| Error::NoSuchVolume { id: volume.clone() })?;
            }
        }
        for interface in &domain.spec.interfaces {
            if let InterfaceSource::Network { network } = &interface.source {
                self.network(network)?;
            }
        }
        Ok(())
    }

    pub(super) fn domain_state(&self, id: &DomainId) -> DomainState {
        self.domain(id)
            .map_or(DomainState::Gone, |domain| domain.state)
    }

    pub(super) fn set_domain_state(&mut self, id: &DomainId, state: DomainState) {
        if let Some(domain) = self
            .domains
            .values_mut()
            .find(|domain| domain.uuid == id.uuid)
        {
            domain.state = state;
        }
    }

    pub(super) fn undefine_domain(&mut self, id: &DomainId) -> Result<()> {
        match self.domain_state(id) {
            DomainState::Gone => Ok(()),
            state if state.is_off() => {
                self.domains.retain(|_, domain| domain.uuid != id.uuid);
                Ok(())
            }
            _ => Err(Error::DomainState {
                action: format!("undefine the domain {id}"),
                message: "it is running".into(),
            }),
        }
    }

    fn domain(&self, id: &DomainId) -> Option<&Domain> {
        self.domains.values().find(|domain| domain.uuid == id.uuid)
    }
}

fn pool_path(name: &str) -> String {
    format!("/fake/{name}")
}
