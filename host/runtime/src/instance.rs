//! An instance of a component for one call, wherever it runs: linked, limited, called, and what its end
//! means.

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi::{I32Exit, ResourceTableError};

use crate::contract::{self, Version};
use crate::crash::{self, Crash, Written};
use crate::error::{Fault, LoadError, Reason};
use crate::limits;
use crate::request::{Call, Said};
use crate::state::{Host, State};
use crate::{v0_1, v0_2, wasi};

/// A component whose imports are connected, by the version of the contract that it was made for.
#[derive(Clone)]
pub(crate) enum Linked {
    V0_1(v0_1::Linked),
    V0_2(v0_2::Linked),
}

/// What components can import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    v0_1::offer(&mut linker)?;
    v0_2::offer(&mut linker)?;
    Ok(linker)
}

/// Checks a component's imports and exports by name and type, and connects them.
pub(crate) fn link(
    engine: &Engine,
    linker: &Linker<State>,
    name: &str,
    component: &Component,
) -> Result<Linked, LoadError> {
    let component_type = component.component_type();
    let version = contract::check(
        name,
        component_type.imports(engine).map(|(import, _)| import),
        component_type.exports(engine).map(|(export, _)| export),
    )?;
    let mismatch = |error: wasmtime::Error| LoadError::Mismatch {
        component: name.to_owned(),
        offered: contract::OFFERED,
        source: Reason::of(&error),
    };
    let instance = linker.instantiate_pre(component).map_err(mismatch)?;
    match version {
        Version::V0_1 => v0_1::link(instance).map(Linked::V0_1),
        Version::V0_2 => v0_2::link(instance).map(Linked::V0_2),
    }
    .map_err(mismatch)
}

/// Makes an instance, calls it, and gives back who answered it.
pub(crate) async fn call(
    engine: &Engine,
    linked: &Linked,
    state: State,
    call: &Call,
) -> wasmtime::Result<(Said, Host)> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| state);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(limits::CALL_BYTES);
    store.set_max_component_handles(limits::HANDLES);
    let said = match linked {
        Linked::V0_1(linked) => v0_1::call(&mut store, linked, call).await?,
        Linked::V0_2(linked) => v0_2::call(&mut store, linked, call).await?,
    };
    Ok((said, store.into_data().host))
}

/// What an error of the engine's means.
pub(crate) fn fault_of(error: &wasmtime::Error) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
        return Fault::Misbehaved(format!("it ended itself with exit status {status}"));
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Fault::LimitExceeded(format!("it held more than {} handles", limits::HANDLES));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Fault::StackOverflow,
        Some(trap) => Fault::Trap {
            crash: Box::new(Crash {
                message: trap.to_string(),
                function: error.downcast_ref().and_then(crash::function),
                written: Written::default(),
            }),
        },
        // An error of the engine's that has no type: limits on handles and on copied bytes, mostly.
        None => Fault::LimitExceeded(error.root_cause().to_string()),
    }
}
