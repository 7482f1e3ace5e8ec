//! Reads a stranger's component before anything of it is compiled: whether it is valid, what it imports
//! and exports, and how much it makes of what it says once.
//!
//! ```text
//!   first bytes ─► begin: imports ─┐
//!   all bytes ─────────────────────┴─► inspect: features, names, sums ─► compile ─► link: types
//! ```
//!
//! It belongs into the process that compiles: to read a stranger's bytes is as much of a risk.
//!
//! The engine itself could be asked for all of it but the sums; yet it validates, compiles and
//! puts adapters between composed components in one step, so that a refusal would come after the work,
//! and the features that its own adapters need would be the component's as well. Code is not looked at
//! here: this takes milliseconds, however big a component is.

use std::ops::Range;

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, Instance, Parser, Payload, Validator,
    WasmFeatures,
};

use crate::contract;
use crate::engine::GUEST_FEATURES;
use crate::error::{CoreModule, LoadError, Reason};
use crate::limits::INSTANCES;

/// Components within each other. Composing puts components into a new one, and what is composed can be
/// composed again: three or four levels are usual.
const NESTED: usize = 32;

/// Instances of modules and components, and of what only renames their exports, when all components
/// within each other are instantiated. Two levels double as easily as twenty do, so these can't be
/// counted by looking at each component alone. A composed one with an interpreter in each of its parts
/// has some hundreds.
const ALL_INSTANCES: usize = 2000;

/// Bytes that describe types, imports and exports, once for each time that a component with them is
/// instantiated: validating makes them anew each time, at a second for some MiB and a hundred times the
/// memory. All of WASI has some 100 KiB.
const ALL_TYPES: usize = 4 << 20;

/// What came with WASI 0.3: tools that make components for both have to be told.
const CONCURRENCY: WasmFeatures = WasmFeatures::CM_ASYNC
    .union(WasmFeatures::CM_ASYNC_STACKFUL)
    .union(WasmFeatures::CM_MORE_ASYNC_BUILTINS)
    .union(WasmFeatures::CM_THREADING)
    .union(WasmFeatures::CM_ERROR_CONTEXT);

/// Bytes of the beginning of a component that are looked at before the rest of it has arrived. Tools write what a
/// component imports before its modules; all of WASI has some 100 KiB.
pub(crate) const BEGINNING: usize = 256 << 10;

/// Whether the component called `component` is refused for what it begins with: it is no component, or its imports
/// are not granted. What can't be read here is left to [`inspect`].
pub(crate) fn begin(component: &str, beginning: &[u8]) -> Result<(), LoadError> {
    if Parser::is_core_wasm(beginning) {
        // What the module has may stand at its end.
        return Ok(());
    }
    for payload in Parser::new(0).parse_all(beginning) {
        match payload {
            Ok(Payload::ComponentImportSection(section)) => {
                for import in section.into_iter().map_while(Result::ok) {
                    contract::check_import(component, import.name.name, None)?;
                }
            }
            // The imports of what is within it are no imports of its own.
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) | Err(_) => break,
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Checks the component called `component`.
pub(crate) fn inspect(component: &str, wasm: &[u8]) -> Result<(), LoadError> {
    if Parser::is_core_wasm(wasm) {
        return Err(LoadError::CoreModule {
            component: component.to_owned(),
            module: core_module(wasm),
        });
    }
    let names = Reading::default().read(wasm);
    let names = names.map_err(|error| LoadError::Invalid {
        component: component.to_owned(),
        // It may have a name in it that is the component's.
        source: Reason::of(&error),
    })?;
    contract::check(component, names.imports, names.exports).map(|_| ())
}

/// What a module has of what is needed to make a component of it, as far as it can be read.
fn core_module(wasm: &[u8]) -> CoreModule {
    let mut module = CoreModule::default();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::ImportSection(imports)) => {
                let mut imports = imports.into_imports();
                module.imports_wasi_0_1 |= imports
                    .any(|import| import.is_ok_and(|it| it.module == "wasi_snapshot_preview1"));
            }
            Ok(Payload::CustomSection(section)) => {
                module.has_types |= section.name().starts_with("component-type");
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    module
}

/// What the component as a whole imports and exports.
#[derive(Default)]
struct Names<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
}

/// A component that is being read, with those around it.
#[derive(Default)]
struct Reading<'a> {
    names: Names<'a>,
    /// The outermost first.
    components: Vec<Component>,
    /// Whether what is read is a module of the innermost component.
    in_module: bool,
}

/// What is known of a component while it is read.
#[derive(Default)]
struct Component {
    makes: Makes,
    /// What instantiating each of the components it can name makes.
    components: Vec<Makes>,
}

/// What comes to be when a component is instantiated.
#[derive(Clone, Copy, Default)]
struct Makes {
    /// Instances of modules.
    modules: usize,
    /// Instances of all kinds.
    instances: usize,
    /// Bytes of types, imports and exports.
    types: usize,
}

