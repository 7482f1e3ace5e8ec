//! What of a text a terminal shows, and what steers it or hides from the reader.

/// A line break in a text that is not ours: no line of ours begins with so many spaces and a name.
pub const CONTINUATION: &str = "\n      ";

/// Whether `character` does something to a terminal, or to the order in which its text is read,
/// instead of being seen: controls (line breaks and tabs among them), marks and overrides of the
/// direction of writing, separators of lines, tags, what has no width, and what is no character.
///
/// Joiners are let through: scripts are not written right without them.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// `text` as it is shown in one line.
pub(crate) fn visible_line(text: &str) -> String {
    visible(text).replace(['\n', '\r'], " ")
}

/// `text` as it is shown in several lines, of which none but the first begins where a message does.
pub(crate) fn visible_lines(text: &str) -> String {
    visible(text).replace('\n', CONTINUATION)
}

/// `text` with what is not to be seen in it made visible, byte for byte, so that places in the text
/// stay right. Line breaks and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let replaced = |character: char| match character {
        '\n' | '\t' => character,
        '\r' => ' ',
        seen if !is_unseen(seen) => seen,
        unseen => match unseen.len_utf8() {
            1 => '?',
            2 => '\u{bf}',
            3 => '\u{fffd}',
            _ => '\u{10fffd}',
        },
    };
    // Files with the line ends of DOS are read as others are.
    let mut characters = text.chars().peekable();
    let mut shown = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => shown.push('\r'),
            other => shown.push(replaced(other)),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_seen_is_told_apart() {
        for unseen in [
            '\0',
            '\u{7}',
            '\n',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_unseen(unseen), "{unseen:?}");
        }
        for seen in [
            'a', ' ', 'ß', '中', '\u{200d}', '\u{200c}', '🦀', '\u{fffd}',
        ] {
            assert!(!is_unseen(seen), "{seen:?}");
        }
    }

    proptest! {
        #[test]
        fn places_stay_right(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert_eq!(shown.len(), text.len());
            for ((at, _), (before, _)) in shown.char_indices().zip(text.char_indices()) {
                prop_assert_eq!(at, before);
            }
            let odd = shown.replace("\r\n", "").chars()
                .any(|it| is_unseen(it) && !matches!(it, '\n' | '\t'));
            prop_assert!(!odd);
        }
    }
}
