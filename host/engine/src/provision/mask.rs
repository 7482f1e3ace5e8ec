//! Keeps secrets out of what the user gets to see: a script that prints a password is the usual way
//! in which one ends in a log.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use lvhost_hcl::{Value, ValueKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::ui::{Step, Stream, Transfer, Ui};

/// What is shown instead.
const MASK: &str = "<sensitive>";

/// Secrets of several lines (keys) are also looked for line by line, as output is shown in lines. A
/// line shorter than this, such as `}`, is none.
const SHORTEST_LINE: usize = 8;

/// Bytes of the shortest secret that is masked. A shorter one stands in many words that have nothing to do
/// with it: masking it makes output unreadable, and tells what it is.
const SHORTEST: usize = 4;

/// Bytes of the shortest secret that is also looked for in other spellings: those of a shorter one are
/// not much longer, and stand in other texts by chance.
const SHORTEST_SPELT: usize = 8;

/// A [`Ui`] that shows no secrets.
pub(super) struct Masked<'a> {
    ui: &'a dyn Ui,
    /// The longest first, so that one that contains another is found whole.
    secrets: Vec<SecretString>,
}

impl<'a> Masked<'a> {
    pub(super) fn new(ui: &'a dyn Ui, secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            let text = secret.expose_secret();
            if text.lines().nth(1).is_some() {
                let lines = text.lines().map(str::trim);
                all.extend(
                    lines
                        .filter(|line| line.len() >= SHORTEST_LINE)
                        .map(SecretString::from),
                );
            }
            if text.trim().len() >= SHORTEST {
                all.push(secret);
            }
        }
        let spelt: Vec<_> = all.iter().flat_map(spellings).collect();
        all.extend(spelt);
        all.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self { ui, secrets: all }
    }

    fn mask(&self, text: &str) -> String {
        let mut masked = text.to_string();
        for secret in &self.secrets {
            if masked.contains(secret.expose_secret()) {
                masked = masked.replace(secret.expose_secret(), MASK);
            }
        }
        masked
    }
}

/// Whether a secret is too short to be masked.
pub(super) fn is_short(secret: &SecretString) -> bool {
    let length = secret.expose_secret().trim().len();
    length > 0 && length < SHORTEST
}

/// What programs make of a secret before they print it.
fn spellings(secret: &SecretString) -> Vec<SecretString> {
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
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
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

/// Every text and number in `value` that is marked as sensitive.
pub(super) fn secrets_in(value: &Value) -> Vec<SecretString> {
    let mut found = Vec::new();
    collect(value, false, &mut found);
    found
}

fn collect(value: &Value, marked: bool, found: &mut Vec<SecretString>) {
    let marked = marked || value.is_marked();
    match value.kind() {
        ValueKind::String(_) | ValueKind::Number(_) if marked => {
            found.extend(value.to_text().map(SecretString::from));
        }
        ValueKind::List(elements) => {
            elements
                .iter()
                .for_each(|element| collect(element, marked, found));
        }
        ValueKind::Object(entries) => {
            entries
                .values()
                .for_each(|entry| collect(entry, marked, found));
        }
        _ => {}
    }
}

#[async_trait]
impl Ui for Masked<'_> {
    fn say(&self, message: &str) {
        self.ui.say(&self.mask(message));
    }

    fn warn(&self, message: &str) {
        self.ui.warn(&self.mask(message));
    }

    fn error(&self, message: &str) {
        self.ui.error(&self.mask(message));
    }

    fn output(&self, stream: Stream, line: &str) {
        self.ui.output(stream, &self.mask(line));
    }

    fn step_finished(&self, step: Step, time: Duration) {
        self.ui.step_finished(step, time);
    }

    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        self.ui.transfer(&self.mask(name), total)
    }

    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        self.ui.wait_for_user(&self.mask(note)).await
    }

    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String> {
        self.ui.ask(&self.mask(question), choices).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What a line is shown as.
    fn shown(secrets: &[&str], line: &str) -> String {
        #[derive(Default)]
        struct Lines(Mutex<String>);
        #[async_trait]
        impl Ui for Lines {
            fn say(&self, message: &str) {
                message.clone_into(&mut self.0.lock().unwrap());
            }
            fn warn(&self, _: &str) {}
            fn error(&self, _: &str) {}
            fn output(&self, _: Stream, _: &str) {}
            fn step_finished(&self, _: Step, _: Duration) {}
            fn transfer(&self, _: &str, _: Option<u64>) -> Box<dyn Transfer> {
                unreachable!()
            }
            async fn wait_for_user(&self, _: &str) -> Result<(), String> {
                Ok(())
            }
            async fn ask(&self, _: &str, _: &[&str]) -> Result<usize, String> {
                Ok(0)
            }
        }
        let lines = Lines::default();
        let secrets = secrets.iter().map(|secret| SecretString::from(*secret));
        Masked::new(&lines, secrets).say(line);
        lines.0.into_inner().unwrap()
    }

    #[test]
    fn what_is_too_short_is_left_alone() {
        for secret in ["a", "22", "yes", " b ", ""] {
            let line = "a password of 22 bytes, yes: b";
            assert_eq!(shown(&[secret], line), line, "{secret:?}");
        }
        assert_eq!(shown(&["hush"], "say hush"), "say <sensitive>");
        assert_eq!(shown(&["a", "hush"], "a hush"), "a <sensitive>");
    }

    #[test]
    fn other_spellings_are_found() {
        let secret = "p@ss w/o'rd\"&é";
        for spelling in [
            secret.to_owned(),
            STANDARD.encode(secret),
            URL_SAFE.encode(secret),
            "p%40ss%20w%2Fo%27rd%22%26%C3%A9".to_owned(),
            "p%40ss+w%2Fo%27rd%22%26%C3%A9".to_owned(),
            "p@ss w/o'rd\\\"&é".to_owned(),
            "p@ss w/o'\\''rd\"&é".to_owned(),
            "p@ss\\ w/o\\'rd\\\"\\&é".to_owned(),
            "p@ss w/o'rd\"&amp;é".to_owned(),
        ] {
            let line = shown(&[secret], &format!("say {spelling}!"));
            assert_eq!(line, "say <sensitive>!", "{spelling}");
        }
        // Quotes at its ends, and small letters in the escapes alone.
        for (secret, spelling) in [
            ("\"p@ssword\"", "\\\"p@ssword\\\""),
            ("Pass/Word?", "Pass%2fWord%3f"),
        ] {
            let line = shown(&[secret], &format!("say {spelling}!"));
            assert_eq!(line, "say <sensitive>!", "{spelling}");
        }
        // Inside of what is encoded as a whole, wherever it begins.
        for name in ["a", "ab", "abc", "abcd"] {
            let whole = STANDARD.encode(format!("{name}:{secret}"));
            let line = shown(&[secret], &whole);
            assert!(
                line.contains(MASK) && line.len() < MASK.len() + 12,
                "{line}"
            );
        }
        // Of a short one, another spelling may be anything.
        assert_eq!(shown(&["hush"], "aHVzaA=="), "aHVzaA==");
    }
}
