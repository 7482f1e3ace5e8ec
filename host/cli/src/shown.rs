//! Text that is not ours, on its way to a terminal.
//!
//! ```text
//!  text of a template, guest, component, server … ──────────────┐
//!  our colours and line breaks ─► marks that nobody can guess ──┴─► the filter ─► the terminal
//!                                                              marks become what they stand for;
//!                                                              nothing else of the kind gets by
//! ```
//!
//! All lines of the program pass [`Marks::line`], so text may be put together in any way before.

use lvhost_hcl::{CONTINUATION, is_unseen};

/// Begins a mark. No text has it: the filter takes it out.
const BEGIN: char = '\u{fdd0}';
/// Ends one.
const END: char = '\u{fdd1}';
/// What a mark for a line break holds besides the secret.
const BREAK: &str = "n";

/// Stands for our own colours and line breaks in texts.
#[derive(Clone)]
pub(crate) struct Marks {
    /// Of this process. It never leaves it.
    secret: String,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self {
            secret: format!("{:032x}", rand::random::<u128>()),
        }
    }

    /// `text`, whose colours and line breaks are ours, with marks for them.
    pub(crate) fn marked(&self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['\u{1b}', '\n']) {
            let (before, from) = rest.split_at(at);
            marked.push_str(before);
            let (meaning, length) = match colour(from) {
                Some(colour) => (colour, colour.len() + "\u{1b}[m".len()),
                None => (BREAK, 1),
            };
            marked.extend([BEGIN]);
            marked.push_str(&self.secret);
            marked.push_str(meaning);
            marked.push(END);
            rest = from.get(length..).unwrap_or_default();
        }
        marked.push_str(rest);
        marked
    }

    /// `text` as it may be written: what is marked as it was, of the rest only what can be seen, and
    /// its line breaks so that no line of it looks like one of ours.
    pub(crate) fn line(&self, text: &str) -> String {
        let begin = format!("{BEGIN}{}", self.secret);
        let mut line = String::with_capacity(text.len());
        let mut parts = text.split(begin.as_str());
        line.push_str(&continued(parts.next().unwrap_or_default()));
        for part in parts {
            let (meaning, rest) = part.split_once(END).unwrap_or(("", part));
            match meaning {
                BREAK => line.push('\n'),
                colour => {
                    line.push_str("\u{1b}[");
                    line.push_str(colour);
                    line.push('m');
                }
            }
            line.push_str(&continued(rest));
        }
        line
    }
}

/// The numbers of the colour that `text` begins with.
fn colour(text: &str) -> Option<&str> {
    let (numbers, _) = text.strip_prefix("\u{1b}[")?.split_once('m')?;
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b';';
    numbers.bytes().all(plain).then_some(numbers)
}

/// What can be seen of a text, so that only its first line can look like one of ours.
pub(crate) fn continued(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join(CONTINUATION)
}

/// What can be seen of one line: without escape sequences, and without characters that steer a terminal
/// or the order of reading.
pub(crate) fn shown(line: &str) -> String {
    let plain = console::strip_ansi_codes(line);
    plain
        .chars()
        .filter(|character| *character == '\t' || !is_unseen(*character))
        .collect()
}

/// The same of a text whose line breaks somebody else takes care of.
pub(crate) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(shown).collect();
    lines.join("\n")
}

/// JSON with the characters escaped that JSON leaves as they are and a terminal does not.
pub(crate) fn escaped(json: &str) -> String {
    use std::fmt::Write as _;

    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if !is_unseen(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a text can't fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strangers_steer_nothing() {
        let marks = Marks::new();
        for (text, expected) in [
            ("plain\ttext", "plain\ttext"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            ("\u{9b}31mred", "red"),
            ("a\u{202e}b\u{2066}c\u{200f}d", "abcd"),
            ("x\u{85}y\u{2028}z", "xyz"),
            ("a\r\nb", "a\n      b"),
            (
                "done\n==> libvirt.x: Finished",
                "done\n      ==> libvirt.x: Finished",
            ),
            ("\u{fdd0}n\u{fdd1}==> forged", "n==> forged"),
        ] {
            assert_eq!(marks.line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_ours_stays() {
        let marks = Marks::new();
        let ours = "\u{1b}[1;31merror\u{1b}[0m: two\nlines";
        assert_eq!(marks.line(&marks.marked(ours)), ours);
        let mixed = format!(
            "{} {}",
            marks.marked("\u{1b}[2mx\u{1b}[0m"),
            "\u{1b}[31my\nz"
        );
        assert_eq!(marks.line(&mixed), "\u{1b}[2mx\u{1b}[0m y\n      z");
        let others = Marks::new().marked(ours);
        assert!(!marks.line(&others).contains(['\u{1b}', '\n']));
    }

    fn anything() -> impl Strategy<Value = String> {
        let odd = proptest::sample::select(vec![
            "\u{1b}[31m",
            "\u{1b}]0;t\u{7}",
            "\n",
            "\r",
            "\u{9b}2J",
            "\u{202e}",
            "\u{2028}",
            "\u{7f}",
            "==> libvirt.x: Finished",
            "    libvirt.x: ",
            "\u{fdd0}",
            "\u{fdd1}",
            "\u{e0041}",
            "\u{85}",
        ]);
        let part = prop_oneof![odd.prop_map(str::to_owned), any::<String>(), "[ -~]{0,8}"];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_text_steers_or_forges(before in anything(), within in anything(), after in anything()) {
            let marks = Marks::new();
            let painted = marks.marked(&format!("\u{1b}[1m{}\u{1b}[0m", shown(&within)));
            let line = marks.line(&format!("==> libvirt.y: {before}{painted}{after}"));
            let ours = line.replacen("\u{1b}[1m", "", 1).replacen("\u{1b}[0m", "", 1);
            for (number, part) in ours.split('\n').enumerate() {
                prop_assert!(!part.chars().any(|it| it != '\t' && is_unseen(it)), "{part:?}");
                prop_assert!(number == 0 || part.starts_with("      "), "{part:?}");
            }
        }

        #[test]
        fn json_says_the_same(text in anything()) {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escaped(&json);
            prop_assert!(!escaped.chars().any(is_unseen));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
