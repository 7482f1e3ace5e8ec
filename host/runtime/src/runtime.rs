//! [`Runtime`]: loads components.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::{VolumeSource, VolumeSourcePre};
use crate::computing::Ticker;
use crate::contract;
use crate::engine;
use crate::error::{LoadError, PrecompileError, RuntimeError};
use crate::inspect::inspect;
use crate::limits::{COMPONENT_SIZE, Limits};
use crate::precompiled::{self, Trusted};
use crate::source::Source;
use crate::state::State;
use crate::types::Description;
use crate::wasi;

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

/// Runs volume sources. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
}

/// What a runtime and the sources it has loaded share.
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) settings: Settings,
    linker: Linker<State>,
}

impl Runtime {
    /// Starts nothing yet but a thread that sleeps while no component computes.
    ///
    /// # Errors
    /// When the platform has no support for WebAssembly or there can't be another thread.
    pub fn new(settings: Settings) -> Result<Self, RuntimeError> {
        let inner = Inner::new(settings).map_err(|source| RuntimeError { source })?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Loads the component that errors and logs will call `name`, and asks it to describe itself.
    /// Does not wait for anything; a component that is not precompiled is compiled here and now,
    /// which takes 0.1 to 0.3 s of both size and processor the built-in ones have.
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
        let component = self.component(name, component)?;
        let instance = self.inner.link(name, &component)?;
        Ok(Source::describe(
            Arc::clone(&self.inner),
            name,
            instance,
            limits,
        )?)
    }

    /// A component that is embedded in the program, made by [`precompile`] of this very version of
    /// this crate; `description` is what it has said of itself when the program was built. Nothing
    /// of it is loaded before its first call, so one that a template does not use costs nothing.
    #[must_use]
    pub fn embedded(
        &self,
        name: &str,
        code: &'static [u8],
        description: Description,
        limits: Limits,
    ) -> Source {
        Source::embedded(Arc::clone(&self.inner), name, code, description, limits)
    }

    fn component(&self, name: &str, bytes: ComponentBytes) -> Result<Component, LoadError> {
        let invalid = |source| LoadError::Invalid {
            component: name.to_owned(),
            source,
        };
        match bytes {
            ComponentBytes::Precompiled(code) => {
                precompiled::load(&self.inner.engine, &Trusted::Embedded(code)).map_err(invalid)
            }
            ComponentBytes::Wasm(wasm) => {
                if wasm.len() > COMPONENT_SIZE {
                    return Err(LoadError::TooLarge {
                        component: name.to_owned(),
                        size: wasm.len(),
                        limit: COMPONENT_SIZE,
                    });
                }
                inspect(name, &wasm)?;
                let code = engine::compile(&wasm).map_err(invalid)?;
                precompiled::load(&self.inner.engine, &Trusted::JustCompiled(&code))
                    .map_err(invalid)
            }
        }
    }
}

impl Inner {
    /// Makes machine code that is embedded in the program ready.
    pub(crate) fn link_embedded(
        &self,
        name: &str,
        code: &'static [u8],
    ) -> Result<VolumeSourcePre<State>, LoadError> {
        let component = precompiled::load(&self.engine, &Trusted::Embedded(code));
        let component = component.map_err(|source| LoadError::Invalid {
            component: name.to_owned(),
            source,
        })?;
        self.link(name, &component)
    }

    /// Checks a component's imports and exports by name and type, and connects them.
    fn link(&self, name: &str, component: &Component) -> Result<VolumeSourcePre<State>, LoadError> {
        let component_type = component.component_type();
        contract::check(
            name,
            component_type
                .imports(&self.engine)
                .map(|(import, _)| import),
            component_type
                .exports(&self.engine)
                .map(|(export, _)| export),
        )?;
        let mismatch = |source| LoadError::Mismatch {
            component: name.to_owned(),
            offered: contract::OFFERED,
            source,
        };
        let instance = self.linker.instantiate_pre(component).map_err(mismatch)?;
        VolumeSourcePre::new(instance).map_err(mismatch)
    }

    fn new(settings: Settings) -> wasmtime::Result<Self> {
        let engine = engine::running()?;
        let mut linker = Linker::new(&engine);
        wasi::link(&mut linker)?;
        VolumeSource::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let ticker = Ticker::start(engine.clone())?;
        Ok(Self {
            engine,
            ticker,
            settings,
            linker,
        })
    }
}

/// Compiles a component for machines of `target` (a target triple as in cargo's `TARGET`), whatever
/// their processors' extensions.
///
/// # Errors
/// When the target is not supported or the bytes are not a component.
pub fn precompile(wasm: &[u8], target: &str) -> Result<Vec<u8>, PrecompileError> {
    let engine = engine::compiling(Some(target)).map_err(|source| PrecompileError::Target {
        target: target.to_owned(),
        source,
    })?;
    engine
        .precompile_component(wasm)
        .map_err(PrecompileError::Invalid)
}
