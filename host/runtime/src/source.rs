//! [`Source`]: a component that can be called; one that is embedded in the program is made ready by
//! its first call. Each call is an instance of its own, which goes away with the call: components
//! remember nothing.
//!
//! ```text
//!   call ─┬─ embedded: in this process, limited by `computing` ─┬─► untrusted: check ──► answer
//!         └─ a stranger's: in a child process ──────────────────┘        │
//!                │                                                       │
//!                └─ trap, limit, the child's end ────────────────────────┴──► ComponentError
//! ```

use std::error::Error as _;
use std::sync::{Arc, OnceLock};

use crate::budget::{Account, Budget, Stage};
use crate::child;
use crate::computing::{limited, processor_time, run_yielding};
use crate::crash::Crash;
use crate::error::{ComponentError, Fault, LoadError};
use crate::instance::{self, Linked};
use crate::limits::Limits;
use crate::log::SharedLog;
use crate::request::{Call, PlainSetting, Said};
use crate::runtime::Inner;
use crate::services::{ServiceError, Services};
use crate::session::{Session, Target};
use crate::state::{Host, State};
use crate::types::{Configuration, Description, OptionSetting, Recipe, Volume};
use crate::untrusted::{self, Unchecked};
use crate::wasi;

/// A component that can be called. Each call is a fresh instance that knows nothing of others. Calls of
/// one in this process may run at the same time, those of a stranger's wait for each other. Cheap to
/// clone.
#[derive(Clone)]
pub struct Source {
    inner: Arc<Inner>,
    name: Arc<str>,
    component: Arc<Component>,
    budget: Budget,
    description: Arc<Description>,
}

/// Where a component is.
pub(crate) enum Component {
    /// In this process, ready to be instantiated.
    Ready(Linked),
    /// In this process, made ready by its first call.
    Embedded {
        code: &'static [u8],
        ready: OnceLock<Linked>,
    },
    /// In a child process.
    Child(child::Component),
}

