//! What is never shown, and the one way in which it is taken out of a text.
//!
//! ```text
//!  sensitive variables, locals, options ─┐
//!  secret options of components ─────────┼─► Secrets ─┬─► MaskedUi: all that a build says
//!  passwords and keys of the guest ──────┘            ├─► diagnostics, and the lines of the template under them
//!                                                     └─► plans, errors, the log
//! ```
//! A script that prints a password is the usual way in which one ends in a log; so is a component that
//! tells what it was given.

mod spellings;

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use lvhost_config::{LibvirtSource, VolumeSource};
use lvhost_hcl::{Body, Diagnostic, Diagnostics, Document, Value, ValueKind};
use lvhost_libvirt::ConnectionUri;
use secrecy::{ExposeSecret, SecretString};

use self::spellings::spellings;

/// What is shown instead.
const MASK: &str = "<sensitive>";

/// Secrets of several lines (keys) are also looked for line by line, as output is shown in lines. A
/// line shorter than this, such as `}`, is none.
const SHORTEST_LINE: usize = 8;

/// Lines of the longest text that is also looked for line by line: ten times a long key. Longer ones are
/// documents, whose lines stand in other texts, too.
const MOST_LINES: usize = 1000;

/// Bytes of the shortest secret that is masked. A shorter one stands in many words that have nothing to do
/// with it: masking it makes output unreadable, and tells what it is.
const SHORTEST: usize = 4;

/// Secrets that are also looked for in other spellings. A list may have a million that nobody prints in any;
/// each takes some fifteen texts.
const MOST_SPELT: usize = 10_000;

/// All that is never shown. Clones share what they know: what one learns, all of them hide.
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<KnownSecrets>>);

#[derive(Default)]
struct KnownSecrets {
    /// As they were given, so that none is spelt twice.
    given: HashMap<Text, Parts>,
    /// These and their other spellings, by their first bytes and their lengths: what looking for them costs
    /// depends on the text and hardly on their number, which a template chooses.
    spelt: HashMap<[u8; SHORTEST], BTreeMap<usize, HashSet<Text>>>,
}

/// A secret that can be found in a set.
struct Text(SecretString);

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.expose_secret().hash(state);
    }
}

impl KnownSecrets {
    fn add(&mut self, secret: SecretString, parts: Parts) {
        let known = self.given.get(secret.expose_secret());
        if secret.expose_secret().is_empty() || known.is_some_and(|its| *its >= parts) {
            return;
        }
        let is_spelt = self.given.len() < MOST_SPELT;
        for piece in pieces(&secret, parts, is_spelt) {
            let text = piece.expose_secret();
            let Some(first) = text.as_bytes().first_chunk() else {
                continue;
            };
            let same = self.spelt.entry(*first).or_default();
            same.entry(text.len()).or_default().insert(Text(piece));
        }
        self.given.insert(Text(secret), parts);
    }

    /// The longest secret that `text` begins with: its length.
    fn at_beginning_of(&self, text: &str) -> Option<usize> {
        let same = self.spelt.get(text.as_bytes().first_chunk::<SHORTEST>()?)?;
        let mut longest_first = same.iter().rev();
        longest_first.find_map(|(length, texts)| {
            let part = text.get(..*length)?;
            texts.contains(part).then_some(*length)
        })
    }

    /// Where secrets stand in `text`, in order; those that overlap as one.
    fn places_in(&self, text: &str) -> Vec<Range<usize>> {
        let mut places: Vec<Range<usize>> = Vec::new();
        if self.spelt.is_empty() {
            return places;
        }
        for (start, _) in text.char_indices() {
            let Some(length) = text
                .get(start..)
                .and_then(|rest| self.at_beginning_of(rest))
            else {
                continue;
            };
            let end = start + length;
            match places.last_mut() {
                Some(last) if last.end > start => last.end = last.end.max(end),
                _ => places.push(start..end),
            }
        }
        places
    }
}

/// What is looked for of a secret besides the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Parts {
    /// Other spellings, and those lines that hold more than a name or a remark: of a document, such as the
    /// `user_data` of cloud-init, most lines stand in other texts, too.
    OfDocument,
    /// Other spellings, each of its lines, and other spellings of those.
    All,
}

impl Secrets {
    /// Hides these, too.
    pub fn add(&self, secrets: impl IntoIterator<Item = SecretString>) {
        self.add_parts(secrets, Parts::All);
    }

