//! [`Runtime`]: loads components.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::budget::Budget;
use crate::child::{self, Confinement, Program};
use crate::compiled::{CompiledComponent, CompiledPlaces, Compiler, Subject};
use crate::computing::Ticker;
use crate::engine;
use crate::error::{LoadError, PrecompileError, Reason, RuntimeError};
use crate::instance::{self, Linked};
use crate::limits::{COMPONENT_SIZE, Limits};
use crate::precompiled::{self, Trusted};
use crate::source::{Component, Source};
use crate::state::State;
use crate::types::Description;
use crate::untrusted::Unchecked;

/// What all components of a [`Runtime`] have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The time that a component's clock shows, in seconds since 1970: the value of
    /// `SOURCE_DATE_EPOCH` if the user has set it. It stands still, so that the same inputs make the
    /// same bytes.
    pub source_date_epoch: u64,
    /// The program to start as a process for a stranger's component: one that calls
    /// [`serve_if_asked`](crate::child::serve_if_asked) before anything else. By default it is this
    /// program.
    pub component_program: Option<PathBuf>,
    /// Where strangers' components are kept once they are compiled. By default they are compiled each time.
    pub compiled: Option<CompiledPlaces>,
}

/// What is done about a stranger's component that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compilation {
    /// It is going to be compiled. Nothing is kept of it.
    Begun,
    /// It was compiled, and was asked what it is.
    Ended {
        /// The time on the clock that this took.
        took: Duration,
    },
}

/// A component's bytes.
#[derive(Debug, Clone)]
pub enum ComponentBytes {
    /// Made by [`precompile`] of this very version of this crate and embedded in the program: this is
    /// machine code, and it is trusted.
    Precompiled(&'static [u8]),
    /// A stranger's WebAssembly component: compiled and run in child processes.
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
    program: Program,
    compiler: OnceLock<Compiler>,
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
    /// One that is not precompiled is compiled here and now, in a child process, which takes 0.1 to
    /// 0.3 s for one of the size that the built-in ones have.
    ///
    /// # Errors
    /// When it is not a component, imports what it may not, was made for another version of the
    /// contract, takes too much to compile, or its description is wrong.
    pub fn load(
        &self,
        name: &str,
        component: ComponentBytes,
        limits: Limits,
    ) -> Result<Source, LoadError> {
        let budget = Budget::new(limits);
        match component {
            ComponentBytes::Precompiled(code) => {
                let linked = Component::Ready(self.inner.link_embedded(name, code)?);
                let inner = Arc::clone(&self.inner);
                Ok(Source::describe(inner, name, linked, &budget)?)
            }
            ComponentBytes::Wasm(wasm) => self.load_stranger(name, &wasm, &budget, &|_| ()),
        }
    }

    /// Loads a stranger's component, for which `budget` is there, or what is left of it. It is compiled, unless
    /// that was done before and is kept; `watch` is told of it.
    ///
    /// # Errors
    /// As those of [`load`](Self::load).
    pub fn load_stranger(
        &self,
        name: &str,
        wasm: &[u8],
        budget: &Budget,
        watch: &dyn Fn(Compilation),
    ) -> Result<Source, LoadError> {
        if wasm.len() > COMPONENT_SIZE {
            return Err(LoadError::TooLarge {
                component: name.to_owned(),
                size: wasm.len(),
                limit: COMPONENT_SIZE,
            });
        }
        let Some(places) = &self.inner.settings.compiled else {
            let code = self.compile(name, wasm, budget)?;
            return self.describe(name, code, budget);
        };
        let compiler = self.inner.compiler().map_err(|error| LoadError::Invalid {
            component: name.to_owned(),
            source: Reason::of(&error),
        })?;
        let subject = Subject::new(compiler, wasm);
        if let Some(kept) = places.get(&subject) {
            let component = self.component(kept.code, budget);
            let charged = component.charge_code();
            charged.map_err(|failure| failure.in_load(name))?;
            let (inner, component) = (Arc::clone(&self.inner), Component::Child(component));
            let source = Source::described(inner, name, component, budget, kept.description);
            return Ok(source?);
        }
        watch(Compilation::Begun);
        let begun = Instant::now();
        let code = self.compile(name, wasm, budget)?;
        let source = self.describe(name, code.clone(), budget)?;
        watch(Compilation::Ended {
            took: begun.elapsed(),
        });
        let description = Unchecked::new(source.description().clone());
        places.put(&subject, CompiledComponent { description, code });
        Ok(source)
    }

    fn compile(&self, name: &str, wasm: &[u8], budget: &Budget) -> Result<Bytes, LoadError> {
        let program = &self.inner.program;
        let code = child::wait_for(child::compile(program, wasm, budget));
        code.map_err(|failure| failure.in_load(name))
    }

    /// Loads compiled code, and asks it what it is.
    fn describe(&self, name: &str, code: Bytes, budget: &Budget) -> Result<Source, LoadError> {
        let component = self.component(code, budget);
        let loaded = child::wait_for(component.load());
        loaded.map_err(|failure| failure.in_load(name))?;
        let inner = Arc::clone(&self.inner);
        let source = Source::describe(inner, name, Component::Child(component), budget);
        Ok(source?)
    }

    fn component(&self, code: Bytes, budget: &Budget) -> child::Component {
        let program = self.inner.program.clone();
        let epoch = self.inner.settings.source_date_epoch;
        child::Component::new(program, epoch, code, budget.clone())
    }

    /// What holds a process for a component on this machine.
    ///
    /// # Errors
    /// When there can't be one.
    pub fn confinement(&self) -> Result<Confinement, LoadError> {
        let asked = child::wait_for(child::confinement(&self.inner.program));
        asked.map_err(|failure| failure.in_load("a trial"))
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
}

impl Inner {
    /// Makes machine code that is embedded in the program ready.
    pub(crate) fn link_embedded(
        &self,
        name: &str,
        code: &'static [u8],
    ) -> Result<Linked, LoadError> {
        let component = precompiled::load(&self.engine, &Trusted::Embedded(code));
        let component = component.map_err(|error| LoadError::Invalid {
            component: name.to_owned(),
            source: Reason::of(&error),
        })?;
        instance::link(&self.engine, &self.linker, name, &component)
    }

    /// What is known of the compiler, found out by the first component that asks.
    fn compiler(&self) -> wasmtime::Result<&Compiler> {
        if let Some(compiler) = self.compiler.get() {
            return Ok(compiler);
        }
        // Nothing is compiled by it: it knows the settings.
        let compiler = Compiler::of(&engine::compiling(None)?);
        Ok(self.compiler.get_or_init(|| compiler))
    }

    fn new(settings: Settings) -> wasmtime::Result<Self> {
        let engine = engine::running()?;
        let linker = instance::linker(&engine)?;
        let program = Program::new(settings.component_program.clone());
        let ticker = Ticker::start(engine.clone())?;
        Ok(Self {
            engine,
            ticker,
            settings,
            linker,
            program,
            compiler: OnceLock::new(),
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
