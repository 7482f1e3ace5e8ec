//! The `communicator` block: how lvhost reaches into the guest.

use std::time::Duration;

use secrecy::SecretString;

use crate::declare::options;
use crate::key_text::KeyText;
use crate::setting::choices;
use crate::tunnel::Tunnel;

choices! {
    /// The protocol spoken with the guest.
    pub enum CommunicatorType {
        /// SSH.
        Ssh = "ssh",
        /// Windows Remote Management.
        Winrm = "winrm",
        /// Nothing is connected to and nothing provisioned. The build waits for the guest to power itself off.
        None = "none",
    }
}

choices! {
    /// How files get into the guest.
    pub enum FileTransferMethod {
        /// SFTP.
        Sftp = "sftp",
        /// The scp program, for guests without SFTP.
        Scp = "scp",
    }
}

choices! {
    /// The kind of a key pair made for one build.
    pub enum TemporaryKeyPairType {
        /// Ed25519, whose keys have one length.
        Ed25519 = "ed25519",
        /// ECDSA over a NIST curve.
        Ecdsa = "ecdsa",
        /// RSA.
        Rsa = "rsa",
    }
}

options! {
    /// How lvhost reaches into the guest.
    pub struct Communicator for "communicator" {
        options {
            /// The protocol.
            communicator: CommunicatorType = "ssh",
            /// How long to wait after the guest answers before the first provisioner runs.
            pause_before_connecting: Option<Duration>,
            /// The address to connect to, instead of the one found by `network_address_source`.
            ssh_host: Option<String>,
            /// The guest's TCP port for SSH.
            ssh_port: u16 = 22,
            /// The user to log in as.
            ssh_username: Option<String>,
            /// The password to log in with. A server that wants several proofs one after the other, in
            /// whatever order, gets each from what is given here: keys, agent, password.
            ssh_password: Option<SecretString>,
            /// Path of the private key to log in with.
            ssh_private_key_file: Option<String>,
            /// Path of a certificate for that key.
            ssh_certificate_file: Option<String>,
            /// The private key to log in with, itself: its bytes, or its text.
            ssh_private_key: Option<KeyText>,
            /// The public key that belongs to `ssh_private_key`.
            ssh_public_key: Option<KeyText>,
            /// Log in with the keys of the SSH agent at `SSH_AUTH_SOCK`.
            ssh_agent_auth: bool = false,
            /// Don't lend the SSH agent to the guest. With `false`, commands in the guest can log in
            /// elsewhere with the keys of the agent at `SSH_AUTH_SOCK`, and so can whoever is root there,
            /// while they run.
            ssh_disable_agent_forwarding: bool = true,
            /// How long to try to connect. Without end if left out but `ssh_handshake_attempts` is set.
            ssh_timeout: Duration = "5m",
            /// Another name of `ssh_timeout`. If both are set, this one counts.
            ssh_wait_timeout: Option<Duration>,
            /// After how many refused log-ins to give up. Without a number, or with `0`, when
            /// `ssh_timeout` is over.
            ssh_handshake_attempts: Option<u32>,
            /// Accept another host key than the one the guest first let lvhost in with, such as after a
            /// provisioner that makes new host keys and reboots. Otherwise the first one has to stay while
            /// the build lasts. Keys seen at refused log-ins, such as an installer's, don't count.
            ssh_allow_host_key_change: bool = false,
            /// Run commands on a pseudo-terminal.
            ssh_pty: bool = false,
            /// How often to show the connection that lvhost is alive. `0` or `-1s` switches that off.
            ssh_keep_alive_interval: Duration = "5s",
            /// How long a command may neither print nor read anything before the connection counts
            /// as lost. Any time with `0`.
            ssh_read_write_timeout: Duration = "0s",
            /// How files get into the guest. SFTP if left out, and scp where the guest has no SFTP, which is said.
            ssh_file_transfer_method: Option<FileTransferMethod>,
            /// The ciphers to offer, best first.
            ssh_ciphers: Vec<String>,
            /// The key exchange algorithms to offer, best first.
            ssh_key_exchange_algorithms: Vec<String>,
            /// Ports of the guest that lead to this machine's network, as
            /// `port in the guest:host:port`.
            ssh_remote_tunnels: Vec<Tunnel>,
            /// Ports of this machine that lead to the guest's network, as
            /// `port on this machine:host:port`.
            ssh_local_tunnels: Vec<Tunnel>,
            /// A host to reach the guest through (a jump host). If `ssh` knows a host key of it, it must
            /// show that one.
            ssh_bastion_host: Option<String>,
            /// The TCP port of the bastion.
            ssh_bastion_port: u16 = 22,
            /// The user to log in at the bastion as.
            ssh_bastion_username: Option<String>,
            /// The password to log in at the bastion with.
            ssh_bastion_password: Option<SecretString>,
            /// Ask you at the terminal what the bastion asks, such as for a one-time password.
            ssh_bastion_interactive: bool = false,
            /// Log in at the bastion with the keys of the SSH agent.
            ssh_bastion_agent_auth: bool = false,
            /// Path of the private key to log in at the bastion with. `ssh_private_key_file` if left
            /// out.
            ssh_bastion_private_key_file: Option<String>,
            /// Path of a certificate for that key. `ssh_certificate_file` if left out.
            ssh_bastion_certificate_file: Option<String>,
            /// Reach the guest through the hypervisor's host, logging in there as `libvirt_uri` says
            /// (`qemu+ssh://user@host:port/system?keyfile=…`). The host's key must be one that `ssh`
            /// knows, unless the URI says `no_verify=1` or names another file by `known_hosts=…`.
            ssh_bastion_from_uri: bool = false,
            /// A SOCKS5 proxy to reach the guest through, or with `http://` before its name an HTTP proxy that
            /// allows `CONNECT`.
            ssh_proxy_host: Option<String>,
            /// The port of the proxy.
            ssh_proxy_port: u16 = 1080,
            /// The user at the proxy.
            ssh_proxy_username: Option<String>,
            /// The password at the proxy.
            ssh_proxy_password: Option<SecretString>,
            /// The kind of the key pair made for the build when there is no other way to log in.
            /// Its public key is put where `{{ .SSHPublicKey }}` stands in a text of `boot_command`,
            /// `http_content` or a volume's `source`, such as the `user_data` of cloud-init. With a
            /// password or agent, a pair is made as well if a text asks for it; with a private
            /// key of your own, its public key is put there.
            temporary_key_pair_type: TemporaryKeyPairType = "ed25519",
            /// The length of its keys in bits: from `2048` to `8192` for RSA, which has `4096` if left
            /// out, and `256`, `384` or `521` for ECDSA, which has `521`.
            temporary_key_pair_bits: Option<u32>,
            /// The comment of its public key. `packer_` and the build's id if left out.
            temporary_key_pair_name: Option<String>,
            /// The name of a key pair in a cloud. Without effect: a hypervisor keeps none.
            ssh_keypair_name: Option<String>,
            /// Take the key that was made for the build out of the guest's `authorized_keys` after
            /// provisioning.
            ssh_clear_authorized_keys: bool = false,
            /// The user to log in as over WinRM.
            winrm_username: Option<String>,
            /// The password to log in with.
            winrm_password: Option<SecretString>,
            /// The address to connect to, instead of the one found by `network_address_source`.
            winrm_host: Option<String>,
            /// The guest's TCP port for WinRM. `5985` if left out, `5986` with `winrm_use_ssl`.
            winrm_port: Option<u16>,
            /// How long to try to connect.
            winrm_timeout: Duration = "30m",
            /// Speak HTTPS.
            winrm_use_ssl: bool = false,
            /// Accept any certificate of the guest.
            winrm_insecure: bool = false,
            /// Log in by NTLM instead of basic authentication. Messages are not encrypted by it: without
            /// `winrm_use_ssl` the guest has to set `AllowUnencrypted`, as with Packer.
            winrm_use_ntlm: bool = false,
            /// Connect directly, whatever proxy this machine uses. lvhost always does.
            winrm_no_proxy: bool = false,
        }
        not_supported {
            "ssh_interface",
        }
    }
}

