//! One HTTP connection to the guest's WinRM service, plain or by TLS. One at a time on purpose: NTLM
//! logs in the connection and not the request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::Trouble;
use super::message::WAIT_SECONDS;

/// Time for a TCP connection and for TLS, each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for an answer: as long as the guest may wait for output, and some for a busy guest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(WAIT_SECONDS + 30);
/// The bytes of an answer. Messages are asked to stay below 150 KiB; Windows' own maximum is 500.
const ANSWER_MAXIMUM: usize = 1024 * 1024;

/// Where the service is.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// By TLS with these settings, or plain.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Endpoint {
    /// Host and port, an IPv6 address in brackets.
    pub(super) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/wsman", self.address())
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The values of `WWW-Authenticate`.
    pub(super) challenges: Vec<String>,
    pub(super) text: String,
}

/// A connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Self, Trouble> {
        let reach = |source: io::Error| Trouble::Reach { source };
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let connecting = crate::tcp::connect(&endpoint.host, endpoint.port, CONNECT_TIMEOUT);
        let stream = connecting.await.map_err(|error| reach(error.into()))?;
        stream.set_nodelay(true).map_err(reach)?;
        match &endpoint.tls {
            None => Self::speak(stream, endpoint.address()).await,
            Some(settings) => {
                let name =
                    ServerName::try_from(endpoint.host.clone()).map_err(|_| Trouble::Tls {
                        source: io::Error::new(
                            io::ErrorKind::InvalidInput,
                            "no certificate can be for such a name",
                        ),
                    })?;
                let handshake = TlsConnector::from(Arc::clone(settings)).connect(name, stream);
                let stream = timeout(CONNECT_TIMEOUT, handshake)
                    .await
                    .unwrap_or_else(|_| Err(late()))
                    .map_err(|source| Trouble::Tls { source })?;
                Self::speak(stream, endpoint.address()).await
            }
        }
    }

    async fn speak(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
        host: String,
    ) -> Result<Self, Trouble> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|source| Trouble::Http { source })?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a WinRM connection ended");
            }
        });
        Ok(Self {
            sender,
            host,
            driver: driver.abort_handle(),
        })
    }

    /// Whether the other side still listens; to be asked before a request, so that none is sent in
    /// vain.
    pub(super) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends one message and reads the answer.
    pub(super) async fn post(
        &mut self,
        authorization: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Answer, Trouble> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/wsman");
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.host) {
            headers.insert(HOST, host);
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/soap+xml;charset=UTF-8"),
        );
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(AUTHORIZATION, authorization);
        }
        let answer = async {
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|source| Trouble::Http { source })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAXIMUM)
                .collect()
                .await
                .map_err(|source| Trouble::Answer { source })?;
            let challenges = head
                .headers
                .get_all(WWW_AUTHENTICATE)
                .iter()
                .filter_map(|value| value.to_str().ok().map(str::to_owned));
            Ok(Answer {
                status: head.status,
                challenges: challenges.collect(),
                text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            })
        };
        timeout(ANSWER_TIMEOUT, answer)
            .await
            .unwrap_or(Err(Trouble::Silence {
                seconds: ANSWER_TIMEOUT.as_secs(),
            }))
    }
}
