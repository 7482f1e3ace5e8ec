//! What the template's options mean for a connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_communicator::ssh::{
    Algorithms, Authentication, Bastion, FileTransfer, KnownHosts, Proxy, ProxyCredentials,
    Questions, Route, Settings, Tunnel, UnknownAlgorithm,
};
use lvhost_communicator::winrm;
use lvhost_config::{Communicator, FileTransferMethod};
use lvhost_libvirt::ConnectionUri;
use secrecy::SecretString;

/// The port of SSH.
const SSH_PORT: u16 = 22;

/// What options refer to outside of the template.
#[derive(Debug, Clone)]
pub(super) struct Surroundings<'a> {
    pub(super) agent_socket: Option<&'a Path>,
    pub(super) working_directory: &'a Path,
    pub(super) home_directory: Option<&'a Path>,
    pub(super) user: Option<&'a str>,
    pub(super) hypervisor: &'a ConnectionUri,
    pub(super) known_hosts: &'a [PathBuf],
    pub(super) questions: Option<&'a Arc<dyn Questions>>,
}

/// An option that can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A name of no algorithm.
    #[error(transparent)]
    Algorithm(#[from] UnknownAlgorithm),
    /// The hypervisor's URI names no host to go through.
    #[error(
        "`ssh_bastion_from_uri` is set, but `libvirt_uri` ({uri}) does not lead to its hypervisor by SSH"
    )]
    NoBastion {
        /// The URI.
        uri: String,
    },
}

/// The settings for a connection to `host` and `port`.
///
/// # Errors
/// [`SettingsError`].
pub(super) fn settings(
    communicator: &Communicator,
    host: &str,
    port: u16,
    around: &Surroundings<'_>,
) -> Result<Settings, SettingsError> {
    let username = communicator.ssh_username.clone().unwrap_or_default();
    let mut settings = Settings::new(host, port, username);
    settings.handshake_attempts = communicator.ssh_handshake_attempts;
    settings.pty = communicator.ssh_pty;
    settings.host_key_may_change = communicator.ssh_allow_host_key_change;
    settings.keep_alive = Some(communicator.ssh_keep_alive_interval).filter(|time| !time.is_zero());
    settings.read_write_timeout =
        Some(communicator.ssh_read_write_timeout).filter(|time| !time.is_zero());
    settings.algorithms = algorithms(communicator)?;
    settings.file_transfer = match communicator.ssh_file_transfer_method {
        None => FileTransfer::SftpOrScp,
        Some(FileTransferMethod::Sftp) => FileTransfer::Sftp,
        Some(FileTransferMethod::Scp) => FileTransfer::Scp,
    };
    settings.local_tunnels = tunnels(&communicator.ssh_local_tunnels);
    settings.remote_tunnels = tunnels(&communicator.ssh_remote_tunnels);
    settings.authentication = guest_authentication(communicator, around);
    settings.route = route(communicator, around)?;
    settings.bastion_known_hosts = known_hosts(communicator, around);
    settings.agent_forwarding = around
        .agent_socket
        .filter(|_| !communicator.ssh_disable_agent_forwarding)
        .map(Path::to_path_buf);
    Ok(settings)
}

/// The settings for a connection to Windows at `host` and `port`.
pub(super) fn winrm(communicator: &Communicator, host: &str, port: u16) -> winrm::Settings {
    let nothing = || SecretString::from("");
    winrm::Settings {
        host: host.to_owned(),
        port,
        username: communicator.username().unwrap_or_default().to_owned(),
        password: communicator.password().cloned().unwrap_or_else(nothing),
        tls: communicator.winrm_use_ssl,
        insecure: communicator.winrm_insecure,
        ntlm: communicator.winrm_use_ntlm,
    }
}

/// What the options choose among the algorithms.
///
/// # Errors
/// A name that is none.
pub(super) fn algorithms(communicator: &Communicator) -> Result<Algorithms, UnknownAlgorithm> {
    Algorithms::new(
        &communicator.ssh_ciphers,
        &communicator.ssh_key_exchange_algorithms,
    )
}

fn tunnels(tunnels: &[lvhost_config::Tunnel]) -> Vec<Tunnel> {
    let tunnel = |tunnel: &lvhost_config::Tunnel| Tunnel {
        listen_port: tunnel.listen_port,
        host: tunnel.host.clone(),
        port: tunnel.port,
    };
    tunnels.iter().map(tunnel).collect()
}

fn guest_authentication(
    communicator: &Communicator,
    around: &Surroundings<'_>,
) -> Vec<Authentication> {
    let mut ways = Vec::new();
    if let Some(key) = &communicator.ssh_private_key_file {
        let certificate = communicator.ssh_certificate_file.as_deref();
        ways.push(key_file(key, certificate, around));
    }
    if let Some(key) = &communicator.ssh_private_key {
        ways.push(Authentication::Key(key.0.clone()));
    }
    if communicator.ssh_agent_auth {
        ways.extend(agent(around));
    }
    ways.extend(
        communicator
            .ssh_password
            .clone()
            .map(Authentication::Password),
    );
    ways
}

