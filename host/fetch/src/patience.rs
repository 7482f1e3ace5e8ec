//! How long a peer is waited for: one budget for a location, over all its attempts, redirects and answers.
//!
//! ```text
//!  waiting for the peer ──────► takes from the allowance ──► nothing left: given up
//!  bytes of the file received ► give back, by the least rate, up to what it was at first
//! ```
//!
//! So a peer that is slow for a while is waited for, one that sends nothing of the file (headers without an
//! end, answers that announce others, redirects, silence, one byte now and then) is given up after the
//! allowance, however it divides that time, and no transfer is longer than the allowance and its bytes at the
//! least rate. What is waited for here (the disk, a lock, a pause before the next attempt) is not the peer's
//! fault and takes nothing from the allowance. All of it counts for the longest time of a download.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::{LocationError, Settings};

/// What is left of the time for one location.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    full: Duration,
    left: Duration,
    /// Bytes per second that keep the allowance as it is.
    least_rate: u64,
    longest: Duration,
    longest_left: Duration,
}

impl Patience {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            full: settings.patience,
            left: settings.patience,
            least_rate: settings.least_rate.max(1),
            longest: settings.longest_download,
            longest_left: settings.longest_download,
        }
    }

    /// Waits for a peer.
    ///
    /// # Errors
    /// There is no time left for it, or it was not enough.
    pub(crate) async fn wait<F: Future>(&mut self, peer: F) -> Result<F::Output, LocationError> {
        let started = Instant::now();
        let limit = self.left.min(self.longest_left);
        let answer = timeout(limit, peer).await;
        self.spend(started.elapsed());
        answer.map_err(|_| self.exhausted())
    }

    /// Notes that so many bytes of the file have come.
    pub(crate) fn received(&mut self, bytes: u64) {
        let earned = Duration::from_secs_f64(bytes as f64 / self.least_rate as f64);
        self.left = self.left.saturating_add(earned).min(self.full);
    }

    /// Notes a pause of our own.
    ///
    /// # Errors
    /// There is no time left for it.
    pub(crate) fn pause(&mut self, pause: Duration) -> Result<(), LocationError> {
        match self.longest_left.checked_sub(pause) {
            Some(left) => {
                self.longest_left = left;
                Ok(())
            }
            None => Err(LocationError::OverTime {
                longest: self.longest,
            }),
        }
    }

    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
        self.longest_left = self.longest_left.saturating_sub(time);
    }

    fn exhausted(&self) -> LocationError {
        if self.longest_left.is_zero() {
            return LocationError::OverTime {
                longest: self.longest,
            };
        }
        LocationError::TooSlow {
            patience: self.full,
            least_rate: self.least_rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use proptest::prelude::*;

    use super::*;

    fn patience(seconds: u64, least_rate: u64, longest: u64) -> Patience {
        let mut settings = Settings::new("cache");
        settings.patience = Duration::from_secs(seconds);
        settings.least_rate = least_rate;
        settings.longest_download = Duration::from_secs(longest);
        Patience::new(&settings)
    }

    /// On tokio's own clock, which goes on when everybody waits.
    #[tokio::test(start_paused = true)]
    async fn silence_is_waited_for_once_and_not_for_each_attempt() {
        let started = Instant::now();
        let mut patience = patience(120, 1024, 1000);
        let mut ended = 0;
        while patience
            .wait(timeout(Duration::from_secs(50), pending::<()>()))
            .await
            .is_ok()
        {
            ended += 1;
        }
        assert_eq!((ended, started.elapsed().as_secs()), (2, 120));
        let error = patience.wait(pending::<()>()).await.unwrap_err();
        assert!(matches!(error, LocationError::TooSlow { .. }), "{error}");
        assert_eq!(started.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_buys_no_time_and_the_least_rate_all_of_it() {
        for (bytes, expected) in [(1, 120..=130), (1024 * 10, 1000..=1000)] {
            let started = Instant::now();
            let mut patience = patience(120, 1024, 1000);
            let error = loop {
                match patience
                    .wait(tokio::time::sleep(Duration::from_secs(10)))
                    .await
                {
                    Ok(()) => patience.received(bytes),
                    Err(error) => break error,
                }
            };
            let took = started.elapsed().as_secs();
            assert!(expected.contains(&took), "{bytes}: {took} s, {error}");
            let is_slow = matches!(error, LocationError::TooSlow { .. });
            assert_eq!(is_slow, bytes == 1, "{error}");
        }
    }

    #[test]
    fn pauses_count_for_the_longest_time_only() {
        let mut patience = patience(1, 1024, 100);
        for _ in 0..10 {
            patience.pause(Duration::from_secs(10)).unwrap();
        }
        let error = patience.pause(Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, LocationError::OverTime { .. }), "{error}");
        assert_eq!(patience.left, Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn no_transfer_is_longer_than_its_allowance_and_its_bytes(
            steps in prop::collection::vec((0_u64..100, 0_u64..10_000), 1..50),
        ) {
            let mut patience = patience(60, 100, 1_000_000);
            let (mut waited, mut received) = (0, 0);
            for (seconds, bytes) in steps {
                let granted = Duration::from_secs(seconds).min(patience.left);
                patience.spend(granted);
                waited += granted.as_secs();
                patience.received(bytes);
                received += bytes;
                prop_assert!(waited <= 60 + received / 100 + 1);
                prop_assert!(patience.left <= patience.full);
            }
        }
    }
}
