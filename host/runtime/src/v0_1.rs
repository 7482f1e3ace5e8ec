//! Version 0.1 of the contract with components: what is bound to the types generated from `wit/v0.1`.

mod bindings;
mod convert;
mod imports;

use wasmtime::Store;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use self::bindings::{VolumeSource, VolumeSourcePre};
use crate::request::{Call, Said};
use crate::state::State;

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
    Ok(match call {
        Call::Describe => {
            let said = source.call_describe(store).await?;
            Said::Description(convert::description(said))
        }
        Call::Configure(volume, options) => {
            let (volume, options) = (convert::volume(volume), convert::options(options));
            let said = source.call_configure(store, &volume, &options).await?;
            Said::Configuration(convert::configuration(said))
        }
        Call::Prepare(volume, options) => {
            let (volume, options) = (convert::volume(volume), convert::options(options));
            let said = source.call_prepare(store, &volume, &options).await?;
            Said::Recipe(said.map(convert::recipe).map_err(convert::failure))
        }
    })
}
