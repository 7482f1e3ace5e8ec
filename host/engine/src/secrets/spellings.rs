//! How programs write a secret before they print it: what is looked for beside the secret itself.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// Bytes of the shortest secret that is also looked for in other spellings: those of a shorter one are
/// not much longer, and stand in other texts by chance.
const SHORTEST_SPELT: usize = 8;

/// What programs make of a secret before they print it.
pub(super) fn spellings(secret: &SecretString) -> Vec<SecretString> {
    const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let text = secret.expose_secret();
    if text.len() < SHORTEST_SPELT {
        return Vec::new();
    }
    let encoded = utf8_percent_encode(text, &UNRESERVED).to_string();
    let json = serde_json::to_string(text).unwrap_or_default();
    let in_json = json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'));
    let mut spelt = vec![
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        escaped(text),
        in_json.unwrap_or_default().to_owned(),
        in_xml(text, &XML_TEXT),
        in_xml(text, &XML_ALL),
        beyond_home(text).to_owned(),
        encoded.replace("%20", "+"),
        lower_case_escapes(&encoded),
        encoded,
    ];
    for engine in [STANDARD, URL_SAFE] {
        spelt.push(engine.encode(text));
        spelt.extend((0..3).map(|offset| within_base64(text.as_bytes(), offset, &engine)));
    }
    spelt.sort_unstable();
    spelt.dedup();
    let differs = |spelling: &String| spelling.len() >= SHORTEST_SPELT && spelling != text;
    spelt
        .into_iter()
        .filter(differs)
        .map(SecretString::from)
        .collect()
}

/// What has to be written otherwise in the text of an element.
const XML_TEXT: [(char, &str); 3] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;")];

/// What programs write otherwise wherever it stands, in attributes at least.
const XML_ALL: [(char, &str); 8] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&quot;"),
    ('\'', "&apos;"),
    ('\t', "&#9;"),
    ('\n', "&#10;"),
    ('\r', "&#13;"),
];

fn in_xml(text: &str, escapes: &[(char, &str)]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match escapes.iter().find(|(known, _)| *known == character) {
            Some((_, escape)) => escaped.push_str(escape),
            None => escaped.push(character),
        }
    }
    escaped
}

/// A path without the `~` that it begins with: it is shown with the home in its place.
fn beyond_home(path: &str) -> &str {
    path.strip_prefix('~')
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path)
}

/// What is encoded for URLs, with the letters of its escapes in lower case.
fn lower_case_escapes(encoded: &str) -> String {
    let mut pieces = encoded.split('%');
    let mut lower = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // An escape is two digits, all of them ASCII.
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// As shells escape a word without quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_ascii()
            && !character.is_ascii_alphanumeric()
            && !"/._-+,:@%=".contains(character)
        {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The digits that `bytes` come to in a longer text in which they begin at `offset` modulo 3 (a password
/// behind a name and a colon), without those that depend on what is around them.
fn within_base64(bytes: &[u8], offset: usize, engine: &impl Engine) -> String {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(bytes);
    let digits = engine.encode(&padded);
    let (begin, end) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    digits.get(begin..end).unwrap_or_default().to_owned()
}
