//! The HTTP server that a guest fetches its configuration from while it is installed.
//!
//! ```text
//!            ┌─ listen: an address and a free port
//!            ├─ peers: who is served at all
//!            ├─ places: how many connections, of one peer and in all
//! HttpServer ┼─ pace: how slowly an answer may be taken
//!            ├─ files: a folder without what lies outside of it, or texts of the template
//!            ├─ listing: the folder's contents where it has no index.html
//!            └─ observer: told of each request, so that the user sees the guest fetch its file
//! guest_address: by which address the guest reaches this machine, as host_network knows it
//! ```
//!
//! Files are served by `tower-http`, with ranges and conditional requests, on `hyper`'s HTTP/1.
//! There is neither TLS nor a password, as installers know neither, and no secret in the path, since
//! templates write the path: whoever reaches the port reads the files, for as long as the guest is
//! built. So the port is open on the guest's side of this machine only, and to the guest's network.

mod files;
mod guest_address;
mod host_network;
mod listen;
mod listing;
mod pace;
mod peers;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower_http::services::ServeDir;
use tower_http::services::fs::DefaultServeDirFallback;

use files::Files;
pub use guest_address::{GuestAddress, GuestNetwork, NoGuestAddress, Place, guest_address};
pub use host_network::{DefaultRoute, HostAddress, HostNetwork, route_to};
pub use listen::Listen;
use pace::Paced;
pub use peers::Peers;
use places::Places;

/// How long a connection may take to send the head of a request, the first or a later one. A guest
/// under emulation needs a fraction of a second, and one that pauses connects again.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the system may wait for a peer that confirms nothing of what it was sent.
const UNANSWERED: Duration = pace::PATIENCE;

/// Bytes that the system keeps for a peer (it takes twice that for its own needs). Enough for the
/// rate of a local network, and little beside what a slow peer has to take meanwhile, since the
/// system tells of free room when a third of it is free.
const SEND_BUFFER: usize = pace::LEAST as usize;

/// Bytes kept of the head of a request; a browser's have a tenth of it.
const MAX_HEAD: usize = 64 * 1024;

/// Requests the observer is told of, since a guest may ask for the same file over and over.
const MAX_OBSERVED: usize = 1000;

/// Peers that are turned away the observer is told of, each once.
const MAX_REFUSED: usize = 16;

/// Characters of a path the observer is told of.
const MAX_OBSERVED_PATH: usize = 256;

/// How long to wait after a connection could not be accepted, as when there are too many open
/// files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is served.
pub enum ServedFiles {
    /// `http_directory`: the files of a folder, as they are when they are asked for. Links that
    /// lead out of it are not followed.
    Directory(PathBuf),
    /// `http_content`: texts by the path of their URL, such as `/preseed.cfg`.
    Contents(BTreeMap<String, SecretString>),
}

/// A request that has been answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Who asked.
    pub peer: IpAddr,
    /// How, such as `GET`.
    pub method: String,
    /// For what: the URL's path, percent-encoded, without its query.
    pub path: String,
    /// The answer's HTTP status.
    pub status: u16,
}

impl Exchange {
    /// Why there was no file in the answer, where that needs a word.
    pub fn explanation(&self) -> Option<&'static str> {
        match self.status {
            403 => Some("it can't be read, or is a link that leads out of `http_directory`"),
            404 => Some("there is no such file"),
            405 => Some("only GET and HEAD are answered"),
            416 => Some("the file has no such range"),
            500 => Some("the file can't be read"),
            _ => None,
        }
    }
}

/// What the observer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request has been answered.
    Answered(Exchange),
    /// A peer was turned away, since it is none of those that are served.
    Refused(IpAddr),
}

/// Told of each answer, at most a thousand times, and of each peer that is turned away, at most of
/// 16.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
pub enum HttpServerError {
    /// The folder can't be opened.
    #[error("can't open `http_directory` {}", path.display())]
    Directory {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key of `http_content` is no path.
    #[error("`{path}` in `http_content` is not the path of a URL")]
    Path {
        /// The key.
        path: String,
    },
    /// The address can't be listened on.
    #[error("the HTTP server can't listen on {address} (`http_bind_address`)")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// All ports are taken.
    #[error(
        "the HTTP server finds no free port from {min} to {max} (`http_port_min`, `http_port_max`)"
    )]
    NoFreePort {
        /// The lowest.
        min: u16,
        /// The highest.
        max: u16,
    },
    /// The addresses of this machine can't be read.
    #[error("can't read the network addresses of this machine")]
    HostNetwork(#[source] io::Error),
    /// `http_interface` names none.
    #[error(
        "this machine has no network interface `{interface}` with a fitting address{there_are}"
    )]
    NoInterface {
        /// The name.
        interface: String,
        /// Those there are, such as `; there are: eth0, virbr0`.
        there_are: String,
    },
}

