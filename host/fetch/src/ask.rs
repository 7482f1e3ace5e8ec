//! A question to a server and its answer, whole: documents, tokens, indexes. Nothing of it is kept.

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::download::Retry;
use crate::exchange::{Exchange, Message};
use crate::patience::Patience;
use crate::{Failure, FetchError, Fetcher, Location, LocationError, Request};

/// Bytes of an answer, at most, and of a question's body.
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// Names and values of an answer's headers that are handed on, in bytes.
const MOST_HEADER_BYTES: usize = 64 << 10;

/// What is to be done with what a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It is asked for.
    Get,
    /// Only what it is: its headers.
    Head,
    /// Something is sent to it, which may change things there. It is sent once, and redirects are not followed.
    Post,
}

impl Method {
    /// Whether the server may do more than to answer.
    pub fn changes_things(self) -> bool {
        self == Self::Post
    }

    pub(crate) fn http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Head => reqwest::Method::HEAD,
            Self::Post => reqwest::Method::POST,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whom, with which headers and within which bounds. There is no checksum.
    pub request: Request,
    /// What to do.
    pub method: Method,
    /// What is sent.
    pub body: Bytes,
}

/// What a server answers, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub status: u16,
    /// Names in lower case, values as far as they are text.
    pub headers: Vec<(String, String)>,
    /// [`MOST_BYTES`] at most.
    pub body: Bytes,
}

impl Fetcher {
    /// Asks location after location until one answers. What only asks is asked again when a connection breaks.
    ///
    /// # Errors
    /// No location answers (each one's reason is in the error), or `cancel` was triggered.
    pub async fn ask(
        &self,
        question: &Question,
        cancel: &CancellationToken,
    ) -> Result<Reply, FetchError> {
        if question.request.locations.is_empty() {
            return Err(FetchError::NoLocation);
        }
        let mut failures = Vec::new();
        for location in &question.request.locations {
            let asking = self.ask_at(location, question);
            match cancel.run_until_cancelled(asking).await {
                None => return Err(FetchError::Cancelled),
                Some(Ok(reply)) => return Ok(reply),
                Some(Err(error)) => failures.push(Failure {
                    location: location.clone(),
                    error,
                }),
            }
        }
        Err(FetchError::AllFailed(failures))
    }

    async fn ask_at(
        &self,
        location: &Location,
        question: &Question,
    ) -> Result<Reply, LocationError> {
        let Location::Web(web) = location else {
            return Err(LocationError::NoServer);
        };
        let scheme = web.url().expose().scheme();
        if !matches!(scheme, "http" | "https") || web.object().is_some() {
            return Err(LocationError::NoServer);
        }
        let settings = self.settings();
        let address = Address::new(web, &question.request, settings);
        let address = address.map_err(LocationError::S3)?;
        let mut retry = Retry::new(settings.retry_delay, 0);
        let mut patience = Patience::new(settings);
        loop {
            let error = match self.attempt(&address, question, &mut patience).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let delay = retry.after(&error, 0);
            let Some(delay) = delay.filter(|_| !question.method.changes_things()) else {
                return Err(error);
            };
            patience.pause(delay)?;
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt(
        &self,
        address: &Address<'_>,
        question: &Question,
        patience: &mut Patience,
    ) -> Result<Reply, LocationError> {
        let headers =
            HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        let message = Message {
            method: question.method,
            headers: &headers,
            body: question.body.clone(),
        };
        let exchange = Exchange {
            clients: self.clients(),
            settings: self.settings(),
        };
        let mut response = exchange.send(address, &message, patience).await?;
        let mut body = Vec::new();
        while let Some(bytes) = patience
            .wait(response.chunk())
            .await?
            .map_err(|error| LocationError::Transfer(error.without_url()))?
        {
            patience.received(bytes.len() as u64);
            if body.len() + bytes.len() > MOST_BYTES {
                return Err(LocationError::TooLong {
                    limit: MOST_BYTES as u64,
                });
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Reply {
            status: response.status().as_u16(),
            headers: told(response.headers())?,
            body: body.into(),
        })
    }
}

/// The headers that are text.
fn told(headers: &HeaderMap) -> Result<Vec<(String, String)>, LocationError> {
    let mut told = Vec::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let Ok(value) = value.to_str() else {
            continue;
        };
        bytes += name.as_str().len() + value.len();
        if bytes > MOST_HEADER_BYTES {
            return Err(LocationError::TooLong {
                limit: MOST_HEADER_BYTES as u64,
            });
        }
        told.push((name.as_str().to_owned(), value.to_owned()));
    }
    Ok(told)
}
