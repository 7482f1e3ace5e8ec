//! [`Source`]: a component that can be called; one that is embedded in the program is made ready by
//! its first call. Each call is a store and an instance of its own, which go
//! away with the call: components remember nothing, and one that has crashed is gone.
//!
//! ```text
//!   instantiate ──► the exported function ──► untrusted: check the answer ──► answer
//!       │                 │                            │
//!       └─ trap, limit ───┴────────────────────────────┴──► ComponentError
//! ```

use std::error::Error as _;
use std::sync::{Arc, OnceLock};

use wasmtime::{Store, Trap};
use wasmtime_wasi::{I32Exit, ResourceTableError};

use crate::bindings::{VolumeSource, VolumeSourcePre};
use crate::computing::{Interruption, limited, run_yielding};
use crate::convert;
use crate::error::{ComponentError, Fault, LoadError};
use crate::limits::{self, Limits};
use crate::log::SharedLog;
use crate::runtime::Inner;
use crate::services::{ServiceError, Services};
use crate::state::State;
use crate::target::Target;
use crate::types::{Configuration, Description, OptionSetting, Recipe, Volume};
use crate::untrusted;
use crate::wasi;

/// A component that can be called. Each call is a fresh instance that knows nothing of others, so
/// calls may run at the same time. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    inner: Arc<Inner>,
    name: Arc<str>,
    component: Arc<Component>,
    limits: Arc<Limits>,
    description: Arc<Description>,
}

/// A component, ready to be instantiated or to be made so by its first call.
enum Component {
    Ready(VolumeSourcePre<State>),
    Embedded {
        code: &'static [u8],
        ready: OnceLock<VolumeSourcePre<State>>,
    },
}

impl Component {
    fn ready(&self, inner: &Inner, name: &str) -> Result<VolumeSourcePre<State>, Fault> {
        match self {
            Self::Ready(instance) => Ok(instance.clone()),
            Self::Embedded { code, ready } => match ready.get() {
                Some(instance) => Ok(instance.clone()),
                None => {
                    let linked = inner.link_embedded(name, code);
                    let linked = linked.map_err(|error| not_loaded(&error))?;
                    // Two calls at the same time may both get here, with the same result.
                    Ok(ready.get_or_init(|| linked).clone())
                }
            },
        }
    }
}

fn not_loaded(error: &LoadError) -> Fault {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Fault::NotLoaded(text)
}

impl Source {
    pub(crate) fn embedded(
        inner: Arc<Inner>,
        name: &str,
        code: &'static [u8],
        description: Description,
        limits: Limits,
    ) -> Self {
        Self {
            inner,
            name: name.into(),
            component: Arc::new(Component::Embedded {
                code,
                ready: OnceLock::new(),
            }),
            limits: Arc::new(limits),
            description: Arc::new(description),
        }
    }

    pub(crate) fn describe(
        inner: Arc<Inner>,
        name: &str,
        instance: VolumeSourcePre<State>,
        limits: Limits,
    ) -> Result<Self, ComponentError> {
        let mut source = Self {
            inner,
            name: name.into(),
            component: Arc::new(Component::Ready(instance)),
            limits: Arc::new(limits),
            description: Arc::new(Description {
                source_type: String::new(),
                aliases: Vec::new(),
                summary: String::new(),
                options: Vec::new(),
            }),
        };
        // Nothing that `describe` may import waits.
        let description = run_yielding(source.call("describe", &[], None, async |store, guest| {
            guest.lvhost_source_source().call_describe(store).await
        }));
        let description = description
            .and_then(|(said, _)| untrusted::description(said).map_err(Fault::Misbehaved))
            .map_err(|fault| source.error("describe", fault))?;
        source.description = Arc::new(description);
        Ok(source)
    }

