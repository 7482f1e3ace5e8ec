//! The way into the guest, as a trait, so that builds can be tested without one.

mod settings;

use std::path::PathBuf;

use async_trait::async_trait;
use lvhost_communicator::Communicator;
use lvhost_communicator::ssh::{Outcome, connect_until};
use lvhost_libvirt::ConnectionUri;
use tokio::time::Instant;

pub use self::settings::SettingsError;
use self::settings::Surroundings;
use crate::error::Error;
use crate::ui::Ui;

/// Makes connections to guests.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Connects to the guest at `host` and `port`, as often as it takes until `deadline`.
    ///
    /// # Errors
    /// The guest does not answer or does not let us in.
    async fn connect(
        &self,
        communicator: &lvhost_config::Communicator,
        host: &str,
        port: u16,
        deadline: Instant,
        ui: &dyn Ui,
    ) -> Result<Box<dyn Communicator>, Error>;
}

/// Connects over SSH.
#[derive(Debug, Clone)]
pub struct SshConnector {
    /// The socket of the user's SSH agent, for `ssh_agent_auth`.
    pub agent_socket: Option<PathBuf>,
    /// What relative paths of key files are relative to.
    pub working_directory: PathBuf,
    /// What `~` in the path of a key file stands for.
    pub home_directory: Option<PathBuf>,
    /// The local user, who logs in at a bastion that no user is named for.
    pub user: Option<String>,
    /// Where the guest's hypervisor is, for `ssh_bastion_from_uri`.
    pub hypervisor: ConnectionUri,
}

impl SshConnector {
    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            agent_socket: self.agent_socket.as_deref(),
            working_directory: &self.working_directory,
            home_directory: self.home_directory.as_deref(),
            user: self.user.as_deref(),
            hypervisor: &self.hypervisor,
        }
    }
}

#[async_trait]
impl Connector for SshConnector {
    async fn connect(
        &self,
        communicator: &lvhost_config::Communicator,
        host: &str,
        port: u16,
        deadline: Instant,
        ui: &dyn Ui,
    ) -> Result<Box<dyn Communicator>, Error> {
        if communicator.ssh_agent_auth && self.agent_socket.is_none() {
            ui.warn("`ssh_agent_auth` is set, but there is no agent: SSH_AUTH_SOCK is not set");
        }
        let settings = settings::settings(communicator, host, port, &self.surroundings())?;
        let mut observer = |attempt: &lvhost_communicator::ssh::Attempt| match &attempt.outcome {
            Outcome::Connected { .. } => tracing::info!(?attempt, "connected"),
            _ => tracing::debug!(?attempt, "not connected yet"),
        };
        let ssh = connect_until(settings, deadline, &mut observer).await?;
        Ok(Box::new(ssh))
    }
}