fn ready(
    code: &'static [u8],
    ready: &OnceLock<Linked>,
    inner: &Inner,
    name: &str,
) -> Result<Linked, Fault> {
    match ready.get() {
        Some(linked) => Ok(linked.clone()),
        None => {
            let linked = inner.link_embedded(name, code);
            let linked = linked.map_err(|error| not_loaded(&error))?;
            // Two calls at the same time may both get here, with the same result.
            Ok(ready.get_or_init(|| linked).clone())
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

fn unexpected() -> Fault {
    Fault::Misbehaved("it answered another question".to_owned())
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
            budget: Budget::new(limits),
            description: Arc::new(description),
        }
    }

    /// A component that has said before what it is.
    pub(crate) fn described(
        inner: Arc<Inner>,
        name: &str,
        component: Component,
        budget: &Budget,
        description: Unchecked<Description>,
    ) -> Result<Self, ComponentError> {
        let description = untrusted::description(description).map_err(|how| ComponentError {
            component: name.to_owned(),
            function: "describe",
            fault: Fault::Misbehaved(how),
        })?;
        Ok(Self {
            inner,
            name: name.into(),
            component: Arc::new(component),
            budget: budget.clone(),
            description: Arc::new(description),
        })
    }

    /// Asks a component what it is.
    pub(crate) fn describe(
        inner: Arc<Inner>,
        name: &str,
        component: Component,
        budget: &Budget,
    ) -> Result<Self, ComponentError> {
        let mut source = Self {
            inner,
            name: name.into(),
            component: Arc::new(component),
            budget: budget.clone(),
            description: Arc::new(Description {
                source_type: String::new(),
                aliases: Vec::new(),
                summary: String::new(),
                options: Vec::new(),
            }),
        };
        let called = source.call(Call::Describe, None);
        let said = match &*source.component {
            Component::Child(_) => child::wait_for(async { Ok(called.await) })
                .unwrap_or_else(|failure| Err(failure.in_call())),
            // Nothing that `describe` may import waits.
            _ => run_yielding(called),
        };
        let description = match said {
            Ok((Said::Description(said), _)) => source.checked(said, untrusted::description),
            Ok(_) => Err(unexpected()),
            Err(fault) => Err(fault),
        };
        source.description = Arc::new(description.map_err(|it| source.error("describe", it))?);
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

    /// The process that waits for its next call, if it is a stranger's and there is one.
    pub async fn process_id(&self) -> Option<i32> {
        match &*self.component {
            Component::Child(component) => component.process_id().await,
            _ => None,
        }
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
        let call = Call::Configure(volume.clone(), PlainSetting::all(options));
        let configured = match self.call(call, None).await {
            Ok((Said::Configuration(said), _)) => self.checked(said, untrusted::configuration),
            Ok(_) => Err(unexpected()),
            Err(fault) => Err(fault),
        };
        configured.map_err(|fault| self.error("configure", fault))
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
        let call = Call::Prepare(volume.clone(), PlainSetting::all(options));
        let outcome = self.try_prepare(call, Arc::clone(&services)).await;
        outcome.map_err(|fault| match fault {
            // What fails because of the cancellation is not the component's fault.
            _ if services.is_cancelled() => self.error("prepare", Fault::Cancelled),
            Fault::Reported(ServiceError::Cancelled) => self.error("prepare", Fault::Cancelled),
            fault => self.error("prepare", fault),
        })
    }

    async fn try_prepare(&self, call: Call, services: Arc<dyn Services>) -> Result<Recipe, Fault> {
        let (said, target) = self.call(call, Some(services)).await?;
        let Said::Recipe(said) = said else {
            return Err(unexpected());
        };
        let said = said.map_err(|error| Fault::Reported(untrusted::service_error(error)))?;
        let recipe = untrusted::recipe(said).map_err(Fault::Misbehaved)?;
        target.finish(recipe).await
    }

    /// Calls the component, and takes what it has done to the target.
    async fn call(
        &self,
        call: Call,
        services: Option<Arc<dyn Services>>,
    ) -> Result<(Said, Target), Fault> {
        let account = self.budget.account(Stage::of(call.function()));
        let limits = self.budget.limits();
        let log = SharedLog::new(
            Arc::clone(&self.name),
            services.clone(),
            limits.log_lines,
            limits.log_bytes,
        );
        let session = Session::new(log.clone(), services, account.clone());
        let called = match &*self.component {
            Component::Child(component) => component.call(call, &account, session).await,
            Component::Ready(linked) => {
                self.call_here(linked, &call, &account, &log, session).await
            }
            Component::Embedded { code, ready: made } => {
                let linked = ready(code, made, &self.inner, &self.name)?;
                self.call_here(&linked, &call, &account, &log, session)
                    .await
            }
        };
        let written = log.finish();
        called.map_err(|fault| match fault {
            Fault::Trap { crash } => Fault::Trap {
                crash: Box::new(Crash { written, ..*crash }),
            },
            fault => fault,
        })
    }

    /// Calls a component in this process.
    async fn call_here(
        &self,
        linked: &Linked,
        call: &Call,
        account: &Account,
        log: &SharedLog,
        session: Session,
    ) -> Result<(Said, Target), Fault> {
        account.check()?;
        let epoch = self.inner.settings.source_date_epoch;
        let wasi = wasi::context(log, epoch, &call.seed());
        let services = session.services_of_call();
        let is_cancelled = || services.as_ref().is_some_and(|it| it.is_cancelled());
        let host = Host::Session(Box::new(session));
        let state = State::new(wasi, epoch, host, self.budget.limits().memory);
        let called = instance::call(&self.inner.engine, linked, state, call);
        let (said, host) = limited(&self.inner.ticker, account, is_cancelled, called)
            .await?
            .map_err(|error| instance::fault_of(&error))?;
        match host {
            Host::Session(mut session) => Ok((said, session.take_target())),
            Host::Parent(_) => Err(unexpected()),
        }
    }

    /// What `check` makes of what the component has said of itself or a volume. The time that takes is
    /// the component's.
    fn checked<S, T>(&self, said: S, check: fn(S) -> Result<T, String>) -> Result<T, Fault> {
        let before = processor_time();
        let checked = check(said);
        let account = self.budget.account(Stage::Asking);
        account.charge(processor_time().saturating_sub(before));
        checked.map_err(Fault::Misbehaved)
    }

    fn error(&self, function: &'static str, fault: Fault) -> ComponentError {
        ComponentError {
            component: self.name.as_ref().to_owned(),
            function,
            fault,
        }
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
