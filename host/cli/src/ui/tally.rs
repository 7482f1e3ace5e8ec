//! How far a transfer is, how fast it goes and how long it will take.

use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, HumanDuration};

/// A position that is told so soon after the beginning is where a transfer goes on from (a download
/// that was interrupted earlier), and not what it has done since.
const BEGINNING: Duration = Duration::from_millis(20);

/// Counts the bytes of one transfer.
#[derive(Debug)]
pub(crate) struct Tally {
    begun: Instant,
    resumed_from: u64,
    position: u64,
    total: Option<u64>,
}

impl Tally {
    pub(crate) fn new(total: Option<u64>) -> Self {
        Self {
            begun: Instant::now(),
            resumed_from: 0,
            position: 0,
            total,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    pub(crate) fn set_total(&mut self, total: Option<u64>) {
        self.total = total;
    }

    pub(crate) fn set_position(&mut self, bytes: u64) {
        if self.position == 0 && self.begun.elapsed() < BEGINNING {
            self.resumed_from = bytes;
        }
        self.position = bytes;
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.position = self.position.saturating_add(bytes);
    }

    /// Everything is there, also what nobody has counted.
    pub(crate) fn finish(&mut self) {
        self.position = self.total.unwrap_or(self.position);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// From 0 to 1, once the total is known.
    pub(crate) fn fraction(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.position as f64 / total as f64).min(1.0))
    }

    /// `12 MiB of 1 GiB (1 %), 100 MiB/s, 10 seconds left`, as far as it is known.
    pub(crate) fn progress(&self) -> String {
        self.progress_after(self.elapsed())
    }

    fn progress_after(&self, elapsed: Duration) -> String {
        let mut text = BinaryBytes(self.position).to_string();
        if let (Some(total), Some(fraction)) = (self.total, self.fraction()) {
            let percent = (fraction * 100.0).floor();
            text.push_str(&format!(" of {} ({percent} %)", BinaryBytes(total)));
        }
        if let Some(rate) = self.rate(elapsed) {
            text.push_str(&format!(", {}/s", BinaryBytes(rate)));
            if let Some(total) = self.total {
                let left = total.saturating_sub(self.position) / rate;
                text.push_str(&format!(
                    ", {} left",
                    HumanDuration(Duration::from_secs(left))
                ));
            }
        }
        text
    }

    /// `1 GiB in 10.2 s, 100 MiB/s`.
    pub(crate) fn summary(&self) -> String {
        self.summary_after(self.elapsed())
    }

    fn summary_after(&self, elapsed: Duration) -> String {
        let size = BinaryBytes(self.position);
        let mut text = format!("{size} in {:.1} s", elapsed.as_secs_f64());
        if let Some(rate) = self.rate(elapsed) {
            text.push_str(&format!(", {}/s", BinaryBytes(rate)));
        }
        text
    }

    /// Bytes in a second so far; `None` while there is nothing to tell.
    fn rate(&self, elapsed: Duration) -> Option<u64> {
        let moved = self.position.saturating_sub(self.resumed_from);
        let rate = moved as f64 / elapsed.as_secs_f64();
        (moved > 0 && rate.is_finite() && rate >= 1.0).then_some(rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn tally(resumed_from: u64, position: u64, total: Option<u64>) -> Tally {
        Tally {
            begun: Instant::now(),
            resumed_from,
            position,
            total,
        }
    }

    #[test]
    fn says_what_is_known() {
        let ten = Duration::from_secs(10);
        let cases = [
            (tally(0, 100 * MIB, Some(400 * MIB)), {
                "100.00 MiB of 400.00 MiB (25 %), 10.00 MiB/s, 30 seconds left"
            }),
            (tally(50 * MIB, 100 * MIB, Some(100 * MIB)), {
                "100.00 MiB of 100.00 MiB (100 %), 5.00 MiB/s, 0 seconds left"
            }),
            (tally(0, 100 * MIB, None), "100.00 MiB, 10.00 MiB/s"),
            (tally(0, 0, Some(MIB)), "0 B of 1.00 MiB (0 %)"),
            (
                tally(MIB, MIB, Some(4 * MIB)),
                "1.00 MiB of 4.00 MiB (25 %)",
            ),
            (tally(0, 0, Some(0)), "0 B"),
        ];
        for (tally, expected) in cases {
            assert_eq!(tally.progress_after(ten), expected);
        }
        assert_eq!(
            tally(0, 100 * MIB, None).summary_after(ten),
            "100.00 MiB in 10.0 s, 10.00 MiB/s"
        );
        assert_eq!(
            tally(MIB, MIB, None).summary_after(ten),
            "1.00 MiB in 10.0 s"
        );
        assert_eq!(
            tally(0, MIB, None).summary_after(Duration::ZERO),
            "1.00 MiB in 0.0 s"
        );
    }
}
