//! The way into the guest, as a trait, so that builds can be tested without one.

use std::path::PathBuf;

use async_trait::async_trait;
use lvhost_communicator::ssh::{Authentication, Outcome, Settings, connect_until};
use lvhost_communicator::{Communicator, Result};
use tokio::time::Instant;

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
    ) -> Result<Box<dyn Communicator>>;
}

/// Connects over SSH.
#[derive(Debug, Clone, Default)]
pub struct SshConnector {
    /// The socket of the user's SSH agent, for `ssh_agent_auth`.
    pub agent_socket: Option<PathBuf>,
    /// What relative paths of key files are relative to.
    pub working_directory: PathBuf,
    /// What `~` in the path of a key file stands for.
    pub home_directory: Option<PathBuf>,
}

impl SshConnector {
    fn settings(
        &self,
        communicator: &lvhost_config::Communicator,
        host: &str,
        port: u16,
    ) -> Settings {
        let username = communicator.ssh_username.clone().unwrap_or_default();
        let mut settings = Settings::new(host, port, username);
        settings.handshake_attempts = communicator.ssh_handshake_attempts;
        settings.pty = communicator.ssh_pty;
        let interval = communicator.ssh_keep_alive_interval;
        settings.keep_alive = (!interval.is_zero()).then_some(interval);
        if let Some(path) = &communicator.ssh_private_key_file {
            let path = match (path.strip_prefix("~/"), &self.home_directory) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => self.working_directory.join(path),
            };
            settings.authentication.push(Authentication::KeyFile {
                path,
                passphrase: None,
            });
        }
        if communicator.ssh_agent_auth
            && let Some(socket) = &self.agent_socket
        {
            settings.authentication.push(Authentication::Agent {
                socket: socket.clone(),
            });
        }
        if let Some(password) = &communicator.ssh_password {
            settings
                .authentication
                .push(Authentication::Password(password.clone()));
        }
        settings
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
    ) -> Result<Box<dyn Communicator>> {
        if communicator.ssh_agent_auth && self.agent_socket.is_none() {
            ui.warn("`ssh_agent_auth` is set, but there is no agent: SSH_AUTH_SOCK is not set");
        }
        let settings = self.settings(communicator, host, port);
        let mut observer = |attempt: &lvhost_communicator::ssh::Attempt| match &attempt.outcome {
            Outcome::Connected { .. } => tracing::info!(?attempt, "connected"),
            _ => tracing::debug!(?attempt, "not connected yet"),
        };
        let ssh = connect_until(settings, deadline, &mut observer).await?;
        Ok(Box::new(ssh))
    }
}
