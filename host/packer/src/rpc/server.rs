//! The serving end of a stream.
//!
//! Requests are served side by side, and have to be: core sends the progress of an upload on the very
//! stream on which that upload is not answered yet, and sends no more of the file before it is told that
//! the progress was seen.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::message::{Message, Reader, answer, write};
use crate::msgpack::decode;
use crate::mux::Stream;
use crate::value::Value;

/// How many requests of a stream are served at once. The next one is not read before one is answered.
/// Far above what provisioners ask for, since those that wait on each other must not meet it.
const AT_ONCE: usize = 1024;

/// What answers requests.
#[async_trait]
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one request: `argument` is an encoded value, and so is the answer. An error is text.
    async fn call(
        self: Arc<Self>,
        service: &str,
        method: &str,
        argument: Bytes,
    ) -> Result<Bytes, String>;
}

/// Serves `stream` until its other end has said everything, and returns the requests that are still
/// being worked on. Dropping those, or this future, ends them where they are.
pub(crate) async fn serve<S: Service>(stream: Stream, service: Arc<S>) -> JoinSet<()> {
    let (reader, writer) = tokio::io::split(stream);
    let mut requests = Reader::new(reader);
    let answers = write(writer);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut calls = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let permit = Arc::clone(&permits).acquire_owned().await;
        while calls.try_join_next().is_some() {}
        let (header, argument) = match requests.next().await {
            Ok(Some(request)) => request,
            Ok(None) => return calls,
            Err(error) => {
                tracing::warn!(%error, "Packer's requests can't be read any more");
                return calls;
            }
        };
        let (service, answers) = (Arc::clone(&service), answers.clone());
        calls.spawn(async move {
            respond(service, header.method, header.sequence, argument, answers).await;
            drop(permit);
        });
    }
}

async fn respond<S: Service>(
    service: Arc<S>,
    name: String,
    sequence: u64,
    argument: Bytes,
    answers: mpsc::Sender<Message>,
) {
    // The name of a progress bar's service holds a file's name, dots included.
    let result = match name.rsplit_once('.') {
        Some((of, method)) => AssertUnwindSafe(service.call(of, method, argument))
            .catch_unwind()
            .await
            // A plugin that dies gives the user nothing but "unexpected EOF".
            .unwrap_or_else(|_| Err(format!("internal error of the plugin: {name} panicked"))),
        None => Err(format!("rpc: service/method request ill-formed: {name}")),
    };
    if answers.send(answer(&name, sequence, result)).await.is_err() {
        tracing::debug!(method = name, "an answer came too late: the stream is gone");
    }
}

/// The decoded argument of `method`.
pub(crate) fn arguments(method: &str, argument: &[u8]) -> Result<Value, String> {
    decode(argument).map_err(|error| format!("the argument of {method} can't be read: {error}"))
}
