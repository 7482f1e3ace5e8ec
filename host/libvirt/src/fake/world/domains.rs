//! The domains, and what they need.
use uuid::Uuid;

use super::{NO_NETWORK, NO_STORAGE_VOLUME, World, check_name, libvirt_error};
use crate::{
    BuildRecord, DiskSource, DomainFacts, DomainId, DomainSpec, DomainState, Error,
    InterfaceSource, Result,
    xml::{build_record_xml, check_characters, secret_domain_xml},
};

#[derive(Debug)]
pub(super) struct Domain {
    pub(super) spec: DomainSpec,
    pub(super) uuid: Uuid,
    pub(super) state: DomainState,
}

impl World {
    pub(in crate::fake) fn domain_names(&self) -> Vec<String> {
        self.domains.keys().cloned().collect()
    }

    pub(in crate::fake) fn domain_spec(&self, name: &str) -> Option<DomainSpec> {
        self.domains.get(name).map(|domain| domain.spec.clone())
    }

    pub(in crate::fake) fn domain_id(&self, name: &str) -> Option<DomainId> {
        let domain = self.domains.get(name)?;
        Some(DomainId {
            uuid: domain.uuid,
            name: name.into(),
        })
    }

    pub(in crate::fake) fn define_domain(&mut self, spec: &DomainSpec) -> Result<DomainId> {
        check_definition(spec)?;
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

    pub(in crate::fake) fn update_domain(
        &mut self,
        id: &DomainId,
        spec: &DomainSpec,
    ) -> Result<()> {
        let action = format!("change the domain {id}");
        check_definition(spec)?;
        let domain = self.domain_mut(id)?;
        check_build(&action, domain, spec.build.as_ref())?;
        if !domain.state.is_off() {
            return Err(Error::DomainState {
                action,
                message: "it is running".into(),
            });
        }
        domain.spec = DomainSpec {
            name: id.name.clone(),
            uuid: Some(id.uuid),
            ..spec.clone()
        };
        Ok(())
    }

    pub(in crate::fake) fn build_record(&self, id: &DomainId) -> Result<Option<BuildRecord>> {
        let domain = self.domain(id).ok_or_else(|| Error::NoSuchDomain {
            name: id.name.clone(),
        })?;
        Ok(domain.spec.build.clone())
    }

    pub(in crate::fake) fn set_build_record(
        &mut self,
        id: &DomainId,
        record: &BuildRecord,
    ) -> Result<()> {
        let action = format!("write the record of the domain {id}");
        check_characters(&action, &build_record_xml(record))?;
        let domain = self.domain_mut(id)?;
        check_build(&action, domain, Some(record))?;
        domain.spec.build = Some(record.clone());
        Ok(())
    }

    pub(in crate::fake) fn list_domains(&self) -> Vec<DomainFacts> {
        self.domains
            .iter()
            .map(|(name, domain)| DomainFacts {
                id: DomainId {
                    uuid: domain.uuid,
                    name: name.clone(),
                },
                state: domain.state,
                build: domain.spec.build.clone(),
                uses: uses(&domain.spec),
            })
            .collect()
    }

    /// What can only be done to a domain that is running or paused.
    pub(in crate::fake) fn check_active(&self, id: &DomainId, action: String) -> Result<()> {
        match self.domain_state(id) {
            DomainState::Gone => Err(Error::NoSuchDomain {
                name: id.name.clone(),
            }),
            state if state.is_off() => Err(Error::DomainState {
                action,
                message: "it is not running".into(),
            }),
            _ => Ok(()),
        }
    }

    pub(in crate::fake) fn has_screen(&self, id: &DomainId) -> bool {
        self.domain(id)
            .is_some_and(|domain| domain.spec.video.is_some() || !domain.spec.graphics.is_empty())
    }

    fn domain_mut(&mut self, id: &DomainId) -> Result<&mut Domain> {
        self.domains
            .values_mut()
            .find(|domain| domain.uuid == id.uuid)
            .ok_or_else(|| Error::NoSuchDomain {
                name: id.name.clone(),
            })
    }

    /// QEMU opens the disks of a domain that can be started.
    pub(in crate::fake) fn start(&mut self, id: &DomainId) -> Result<()> {
        self.check_start(id)?;
        let domain = self.domain(id);
        let disks = domain.map(|domain| domain.spec.disks.clone());
        self.open_disks(&disks.unwrap_or_default());
        Ok(())
    }

    /// A domain can be started if it is off and everything it names is there.
    fn check_start(&self, id: &DomainId) -> Result<()> {
        let domain = self.domain(id).ok_or_else(|| Error::NoSuchDomain {
            name: id.name.clone(),
        })?;
        if !domain.state.is_off() {
            return Err(Error::DomainState {
                action: format!("start the domain {id}"),
                message: "it is already running".into(),
            });
        }
        let refused = |code, message| {
            let action = format!("start the domain {id}");
            Err(libvirt_error(action, code, message))
        };
        for disk in &domain.spec.disks {
            if let DiskSource::Volume(volume) = &disk.source
                && !matches!(self.known(volume), Ok(Some(_)))
            {
                return refused(NO_STORAGE_VOLUME, format!("no storage volume {volume}"));
            }
        }
        for interface in &domain.spec.interfaces {
            if let InterfaceSource::Network { network } = &interface.source
                && self.network(network).is_err()
            {
                return refused(NO_NETWORK, format!("network {network:?} is not active"));
            }
        }
        Ok(())
    }

    pub(in crate::fake) fn domain_state(&self, id: &DomainId) -> DomainState {
        self.domain(id)
            .map_or(DomainState::Gone, |domain| domain.state)
    }

    pub(in crate::fake) fn set_domain_state(&mut self, id: &DomainId, state: DomainState) {
        if let Some(domain) = self
            .domains
            .values_mut()
            .find(|domain| domain.uuid == id.uuid)
        {
            domain.state = state;
        }
    }

    pub(in crate::fake) fn undefine_domain(&mut self, id: &DomainId) -> Result<()> {
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

    pub(super) fn domain(&self, id: &DomainId) -> Option<&Domain> {
        self.domains.values().find(|domain| domain.uuid == id.uuid)
    }
}

/// What libvirt tells of a domain without looking into its images.
fn uses(spec: &DomainSpec) -> Vec<DiskSource> {
    let disks = spec.disks.iter().map(|disk| disk.source.clone());
    let nvram = spec.nvram.as_ref().and_then(|nvram| nvram.path.clone());
    disks.chain(nvram.map(DiskSource::File)).collect()
}

/// What the real one refuses before libvirt sees it.
fn check_definition(spec: &DomainSpec) -> Result<()> {
    let action = format!("define the domain {:?}", spec.name);
    check_name(&action, &spec.name)?;
    check_characters(&action, &secret_domain_xml(spec)?)
}

/// A build changes its own domain only.
fn check_build(action: &str, domain: &Domain, record: Option<&BuildRecord>) -> Result<()> {
    let id = |record: &BuildRecord| record.id.clone();
    let owner = domain.spec.build.as_ref().map(id);
    if owner.is_some() && owner == record.map(id) {
        Ok(())
    } else {
        Err(Error::NotOurs {
            action: action.to_owned(),
        })
    }
}
