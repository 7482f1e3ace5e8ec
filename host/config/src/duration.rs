//! Durations as Go and Packer write them: `1h5m2s`, `300ms`, `1.5h`.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    /// No unit, or one that does not exist.
    #[error("a duration needs units, such as \"90s\" or \"1h5m\" (h, m, s, ms)")]
    Unit,
    /// There is no number where one belongs.
    #[error("a duration is numbers with units, such as \"90s\" or \"1h5m\"")]
    Number,
    /// More than a century.
    #[error("a duration must be less than a hundred years")]
    Range,
}

/// Nothing in a build lasts longer; it also keeps sums with points of time from overflowing.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Nanoseconds in a unit; Go's list, see <https://pkg.go.dev/time#ParseDuration>.
fn unit(text: &str) -> Option<f64> {
    Some(match text {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

/// Reads a duration. One below zero counts as zero: with Packer, whose own zero means "the default",
/// templates say `boot_wait = "-1s"` for "don't wait" and `ssh_keep_alive_interval = "-1s"` for "never".
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if let Some(below_zero) = text.strip_prefix('-') {
        return parse_positive(below_zero).map(|_| Duration::ZERO);
    }
    parse_positive(text.strip_prefix('+').unwrap_or(text))
}

fn parse_positive(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(DurationError::Number);
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(DurationError::Unit)?;
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| DurationError::Number)?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        nanoseconds += number * unit(name).ok_or(DurationError::Unit)?;
        rest = after;
    }
    let duration =
        Duration::try_from_secs_f64(nanoseconds / 1e9).map_err(|_| DurationError::Range)?;
    if duration > LONGEST {
        Err(DurationError::Range)
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("5m", 300_000),
            ("1h5m2s", 3_902_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("+2s", 2_000),
            ("600s", 600_000),
            ("-1s", 0),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for (text, error) in [
            ("", DurationError::Number),
            ("5", DurationError::Unit),
            ("5 m", DurationError::Unit),
            ("5d", DurationError::Unit),
            ("m", DurationError::Number),
            ("-5", DurationError::Unit),
            ("--5s", DurationError::Number),
            ("+-5s", DurationError::Number),
            ("99999999999h", DurationError::Range),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_an_error(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }
    }
}
