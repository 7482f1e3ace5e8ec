//! The channels that are open on one connection, and the wait for room where a server allows few.
//!
//! ```text
//!   open ──► confirmed ──► held ──► closed
//!    ▲           refused                │ wakes those who wait
//!    │              ▼                   │
//!    └────────── waiting ◄──────────────┘
//!                   │ the deadline is over; or none of ours is open, and the server still refuses
//!                   ▼ when it has had time to clean up
//!                refused for good
//! ```
//!
//! sshd counts sessions (`MaxSessions`), other servers all channels, and some allow one. A session
//! counts there until its process has ended and both sides have closed the channel, which may be a
//! moment after we have heard of it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelOpenFailure, ChannelReadHalf, ChannelStream, ChannelWriteHalf, Error};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a server may take to clean up after the last of our channels.
const CLEANING: Duration = Duration::from_secs(10);
/// Pause before a channel is asked for again. It doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Up to this one.
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// The channels that are open.
#[derive(Debug, Clone)]
pub(super) struct OpenChannels(watch::Sender<Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    open: usize,
    /// How many have been opened.
    opened: u64,
    /// How many have been closed.
    closed: u64,
}

/// A channel counts as open while this lives.
#[derive(Debug)]
pub(super) struct Place(watch::Sender<Count>);

/// A channel that has been opened. When this is dropped, the channel is closed, so that the server lets
/// go as well; it counts as open until then.
pub(super) struct OpenChannel {
    /// What comes.
    pub(super) messages: ChannelReadHalf,
    /// What goes.
    pub(super) writer: OpenWriter,
}

/// An open channel whose bytes are all that matters. The stream closes it when it is dropped.
pub(super) struct OpenStream {
    pub(super) stream: ChannelStream<Msg>,
    pub(super) place: Place,
}

/// The half of a channel that closes it when it is dropped.
pub(super) struct OpenWriter {
    half: Arc<ChannelWriteHalf<Msg>>,
    place: Option<Place>,
}

impl From<(Channel<Msg>, Place)> for OpenChannel {
    fn from((channel, place): (Channel<Msg>, Place)) -> Self {
        let (messages, half) = channel.split();
        let writer = OpenWriter {
            half: Arc::new(half),
            place: Some(place),
        };
        Self { messages, writer }
    }
}

impl From<(Channel<Msg>, Place)> for OpenStream {
    fn from((channel, place): (Channel<Msg>, Place)) -> Self {
        let stream = channel.into_stream();
        Self { stream, place }
    }
}

impl OpenWriter {
    /// The half, for a task. It closes nothing.
    pub(super) fn half(&self) -> Arc<ChannelWriteHalf<Msg>> {
        Arc::clone(&self.half)
    }
}

impl Deref for OpenWriter {
    type Target = ChannelWriteHalf<Msg>;

    fn deref(&self) -> &Self::Target {
        &self.half
    }
}

impl Drop for OpenWriter {
    fn drop(&mut self) {
        let (half, place) = (self.half(), self.place.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = half.close().await {
                    tracing::debug!(%error, "the channel was not closed: the connection is gone");
                }
                drop(place);
            });
        }
    }
}

