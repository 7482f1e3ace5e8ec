//! Keeps secrets out of what the user gets to see: a script that prints a password is the usual way
//! in which one ends in a log.

use std::time::Duration;

use async_trait::async_trait;
use lvhost_hcl::{Value, ValueKind};
use secrecy::{ExposeSecret, SecretString};

use crate::ui::{Step, Stream, Transfer, Ui};

/// What is shown instead.
const MASK: &str = "<sensitive>";

/// Secrets of several lines (keys) are also looked for line by line, as output is shown in lines. A
/// line shorter than this, such as `}`, is none.
const SHORTEST_LINE: usize = 8;

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
            if !text.trim().is_empty() {
                all.push(secret);
            }
        }
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
