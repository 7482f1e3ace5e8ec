//! The `communicator` block: how lvhost reaches into the guest.

use std::time::Duration;

use secrecy::SecretString;

use crate::declare::options;
use crate::setting::choices;

choices! {
    /// The protocol spoken with the guest.
    pub enum CommunicatorType {
        /// SSH.
        Ssh = "ssh",
        /// Nothing is connected to and nothing provisioned. The build waits for the guest to power itself off.
        None = "none",
        /// Windows Remote Management. Not supported by this version of lvhost.
        Winrm = "winrm",
    }
}

choices! {
    /// How files get into the guest.
    pub enum FileTransferMethod {
        /// SFTP.
        Sftp = "sftp",
        /// The scp program; lvhost uses SFTP for it.
        Scp = "scp",
    }
}

options! {
    /// How lvhost reaches into the guest.
    pub struct Communicator for "communicator" {
        options {
            /// The protocol: `ssh`, or `none`.
            communicator: CommunicatorType = "ssh",
            /// How long to wait after the guest answers before the first provisioner runs.
            pause_before_connecting: Option<Duration>,
            /// The address to connect to, instead of the one found by `network_address_source`.
            ssh_host: Option<String>,
            /// The TCP port.
            ssh_port: u16 = 22,
            /// The user to log in as.
            ssh_username: Option<String>,
            /// The password to log in with.
            ssh_password: Option<SecretString>,
            /// Path of the private key to log in with.
            ssh_private_key_file: Option<String>,
            /// Log in with the keys of the SSH agent at `SSH_AUTH_SOCK`.
            ssh_agent_auth: bool = false,
            /// How long to try to connect.
            ssh_timeout: Duration = "5m",
            /// Another name of `ssh_timeout`. If both are set, this one counts.
            ssh_wait_timeout: Option<Duration>,
            /// After how many refused log-ins to give up. Without a number, when `ssh_timeout` is over.
            ssh_handshake_attempts: Option<u32>,
            /// Run commands on a pseudo-terminal.
            ssh_pty: bool = false,
            /// How often to show the connection that lvhost is alive. `0` switches that off.
            ssh_keep_alive_interval: Duration = "5s",
            /// How files get into the guest. Both spellings use SFTP.
            ssh_file_transfer_method: FileTransferMethod = "sftp",
        }
        not_supported {
            "ssh_bastion_agent_auth",
            "ssh_bastion_certificate_file",
            "ssh_bastion_host",
            "ssh_bastion_interactive",
            "ssh_bastion_password",
            "ssh_bastion_port",
            "ssh_bastion_private_key_file",
            "ssh_bastion_username",
            "ssh_certificate_file",
            "ssh_ciphers",
            "ssh_clear_authorized_keys",
            "ssh_disable_agent_forwarding",
            "ssh_interface",
            "ssh_key_exchange_algorithms",
            "ssh_keypair_name",
            "ssh_local_tunnels",
            "ssh_proxy_host",
            "ssh_proxy_password",
            "ssh_proxy_port",
            "ssh_proxy_username",
            "ssh_read_write_timeout",
            "ssh_remote_tunnels",
            "temporary_key_pair_bits",
            "temporary_key_pair_name",
            "temporary_key_pair_type",
            "winrm_host",
            "winrm_insecure",
            "winrm_no_proxy",
            "winrm_password",
            "winrm_port",
            "winrm_timeout",
            "winrm_use_ntlm",
            "winrm_use_ssl",
            "winrm_username",
        }
    }
}
