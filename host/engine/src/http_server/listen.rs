//! Where the HTTP server listens: an address, and a free port of a range.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use lvhost_config::HttpNetworkProtocol;
use rand::RngExt;
use socket2::{Domain, Protocol, Socket, Type};

use super::HttpServerError;
use super::host_network::HostNetwork;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address of this machine; all of them if there is none.
    pub address: Option<IpAddr>,
    /// The ports it may take.
    pub ports: RangeInclusive<u16>,
    /// IPv4, IPv6 or both.
    pub protocol: HttpNetworkProtocol,
}

impl Listen {
    /// Makes `http_interface` the address it has, for a server that listens on it alone.
    ///
    /// # Errors
    /// [`HttpServerError::NoInterface`] with the names that exist.
    pub fn on_interface(
        mut self,
        interface: &str,
        here: &HostNetwork,
    ) -> Result<Self, HttpServerError> {
        let Some(address) = here.address_on(interface, self.protocol) else {
            let names = here.interfaces();
            return Err(HttpServerError::NoInterface {
                interface: interface.to_string(),
                there_are: if names.is_empty() {
                    String::new()
                } else {
                    format!("; there are: {}", names.join(", "))
                },
            });
        };
        self.address = Some(address);
        Ok(self)
    }

    /// What is listened on: zeros for every address.
    pub(super) fn unspecified_or_address(&self) -> IpAddr {
        match (self.address, self.protocol) {
            (Some(address), _) => address,
            (None, HttpNetworkProtocol::Tcp4) => Ipv4Addr::UNSPECIFIED.into(),
            (None, HttpNetworkProtocol::Tcp | HttpNetworkProtocol::Tcp6) => {
                Ipv6Addr::UNSPECIFIED.into()
            }
        }
    }

    /// Listens on the first free port.
    pub(super) fn bind(&self) -> Result<TcpListener, HttpServerError> {
        let (min, max) = (*self.ports.start(), *self.ports.end());
        let address = self.unspecified_or_address();
        let first = rand::rng().random_range(min..=max.max(min));
        match self.bind_from(first, address) {
            // A machine without IPv6.
            Err(HttpServerError::Listen { source, .. })
                if self.address.is_none()
                    && self.protocol == HttpNetworkProtocol::Tcp
                    && is_no_such_address(&source) =>
            {
                self.bind_from(first, Ipv4Addr::UNSPECIFIED.into())
            }
            result => result,
        }
    }

    /// Tries all ports once, from `first` on.
    fn bind_from(&self, first: u16, address: IpAddr) -> Result<TcpListener, HttpServerError> {
        let (min, max) = (*self.ports.start(), *self.ports.end());
        for port in (first..=max).chain(min..first) {
            let address = SocketAddr::new(address, port);
            match listen(address, self.protocol == HttpNetworkProtocol::Tcp6) {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(HttpServerError::Listen { address, source }),
            }
        }
        Err(HttpServerError::NoFreePort { min, max })
    }
}

fn listen(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // A system may have another default.
        socket.set_only_v6(only_v6)?;
    }
    socket.set_nonblocking(true)?;
    // A port of a server that has just been stopped is free.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_no_such_address(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests;
