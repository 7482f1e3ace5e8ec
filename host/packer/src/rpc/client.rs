//! The calling end of a stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::message::{Message, ReadError, Reader, request, write};
use crate::mux::Stream;

/// Why a call to Packer gave no answer that is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Packer answered with an error: its text.
    #[error("{0}")]
    Remote(String),
    /// The connection is gone, or the call came after the end of what it belongs to.
    #[error("the connection to Packer is gone")]
    Disconnected,
    /// Packer's answer is not what the call has for an answer.
    #[error("Packer answered {method} with something else than {expected}")]
    Unexpected {
        /// What was called.
        method: &'static str,
        /// What should have come.
        expected: &'static str,
    },
}

/// Calls services at the other end. Clones share the stream.
///
/// A call that is given up goes on at the other end; its answer is thrown away.
#[derive(Clone)]
pub(crate) struct Client {
    state: Arc<Mutex<State>>,
}

enum State {
    Open {
        next: u64,
        calls: HashMap<u64, oneshot::Sender<Result<Bytes, CallError>>>,
        outgoing: mpsc::Sender<Message>,
    },
    Closed,
}

impl Client {
    /// Calls over `stream`. When its other end is gone, `lost` is cancelled before any call fails for
    /// that.
    pub(crate) fn new(stream: Stream, lost: CancellationToken) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let state = Arc::new(Mutex::new(State::Open {
            next: 0,
            calls: HashMap::new(),
            outgoing: write(writer),
        }));
        let answered = Arc::clone(&state);
        tokio::spawn(async move {
            if let Err(error) = receive(Reader::new(reader), &answered).await {
                tracing::warn!(%error, "Packer's answers can't be read any more");
            }
            lost.cancel();
            close(&answered);
        });
        Self { state }
    }

    /// Calls `method` with an encoded argument and returns the encoded answer.
    pub(crate) async fn call(&self, method: &str, argument: Bytes) -> Result<Bytes, CallError> {
        let outgoing = match self.state.lock().as_deref() {
            Ok(State::Open { outgoing, .. }) => outgoing.clone(),
            _ => return Err(CallError::Disconnected),
        };
        // From here to the wait nothing is awaited, so a call is either not made or answered.
        let permit = outgoing
            .reserve()
            .await
            .map_err(|_| CallError::Disconnected)?;
        let answer = match self.state.lock().as_deref_mut() {
            Ok(State::Open { next, calls, .. }) => {
                let sequence = *next;
                *next += 1;
                let (waiter, answer) = oneshot::channel();
                calls.insert(sequence, waiter);
                permit.send(request(method, sequence, argument));
                answer
            }
            _ => return Err(CallError::Disconnected),
        };
        drop(outgoing);
        answer.await.unwrap_or(Err(CallError::Disconnected))
    }

    /// Ends the stream. Calls that are not answered yet fail, and so do later ones.
    pub(crate) fn close(&self) {
        close(&self.state);
    }
}

fn close(state: &Mutex<State>) {
    if let Ok(mut state) = state.lock() {
        *state = State::Closed;
    }
}

async fn receive<R>(mut answers: Reader<R>, state: &Mutex<State>) -> Result<(), ReadError>
where
    R: tokio::io::AsyncRead + Unpin,
{
    while let Some((header, body)) = answers.next().await? {
        let waiter = match state.lock().as_deref_mut() {
            Ok(State::Open { calls, .. }) => calls.remove(&header.sequence),
            _ => None,
        };
        let Some(waiter) = waiter else {
            tracing::debug!(method = header.method, "Packer answers a call that is over");
            continue;
        };
        let result = if header.error.is_empty() {
            Ok(body)
        } else {
            Err(CallError::Remote(header.error))
        };
        // Whoever called may have gone.
        let _ = waiter.send(result);
    }
    Ok(())
}
