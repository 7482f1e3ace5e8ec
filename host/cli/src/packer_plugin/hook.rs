//! Provisioning by Packer: its hook instead of the engine's own provisioners.
//!
//! ```text
//!  provision ─► a task: Hook.Run ──────────────────────────► done, failed
//!      └ left (cancelled, or the guest has stopped) ─► the task: Hook.Cancel, in its own time
//! ```
//! The engine leaves a step at once when the build is cancelled. Packer's provisioners have to be told all
//! the same, so the call runs in a task, and the end of the build waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lvhost_engine::{Error, Provision, ProvisionContext, Ui as _};
use lvhost_hcl::{Value, ValueKind};
use lvhost_packer::{BuildVariable, BuildVariables, Communicator, Hook, HookError, HookEvent};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::communicator::Guest;

/// What provisioners are told beside Packer's own names for it, so that a template can refer to it.
pub(super) const EXTRA_VARIABLES: [&str; 2] = ["SSHAgentAuth", "SSHPrivateKeyFile"];

/// What every provisioner is told, by Packer's names. What there is takes the place of these; the words in
/// capitals are those by which provisioners know that there is nothing.
const DEFAULTS: [(&str, &str); 12] = [
    ("ConnType", ""),
    ("Host", ""),
    ("ID", "ERR_ID_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPAddr", "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPIP", "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPPort", "ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerRunUUID", ""),
    ("Password", ""),
    ("SSHPrivateKey", ""),
    ("SSHPrivateKeyFile", ""),
    ("SSHPublicKey", ""),
    ("WinRMPassword", ""),
];

/// What matters to provisioners and is none of the engine's business.
pub(super) struct Terms {
    /// Packer's name for all that it does in one go.
    pub(super) run_uuid: Option<String>,
    /// Whether the user's agent is asked for keys.
    pub(super) agent_auth: bool,
}

/// Packer's provisioners.
pub(super) struct Provisioners {
    hook: Hook,
    /// Stops the build.
    cancel: CancellationToken,
    terms: Terms,
    tasks: TaskTracker,
    variables: Mutex<Option<BuildVariables>>,
}

impl Provisioners {
    /// None has run yet.
    pub(super) fn new(hook: Hook, cancel: CancellationToken, terms: Terms) -> Self {
        Self {
            hook,
            cancel,
            terms,
            tasks: TaskTracker::new(),
            variables: Mutex::default(),
        }
    }

    /// Waits until Packer has been told that provisioners which were left are to stop.
    pub(super) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What the provisioners saw, for post-processors.
    pub(super) fn variables(&self) -> BuildVariables {
        let variables = self.variables.lock();
        let variables = variables.unwrap_or_else(PoisonError::into_inner);
        variables.clone().unwrap_or_default()
    }

    async fn run(&self, event: HookEvent, context: &ProvisionContext<'_>) -> Result<(), Error> {
        let variables = self.describe(context.build);
        *self
            .variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(variables.clone());
        let guest = context
            .communicator
            .map(|communicator| Arc::new(Guest(Arc::clone(communicator))) as Arc<dyn Communicator>);
        let left = self.cancel.child_token();
        let _leaving = left.clone().drop_guard();
        let hook = self.hook.clone();
        let running = self
            .tasks
            .spawn(async move { hook.run(event, &variables, guest, &left).await });
        match running.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(HookError::Cancelled)) => Err(Error::Cancelled),
            Ok(Err(HookError::Failed(error))) => Err(Error::Provisioning(error.into())),
            Err(error) => Err(Error::Provisioning(error.into())),
        }
    }

    /// The object behind `build.` as Packer takes it.
    fn describe(&self, build: &Value) -> BuildVariables {
        let mut variables: BuildVariables = DEFAULTS
            .into_iter()
            .map(|(name, value)| (name, BuildVariable::String(value.to_owned())))
            .collect();
        variables.insert("SSHAgentAuth", BuildVariable::Bool(self.terms.agent_auth));
        for (name, value) in build.as_object().into_iter().flatten() {
            // What there is not.
            if value.as_str() == Some("") {
                continue;
            }
            if let Some(variable) = variable(value) {
                variables.insert(name, variable);
            }
        }
        if let Some(run) = &self.terms.run_uuid {
            variables.insert("PackerRunUUID", BuildVariable::String(run.clone()));
        }
        variables
    }
}

/// Packer takes no others.
fn variable(value: &Value) -> Option<BuildVariable> {
    match value.kind() {
        ValueKind::Bool(value) => Some(BuildVariable::Bool(*value)),
        ValueKind::Number(number) => number.to_i64().map(BuildVariable::Integer),
        ValueKind::String(text) if value.is_sensitive() => {
            Some(BuildVariable::Secret(text.to_string().into()))
        }
        ValueKind::String(text) => Some(BuildVariable::String(text.to_string())),
        _ => None,
    }
}

#[async_trait]
impl Provision for Provisioners {
    async fn provision(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        self.run(HookEvent::Provision, context).await
    }

    async fn clean_up(&self, context: &ProvisionContext<'_>) -> Result<(), Error> {
        context
            .ui
            .say("Running the error-cleanup-provisioner, if there is one");
        self.run(HookEvent::CleanUp, context).await
    }
}
