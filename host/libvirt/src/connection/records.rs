//! The domains of builds: lists of them, and the records in their metadata.
use virt::{
    domain::Domain,
    error::{Error as VirtError, ErrorNumber},
};
use virt_sys as sys;

use super::{Session, domains::state_of, errors::Context};
use crate::{
    BuildRecord, DomainFacts, DomainId, DomainSpec, Error, METADATA_NAMESPACE, Result,
    xml::{self, METADATA_PREFIX, check_characters, secret_domain_xml},
};

impl Session {
    pub(super) fn list_domains(&self) -> Result<Vec<DomainFacts>> {
        let context = Context::new(self, "list the domains");
        let domains = self
            .connect
            .list_all_domains(0)
            .map_err(|error| context.error(error))?;
        let mut list = Vec::new();
        for domain in &domains {
            match self.domain_facts(domain) {
                Ok((mut facts, definitions)) => {
                    for xml in &definitions {
                        facts.uses.extend(xml::domain_uses(xml)?);
                    }
                    list.push(facts);
                }
                // It went while the list was made.
                Err(error) if error.code() == ErrorNumber::NoDomain => {}
                Err(error) => return Err(context.error(error)),
            }
        }
        list.sort_by(|one, other| one.id.name.cmp(&other.id.name));
        Ok(list)
    }

    /// The facts, without what it uses, and the XML that tells of that: of what runs, and of what will
    /// be started next.
    fn domain_facts(
        &self,
        domain: &Domain,
    ) -> std::result::Result<(DomainFacts, Vec<String>), VirtError> {
        let id = DomainId {
            uuid: domain.get_uuid()?,
            name: domain.get_name()?,
        };
        let (state, reason) = domain.get_state()?;
        let build = match metadata(domain)? {
            None => None,
            Some(xml) => xml::build_record(&xml)
                .inspect_err(|error| tracing::warn!(%id, %error, "no record of ours can be read"))
                .ok(),
        };
        let mut definitions = vec![domain.get_xml_desc(0)?];
        if domain.is_active()? && domain.is_persistent()? {
            definitions.push(domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)?);
        }
        let facts = DomainFacts {
            id,
            state: state_of(state, reason),
            build,
            uses: Vec::new(),
        };
        Ok((facts, definitions))
    }

    pub(super) fn build_record(&self, id: &DomainId) -> Result<Option<BuildRecord>> {
        let domain = self.existing_domain(id)?;
        let context = Context::new(self, format!("read the metadata of the domain {id}"));
        match metadata(&domain).map_err(|error| context.error(error))? {
            Some(xml) => xml::build_record(&xml).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn set_build_record(&self, id: &DomainId, record: &BuildRecord) -> Result<()> {
        let action = format!("write the record of the build into the domain {id}");
        let xml = xml::build_record_xml(record);
        check_characters(&action, &xml)?;
        self.check_build(id, &action, Some(record))?;
        let domain = self.existing_domain(id)?;
        let context = Context::new(self, action);
        let active = domain.is_active().map_err(|error| context.error(error))?;
        // A running domain has two: what it runs with, and what it will be started with.
        let live = if active {
            sys::VIR_DOMAIN_AFFECT_LIVE
        } else {
            0
        };
        domain
            .set_metadata(
                sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed(),
                Some(&xml),
                Some(METADATA_PREFIX),
                Some(METADATA_NAMESPACE),
                sys::VIR_DOMAIN_AFFECT_CONFIG | live,
            )
            .map(drop)
            .map_err(|error| context.error(error))
    }

    pub(super) fn update_domain(&self, id: &DomainId, spec: &DomainSpec) -> Result<()> {
        let action = format!("change the domain {id}");
        let spec = DomainSpec {
            name: id.name.clone(),
            uuid: Some(id.uuid),
            ..spec.clone()
        };
        let xml = secret_domain_xml(&spec)?;
        check_characters(&action, &xml)?;
        self.check_build(id, &action, spec.build.as_ref())?;
        let domain = self.existing_domain(id)?;
        let context = Context::new(self, action.clone());
        if domain.is_active().map_err(|error| context.error(error))? {
            return Err(Error::DomainState {
                action,
                message: "it is running".to_owned(),
            });
        }
        Domain::define_xml(&self.connect, &xml)
            .map(drop)
            .map_err(|error| context.error(error))
    }

    /// A build changes its own domain only.
    fn check_build(&self, id: &DomainId, action: &str, record: Option<&BuildRecord>) -> Result<()> {
        let known = self.build_record(id)?;
        match (known, record) {
            (Some(known), Some(record)) if known.id == record.id => Ok(()),
            _ => Err(Error::NotOurs {
                action: action.to_owned(),
            }),
        }
    }
}

/// Our element of a domain's metadata, if it has one.
fn metadata(domain: &Domain) -> std::result::Result<Option<String>, VirtError> {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT.cast_signed();
    match domain.get_metadata(kind, Some(METADATA_NAMESPACE), 0) {
        Ok(xml) => Ok(Some(xml)),
        Err(error) if error.code() == ErrorNumber::NoDomainMetadata => Ok(None),
        Err(error) => Err(error),
    }
}
