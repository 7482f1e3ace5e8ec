//! [`Runtime`]: loads components. [`Source`]: a component that was loaded and can be called.

use std::sync::Arc;

use crate::error::{ComponentError, LoadError, PrecompileError, RuntimeError};
use crate::limits::Limits;
use crate::services::Services;
use crate::types::{Configuration, Description, OptionSetting, Recipe, Volume};

/// What all components of a [`Runtime`] have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The time that a component's clock shows, in seconds since 1970: the value of
    /// `SOURCE_DATE_EPOCH` if the user has set it. It stands still, so that the same inputs make the
    /// same bytes.
    pub source_date_epoch: u64,
}

/// A component's bytes.
#[derive(Debug, Clone)]
pub enum ComponentBytes {
    /// Made by [`precompile`] of this very version of this crate and embedded in the program: this is
    /// machine code, and it is trusted.
    Precompiled(&'static [u8]),
    /// A WebAssembly component, compiled when it is loaded.
    Wasm(Vec<u8>),
}

/// Runs volume sources.
pub struct Runtime;

impl Runtime {
    /// Starts nothing yet but a thread that sleeps while no component computes.
    ///
    /// # Errors
    /// When the platform has no support for WebAssembly or there can't be another thread.
    pub fn new(settings: Settings) -> Result<Self, RuntimeError> {
        let _ = settings;
        todo!()
    }

    /// Loads the component that errors and logs will call `name`, and asks it to describe itself.
    /// Does not block on anything but the component's computing.
    ///
    /// # Errors
    /// When it is not a component, imports what it may not, was made for another version of the
    /// contract, or its description is wrong.
    pub fn load(
        &self,
        name: &str,
        component: ComponentBytes,
        limits: Limits,
    ) -> Result<Source, LoadError> {
        let _ = (name, component, limits);
        todo!()
    }
}

/// Compiles a component for machines of `target` (a target triple as in cargo's `TARGET`), whatever
/// their processors' extensions.
///
/// # Errors
/// When the target is not supported or the bytes are not a component.
pub fn precompile(wasm: &[u8], target: &str) -> Result<Vec<u8>, PrecompileError> {
    let _ = (wasm, target);
    todo!()
}

/// A component that can be called. Each call is a fresh instance that knows nothing of others.
pub struct Source;

impl Source {
    /// The name it was loaded by.
    #[must_use]
    pub fn name(&self) -> &str {
        todo!()
    }

    /// What it said of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        todo!()
    }

    /// Asks what the component makes of a user's options. Its log goes to `tracing`; all other
    /// imports answer `denied`.
    ///
    /// # Errors
    /// See [`Fault`](crate::Fault).
    pub async fn configure(
        &self,
        volume: &Volume,
        options: &[OptionSetting],
    ) -> Result<Configuration, ComponentError> {
        let _ = (volume, options);
        todo!()
    }

    /// Lets the component prepare the volume. Dropping the future ends the component at once.
    ///
    /// # Errors
    /// See [`Fault`](crate::Fault). The sink, if there is one, was dropped without
    /// [`finish`](crate::Sink::finish) then.
    pub async fn prepare(
        &self,
        volume: &Volume,
        options: &[OptionSetting],
        services: Arc<dyn Services>,
    ) -> Result<Recipe, ComponentError> {
        let _ = (volume, options, services);
        todo!()
    }
}
