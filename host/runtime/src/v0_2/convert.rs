//! Between the types of this version of the contract and those of the crate. Most of it is texts: what may get
//! a new case one day can't be an enumeration of the contract's.

use super::bindings::{configure, log, types as wit};
use crate::error::Fault;
use crate::services::ServiceError;
use crate::types::{Codec, Device, Level, Method, Severity, VolumeId};
use crate::untrusted;

/// The longest text that an error shows of a name that is none.
const SHOWN: usize = 64;

pub(super) fn error(error: ServiceError) -> wit::Error {
    match error {
        ServiceError::Invalid(message) => wit::Error::Invalid(message),
        ServiceError::Denied(message) => wit::Error::Denied(message),
        ServiceError::NotFound(message) => wit::Error::NotFound(message),
        ServiceError::Network(message) => wit::Error::Network(message),
        ServiceError::Corrupt(message) => wit::Error::Corrupt(message),
        // The host ends the call; until it does, there is nothing better to say.
        error @ ServiceError::Cancelled => wit::Error::Other(error.to_string()),
        ServiceError::Other(message) => wit::Error::Other(message),
    }
}

/// The error that a component gives up with.
pub(super) fn failure(said: wit::Error) -> ServiceError {
    match said {
        wit::Error::Invalid(message) => ServiceError::Invalid(message),
        wit::Error::Denied(message) => ServiceError::Denied(message),
        wit::Error::NotFound(message) => ServiceError::NotFound(message),
        wit::Error::Network(message) => ServiceError::Network(message),
        wit::Error::Corrupt(message) => ServiceError::Corrupt(message),
        wit::Error::Other(message) => ServiceError::Other(message),
    }
}

pub(super) fn level(said: log::Level) -> Level {
    match said {
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warning => Level::Warning,
    }
}

pub(super) fn severity(said: configure::Severity) -> Severity {
    match said {
        configure::Severity::Error => Severity::Error,
        configure::Severity::Warning => Severity::Warning,
    }
}

pub(super) fn volume_id(said: wit::VolumeId) -> VolumeId {
    VolumeId {
        pool: said.pool,
        name: said.name,
    }
}

/// A device by libvirt's name. Another is a mistake of the component's that it can't be told, so it ends it.
pub(super) fn device(said: &str) -> wasmtime::Result<Device> {
    Device::ALL
        .into_iter()
        .find(|device| device.as_str() == said)
        .ok_or_else(|| {
            wasmtime::Error::new(Fault::Misbehaved(format!(
                "a device can't be called \"{}\"",
                untrusted::line(said, SHOWN)
            )))
        })
}

/// A method of HTTP by its name.
pub(super) fn method(said: Option<&str>) -> Result<Method, wit::Error> {
    let Some(said) = said else {
        return Ok(Method::Get);
    };
    Method::ALL
        .into_iter()
        .find(|method| method.as_str() == said)
        .ok_or_else(|| {
            wit::Error::Invalid(format!(
                "no request can be made by \"{}\"; there are {}",
                untrusted::line(said, SHOWN),
                Method::ALL.map(Method::as_str).join(", ")
            ))
        })
}

/// A compression by its name.
pub(super) fn codec(said: &str) -> Result<Codec, wit::Error> {
    Codec::ALL
        .into_iter()
        .find(|codec| codec.as_str() == said)
        .ok_or_else(|| {
            wit::Error::Invalid(format!(
                "no compression is called \"{}\"; there are {}",
                untrusted::line(said, SHOWN),
                Codec::ALL.map(Codec::as_str).join(", ")
            ))
        })
}