impl OpenChannels {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Count::default()))
    }

    /// Whether one is open now.
    pub(super) fn any(&self) -> bool {
        self.0.borrow().open > 0
    }

    /// Whether one has ever been opened.
    pub(super) fn ever(&self) -> bool {
        self.0.borrow().opened > 0
    }

    /// A channel has been opened.
    pub(super) fn take(&self) -> Place {
        self.0.send_modify(|count| {
            count.open += 1;
            count.opened += 1;
        });
        Place(self.0.clone())
    }

    /// Asks for a channel by `ask` until the server gives one, or refuses and will go on refusing,
    /// or `deadline`. Only what `passes` says of a refusal is waited for.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) async fn open<A, C>(
        &self,
        deadline: Instant,
        passes: impl Fn(&ChannelOpenFailure) -> bool,
        mut ask: impl FnMut() -> A,
    ) -> Result<C, Error>
    where
        A: Future<Output = Result<Channel<Msg>, Error>> + Send + 'static,
        C: From<(Channel<Msg>, Place)> + Send + 'static,
    {
        let mut alone_since = None;
        let mut pause = PAUSE_FIRST;
        loop {
            let mut counts = self.0.subscribe();
            let before = *counts.borrow_and_update();
            let (asking, channels) = (ask(), self.clone());
            // A task of its own: if the answer comes after whoever wanted it has gone, the channel is
            // closed instead of left open on the server.
            let asked = tokio::spawn(async move {
                let channel = asking.await?;
                Ok(C::from((channel, channels.take())))
            });
            let refused = match asked.await.unwrap_or(Err(Error::SendError)) {
                Ok(channel) => return Ok(channel),
                Err(Error::ChannelOpenFailure(reason)) if passes(&reason) => reason,
                Err(error) => return Err(error),
            };
            let now = Instant::now();
            let last = if before.open > 0 {
                alone_since = None;
                deadline
            } else {
                deadline.min(*alone_since.get_or_insert(now) + CLEANING)
            };
            if now >= last {
                return Err(Error::ChannelOpenFailure(refused));
            }
            tracing::debug!(
                ?refused,
                open = before.open,
                "waiting for room for a channel"
            );
            tokio::select! {
                // The sender lives as long as this.
                _ = counts.wait_for(|count| count.closed > before.closed) => pause = PAUSE_FIRST,
                () = sleep_until(last.min(now + pause)) => pause = PAUSE_LONGEST.min(pause * 2),
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|count| {
            count.open = count.open.saturating_sub(1);
            count.closed += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A server that refuses every channel.
    fn never() -> std::future::Ready<Result<Channel<Msg>, Error>> {
        std::future::ready(Err(Error::ChannelOpenFailure(
            ChannelOpenFailure::ConnectFailed,
        )))
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_has_room_is_not_waited_for_long() {
        let channels = OpenChannels::new();
        let (began, asked) = (Instant::now(), Mutex::new(0));
        let far = began + CLEANING * 100;
        let ask = || {
            *asked.lock().unwrap() += 1;
            never()
        };
        assert!(
            channels
                .open::<_, OpenChannel>(far, |_| true, ask)
                .await
                .is_err()
        );
        let took = began.elapsed();
        assert!(took >= CLEANING && took < CLEANING * 2, "{took:?}");
        let asked = asked.into_inner().unwrap();
        assert!((5..30).contains(&asked), "{asked}");
        // What does not pass is not waited for at all.
        let began = Instant::now();
        assert!(
            channels
                .open::<_, OpenChannel>(far, |_| false, never)
                .await
                .is_err()
        );
        assert!(began.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn while_one_is_open_it_is_waited_for_up_to_the_deadline() {
        let channels = OpenChannels::new();
        let held = channels.take();
        assert!(channels.any() && channels.ever());
        let began = Instant::now();
        let deadline = began + CLEANING * 10;
        assert!(
            channels
                .open::<_, OpenChannel>(deadline, |_| true, never)
                .await
                .is_err()
        );
        assert_eq!(Instant::now(), deadline);
        // One that is closed wakes whoever waits, and from then on the server has time to clean up.
        let far = Instant::now() + CLEANING * 100;
        let waiting = channels.open::<_, OpenChannel>(far, |_| true, never);
        let closing = async {
            tokio::time::sleep(CLEANING * 3).await;
            drop(held);
        };
        let began = Instant::now();
        let (opened, ()) = tokio::join!(waiting, closing);
        assert!(opened.is_err() && !channels.any() && channels.ever());
        let took = began.elapsed();
        assert!(took >= CLEANING * 4 && took < CLEANING * 5, "{took:?}");
    }
}
