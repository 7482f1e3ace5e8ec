//! Packer's hooks: where a build hands the guest over to the provisioners of the template.
//!
//! ```text
//!   listen for H ─► Hook.Run{name, data, H} on S ──────────────────────────────► answer
//!                        └► core opens H ─► our Communicator and Ui, served on H ─► end of H
//!                                                cancelled ─► Hook.Cancel ─► H is left
//! ```
//! What runs in the guest when a hook ends is ended with it: a provisioner's `timeout` ends core's side
//! only, and nobody else would stop the command.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::communicator::{Communicator, GuestService};
use crate::msgpack::Encoder;
use crate::mux::Mux;
use crate::rpc::{CallError, Client, nil, serve};

/// How long Packer may take to confirm that the provisioners are told to stop. It does not wait for them
/// to do so.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// What provisioners are run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEvent {
    /// The guest is there: all provisioners.
    Provision,
    /// The build has failed with the guest still there: the template's `error-cleanup-provisioner`.
    /// Without one Packer answers at once.
    CleanUp,
}

impl HookEvent {
    fn name(self) -> &'static str {
        match self {
            Self::Provision => "packer_provision",
            Self::CleanUp => "packer_cleanup_provision",
        }
    }
}

/// The values behind `build.` in a template, by Packer's names for them: `ID`, `Host`, `Port`, ….
#[derive(Debug, Clone, Default)]
pub struct BuildVariables(BTreeMap<String, BuildVariable>);

/// One such value. Packer can't take others: a null or a list makes provisioning fail.
#[derive(Debug, Clone)]
pub enum BuildVariable {
    /// Text.
    String(String),
    /// Text that is not to be seen, such as `Password`.
    Secret(SecretString),
    /// A whole number, such as `Port`, of the kind that provisioners expect one to be.
    Integer(i64),
    /// A boolean.
    Bool(bool),
}

impl BuildVariables {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of `name`.
    pub fn insert(&mut self, name: impl Into<String>, variable: BuildVariable) {
        self.0.insert(name.into(), variable);
    }

    /// The values by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BuildVariable)> {
        self.0
            .iter()
            .map(|(name, variable)| (name.as_str(), variable))
    }

    pub(crate) fn encode<'a>(&self, out: &'a mut Encoder) -> &'a mut Encoder {
        out.map(self.0.len());
        for (name, variable) in &self.0 {
            out.str(name);
            match variable {
                BuildVariable::String(text) => out.str(text),
                BuildVariable::Secret(text) => out.str(text.expose_secret()),
                BuildVariable::Integer(number) => out.signed(*number),
                BuildVariable::Bool(value) => out.bool(*value),
            };
        }
        out
    }
}

impl<N: Into<String>> FromIterator<(N, BuildVariable)> for BuildVariables {
    fn from_iter<I: IntoIterator<Item = (N, BuildVariable)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, variable)| (name.into(), variable))
                .collect(),
        )
    }
}

/// Why a hook did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// A provisioner failed, or Packer is gone.
    #[error(transparent)]
    Failed(#[from] CallError),
    /// The build was cancelled while provisioners ran.
    #[error("the build was cancelled during provisioning")]
    Cancelled,
}

/// Runs Packer's hooks.
#[derive(Clone)]
pub struct Hook {
    client: Client,
    mux: Mux,
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hook").finish_non_exhaustive()
    }
}

impl Hook {
    pub(crate) fn new(client: Client, mux: Mux) -> Self {
        Self { client, mux }
    }

    /// Runs the provisioners of `event` and waits for them. They reach the guest through `communicator`;
    /// without one each attempt to is answered with an error that says so.
    ///
    /// When `cancel` is cancelled Packer is told so, and this returns without waiting for the
    /// provisioners. Packer then cancels later hooks of the same build at once.
    ///
    /// # Errors
    /// [`HookError::Failed`] with the provisioner's own text, [`HookError::Cancelled`].
    pub async fn run(
        &self,
        event: HookEvent,
        variables: &BuildVariables,
        communicator: Option<Arc<dyn Communicator>>,
        cancel: &CancellationToken,
    ) -> Result<(), HookError> {
        let incoming = self.mux.listen();
        let argument = argument(event, variables, incoming.id());
        let hook = async {
            self.client.call("Hook.Run", argument).await?;
            Ok(())
        };
        let serving = async {
            if let Ok(stream) = incoming.accept().await {
                let service =
                    GuestService::new(communicator, self.mux.clone(), self.client.clone());
                // Core closes the stream when the provisioners are done: what is left is for nobody.
                drop(serve(stream, Arc::new(service)).await);
            }
            pending().await
        };
        tokio::pin!(hook, serving);
        tokio::select! {
            biased;
            result = &mut hook => return result,
            () = cancel.cancelled() => {}
            never = &mut serving => return never,
        }
        let cancelling = tokio::time::timeout(CANCEL_TIME, self.client.call("Hook.Cancel", nil()));
        tokio::select! {
            told = cancelling => {
                if !matches!(told, Ok(Ok(_))) {
                    tracing::debug!("Packer did not confirm that its provisioners stop");
                }
            }
            never = &mut serving => return never,
        }
        Err(HookError::Cancelled)
    }
}

fn argument(event: HookEvent, variables: &BuildVariables, stream: u32) -> Bytes {
    let mut argument = Encoder::default();
    argument.map(3).str("Name").str(event.name());
    variables.encode(argument.str("Data"));
    argument.str("StreamId").unsigned(stream.into()).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_signed_on_the_wire_and_passwords_hidden_elsewhere() {
        let variables: BuildVariables = [("Port", BuildVariable::Integer(5985))]
            .into_iter()
            .collect();
        let argument = argument(HookEvent::Provision, &variables, 1);
        let hex: String = argument.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "83a44e616d65b07061636b65725f70726f766973696f6ea444617461\
                        81a4506f7274d11761a853747265616d496401";
        assert_eq!(hex, expected);

        let secret = BuildVariable::Secret("hunter2".into());
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