fn key_file(key: &str, certificate: Option<&str>, around: &Surroundings<'_>) -> Authentication {
    let key = path(key, around);
    match certificate {
        None => Authentication::KeyFile {
            path: key,
            passphrase: None,
        },
        Some(certificate) => Authentication::Certificate {
            key,
            passphrase: None,
            certificate: path(certificate, around),
        },
    }
}

fn agent(around: &Surroundings<'_>) -> Option<Authentication> {
    around.agent_socket.map(|socket| Authentication::Agent {
        socket: socket.to_path_buf(),
    })
}

fn route(communicator: &Communicator, around: &Surroundings<'_>) -> Result<Route, SettingsError> {
    if communicator.ssh_bastion_from_uri {
        return bastion_from_uri(communicator, around).map(Route::Bastion);
    }
    if let Some(host) = &communicator.ssh_bastion_host {
        return Ok(Route::Bastion(Bastion {
            host: host.clone(),
            port: communicator.ssh_bastion_port,
            username: username(communicator.ssh_bastion_username.as_deref(), around),
            authentication: bastion_authentication(communicator, around),
        }));
    }
    Ok(match &communicator.ssh_proxy_host {
        None => Route::Direct,
        Some(host) => {
            // Packer's proxy is always SOCKS5; one that speaks HTTP is named as such.
            let (host, is_http) = match host.strip_prefix("http://") {
                Some(host) => (host.trim_end_matches('/'), true),
                None => (host.as_str(), false),
            };
            let proxy = Proxy {
                host: host.to_owned(),
                port: communicator.ssh_proxy_port,
                credentials: proxy_credentials(communicator),
            };
            match is_http {
                true => Route::HttpConnect(proxy),
                false => Route::Socks5(proxy),
            }
        }
    })
}

fn proxy_credentials(communicator: &Communicator) -> Option<ProxyCredentials> {
    Some(ProxyCredentials {
        username: communicator.ssh_proxy_username.clone()?,
        password: communicator
            .ssh_proxy_password
            .clone()
            .unwrap_or_else(|| SecretString::from("")),
    })
}

fn bastion_authentication(
    communicator: &Communicator,
    around: &Surroundings<'_>,
) -> Vec<Authentication> {
    let mut ways = Vec::new();
    if let Some(key) = &communicator.ssh_bastion_private_key_file {
        let certificate = communicator.ssh_bastion_certificate_file.as_deref();
        ways.push(key_file(key, certificate, around));
    }
    if communicator.ssh_bastion_agent_auth {
        ways.extend(agent(around));
    }
    let password = communicator.ssh_bastion_password.clone();
    ways.extend(password.map(Authentication::Password));
    if communicator.ssh_bastion_interactive {
        let questions = around.questions.map(Arc::clone);
        ways.extend(questions.map(Authentication::Interactive));
    }
    ways
}

/// Where the host key of a bastion is looked up: in the files that `ssh` looks into, or that the URI names. Of
/// the hypervisor's host it is sure to be known, since libvirt has just checked it on its own way there. Any
/// other bastion is believed as long as another key of it is not known.
fn known_hosts(communicator: &Communicator, around: &Surroundings<'_>) -> Option<KnownHosts> {
    let usual = |must_hold| KnownHosts {
        files: around.known_hosts.to_vec(),
        must_hold,
    };
    if !communicator.ssh_bastion_from_uri {
        return Some(usual(false));
    }
    let known = around.hypervisor.bastion().filter(|it| it.verify_host)?;
    Some(match known.known_hosts_file {
        Some(file) => KnownHosts {
            files: vec![path(&file, around)],
            must_hold: true,
        },
        None => usual(true),
    })
}

/// The hypervisor's host, logged in at as libvirt does: by the URI's key file, else by the agent. What
/// the options of the bastion say comes first.
fn bastion_from_uri(
    communicator: &Communicator,
    around: &Surroundings<'_>,
) -> Result<Bastion, SettingsError> {
    let known = around
        .hypervisor
        .bastion()
        .ok_or_else(|| SettingsError::NoBastion {
            uri: around.hypervisor.to_string(),
        })?;
    let mut authentication = bastion_authentication(communicator, around);
    if let Some(key) = &known.key_file {
        authentication.push(key_file(key, None, around));
    }
    authentication.extend(agent(around));
    Ok(Bastion {
        host: known.host,
        port: known.port.unwrap_or(SSH_PORT),
        username: username(
            communicator
                .ssh_bastion_username
                .as_deref()
                .or(known.user.as_deref()),
            around,
        ),
        authentication,
    })
}

/// SSH's own choice where none is made: the local user's name.
fn username(named: Option<&str>, around: &Surroundings<'_>) -> String {
    named.or(around.user).unwrap_or_default().to_owned()
}

pub(super) fn path(text: &str, around: &Surroundings<'_>) -> PathBuf {
    match (text.strip_prefix("~/"), around.home_directory) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => around.working_directory.join(text),
    }
}

#[cfg(test)]
pub(super) mod tests;