    fn add_parts(&self, secrets: impl IntoIterator<Item = SecretString>, parts: Parts) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            known.add(secret, parts);
        }
    }

    /// Hides the values of a template's sensitive variables and locals.
    pub fn add_document(&self, document: &Document) {
        for variable in document.variables.values() {
            self.add(secrets_in(&variable.value));
        }
        self.add(document.secret_locals.iter().flat_map(secrets_in));
    }

    /// Hides what is marked as sensitive in the options of a source.
    pub fn add_body(&self, body: &Body) {
        for attribute in body.attributes.values() {
            self.add(secrets_in(&attribute.value));
        }
        for block in &body.blocks {
            self.add_body(&block.body);
        }
    }

    /// Hides the secret options of the components that make a source's volumes, and what a sensitive URI of the
    /// hypervisor is shown as, and its host, of which libvirt tells.
    pub fn add_sources(&self, source: &LibvirtSource) {
        if source.origin.is_sensitive("libvirt_uri") {
            let uri = ConnectionUri::new(source.libvirt_uri.as_str());
            let shown = [Some(uri.to_string()), uri.host()].into_iter().flatten();
            self.add(shown.map(SecretString::from));
        }
        for block in source.volume.iter().filter_map(|it| it.source.as_ref()) {
            self.add_parts(block.secrets(), Parts::OfDocument);
        }
    }

    /// Those of one component.
    pub(crate) fn of_block(block: &VolumeSource) -> Self {
        let secrets = Self::default();
        secrets.add_parts(block.secrets(), Parts::OfDocument);
        secrets
    }

    /// `text` as it may be shown.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = String::new();
        let mut shown = 0;
        for place in self.places_in(text) {
            masked.push_str(text.get(shown..place.start).unwrap_or_default());
            masked.push_str(MASK);
            shown = place.end;
        }
        if shown == 0 {
            return Cow::Borrowed(text);
        }
        masked.push_str(text.get(shown..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Whether there is a secret in `text`.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        !self.places_in(text).is_empty()
    }

    /// Where secrets stand in `text`, in order.
    pub fn places_in(&self, text: &str) -> Vec<Range<usize>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.places_in(text)
    }

    /// Diagnostics as they may be shown, in their order.
    #[must_use]
    pub fn mask_diagnostics(&self, diagnostics: Diagnostics) -> Diagnostics {
        let mask = |text: String| self.mask(&text).into_owned();
        let masked = diagnostics.into_iter().map(|it| Diagnostic {
            severity: it.severity,
            summary: mask(it.summary),
            detail: mask(it.detail),
            span: it.span,
            help: it.help.map(mask),
        });
        masked.collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

/// Warns of the template's sensitive variables whose values are too short to be hidden.
pub fn check_secrets(document: &Document, report: &mut Diagnostics) {
    for (name, variable) in &document.variables {
        if secrets_in(&variable.value).iter().any(is_short) {
            report.push(
                Diagnostic::warning(
                    variable.span,
                    format!(
                        "the value of the sensitive variable `{name}` is too short to be hidden"
                    ),
                )
                .detail(
                    "it stands in many other words, and replacing it there would tell what it is",
                )
                .help("give it at least 4 characters, or leave `sensitive` out"),
            );
        }
    }
}

/// Whether a secret is too short to be masked.
fn is_short(secret: &SecretString) -> bool {
    let length = secret.expose_secret().trim().len();
    length > 0 && length < SHORTEST
}

/// All that is looked for because of one secret.
fn pieces(secret: &SecretString, parts: Parts, is_spelt: bool) -> Vec<SecretString> {
    let text = secret.expose_secret();
    let mut lines = Vec::new();
    if text.lines().nth(1).is_some() && text.lines().nth(MOST_LINES).is_none() {
        let tells =
            |line: &&str| parts == Parts::All || !(line.starts_with('#') || line.ends_with(':'));
        let trimmed = text.lines().map(str::trim);
        let long = trimmed
            .filter(|line| line.len() >= SHORTEST_LINE)
            .filter(tells);
        lines.extend(long.map(SecretString::from));
    }
    let mut all = Vec::new();
    if text.trim().len() >= SHORTEST {
        all.push(secret.clone());
    }
    if parts == Parts::All {
        all.append(&mut lines);
    }
    if is_spelt {
        let spelt: Vec<_> = all.iter().flat_map(spellings).collect();
        all.extend(spelt);
    }
    all.append(&mut lines);
    all
}

/// Every text and number in `value` that is marked as sensitive.
pub(crate) fn secrets_in(value: &Value) -> Vec<SecretString> {
    let mut found = Vec::new();
    collect(value, false, &mut found);
    found
}

fn collect(value: &Value, marked: bool, found: &mut Vec<SecretString>) {
    let marked = marked || value.is_marked();
    if !marked && !value.is_sensitive() {
        return;
    }
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

#[cfg(test)]
mod tests;
