//! Domains.
use tokio::sync::watch;
use virt::{
    domain::Domain,
    error::{Error as VirtError, ErrorNumber},
};
use virt_sys as sys;

use super::{Session, errors::Context, ffi::addresses};
use crate::{
    AddressSource, DomainId, DomainSpec, DomainState, Error, InterfaceAddress, Result,
    ShutdownMode,
    xml::{check_characters, secret_domain_xml},
};

/// Flags of an undefine, from what is wanted to what the oldest daemons and plainest drivers take:
/// the TPM's came with libvirt 8.9, the checkpoints' with 5.6.
const UNDEFINE_FLAGS: [u32; 4] = [
    sys::VIR_DOMAIN_UNDEFINE_TPM | UNDEFINE_WITH_CHECKPOINTS,
    UNDEFINE_WITH_CHECKPOINTS,
    UNDEFINE_BASIC,
    0,
];
const UNDEFINE_WITH_CHECKPOINTS: u32 =
    sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | UNDEFINE_BASIC;
const UNDEFINE_BASIC: u32 = sys::VIR_DOMAIN_UNDEFINE_NVRAM
    | sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA;

impl Session {
    pub(super) fn define_domain(&self, spec: &DomainSpec) -> Result<DomainId> {
        let action = format!("define the domain {:?}", spec.name);
        let xml = secret_domain_xml(spec)?;
        check_characters(&action, &xml)?;
        let context = Context::new(self, action);
        // libvirt redefines a domain of the same name and UUID without a word.
        let by_name = Domain::lookup_by_name(&self.connect, &spec.name);
        let by_uuid = spec
            .uuid
            .map(|uuid| Domain::lookup_by_uuid(&self.connect, uuid));
        for found in [Some(by_name), by_uuid].into_iter().flatten() {
            match found {
                Ok(_) => {
                    return Err(Error::DomainExists {
                        name: spec.name.clone(),
                    });
                }
                Err(error) if error.code() == ErrorNumber::NoDomain => {}
                Err(error) => return Err(context.error(error)),
            }
        }
        let domain =
            Domain::define_xml(&self.connect, &xml).map_err(|error| context.error(error))?;
        let uuid = domain.get_uuid().map_err(|error| context.error(error))?;
        Ok(DomainId {
            uuid,
            name: spec.name.clone(),
        })
    }

    pub(super) fn start_domain(&self, id: &DomainId, paused: bool) -> Result<()> {
        let domain = self.existing_domain(id)?;
        let action = format!("start the domain {id}");
        let started = if paused {
            domain
                .create_with_flags(sys::VIR_DOMAIN_START_PAUSED)
                .map(drop)
        } else {
            domain.create().map(drop)
        };
        match started {
            Ok(()) => Ok(()),
            // Drivers answer this with different numbers.
            Err(error) if domain.is_active() == Ok(true) => Err(Error::DomainState {
                action,
                message: error.message().to_owned(),
            }),
            Err(error) => Err(Context::new(self, action).error(error)),
        }
    }

    pub(super) fn domain_state(&self, id: &DomainId) -> Result<DomainState> {
        let Some(domain) = self.find_domain(id)? else {
            return Ok(DomainState::Gone);
        };
        match domain.get_state() {
            Ok((state, reason)) => Ok(state_of(state, reason)),
            Err(error) if error.code() == ErrorNumber::NoDomain => Ok(DomainState::Gone),
            Err(error) => Err(Context::new(self, format!("look at the domain {id}")).error(error)),
        }
    }

    pub(super) fn watch_domain(&self, id: &DomainId) -> Result<watch::Receiver<DomainState>> {
        self.watches.watch(id.uuid, || self.domain_state(id))
    }

    pub(super) fn shutdown_domain(&self, id: &DomainId, mode: Option<ShutdownMode>) -> Result<()> {
        let how = mode.map_or(String::new(), |mode| format!(" by {mode}"));
        self.end(
            id,
            format!("shut down the domain {id}{how}"),
            |domain| match mode {
                None => domain.shutdown().map(drop),
                Some(mode) => domain.shutdown_flags(shutdown_flag(mode)).map(drop),
            },
        )
    }

    pub(super) fn destroy_domain(&self, id: &DomainId) -> Result<()> {
        self.end(id, format!("destroy the domain {id}"), Domain::destroy)
    }