/// As good as no limit, and still a length of time that can be added to a point in time.
pub const NO_LIMIT: Duration = crate::duration::LONGEST;

impl Communicator {
    /// The guest's port for the protocol; `None` where nothing is connected to.
    pub fn port(&self) -> Option<u16> {
        match self.communicator {
            CommunicatorType::Ssh => Some(self.ssh_port),
            CommunicatorType::Winrm => Some(self.winrm_port.unwrap_or(match self.winrm_use_ssl {
                true => 5986,
                false => 5985,
            })),
            CommunicatorType::None => None,
        }
    }

    /// The address that the template gives for the protocol.
    pub fn host(&self) -> Option<&str> {
        match self.communicator {
            CommunicatorType::Ssh => self.ssh_host.as_deref(),
            CommunicatorType::Winrm => self.winrm_host.as_deref(),
            CommunicatorType::None => None,
        }
    }

    /// The user to log in as.
    pub fn username(&self) -> Option<&str> {
        match self.communicator {
            CommunicatorType::Ssh => self.ssh_username.as_deref(),
            CommunicatorType::Winrm => self.winrm_username.as_deref(),
            CommunicatorType::None => None,
        }
    }

    /// The password to log in with.
    pub fn password(&self) -> Option<&SecretString> {
        match self.communicator {
            CommunicatorType::Ssh => self.ssh_password.as_ref(),
            CommunicatorType::Winrm => self.winrm_password.as_ref(),
            CommunicatorType::None => None,
        }
    }

    /// How long to wait for the guest's address and to try to connect, in all.
    pub fn timeout(&self) -> Duration {
        match self.communicator {
            CommunicatorType::Winrm => self.winrm_timeout,
            _ => self.ssh_wait_timeout.unwrap_or(self.ssh_timeout),
        }
    }

    /// Whether the template names no way to log in over SSH, so that a key pair made for the build
    /// has to do.
    pub fn needs_key_pair(&self) -> bool {
        let ways = ["ssh_private_key_file", "ssh_private_key", "ssh_password"];
        self.communicator == CommunicatorType::Ssh
            && !ways.iter().any(|name| self.origin.is_set(name))
            && !self.ssh_agent_auth
            && !self.origin.is_unknown("ssh_agent_auth")
    }

    /// Fills in what follows from other options, as Packer does: its SDK's `communicator.Config`.
    pub(crate) fn settle(&mut self) {
        if self.ssh_handshake_attempts == Some(0) {
            self.ssh_handshake_attempts = None;
        }
        self.ssh_wait_timeout = self.ssh_wait_timeout.filter(|time| !time.is_zero());
        if self.ssh_timeout.is_zero() || !self.origin.is_set("ssh_timeout") {
            self.ssh_timeout = match self.ssh_handshake_attempts {
                Some(_) => NO_LIMIT,
                None => Duration::from_secs(5 * 60),
            };
        }
        if self.winrm_timeout.is_zero() {
            self.winrm_timeout = Duration::from_secs(30 * 60);
        }
        if self.ssh_bastion_host.is_some() && self.ssh_bastion_private_key_file.is_none() {
            self.ssh_bastion_private_key_file = self.ssh_private_key_file.clone();
            if self.ssh_bastion_certificate_file.is_none() {
                self.ssh_bastion_certificate_file = self.ssh_certificate_file.clone();
            }
        }
    }
}
