//! Where Packer connects to: one socket, for one connection.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};

use crate::launch::Endpoints;

/// How long Packer may take to connect once it is told where. It connects at once, and waits as long
/// itself to be told.
const ACCEPT_TIME: Duration = Duration::from_secs(60);

/// Why Packer can't connect.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Neither a socket nor a port can be had.
    #[error(
        "can't make a socket in {} nor listen on a port from {first} to {last}",
        directory.display()
    )]
    Bind {
        /// Where the socket was to be.
        directory: PathBuf,
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
        /// Why there is no socket.
        #[source]
        source: io::Error,
    },
    /// The socket broke.
    #[error("the socket for Packer broke")]
    Accept(#[source] io::Error),
    /// Packer did not come.
    #[error("Packer did not connect within {} s", ACCEPT_TIME.as_secs())]
    Nobody,
}

/// Waits for Packer.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    /// Its file is removed when this is dropped.
    Unix(NamedTempFile<UnixListener>),
    Tcp(TcpListener, u16),
}

impl Listener {
    /// Makes a socket in the folder that `endpoints` names, else takes the first free port.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub async fn bind(endpoints: &Endpoints) -> Result<Self, ListenError> {
        let source = match unix(&endpoints.directory) {
            Ok(listener) => return Ok(Self(Socket::Unix(listener))),
            Err(error) => error,
        };
        tracing::debug!(error = %source, "no socket for Packer; trying ports");
        for port in endpoints.ports.clone() {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                return Ok(Self(Socket::Tcp(listener, port)));
            }
        }
        Err(ListenError::Bind {
            directory: endpoints.directory.clone(),
            first: *endpoints.ports.start(),
            last: *endpoints.ports.end(),
            source,
        })
    }

    /// The line that tells Packer where to connect, for standard output: the first and last thing to be
    /// printed there.
    pub fn handshake(&self) -> String {
        const API: &str = "5|0";
        match &self.0 {
            Socket::Unix(listener) => format!("{API}|unix|{}\n", listener.path().display()),
            Socket::Tcp(_, port) => format!("{API}|tcp|{}:{port}\n", Ipv4Addr::LOCALHOST),
        }
    }

    /// The one connection that Packer makes. Afterwards nobody listens any more.
    ///
    /// # Errors
    /// [`ListenError::Accept`], [`ListenError::Nobody`].
    pub async fn accept(self) -> Result<Connection, ListenError> {
        let accept = async {
            Ok(match &self.0 {
                Socket::Unix(listener) => {
                    Connection(Box::new(listener.as_file().accept().await?.0))
                }
                Socket::Tcp(listener, _) => {
                    let (stream, _) = listener.accept().await?;
                    // Frames are small and wait for each other.
                    stream.set_nodelay(true)?;
                    Connection(Box::new(stream))
                }
            })
        };
        tokio::time::timeout(ACCEPT_TIME, accept)
            .await
            .map_err(|_| ListenError::Nobody)?
            .map_err(ListenError::Accept)
    }
}

/// A socket under a name that is not taken.
fn unix(directory: &Path) -> io::Result<NamedTempFile<UnixListener>> {
    // Packer resolves the name from its own folder.
    let directory = std::path::absolute(directory)?;
    if directory.to_str().is_none_or(|path| path.contains('\n')) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path can't be told in a line of text",
        ));
    }
    Builder::new()
        .prefix("packer-plugin-")
        .make_in(directory, |path| UnixListener::bind(path))
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The connection to Packer.
pub struct Connection(Box<dyn Duplex>);

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    async fn echo(listener: Listener, mut peer: impl AsyncRead + AsyncWrite + Unpin) {
        let mut connection = listener.accept().await.unwrap();
        peer.write_all(b"hello").await.unwrap();
        let mut bytes = [0; 5];
        connection.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"hello");
    }

    #[tokio::test]
    async fn a_socket_is_made_and_removed_when_packer_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let endpoints = Endpoints {
            directory: directory.path().into(),
            ports: 1..=1,
        };
        let listener = Listener::bind(&endpoints).await.unwrap();
        let line = listener.handshake();
        let path = line
            .strip_prefix("5|0|unix|")
            .and_then(|rest| rest.strip_suffix('\n'))
            .unwrap();
        let path = PathBuf::from(path);
        assert!(
            path.is_absolute() && path.starts_with(directory.path()),
            "{line}"
        );
        let peer = UnixStream::connect(&path).await.unwrap();
        echo(listener, peer).await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_folder_with_a_long_path_gives_a_port() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        let endpoints = Endpoints {
            directory: long,
            ports: 20_000..=25_000,
        };
        let listener = Listener::bind(&endpoints).await.unwrap();
        let line = listener.handshake();
        let address = line.strip_prefix("5|0|tcp|").unwrap().trim_end();
        let peer = TcpStream::connect(address).await.unwrap();
        echo(listener, peer).await;
    }

    #[tokio::test]
    async fn without_either_the_error_says_what_was_tried() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let endpoints = Endpoints {
            directory: "/nowhere/at/all".into(),
            ports: port..=port,
        };
        let error = Listener::bind(&endpoints).await.unwrap_err();
        let expected = format!(
            "can't make a socket in /nowhere/at/all nor listen on a port from {port} to {port}"
        );
        assert_eq!(error.to_string(), expected);
    }
}
