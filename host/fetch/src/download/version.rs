//! Which version of a file an answer is about, and which part of it.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_RANGE, DATE, ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::{Response, StatusCode};

use crate::sink::Sink;

/// By what a server recognises a version of a file.
#[derive(Clone)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Validators {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let date = text(DATE);
        Self {
            etag: text(ETAG),
            last_modified: text(LAST_MODIFIED).filter(|modified| is_settled(modified, date)),
        }
    }

    /// The entity tag if it is strong (RFC 9110 §8.8.3): same tag, same bytes. A date never
    /// counts as strong here; whole seconds are too coarse for a file being replaced.
    pub(super) fn strong_etag(&self) -> Option<String> {
        self.etag.clone().filter(|etag| etag.starts_with('"'))
    }
}

/// Whether a file's date tells its version from the next: dates are in whole seconds, so a file
/// that changed in the second of the answer may change once more without a new one
/// (RFC 9110 §8.8.2.2).
fn is_settled(modified: &str, date: Option<String>) -> bool {
    let Ok(modified) = httpdate::parse_http_date(modified) else {
        return false;
    };
    let date = date.and_then(|date| httpdate::parse_http_date(&date).ok());
    let age = date
        .unwrap_or_else(SystemTime::now)
        .duration_since(modified);
    age.is_ok_and(|age| age >= Duration::from_secs(1))
}

/// Whether the answer is exactly the rest that was asked for: the total length if so, as far as
/// it is known.
pub(super) fn continued(response: &Response, sink: &Sink) -> Option<Option<u64>> {
    if response.status() != StatusCode::PARTIAL_CONTENT || sink.position() == 0 {
        return None;
    }
    let etag = Validators::of(response.headers()).etag;
    if etag.is_some() && etag.as_deref() != sink.etag() {
        return None;
    }
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (start, end, total) = parse_content_range(range)?;
    let to_the_end = total.is_none_or(|total| end + 1 == total);
    (start == sink.position() && to_the_end).then_some(total)
}

/// `bytes FIRST-LAST/TOTAL` of RFC 9110 §14.4; the total may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let sane = first <= last && last < u64::MAX && total.is_none_or(|total| last < total);
    sane.then_some((first, last, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let cases = [
            ("bytes 5-9/10", Some((5, 9, Some(10)))),
            ("bytes 5-9/*", Some((5, 9, None))),
            ("bytes 9-5/10", None),
            ("bytes 5-10/10", None),
            ("bytes */10", None),
            ("items 5-9/10", None),
            ("bytes 0-18446744073709551615/*", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_content_range(text), expected, "{text}");
        }
    }

    #[test]
    fn a_date_counts_once_its_second_is_over() {
        let at = |second| format!("Sun, 06 Nov 1994 08:49:{second} GMT");
        assert!(is_settled(&at(36), Some(at(37))));
        assert!(!is_settled(&at(37), Some(at(37))));
        assert!(!is_settled(&at(38), Some(at(37))));
        assert!(is_settled(&at(37), None));
        assert!(!is_settled("yesterday", None));
    }
}
