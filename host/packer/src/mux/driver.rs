//! The one task that drives the connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::TokioAsyncReadCompatExt;
use tokio_util::sync::CancellationToken;
use yamux::{Config, Connection, ConnectionError, Mode};

use super::stream::{self, Stream};
use super::{Listening, MAX_STREAMS, StreamError};

/// What the streams of a connection may hold together for readers that are slow: the window that the
/// protocol gives each stream, so that none grows beyond it.
const RECEIVE_WINDOWS: usize = MAX_STREAMS * 256 * 1024;

type Reply = oneshot::Sender<Result<Stream, StreamError>>;

/// What the connection asks the task to do.
enum Event {
    Inbound(yamux::Stream),
    Outbound(yamux::Stream),
    Refused(ConnectionError),
    /// The connection is over, with an error unless core hung up.
    Over(Option<ConnectionError>),
}

/// Drives the connection until core hangs up or nobody needs it any more.
pub(super) async fn drive<T>(
    socket: T,
    mut requests: mpsc::Receiver<Reply>,
    listening: Arc<Listening>,
    closed: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _closed = closed.drop_guard();
    let mut config = Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config.set_max_connection_receive_window(Some(RECEIVE_WINDOWS));
    let mut connection = Connection::new(socket.compat(), config, Mode::Server);
    let linger = stream::lingering();
    let mut waiting: VecDeque<Reply> = VecDeque::new();
    loop {
        let event = poll_fn(|context| {
            while let Poll::Ready(request) = requests.poll_recv(context) {
                match request {
                    Some(reply) => waiting.push_back(reply),
                    None => return Poll::Ready(Event::Over(None)),
                }
            }
            // A stream that nobody waits for any more is not opened.
            waiting.retain(|reply| !reply.is_closed());
            if !waiting.is_empty()
                && let Poll::Ready(opened) = connection.poll_new_outbound(context)
            {
                return Poll::Ready(match opened {
                    Ok(stream) => Event::Outbound(stream),
                    Err(error) => Event::Refused(error),
                });
            }
            connection
                .poll_next_inbound(context)
                .map(|inbound| match inbound {
                    Some(Ok(stream)) => Event::Inbound(stream),
                    Some(Err(error)) => Event::Over(Some(error)),
                    None => Event::Over(None),
                })
        })
        .await;
        match event {
            Event::Inbound(stream) => {
                let listening = Arc::clone(&listening);
                let stream = Stream::new(stream, linger.clone());
                tokio::spawn(async move { listening.route(stream).await });
            }
            Event::Outbound(stream) => {
                answer(&mut waiting, Ok(Stream::new(stream, linger.clone())))
            }
            Event::Refused(ConnectionError::TooManyStreams) => {
                answer(&mut waiting, Err(StreamError::TooMany));
            }
            Event::Refused(error) => {
                tracing::debug!(%error, "a stream was not opened");
                answer(&mut waiting, Err(StreamError::Disconnected));
            }
            Event::Over(error) => {
                match error {
                    Some(error) => tracing::debug!(%error, "the connection to Packer broke"),
                    None => tracing::debug!("the connection to Packer ended"),
                }
                return;
            }
        }
    }
}

/// Answers the request that waits longest. Whoever asked sends and receives in a task that is never
/// interrupted, so the stream is not lost between the two.
fn answer(waiting: &mut VecDeque<Reply>, result: Result<Stream, StreamError>) {
    if let Some(reply) = waiting.pop_front() {
        let _ = reply.send(result);
    }
}
