//! The way into the guest, as a trait, so that builds can be tested without one.

mod settings;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lvhost_communicator::keys::{self, KeyPair};
use lvhost_communicator::ssh::{Outcome, Questions, Remarks, connect_until};
use lvhost_communicator::{Communicator, winrm};
use lvhost_config::{CommunicatorType, KeyText};
use lvhost_libvirt::ConnectionUri;
use tokio::time::Instant;

pub use self::settings::SettingsError;
use self::settings::Surroundings;
use crate::error::Error;
use crate::masked_ui::MaskedUi;
use crate::ui::Ui as _;

/// Makes connections to guests.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The key pair that the template names for the log-in; `None` if it names none.
    ///
    /// # Errors
    /// The key can't be read.
    async fn key_pair(
        &self,
        communicator: &lvhost_config::Communicator,
    ) -> Result<Option<KeyPair>, Error>;

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
        ui: &MaskedUi,
    ) -> Result<Box<dyn Communicator>, Error>;
}

/// Connects over SSH or WinRM, as the template says.
#[derive(Debug, Clone)]
pub struct GuestConnector {
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
    /// The files of known hosts that the user's `ssh` looks into, for the host key of the hypervisor's
    /// host.
    pub known_hosts: Vec<PathBuf>,
    /// Who answers what a bastion asks, for `ssh_bastion_interactive`.
    pub questions: Option<Arc<dyn Questions>>,
}

impl GuestConnector {
    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            agent_socket: self.agent_socket.as_deref(),
            working_directory: &self.working_directory,
            home_directory: self.home_directory.as_deref(),
            user: self.user.as_deref(),
            hypervisor: &self.hypervisor,
            known_hosts: &self.known_hosts,
            questions: self.questions.as_ref(),
        }
    }
}

/// Shows what a connection remarks: right, but surprising.
struct Warnings(MaskedUi);

impl Remarks for Warnings {
    fn remark(&self, sentence: &str) {
        self.0.warn(sentence);
    }
}

impl fmt::Debug for Warnings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Warnings")
    }
}

#[async_trait]
impl Connector for GuestConnector {
    async fn key_pair(
        &self,
        communicator: &lvhost_config::Communicator,
    ) -> Result<Option<KeyPair>, Error> {
        let pair = match (
            &communicator.ssh_private_key_file,
            &communicator.ssh_private_key,
        ) {
            (Some(file), _) => keys::read_file(&settings::path(file, &self.surroundings())).await,
            (None, Some(KeyText(text))) => keys::read("ssh_private_key", text, None, ""),
            (None, None) => return Ok(None),
        };
        Ok(Some(pair.map_err(lvhost_communicator::Error::from)?))
    }

    async fn connect(
        &self,
        communicator: &lvhost_config::Communicator,
        host: &str,
        port: u16,
        deadline: Instant,
        ui: &MaskedUi,
    ) -> Result<Box<dyn Communicator>, Error> {
        if communicator.communicator == CommunicatorType::Winrm {
            let settings = settings::winrm(communicator, host, port);
            let mut observer = |attempt: u32, reason: &str| {
                tracing::debug!(attempt, reason, "not connected yet");
            };
            let winrm = winrm::connect_until(settings, deadline, &mut observer).await?;
            return Ok(Box::new(winrm));
        }
        if communicator.ssh_agent_auth && self.agent_socket.is_none() {
            ui.warn("`ssh_agent_auth` is set, but there is no agent: SSH_AUTH_SOCK is not set");
        }
        if !communicator.ssh_disable_agent_forwarding && self.agent_socket.is_none() {
            ui.warn(
                "`ssh_disable_agent_forwarding` is `false`, but there is no agent to lend: \
                 SSH_AUTH_SOCK is not set",
            );
        }
        if communicator.ssh_bastion_interactive && self.questions.is_none() {
            ui.warn("`ssh_bastion_interactive` is set, but there is nobody to answer the bastion");
        }
        let mut settings = settings::settings(communicator, host, port, &self.surroundings())?;
        settings.remarks = Some(Arc::new(Warnings(ui.clone())));
        let mut observer = |attempt: &lvhost_communicator::ssh::Attempt| match &attempt.outcome {
            Outcome::Connected { .. } => tracing::info!(?attempt, "connected"),
            _ => tracing::debug!(?attempt, "not connected yet"),
        };
        let ssh = connect_until(settings, deadline, &mut observer).await?;
        Ok(Box::new(ssh))
    }
}

#[cfg(test)]
mod tests {
    use lvhost_communicator::keys::{Algorithm, generate};
    use secrecy::ExposeSecret;

    use super::settings::tests::communicator;
    use super::*;

    #[tokio::test]
    async fn the_templates_own_key_is_read_from_its_file_or_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(Algorithm::Ed25519, "").unwrap();
        let private = made.private_openssh.expose_secret();
        std::fs::write(folder.path().join("id"), private).unwrap();
        let connector = GuestConnector {
            agent_socket: None,
            working_directory: folder.path().join("elsewhere"),
            home_directory: Some(folder.path().to_owned()),
            user: None,
            hypervisor: ConnectionUri::new(""),
            known_hosts: Vec::new(),
            questions: None,
        };
        let text = private.replace('\n', "\\n");
        for lines in [
            "ssh_private_key_file = \"~/id\"".to_owned(),
            "ssh_private_key_file = \"../id\"".to_owned(),
            format!("ssh_private_key = \"{text}\""),
        ] {
            std::fs::create_dir_all(&connector.working_directory).unwrap();
            let found = connector.key_pair(&communicator(&lines)).await.unwrap();
            assert_eq!(found.unwrap().public_openssh, made.public_openssh);
        }
        let without = communicator("ssh_password = \"p\"");
        assert!(connector.key_pair(&without).await.unwrap().is_none());
        let missing = communicator("ssh_private_key_file = \"nothing\"");
        let error = connector.key_pair(&missing).await.unwrap_err();
        assert!(error.to_string().contains("elsewhere/nothing"), "{error}");
    }
}
