//! Loads the volume sources that ship with lvhost.

use std::error::Error;

use lvhost_engine::Sources;
use lvhost_runtime::{ComponentBytes, Limits, Runtime, Settings};

use crate::exit_code::Failure;
use crate::input::InputError;
use crate::surroundings::Surroundings;

/// The time that components see, for reproducible images:
/// <https://reproducible-builds.org/specs/source-date-epoch>.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Loads all of them.
///
/// # Errors
/// When WebAssembly can't be run here, or `SOURCE_DATE_EPOCH` is not a number.
pub(crate) fn load(surroundings: &Surroundings) -> Result<Sources, Failure> {
    let settings = Settings {
        source_date_epoch: source_date_epoch(surroundings)?,
    };
    let runtime = Runtime::new(settings).map_err(unable)?;
    let mut loaded = Vec::new();
    for bundled in lvhost_sources::all() {
        let bytes = ComponentBytes::Precompiled(bundled.precompiled);
        let source = runtime
            .load(bundled.type_name, bytes, Limits::default())
            .map_err(unable)?;
        loaded.push(source);
    }
    Sources::new(loaded).map_err(unable)
}

fn unable(error: impl Error + Send + Sync + 'static) -> Failure {
    Failure::unable("the volume sources can't be loaded", error)
}

fn source_date_epoch(surroundings: &Surroundings) -> Result<u64, InputError> {
    let Some(value) = surroundings.set(SOURCE_DATE_EPOCH) else {
        return Ok(0);
    };
    value.parse().map_err(|_| InputError::Variable {
        name: SOURCE_DATE_EPOCH.to_owned(),
        reason: format!("`{value}` is not a number of seconds since 1970"),
    })
}
