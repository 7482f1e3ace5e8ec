//! Whether and when a broken transfer is tried again.

use std::time::Duration;

use crate::LocationError;

/// Attempts in a row that bring nothing worth mentioning before a location is given up.
const MAXIMUM_ATTEMPTS: u32 = 5;

/// The same while no connection comes about at all: a dead mirror shouldn't hold up the next.
const MAXIMUM_CONNECT_ATTEMPTS: u32 = 3;

/// Bytes by which a resumable transfer must have grown for its attempts to be counted anew.
/// Each attempt costs a server at least this much or is counted, so their number is bounded.
const WORTHWHILE: u64 = 1 << 20;

/// The longest wait between two attempts that is our own choice.
const MAXIMUM_DELAY: Duration = Duration::from_secs(15);

/// The longest wait that a server may ask for (`Retry-After`). One that wants more is given up: the
/// user may know better than to wait, and the next location may work now.
const MAXIMUM_RETRY_AFTER: Duration = Duration::from_secs(120);

/// The part of a wait that is left to chance, so that builds that were refused together don't come
/// back together.
const JITTER: f64 = 0.5;

/// Counts the attempts of one download.
pub(crate) struct Retry {
    first_delay: Duration,
    jitter: f64,
    /// Attempts since the transfer last got on.
    attempts: u32,
    /// How far it had got then, in bytes.
    reached: u64,
}

impl Retry {
    /// Nothing tried yet; `reached` bytes are there.
    pub(crate) fn new(first_delay: Duration, reached: u64) -> Self {
        Self::with_jitter(first_delay, reached, JITTER)
    }

    fn with_jitter(first_delay: Duration, reached: u64, jitter: f64) -> Self {
        Self {
            first_delay,
            jitter,
            attempts: 0,
            reached,
        }
    }

    /// How long to wait before the next attempt, which doubles each time; `None` if there
    /// should be none. `kept` bytes are there for it to continue from.
    pub(crate) fn after(&mut self, error: &LocationError, kept: u64) -> Option<Duration> {
        if kept >= self.reached + WORTHWHILE {
            self.reached = kept;
            self.attempts = 0;
        }
        self.attempts += 1;
        if self.attempts >= attempts_worth(error) {
            return None;
        }
        let factor = 1_u32.checked_shl(self.attempts - 1).unwrap_or(u32::MAX);
        let longest = self.first_delay.saturating_mul(factor).min(MAXIMUM_DELAY);
        let delay = longest.mul_f64(1.0 - rand::random_range(0.0..=self.jitter));
        match error.retry_after() {
            Some(asked) if asked > MAXIMUM_RETRY_AFTER => None,
            Some(asked) => Some(asked.max(delay)),
            None => Some(delay),
        }
    }
}

/// How many attempts in a row an error is worth; 1 means it would only happen again.
fn attempts_worth(error: &LocationError) -> u32 {
    match error {
        LocationError::Short { .. } | LocationError::Timeout(_) | LocationError::Transfer(_) => {
            MAXIMUM_ATTEMPTS
        }
        LocationError::Connect(_) | LocationError::NoNameServer(_) => MAXIMUM_CONNECT_ATTEMPTS,
        #[cfg(feature = "smb")]
        LocationError::Share(error) if error.is_unreachable() => MAXIMUM_CONNECT_ATTEMPTS,
        #[cfg(feature = "smb")]
        LocationError::Share(error) if error.may_pass() => MAXIMUM_ATTEMPTS,
        LocationError::Status { status, .. } | LocationError::Store { status, .. } => {
            match status.as_u16() {
                408 | 429 | 500 | 502 | 503 | 504 => MAXIMUM_ATTEMPTS,
                _ => 1,
            }
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: LocationError = LocationError::Short {
        received: 0,
        announced: 1,
        source: None,
    };

    #[test]
    fn waits_double_up_to_a_bound_and_end() {
        let mut retry = Retry::with_jitter(Duration::from_secs(3), 0, 0.0);
        let waits: Vec<_> = (0..5).map(|_| retry.after(&BROKEN, 0)).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            waits,
            [seconds(3), seconds(6), seconds(12), seconds(15), None]
        );
    }

    #[test]
    fn getting_on_starts_the_count_anew() {
        let mut retry = Retry::new(Duration::from_secs(1), 0);
        for kept in 1..100 {
            assert!(retry.after(&BROKEN, kept * WORTHWHILE).is_some());
        }
        // Falling back and coming again is no progress.
        let waits = (0..5).map(|number| retry.after(&BROKEN, (98 + number % 2) * WORTHWHILE));
        assert!(waits.last().is_some_and(|last| last.is_none()));
    }

    #[test]
    fn what_would_only_happen_again_is_not_tried_again() {
        for (code, again) in [
            (404, false),
            (403, false),
            (416, false),
            (429, true),
            (503, true),
        ] {
            let status = reqwest::StatusCode::from_u16(code).unwrap();
            let error = LocationError::Status {
                status,
                retry_after: None,
            };
            assert_eq!(
                Retry::new(Duration::ZERO, 0).after(&error, 0).is_some(),
                again,
                "{code}"
            );
        }
    }

    #[test]
    fn chance_shortens_waits_and_never_lengthens_them() {
        for _ in 0..100 {
            let delay = Retry::new(Duration::from_secs(2), 0).after(&BROKEN, 0);
            assert!((1.0..=2.0).contains(&delay.unwrap().as_secs_f64()));
        }
    }

    #[test]
    fn a_server_is_left_alone_as_long_as_it_wants_within_reason() {
        for (asked, waits) in [(0, Some(3)), (60, Some(60)), (121, None)] {
            let error = LocationError::Status {
                status: reqwest::StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(Duration::from_secs(asked)),
            };
            let mut retry = Retry::with_jitter(Duration::from_secs(3), 0, 0.0);
            let delay = retry.after(&error, 0);
            assert_eq!(delay, waits.map(Duration::from_secs), "{asked}");
        }
    }
}