/// A server that runs until it is dropped or [stopped](Self::stop).
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl HttpServer {
    /// Starts a server; it takes the first free port from a random one on.
    ///
    /// # Errors
    /// The folder can't be opened, or nothing can be listened on.
    pub async fn start(
        served: ServedFiles,
        listen: &Listen,
        observer: Observer,
    ) -> Result<Self, HttpServerError> {
        let files = Files::open(served).await?;
        let listener = listen.bind()?;
        let failed = |source| HttpServerError::Listen {
            address: SocketAddr::new(listen.address, 0),
            source,
        };
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let service = Arc::new(Service {
            serve: ServeDir::with_backend("", files.clone()),
            files,
            observer,
            observed: AtomicUsize::new(0),
            refused: Mutex::default(),
        });
        let peers = listen.peers.clone();
        let task = tokio::spawn(accept(listener, peers, service, stop.clone()));
        Ok(Self {
            address,
            task,
            stop: stop.drop_guard(),
        })
    }

    /// What the server listens on; an address of only zeros is every address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all connections, also those in the middle of a file.
    pub async fn stop(self) {
        drop(self.stop);
        // It fails only if the task has panicked, and then the port is closed as well.
        let _ = self.task.await;
    }
}

async fn accept(
    listener: TcpListener,
    peers: Peers,
    service: Arc<Service>,
    stop: CancellationToken,
) {
    let places = Arc::new(Places::default());
    // Dropped at the end, with all connections.
    let mut connections = JoinSet::new();
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let peer = peer.ip().to_canonical();
                    if !peers.admits(peer) {
                        service.refuse(peer);
                    } else if let Some(place) = places.enter(peer) {
                        connections.spawn(connection(stream, peer, Arc::clone(&service), place));
                    } else {
                        tracing::debug!("the HTTP server has no place for a connection of {peer}");
                    }
                }
                Err(error) => {
                    tracing::debug!("the HTTP server can't accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    };
    stop.run_until_cancelled(serve).await;
}

async fn connection(stream: TcpStream, peer: IpAddr, service: Arc<Service>, place: places::Place) {
    // Best effort: without them the server is slower, or a stalled peer stays longer.
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(&stream);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNANSWERED));
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        let answering = place.answer();
        async move {
            let response = service.answer(request, peer).await;
            // The body holds the place until all of it is written.
            Ok::<_, Infallible>(response.map(|body| {
                body.map_frame(move |frame| {
                    let _ = &answering;
                    frame
                })
            }))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Paced::new(stream)), answer);
    let served = tokio::select! {
        served = serving => served,
        () = place.displaced() => {
            tracing::debug!("an HTTP connection of {peer} made room for a newer one");
            return;
        }
    };
    if let Err(error) = served {
        tracing::debug!("an HTTP connection of {peer} ended: {error}");
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

struct Service {
    serve: ServeDir<DefaultServeDirFallback, Files>,
    files: Files,
    observer: Observer,
    observed: AtomicUsize,
    refused: Mutex<BTreeSet<IpAddr>>,
}

impl Service {
    /// Tells of a peer that is turned away, once.
    fn refuse(&self, peer: IpAddr) {
        let is_new = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.len() < MAX_REFUSED && refused.insert(peer)
        };
        if is_new {
            (self.observer)(Event::Refused(peer));
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let method = request.method().to_string();
        let path = request.uri().path().to_string();
        let response = match self.serve.clone().try_call(request).await {
            Ok(response) => response.map(BodyExt::boxed_unsync),
            Err(error) => self.answer_without_file(&path, &error).await,
        };
        if self.observed.fetch_add(1, Ordering::Relaxed) < MAX_OBSERVED {
            (self.observer)(Event::Answered(Exchange {
                peer,
                method,
                path: printable(&path),
                status: response.status().as_u16(),
            }));
        }
        response
    }

    async fn answer_without_file(&self, path: &str, error: &io::Error) -> Response<Body> {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                match listing::of(&self.files, path).await {
                    Some(page) => text(StatusCode::OK, "text/html; charset=utf-8", page),
                    None => plain(StatusCode::NOT_FOUND, "not found\n"),
                }
            }
            io::ErrorKind::PermissionDenied => plain(StatusCode::FORBIDDEN, "forbidden\n"),
            _ => {
                tracing::debug!("the HTTP server can't read {path}: {error}");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "can't be read\n")
            }
        }
    }
}

fn plain(status: StatusCode, body: &'static str) -> Response<Body> {
    text(status, "text/plain; charset=utf-8", body.to_string())
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let body = Full::from(body).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A path as it may be shown: it comes from the guest.
fn printable(path: &str) -> String {
    path.chars()
        .take(MAX_OBSERVED_PATH)
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests;