    /// The name it was loaded by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it said of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Asks what the component makes of a user's options. Its log goes to `tracing`; all other
    /// imports answer `denied`.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn configure(
        &self,
        volume: &Volume,
        options: &[OptionSetting],
    ) -> Result<Configuration, ComponentError> {
        let (volume_said, options) = (convert::volume(volume), convert::options(options));
        let called = self
            .call("configure", &seed(volume), None, async |store, guest| {
                let source = guest.lvhost_source_source();
                source.call_configure(store, &volume_said, &options).await
            })
            .await;
        called
            .and_then(|(said, _)| untrusted::configuration(said).map_err(Fault::Misbehaved))
            .map_err(|fault| self.error("configure", fault))
    }

    /// Lets the component prepare the volume. Dropping the future ends the component at once.
    ///
    /// # Errors
    /// See [`Fault`]. The sink, if there is one, was dropped without
    /// [`finish`](crate::Sink::finish) then.
    pub async fn prepare(
        &self,
        volume: &Volume,
        options: &[OptionSetting],
        services: Arc<dyn Services>,
    ) -> Result<Recipe, ComponentError> {
        let outcome = self
            .try_prepare(volume, options, Arc::clone(&services))
            .await;
        outcome.map_err(|fault| match fault {
            // What fails because of the cancellation is not the component's fault.
            _ if services.is_cancelled() => self.error("prepare", Fault::Cancelled),
            Fault::Reported(ServiceError::Cancelled) => self.error("prepare", Fault::Cancelled),
            fault => self.error("prepare", fault),
        })
    }

    async fn try_prepare(
        &self,
        volume: &Volume,
        options: &[OptionSetting],
        services: Arc<dyn Services>,
    ) -> Result<Recipe, Fault> {
        let (volume_said, options) = (convert::volume(volume), convert::options(options));
        let (said, target) = self
            .call(
                "prepare",
                &seed(volume),
                Some(services),
                async |store, guest| {
                    let source = guest.lvhost_source_source();
                    source.call_prepare(store, &volume_said, &options).await
                },
            )
            .await?;
        let said = said.map_err(|error| Fault::Reported(untrusted::service_error(error)))?;
        let recipe = untrusted::recipe(said).map_err(Fault::Misbehaved)?;
        match (recipe, target) {
            (Recipe::Image, Target::Open(filling)) => {
                filling.finish().await?;
                Ok(Recipe::Image)
            }
            (_, Target::Failed(error)) => Err(Fault::Reported(error)),
            (Recipe::Image, Target::Untouched) => Err(Fault::Misbehaved(
                "it says that it has filled the volume, but has not created it".to_owned(),
            )),
            (_, Target::Open(_)) => Err(Fault::Misbehaved(
                "it has created the volume and then answered with another recipe than `image`"
                    .to_owned(),
            )),
            (recipe, Target::Untouched) => Ok(recipe),
        }
    }

    /// Makes an instance, calls it, and takes what it has done to the target.
    async fn call<T>(
        &self,
        function: &'static str,
        seed: &[&str],
        services: Option<Arc<dyn Services>>,
        act: impl AsyncFnOnce(&mut Store<State>, &VolumeSource) -> wasmtime::Result<T>,
    ) -> Result<(T, Target), Fault> {
        let instance = self.component.ready(&self.inner, &self.name)?;
        let limit = match function {
            "prepare" => self.limits.prepare_time,
            _ => self.limits.configure_time,
        };
        let log = SharedLog::new(
            Arc::clone(&self.name),
            services.clone(),
            self.limits.log_lines,
            self.limits.log_bytes,
        );
        let wasi = wasi::context(&log, self.inner.settings.source_date_epoch, seed);
        let is_cancelled = {
            let services = services.clone();
            move || {
                services
                    .as_ref()
                    .is_some_and(|services| services.is_cancelled())
            }
        };
        let state = State::new(wasi, log.clone(), services, &self.limits);
        let called = limited(&self.inner.ticker, limit, is_cancelled, async {
            let mut store = Store::new(&self.inner.engine, state);
            store.limiter(|state| state);
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
            store.set_hostcall_fuel(limits::CALL_BYTES);
            store.set_max_component_handles(limits::HANDLES);
            let guest = instance.instantiate_async(&mut store).await?;
            let said = act(&mut store, &guest).await?;
            Ok((said, store.data_mut().take_target()))
        })
        .await;
        let last_words = log.finish();
        match called {
            Ok(result) => result.map_err(|error| fault_of(&error, last_words)),
            Err(Interruption::TimedOut) => Err(Fault::TimedOut { limit }),
            Err(Interruption::Cancelled) => Err(Fault::Cancelled),
        }
    }

    fn error(&self, function: &'static str, fault: Fault) -> ComponentError {
        ComponentError {
            component: self.name.as_ref().to_owned(),
            function,
            fault,
        }
    }
}

/// What a call is about, for its random numbers: two volumes differ, two runs don't. Nothing of the
/// options, since those may hold secrets.
fn seed(volume: &Volume) -> [&str; 3] {
    [&volume.domain, &volume.id.pool, &volume.id.name]
}

fn fault_of(error: &wasmtime::Error, last_words: Option<String>) -> Fault {
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
            message: trap.to_string(),
            last_words,
        },
        // An error of the engine's that has no type: limits on handles and on copied bytes, mostly.
        None => Fault::LimitExceeded(error.root_cause().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine runs preparations as tasks: this must compile.
    #[expect(dead_code, reason = "a check of types")]
    fn calls_can_be_tasks(source: &Source, volume: &Volume, services: Arc<dyn Services>) {
        fn task<F: Future + Send>(_: F) {}
        task(source.configure(volume, &[]));
        task(source.prepare(volume, &[], services));
    }
}
