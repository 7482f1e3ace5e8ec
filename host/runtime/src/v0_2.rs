//! Version 0.2 of the contract with components: what is bound to the types generated from `wit/v0.2`.
//!
//! A component is handed a resource for each of its functions, and says what it has to say by the methods of
//! that. So the contract grows by methods, and a component made for fewer of them does not notice.
//!
//! ```text
//!   describe(description)      ─┐  a call each          ┌─ Description
//!   configure(configuration)   ─┼─► collected ──────────┼─ Configuration ──► Said
//!   prepare(preparation)       ─┘                       └─ Recipe, or its error
//!        └─ download, files, image, … ─► Request
//! ```

mod bindings;
mod collected;
mod convert;
mod imports;

use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use self::bindings::{VolumeSource, VolumeSourcePre};
pub(crate) use self::collected::Collected;
use self::imports::configure::ConfigurationHandle;
use self::imports::describe::DescriptionHandle;
use self::imports::prepare::PreparationHandle;
use crate::error::Fault;
use crate::request::{Call, Said};
use crate::state::State;
use crate::untrusted::Unchecked;

/// A component of this version whose imports are connected.
pub(crate) type Linked = VolumeSourcePre<State>;

/// Offers the imports of this version.
pub(crate) fn offer(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    VolumeSource::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

/// Looks for the exports of this version.
pub(crate) fn link(instance: InstancePre<State>) -> wasmtime::Result<Linked> {
    VolumeSourcePre::new(instance)
}

/// Calls a new instance.
pub(crate) async fn call(
    store: &mut Store<State>,
    linked: &Linked,
    call: &Call,
) -> wasmtime::Result<Said> {
    let guest = linked.instantiate_async(&mut *store).await?;
    let source = guest.lvhost_source_source();
    match call {
        Call::Describe => {
            let description = store.data_mut().table.push(DescriptionHandle)?;
            source.call_describe(&mut *store, description).await?;
            let said = store.data_mut().collected.take_description();
            Ok(Said::Description(Unchecked::new(said)))
        }
        Call::Configure(volume, options) => {
            let state = store.data_mut();
            state.collected.begin(volume.clone(), options.clone());
            let configuration = state.table.push(ConfigurationHandle)?;
            source.call_configure(&mut *store, configuration).await?;
            let said = store.data_mut().collected.take_configuration();
            Ok(Said::Configuration(Unchecked::new(said)))
        }
        Call::Prepare(volume, options) => {
            let state = store.data_mut();
            state.collected.begin(volume.clone(), options.clone());
            let preparation = state.table.push(PreparationHandle)?;
            let prepared = source.call_prepare(&mut *store, preparation).await?;
            Ok(Said::Recipe(match prepared {
                Ok(()) => Ok(Unchecked::new(
                    store.data_mut().collected.take_recipe().ok_or_else(|| {
                        wasmtime::Error::new(Fault::Misbehaved(
                            "it did not say how the volume comes to be: by blank, overlay-volume, \
                             overlay-path, clone or image"
                                .to_owned(),
                        ))
                    })?,
                )),
                Err(error) => Err(Unchecked::new(convert::failure(error))),
            }))
        }
    }
}
