//! Where the HTTP server listens: on one address, at a free port of a range.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use lvhost_config::HttpNetworkProtocol;
use rand::RngExt;
use socket2::{Domain, Protocol, Socket, Type};

use super::HttpServerError;
use super::peers::Peers;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Where to listen, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address of this machine; zeros are all of them.
    pub address: IpAddr,
    /// The ports it may take.
    pub ports: RangeInclusive<u16>,
    /// Whether zeros of IPv6 leave IPv4 out.
    pub protocol: HttpNetworkProtocol,
    /// Who is served.
    pub peers: Peers,
}

impl Listen {
    /// Listens on the first free port.
    pub(super) fn bind(&self) -> Result<TcpListener, HttpServerError> {
        let (min, max) = (*self.ports.start(), *self.ports.end());
        self.bind_from(rand::rng().random_range(min..=max.max(min)))
    }

    /// Tries all ports once, from `first` on.
    fn bind_from(&self, first: u16) -> Result<TcpListener, HttpServerError> {
        let (min, max) = (*self.ports.start(), *self.ports.end());
        for port in (first..=max).chain(min..first) {
            let address = SocketAddr::new(self.address, port);
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

#[cfg(test)]
mod tests;
