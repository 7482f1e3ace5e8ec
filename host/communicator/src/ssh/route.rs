//! The way to a guest: straight, through an SSH server in between, or through a proxy.

use std::fmt;

use secrecy::SecretString;

use super::Authentication;
use super::settings::join_address;

/// How the guest's SSH port is reached.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Route {
    /// By TCP from this host.
    #[default]
    Direct,
    /// Through an SSH server that forwards the connection, as `ssh -J` does. The guest's host name
    /// is looked up there.
    Bastion(Bastion),
    /// Through a SOCKS5 proxy, which also looks the guest's host name up.
    Socks5(Proxy),
    /// Through an HTTP proxy that allows `CONNECT` to the guest's port.
    HttpConnect(Proxy),
}

/// An SSH server on the way to the guest (Packer's `ssh_bastion_*`), such as the hypervisor itself.
///
/// Any host key is accepted unless another is known, see [`Settings::bastion_known_hosts`].
///
/// [`Settings::bastion_known_hosts`]: super::Settings::bastion_known_hosts
#[derive(Debug, Clone)]
pub struct Bastion {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user to log in as.
    pub username: String,
    /// Ways to authenticate, tried in order.
    pub authentication: Vec<Authentication>,
}

/// A proxy on the way to the guest (Packer's `ssh_proxy_*`).
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What the proxy asks for, if it asks for anything.
    pub credentials: Option<ProxyCredentials>,
}

/// A user of a proxy: sent to a SOCKS5 proxy as RFC 1929 has it, to an HTTP proxy by the scheme
/// `Basic`.
#[derive(Debug, Clone)]
pub struct ProxyCredentials {
    /// The name; at most 255 bytes for SOCKS5, and without a colon for HTTP.
    pub username: String,
    /// The password; at most 255 bytes for SOCKS5.
    pub password: SecretString,
}

impl fmt::Display for Bastion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = join_address(&self.host, self.port);
        write!(formatter, "the bastion {}@{address}", self.username)
    }
}

impl Proxy {
    pub(super) fn address(&self) -> String {
        join_address(&self.host, self.port)
    }
}
