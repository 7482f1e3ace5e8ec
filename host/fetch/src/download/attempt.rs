//! One attempt at a transfer: what is asked for, and what of the answer can be used.

use reqwest::header::{
    ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use reqwest::{Response, StatusCode};

use super::version::{Validators, continued};
use super::{Download, MAXIMUM_LENGTH};
use crate::cache::UrlEntry;
use crate::patience::Patience;
use crate::sink::{Closed, Sink};
use crate::{LocationError, disk, exchange};

/// Why one attempt ended early.
pub(super) enum Broken {
    Cancelled,
    Closed,
    /// So many bytes are still to come and don't fit.
    NoRoom(u64),
    Location(LocationError),
}

impl From<Closed> for Broken {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl From<LocationError> for Broken {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

/// What one attempt came to.
pub(super) enum Outcome {
    /// The known blob is what the server has.
    NotModified,
    /// All bytes are in the sink; the server's validators.
    Complete(Validators),
}

impl Download<'_> {
    /// Asks once and receives what comes.
    pub(super) async fn attempt(
        &self,
        sink: &mut Sink,
        known: Option<&UrlEntry>,
        patience: &mut Patience,
    ) -> Result<Outcome, Broken> {
        #[cfg(feature = "smb")]
        if self.address.is_share() {
            return self.attempt_share(sink, known, patience).await;
        }
        let mut response = self.ask(&self.conditions(sink, known), patience).await?;
        let (resumed, total) = match continued(&response, sink) {
            Some(total) => (sink.position(), total),
            None => {
                if matches!(response.status().as_u16(), 206 | 416) {
                    // Not the part that was asked for, or there is none: all of it, then.
                    sink.restart(None).await?;
                    response = self.ask(&self.conditions(sink, None), patience).await?;
                }
                match response.status() {
                    StatusCode::OK => {}
                    StatusCode::NOT_MODIFIED => return Ok(Outcome::NotModified),
                    _ => {
                        let refusal = exchange::refusal(response, &self.address);
                        return Err(patience.wait(refusal).await?.into());
                    }
                }
                sink.restart(Validators::of(response.headers()).strong_etag())
                    .await?;
                (0, response.content_length())
            }
        };
        let limit = self.begin(sink, total, resumed)?;
        let validators = Validators::of(response.headers());
        loop {
            let chunk = patience.wait(response.chunk());
            let chunk = self.cancel.run_until_cancelled(chunk).await;
            match chunk.ok_or(Broken::Cancelled)?? {
                Ok(Some(bytes)) => {
                    let length = bytes.len() as u64;
                    patience.received(length);
                    if sink.position() + length > limit {
                        return Err(match total {
                            Some(_) => LocationError::TooLong { limit },
                            None => LocationError::Unannounced { limit },
                        }
                        .into());
                    }
                    sink.push(bytes).await?;
                    self.progress.advanced(length);
                }
                Ok(None) => break,
                Err(error) => return Err(body_error(error, sink.position(), total).into()),
            }
        }
        match total {
            Some(announced) if sink.position() < announced => {
                let received = sink.position();
                Err(LocationError::Short {
                    received,
                    announced,
                    source: None,
                }
                .into())
            }
            _ => Ok(Outcome::Complete(validators)),
        }
    }

    /// Announces what is to come, if there is room for it; gives the bound of it.
    pub(super) fn begin(
        &self,
        sink: &mut Sink,
        total: Option<u64>,
        resumed: u64,
    ) -> Result<u64, Broken> {
        let free = disk::free(&self.settings.cache_directory);
        let limit = total.unwrap_or_else(|| {
            let room = free.map_or(u64::MAX, |free| sink.position() + free / 2);
            self.settings.unannounced_limit.min(room)
        });
        if limit > MAXIMUM_LENGTH {
            return Err(LocationError::TooLong {
                limit: MAXIMUM_LENGTH,
            }
            .into());
        }
        sink.announce(total);
        if let Some(total) = total {
            let needed = total.saturating_sub(sink.position());
            if free.is_some_and(|free| free < needed) {
                return Err(Broken::NoRoom(needed));
            }
        }
        self.progress.started(self.location, total, resumed);
        Ok(limit)
    }

    async fn ask(&self, headers: &HeaderMap, patience: &mut Patience) -> Result<Response, Broken> {
        let asking = self.exchange.get(&self.address, headers, patience);
        let answer = self.cancel.run_until_cancelled(asking).await;
        Ok(answer.ok_or(Broken::Cancelled)??)
    }

    /// The rest of a version, or a version other than the known one, or anything.
    fn conditions(&self, sink: &Sink, known: Option<&UrlEntry>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // A file's bytes as they are stored: offsets and digests are about these.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        match (sink.etag(), known) {
            (Some(etag), _) if sink.position() > 0 => {
                set(RANGE, &format!("bytes={}-", sink.position()));
                set(IF_RANGE, etag);
            }
            (_, Some(entry)) => {
                if let Some(etag) = &entry.etag {
                    set(IF_NONE_MATCH, etag);
                }
                if let Some(date) = &entry.last_modified {
                    set(IF_MODIFIED_SINCE, date);
                }
            }
            _ => {}
        }
        headers
    }
}

fn body_error(error: reqwest::Error, received: u64, total: Option<u64>) -> LocationError {
    let error = error.without_url();
    match total {
        _ if error.is_timeout() => LocationError::Timeout(error),
        Some(announced) => LocationError::Short {
            received,
            announced,
            source: Some(error),
        },
        None => LocationError::Transfer(error),
    }
}