impl Makes {
    fn add(&mut self, other: Self) -> wasmtime::Result<()> {
        self.modules = self.modules.saturating_add(other.modules);
        self.instances = self.instances.saturating_add(other.instances);
        self.types = self.types.saturating_add(other.types);
        if self.modules > INSTANCES {
            wasmtime::bail!("it makes more than {INSTANCES} instances of modules");
        }
        if self.instances > ALL_INSTANCES {
            wasmtime::bail!("it makes more than {ALL_INSTANCES} instances");
        }
        if self.types > ALL_TYPES {
            wasmtime::bail!(
                "it describes more than {} MiB of types, counted for each instance",
                ALL_TYPES >> 20
            );
        }
        Ok(())
    }
}

impl<'a> Reading<'a> {
    fn read(mut self, wasm: &'a [u8]) -> wasmtime::Result<Names<'a>> {
        let mut validator = Validator::new_with_features(GUEST_FEATURES);
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Payload::ComponentSection { .. } = payload
                && self.components.len() >= NESTED
            {
                wasmtime::bail!("more than {NESTED} components are within each other");
            }
            // First counted: what there is too much of is not validated.
            self.payload(&payload)?;
            validator.payload(&payload).map_err(invalid)?;
        }
        Ok(self.names)
    }

    /// Takes note of a part, valid or not.
    fn payload(&mut self, payload: &Payload<'a>) -> wasmtime::Result<()> {
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if !self.in_module => {
                wasmtime::bail!("it is a module within a module");
            }
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => self.components.push(Component::default()),
            Payload::ModuleSection { .. } => self.in_module = true,
            Payload::End(_) if self.in_module => self.in_module = false,
            Payload::End(_) => self.end_component(),
            _ => self.section(payload)?,
        }
        Ok(())
    }

    fn end_component(&mut self) {
        if let Some(read) = self.components.pop()
            && let Some(around) = self.components.last_mut()
        {
            around.components.push(read.makes);
        }
    }

    /// Takes note of a section of a component.
    fn section(&mut self, payload: &Payload<'a>) -> wasmtime::Result<()> {
        let is_outermost = self.components.len() == 1;
        match payload {
            Payload::ComponentTypeSection(section) => self.describes(section.range())?,
            Payload::CoreTypeSection(section) => self.describes(section.range())?,
            Payload::ComponentImportSection(section) => {
                self.describes(section.range())?;
                for import in section.clone() {
                    let import = import?;
                    if is_outermost {
                        self.names.imports.push(import.name.name);
                    }
                    if let ComponentTypeRef::Component(_) = import.ty {
                        return Err(passed_on());
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                self.describes(section.range())?;
                for export in section.clone() {
                    let export = export?;
                    if is_outermost {
                        self.names.exports.push(export.name.name);
                    }
                    // An export has a number of its own.
                    if export.kind == ComponentExternalKind::Component {
                        let made = self.made_by(0, export.index)?;
                        self.name_component(made);
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                self.describes(section.range())?;
                for alias in section.clone() {
                    match alias? {
                        ComponentAlias::InstanceExport {
                            kind: ComponentExternalKind::Component,
                            ..
                        } => return Err(passed_on()),
                        ComponentAlias::Outer {
                            kind: ComponentOuterAliasKind::Component,
                            count,
                            index,
                        } => {
                            let made = self.made_by(count, index)?;
                            self.name_component(made);
                        }
                        _ => {}
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    let modules = match instance? {
                        Instance::Instantiate { .. } => 1,
                        Instance::FromExports(_) => 0,
                    };
                    self.make(Makes {
                        modules,
                        instances: 1,
                        types: 0,
                    })?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    self.make(Makes {
                        instances: 1,
                        ..Makes::default()
                    })?;
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        let made = self.made_by(0, component_index)?;
                        self.make(made)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn describes(&mut self, bytes: Range<usize>) -> wasmtime::Result<()> {
        self.make(Makes {
            types: bytes.len(),
            ..Makes::default()
        })
    }

    fn make(&mut self, makes: Makes) -> wasmtime::Result<()> {
        match self.components.last_mut() {
            Some(component) => component.makes.add(makes),
            None => Ok(()),
        }
    }

    fn name_component(&mut self, makes: Makes) {
        if let Some(component) = self.components.last_mut() {
            component.components.push(makes);
        }
    }

    /// What instantiating a component makes: number `index` of those that the component `outwards` levels
    /// around the innermost one can name.
    fn made_by(&self, outwards: u32, index: u32) -> wasmtime::Result<Makes> {
        let component = self.components.iter().rev().nth(outwards as usize);
        let made = component.and_then(|it| it.components.get(index as usize));
        made.copied()
            .ok_or_else(|| wasmtime::format_err!("it instantiates a component that is not there"))
    }
}

/// What is wrong with a component, and what its author has to do where that is known.
fn invalid(error: BinaryReaderError) -> wasmtime::Error {
    match error.missing_wasm_feature() {
        Some(feature) if feature.intersects(CONCURRENCY) => wasmtime::format_err!(
            "{error}; lvhost has no asynchronous functions and no threads: have it made for WASI 0.2, \
             without them"
        ),
        Some(_) => wasmtime::format_err!(
            "{error}; lvhost runs what WASI 0.2 needs: have it made without this feature"
        ),
        None => error.into(),
    }
}

/// What a component makes that is passed about like a value can't be counted.
fn passed_on() -> wasmtime::Error {
    wasmtime::format_err!(
        "it passes components on to components, which lvhost does not support; compose it in another way"
    )
}
