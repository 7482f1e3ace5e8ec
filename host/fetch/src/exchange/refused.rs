//! Answers that are no success: what the server said about it, and what to do.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::LocationError;
use crate::address::Address;

/// Where a bucket really is.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>
pub(super) const BUCKET_REGION: &str = "x-amz-bucket-region";

/// Bytes read of a store's explanation; S3's are a few hundred.
const EXPLANATION_LIMIT: usize = 8 << 10;

/// Characters shown of it; it goes into a line of text.
const SHOWN_CHARACTERS: usize = 200;

/// The error for an answer that is neither a success nor a redirect that can be followed.
pub(crate) async fn refusal(mut response: Response, address: &Address<'_>) -> LocationError {
    let status = response.status();
    let retry_after = retry_after(response.headers(), SystemTime::now());
    if !address.is_object() {
        return LocationError::Status {
            status,
            retry_after,
        };
    }
    let region = response.headers().get(BUCKET_REGION);
    let region = region.and_then(|value| value.to_str().ok());
    if let Some(region) = region
        && address.region() != Some(region)
    {
        return LocationError::Region {
            region: printable(region),
        };
    }
    let mut text = Vec::new();
    while text.len() < EXPLANATION_LIMIT
        && let Ok(Some(bytes)) = response.chunk().await
    {
        let room = EXPLANATION_LIMIT - text.len();
        text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
    let anonymous = address.is_anonymous() && matches!(status.as_u16(), 401 | 403);
    let hint = match address.withheld() {
        _ if !anonymous => String::new(),
        Some(withheld) => format!("; {withheld}"),
        None => "; no AWS keys were found for it".to_owned(),
    };
    LocationError::Store {
        status,
        explanation: explanation(&String::from_utf8_lossy(&text), status),
        hint,
        retry_after,
    }
}

/// `<Error><Code>…</Code><Message>…</Message></Error>`, or the status alone.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn explanation(text: &str, status: StatusCode) -> String {
    let parsed = roxmltree::Document::parse(text).ok();
    let find = |name: &str| {
        let document = parsed.as_ref()?;
        let mut elements = document.root_element().children();
        let element = elements.find(|element| element.has_tag_name(name))?;
        element.text().map(printable)
    };
    match (find("Code"), find("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => status.to_string(),
    }
}

/// What a server says, fit for a line of text.
fn printable(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|character| !character.is_control())
        .take(SHOWN_CHARACTERS)
        .collect()
}

/// How long the server wants to be left alone: seconds or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_in_seconds_and_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let found = retry_after(&headers, now).map(|wait| wait.as_secs());
            assert_eq!(found, seconds, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn what_a_store_says_is_shown_in_one_line() {
        let long = format!(
            "<Error><Code>A</Code><Message>{}</Message></Error>",
            "b".repeat(999)
        );
        for (text, expected) in [
            (
                "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The\n key</Message>\
                 <AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>",
                "NoSuchKey: The key".to_owned(),
            ),
            (
                "<Error><Code>AccessDenied</Code></Error>",
                "AccessDenied".to_owned(),
            ),
            ("<html>", "403 Forbidden".to_owned()),
            ("", "403 Forbidden".to_owned()),
            (&long, format!("A: {}", "b".repeat(200))),
        ] {
            assert_eq!(explanation(text, StatusCode::FORBIDDEN), expected);
        }
    }
}
