//! Where Packer connects to: one socket, for one connection.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tempfile::{Builder, TempDir};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};

use crate::launch::Endpoints;

/// How long Packer may take to connect once it is told where. It connects at once, and waits as long
/// itself to be told.
const ACCEPT_TIME: Duration = Duration::from_secs(60);

/// What the socket is called in its folder.
const SOCKET: &str = "socket";

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
    Unix(UnixSocket),
    Tcp(TcpListener, u16),
}

/// A socket; its folder is removed with it when this is dropped.
#[derive(Debug)]
struct UnixSocket {
    listener: UnixListener,
    folder: TempDir,
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
            Socket::Unix(listener) => format!(
                "{API}|unix|{}\n",
                listener.folder.path().join(SOCKET).display()
            ),
            Socket::Tcp(_, port) => format!("{API}|tcp|{}:{port}\n", Ipv4Addr::LOCALHOST),
        }
    }

    /// The one connection that Packer makes. Afterwards nobody listens any more. Whoever else connects
    /// is turned away: what is said there starts builds.
    ///
    /// # Errors
    /// [`ListenError::Accept`], [`ListenError::Nobody`].
    pub async fn accept(self) -> Result<Connection, ListenError> {
        let accept = async {
            loop {
                match &self.0 {
                    Socket::Unix(socket) => {
                        let (stream, _) = socket.listener.accept().await?;
                        if may_be_packer(stream.peer_cred().map(|user| user.uid()).ok()) {
                            return Ok(Connection(Box::new(stream)));
                        }
                    }
                    Socket::Tcp(listener, _) => {
                        let (stream, peer) = listener.accept().await?;
                        if may_be_packer(user_of(peer, stream.local_addr()?)) {
                            // Frames are small and wait for each other.
                            stream.set_nodelay(true)?;
                            return Ok(Connection(Box::new(stream)));
                        }
                    }
                }
            }
        };
        tokio::time::timeout(ACCEPT_TIME, accept)
            .await
            .map_err(|_| ListenError::Nobody)?
            .map_err(ListenError::Accept)
    }
}

/// A socket in a folder of its own, which only this user can enter, whatever the umask is.
fn unix(directory: &Path) -> io::Result<UnixSocket> {
    // Packer resolves the name from its own folder.
    let directory = std::path::absolute(directory)?;
    if directory.to_str().is_none_or(|path| path.contains('\n')) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path can't be told in a line of text",
        ));
    }
    let folder = Builder::new()
        .prefix("packer-plugin-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(directory)?;
    let listener = UnixListener::bind(folder.path().join(SOCKET))?;
    Ok(UnixSocket { listener, folder })
}

/// Whether a process of `user` may be Packer: it has started this one, and so is the same user's.
fn may_be_packer(user: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    if user != Some(own) {
        tracing::warn!(?user, own, "another user wanted to be Packer");
    }
    user == Some(own)
}

/// The state of a connection of which both ends are open (`TCP_ESTABLISHED` of Linux). A socket that was closed
/// is nobody's, which the list of sockets writes as 0, as if it were root's.
const OPEN: &str = "01";

/// The user at the other end of a connection from this machine: who has the open socket whose own address is
/// `peer`. Read from the system's list of sockets, since TCP does not tell.
fn user_of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let text = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let hex = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => Some(format!(
            "{:08X}:{:04X}",
            u32::from_ne_bytes(ip.octets()),
            address.port()
        )),
        IpAddr::V6(_) => None,
    };
    let (peer, own) = (hex(peer)?, hex(own)?);
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [_, from, to, OPEN, _, _, _, user, ..] if *from == peer && *to == own => {
                user.parse().ok()
            }
            _ => None,
        }
    })
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
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn only_this_user_can_enter_the_sockets_folder() {
        let directory = tempfile::tempdir().unwrap();
        let endpoints = Endpoints {
            directory: directory.path().into(),
            ports: 1..=1,
        };
        let _listener = Listener::bind(&endpoints).await.unwrap();
        let folders = std::fs::read_dir(directory.path()).unwrap();
        let folders: Vec<_> = folders.map(|folder| folder.unwrap()).collect();
        assert_eq!(folders.len(), 1);
        let mode = folders[0].metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }

    /// Connects as nobody, where the test may be somebody else.
    async fn connect_as_nobody(script: String) -> bool {
        const NOBODY: u32 = 65534;
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: nobody else may be Packer: only root can be somebody else");
            return false;
        }
        let run = tokio::process::Command::new("python3")
            .args(["-c", &script])
            .uid(NOBODY)
            .current_dir("/")
            .status();
        match run.await {
            Ok(status) => assert!(status.success()),
            Err(error) => {
                println!("SKIPPED: nobody else may be Packer: no python3: {error}");
                return false;
            }
        }
        true
    }

    #[tokio::test]
    async fn nobody_else_may_be_packer() {
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("x".repeat(120)),
        ] {
            std::fs::create_dir_all(&path).unwrap();
            let endpoints = Endpoints {
                directory: path,
                ports: 20_000..=25_000,
            };
            let listener = Listener::bind(&endpoints).await.unwrap();
            let line = listener.handshake();
            let address = line.trim_end().rsplit('|').next().unwrap().to_owned();
            let tcp = line.contains("|tcp|");
            let (family, target) = match address.split_once(':') {
                Some((host, port)) if tcp => ("AF_INET", format!("('{host}', {port})")),
                _ => ("AF_UNIX", format!("'{address}'")),
            };
            // With the first lock open, the second one has to hold.
            let mut opened = std::path::Path::new(&address);
            while !tcp && opened != std::path::Path::new("/tmp") && opened.parent().is_some() {
                std::fs::set_permissions(opened, Permissions::from_mode(0o777)).unwrap();
                opened = opened.parent().unwrap();
                if opened.parent() == Some(std::path::Path::new("/")) {
                    break;
                }
            }
            let connect =
                format!("import socket; s = socket.socket(socket.{family}); s.connect({target});");
            // Who has said all and is gone when it is asked whose the connection is, is nobody else either.
            if !connect_as_nobody(format!("{connect} s.send(b'y'); s.close()")).await {
                return;
            }
            let accepting = tokio::spawn(listener.accept());
            let stays = format!("{connect} assert s.recv(1) == b'', 'not turned away'");
            if !connect_as_nobody(stays).await {
                return;
            }
            assert!(!accepting.is_finished());
            let mut peer: Box<dyn Duplex> = match tcp {
                true => Box::new(TcpStream::connect(&address).await.unwrap()),
                false => Box::new(UnixStream::connect(&address).await.unwrap()),
            };
            let mut connection = accepting.await.unwrap().unwrap();
            peer.write_all(b"x").await.unwrap();
            assert_eq!(connection.read_u8().await.unwrap(), b'x');
        }
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
