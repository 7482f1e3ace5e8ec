//! An HTTP/1.1 server that does what a test tells it to, badly if need be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// One request as it came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte asked for by `Range: bytes=N-`.
    pub(super) fn range(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// What to answer.
#[derive(Clone, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Send only so many bytes of the body, then close.
    pub(super) cut: Option<usize>,
    /// Wait for this before the last half of the body, or after what is cut.
    pub(super) hold: Option<Arc<Notify>>,
    /// Told once what is sent before that has been sent.
    pub(super) report: Option<UnboundedSender<()>>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(super) fn body(body: &[u8]) -> Self {
        Self {
            status: 200,
            body: body.to_vec(),
            ..Self::default()
        }
    }

    /// What a good server answers for a file with a strong entity tag.
    pub(super) fn file(seen: &Seen, body: &[u8], etag: &str) -> Self {
        let reply = match seen.range() {
            _ if seen.header("if-none-match") == Some(etag) => Self::status(304),
            Some(start) if seen.header("if-range") == Some(etag) && start < body.len() => {
                let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                Self {
                    status: 206,
                    ..Self::body(&body[start..])
                }
                .with("content-range", range)
            }
            Some(start) if start >= body.len() => Self::status(416),
            _ => Self::body(body),
        };
        reply.with("etag", etag)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }

    pub(super) fn report(mut self, to: UnboundedSender<()>) -> Self {
        self.report = Some(to);
        self
    }

    pub(super) fn hold(mut self, hold: &Arc<Notify>) -> Self {
        self.hold = Some(Arc::clone(hold));
        self
    }
}

/// A running server on a port of its own; ends with the test's runtime.
pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers the n-th request (from 0) with what `answer` says.
    pub(super) async fn start<F>(answer: F) -> Self
    where
        F: Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    {
        Self::listen(answer, |stream| async { Ok(stream) }).await
    }

    /// The same with TLS as `localhost`; gives the certificate to trust, in DER.
    pub(super) async fn start_tls<F>(answer: F) -> (Self, Vec<u8>)
    where
        F: Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let server = Self::listen(answer, move |stream| acceptor.accept(stream)).await;
        (server, made.cert.der().to_vec())
    }

    async fn listen<F, W, S, A>(answer: F, wrap: W) -> Self
    where
        F: Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
        W: Fn(TcpStream) -> A + Send + Sync + 'static,
        A: Future<Output = std::io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                let wrapping = wrap(stream);
                tokio::spawn(async move {
                    if let Ok(stream) = wrapping.await {
                        // Clients may leave whenever they like.
                        let _ = converse(stream, &log, &*answer).await;
                    }
                });
            }
        });
        Self { port, seen }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// One connection, one request.
async fn converse<S, F>(stream: S, log: &Mutex<Vec<Seen>>, answer: &F) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(&Seen, usize) -> Reply,
{
    let mut stream = BufReader::new(stream);
    let mut seen = Seen::default();
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    seen.method = line.split(' ').next().unwrap_or_default().to_owned();
    seen.target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        seen.headers
            .insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = seen.header("content-length").and_then(|it| it.parse().ok());
    seen.body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut seen.body).await?;
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let reply = answer(&seen, number);
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\nconnection: close\r\n",
        reply.status
    );
    if !reply
        .headers
        .iter()
        .any(|(name, _)| *name == "content-length")
        && reply.status != 304
    {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    let first = if reply.cut.is_some() {
        body.len()
    } else {
        body.len() / 2
    };
    stream.write_all(&body[..first]).await?;
    stream.flush().await?;
    if let Some(report) = reply.report {
        // Nobody may want to know any more.
        let _ = report.send(());
    }
    if let Some(hold) = reply.hold {
        hold.notified().await;
    }
    stream.write_all(&body[first..]).await?;
    stream.shutdown().await
}
