//! The public key of a build in the texts of its source: `{{ .SSHPublicKey }}`, as Packer's builders
//! fill it in, and `{{ .SSHPublicKey | urlquery }}` for the command line of a kernel.
//!
//! ```text
//! boot_command, http_content, texts of volume sources ─► asked for? ─► the build's key in its place
//! ```
//!
//! Nothing else in double braces is touched: what a guest is configured with has templates of its
//! own, such as cloud-init's `{{ v1.local_hostname }}`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::libvirt_source::LibvirtSource;
use crate::volume_source::SourceValue;

/// The name that stands for the key.
const FIELD: &str = ".SSHPublicKey";

/// What Go's `urlquery` leaves as it is, beside letters and digits.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// What stays as it is.
    Plain(&'a str),
    /// A place for the key.
    Key(Form),
}

/// A way to ask for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    UrlQuery,
}

impl LibvirtSource {
    /// Whether a text of the source asks for the public key of the build.
    pub fn asks_for_public_key(&self) -> bool {
        let mut found = false;
        // A copy is the price of one walk for both uses: the texts are few and short.
        self.clone().each_text(|text| {
            found |= asks(text);
            None
        });
        found
    }

    /// Whether a text that may ask for the public key is not known yet.
    pub(crate) fn may_ask_for_public_key(&self) -> bool {
        let unknown = |volume: &crate::volume::Volume| {
            volume
                .source
                .as_ref()
                .is_some_and(|block| !block.is_known())
        };
        self.origin.is_unknown("boot_command")
            || self.origin.is_unknown("http_content")
            || self.volume.iter().any(unknown)
    }

    /// The source with `line`, a line of `authorized_keys`, wherever a text asks for the key.
    #[must_use]
    pub fn with_public_key(&self, line: &str) -> Self {
        let mut filled = self.clone();
        filled.each_text(|text| asks(text).then(|| fill(text, line)));
        filled
    }

    /// Every text that the key may stand in, and what takes its place if something does.
    fn each_text(&mut self, mut visit: impl FnMut(&str) -> Option<String>) {
        for text in self
            .boot_command
            .iter_mut()
            .chain(self.http_content.values_mut())
        {
            if let Some(new) = visit(text) {
                *text = new;
            }
        }
        let mut visit = |text: &mut SecretString| {
            if let Some(new) = visit(text.expose_secret()) {
                *text = new.into();
            }
        };
        let blocks = self.volume.iter_mut().filter_map(|it| it.source.as_mut());
        for setting in blocks.flat_map(|block| &mut block.settings) {
            match &mut setting.value {
                Some(SourceValue::Text(text)) => visit(text),
                Some(SourceValue::TextList(texts)) => texts.iter_mut().for_each(&mut visit),
                Some(SourceValue::TextMap(texts)) => {
                    texts.iter_mut().for_each(|(_, text)| visit(text));
                }
                Some(SourceValue::Integer(_) | SourceValue::Boolean(_)) | None => {}
            }
        }
    }
}

fn asks(text: &str) -> bool {
    let mut pieces = pieces(text).into_iter();
    pieces.any(|piece| matches!(piece, Piece::Key(_)))
}

fn fill(text: &str, line: &str) -> String {
    let fill = |piece| match piece {
        Piece::Plain(text) => text.to_owned(),
        Piece::Key(Form::Plain) => line.to_owned(),
        Piece::Key(Form::UrlQuery) => {
            let encoded = utf8_percent_encode(line, QUERY).to_string();
            encoded.replace("%20", "+")
        }
    };
    pieces(text).into_iter().map(fill).collect()
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, opened) = rest.split_at(start);
        let inside = &opened["{{".len()..];
        let action = inside
            .split_once("}}")
            .and_then(|(action, behind)| Some((form(action)?, behind)));
        match action {
            Some((form, behind)) => {
                pieces.extend([Piece::Plain(before), Piece::Key(form)]);
                rest = behind;
            }
            None => {
                // The next opening may begin at the second of three braces.
                let (passed, behind) = rest.split_at(start + 1);
                pieces.push(Piece::Plain(passed));
                rest = behind;
            }
        }
    }
    pieces.push(Piece::Plain(rest));
    pieces
}

fn form(action: &str) -> Option<Form> {
    let mut words = action.split('|').map(str::trim);
    if words.next() != Some(FIELD) {
        return None;
    }
    match (words.next(), words.next()) {
        (None, _) => Some(Form::Plain),
        (Some("urlquery"), None) => Some(Form::UrlQuery),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_asks_for_the_key_is_replaced() {
        let line = "ssh-ed25519 AA+/= me@here";
        for (text, expected) in [
            ("", ""),
            ("key: {{ .SSHPublicKey }}", "key: ssh-ed25519 AA+/= me@here"),
            (
                "{{.SSHPublicKey}}{{ .SSHPublicKey }}",
                "ssh-ed25519 AA+/= me@heressh-ed25519 AA+/= me@here",
            ),
            (
                "key={{ .SSHPublicKey | urlquery }}<enter>",
                "key=ssh-ed25519+AA%2B%2F%3D+me%40here<enter>",
            ),
            ("{{ .SSHPublicKey | upper }}", "{{ .SSHPublicKey | upper }}"),
            ("{{ .SSHPublicKeys }}", "{{ .SSHPublicKeys }}"),
            ("{{ .SSHPrivateKey }}", "{{ .SSHPrivateKey }}"),
            ("{{{ .SSHPublicKey }}}", "{ssh-ed25519 AA+/= me@here}"),
            ("{{ {{ .SSHPublicKey }}", "{{ ssh-ed25519 AA+/= me@here"),
            ("{{ v1.local_hostname }}", "{{ v1.local_hostname }}"),
            ("{{ .SSHPublicKey", "{{ .SSHPublicKey"),
            ("{{", "{{"),
        ] {
            assert_eq!(fill(text, line), expected, "{text}");
            assert_eq!(asks(text), text != expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_a_place_stays_as_it_is(text in "[{} .|a-zSHPublicKey]{0,40}") {
            if !asks(&text) {
                prop_assert_eq!(fill(&text, "key"), text);
            }
        }
    }
}