    pub(super) fn undefine_domain(&self, id: &DomainId) -> Result<()> {
        let Some(domain) = self.find_domain(id)? else {
            return Ok(());
        };
        let action = format!("undefine the domain {id}");
        let context = Context::new(self, action.clone());
        // libvirt would let go of the definition and keep the guest running, which nobody would
        // find again.
        if domain.is_active().map_err(|error| context.error(error))? {
            return Err(Error::DomainState {
                action,
                message: "it is running".to_owned(),
            });
        }
        let mut result = Ok(());
        for flags in UNDEFINE_FLAGS {
            result = domain.undefine_flags(flags);
            match &result {
                Err(error) if is_unknown_flag(error) => {
                    tracing::debug!(%id, flags, %error, "undefine with fewer flags");
                }
                _ => break,
            }
        }
        match result {
            Err(error) if error.code() != ErrorNumber::NoDomain => Err(context.error(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn interface_addresses(
        &self,
        id: &DomainId,
        source: AddressSource,
    ) -> Result<Vec<InterfaceAddress>> {
        let Some(domain) = self.find_domain(id)? else {
            return Ok(Vec::new());
        };
        match addresses::interface_addresses(&domain, source) {
            Ok(addresses) => Ok(addresses),
            Err(error) if is_too_early(error.code()) => {
                tracing::debug!(%id, %source, %error, "no addresses yet");
                Ok(Vec::new())
            }
            Err(error) => {
                let action = format!("ask for the addresses of the domain {id} by {source}");
                Err(Context::new(self, action).error(error))
            }
        }
    }

    /// Ends a domain's run; one that does not run is ended already, also if it ended just now.
    fn end(
        &self,
        id: &DomainId,
        action: String,
        end: impl FnOnce(&Domain) -> std::result::Result<(), VirtError>,
    ) -> Result<()> {
        let Some(domain) = self.find_domain(id)? else {
            return Ok(());
        };
        match end(&domain) {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = Context::new(self, action).error(error);
                if self.domain_state(id)?.is_off() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// A domain, or [`Error::NoSuchDomain`].
    pub(super) fn existing_domain(&self, id: &DomainId) -> Result<Domain> {
        self.find_domain(id)?.ok_or_else(|| Error::NoSuchDomain {
            name: id.name.clone(),
        })
    }

    /// A domain that is running or paused. Drivers answer with different numbers for one that is
    /// off.
    pub(super) fn active_domain(&self, id: &DomainId, action: &str) -> Result<Domain> {
        let domain = self.existing_domain(id)?;
        match domain.is_active() {
            Ok(true) => Ok(domain),
            Ok(false) => Err(Error::DomainState {
                action: action.to_owned(),
                message: "it is not running".to_owned(),
            }),
            Err(error) => Err(Context::new(self, action).error(error)),
        }
    }

    pub(super) fn find_domain(&self, id: &DomainId) -> Result<Option<Domain>> {
        match Domain::lookup_by_uuid(&self.connect, id.uuid) {
            Ok(domain) => Ok(Some(domain)),
            Err(error) if error.code() == ErrorNumber::NoDomain => Ok(None),
            Err(error) => Err(Context::new(self, format!("look for the domain {id}")).error(error)),
        }
    }
}

pub(super) fn state_of(state: sys::virDomainState, reason: i32) -> DomainState {
    match state {
        sys::VIR_DOMAIN_PAUSED => DomainState::Paused,
        sys::VIR_DOMAIN_SHUTDOWN => DomainState::ShuttingDown,
        sys::VIR_DOMAIN_SHUTOFF if reason.cast_unsigned() == sys::VIR_DOMAIN_SHUTOFF_CRASHED => {
            DomainState::Crashed
        }
        sys::VIR_DOMAIN_SHUTOFF => DomainState::ShutOff,
        sys::VIR_DOMAIN_CRASHED => DomainState::Crashed,
        sys::VIR_DOMAIN_PMSUSPENDED => DomainState::Suspended,
        // "Blocked" waits for a resource, and "no state" is said by drivers that only know it runs.
        _ => DomainState::Running,
    }
}

fn shutdown_flag(mode: ShutdownMode) -> u32 {
    match mode {
        ShutdownMode::Acpi => sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
        ShutdownMode::Guest => sys::VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
        ShutdownMode::Initctl => sys::VIR_DOMAIN_SHUTDOWN_INITCTL,
        ShutdownMode::Signal => sys::VIR_DOMAIN_SHUTDOWN_SIGNAL,
        ShutdownMode::Paravirt => sys::VIR_DOMAIN_SHUTDOWN_PARAVIRT,
    }
}

fn is_unknown_flag(error: &VirtError) -> bool {
    match error.code() {
        ErrorNumber::InvalidArg => error.message().contains("unsupported flags"),
        code => matches!(
            code,
            ErrorNumber::NoSupport
                | ErrorNumber::ArgumentUnsupported
                | ErrorNumber::OperationUnsupported
        ),
    }
}

/// What libvirt answers while the agent is not connected yet, is busy, or the domain does not run.
fn is_too_early(code: ErrorNumber) -> bool {
    matches!(
        code,
        ErrorNumber::AgentUnresponsive
            | ErrorNumber::AgentUnsynced
            | ErrorNumber::AgentCommandTimeout
            | ErrorNumber::OperationTimeout
            | ErrorNumber::OperationInvalid
            | ErrorNumber::NoDomain
    )
}
