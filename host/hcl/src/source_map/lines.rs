//! Where the lines of a text are. A text may be large, and asked for as often as there are messages about it:
//! it is walked through once, and from then on only a piece of it for each question.

/// Bytes between two places that are kept.
const PIECE: usize = 64 << 10;

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    /// The byte at which the line begins.
    pub(crate) start: usize,
    /// Characters before the place, and one.
    pub(crate) column: usize,
}

impl Line {
    /// The beginning of a text.
    pub(crate) const FIRST: Self = Self {
        number: 1,
        start: 0,
        column: 1,
    };

    /// The place that comes after `text`, which begins here, at the byte `at`.
    fn after(self, text: &str, at: usize) -> Self {
        match text.rfind('\n') {
            None => Self {
                column: self.column + text.chars().count(),
                ..self
            },
            Some(newline) => Self {
                number: self.number + text.matches('\n').count(),
                start: at + newline + 1,
                column: text[newline + 1..].chars().count() + 1,
            },
        }
    }
}

/// The places at the beginning of each piece of a text.
#[derive(Debug, Clone)]
pub(super) struct Lines(Vec<(usize, Line)>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let (mut at, mut line) = (0, Line::FIRST);
        let mut places = vec![(at, line)];
        while at < text.len() {
            let end = text.floor_char_boundary(at + PIECE);
            line = line.after(&text[at..end], at);
            at = end;
            places.push((at, line));
        }
        Self(places)
    }

    /// The line and column of a byte of the text that this was made of.
    pub(super) fn line_at(&self, text: &str, byte: usize) -> Line {
        let byte = text.floor_char_boundary(byte);
        let following = self.0.partition_point(|(at, _)| *at <= byte);
        match self.0.get(following.wrapping_sub(1)) {
            Some((at, line)) => line.after(&text[*at..byte], *at),
            None => Line::FIRST,
        }
    }
}

/// Line and column (both from one; columns in characters) of byte `offset` of `text`.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let line = Line::FIRST.after(&text[..text.floor_char_boundary(offset)], 0);
    (line.number, line.column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_of_a_large_text_change_nothing() {
        let mut text = "a\n".repeat(PIECE) + &"é".repeat(PIECE) + "\n" + &"b".repeat(3 * PIECE);
        text.push_str("\nend");
        let lines = Lines::of(&text);
        for byte in (0..text.len() + 9).step_by(10_007).chain([text.len() - 1]) {
            let line = lines.line_at(&text, byte);
            assert_eq!(
                (line.number, line.column),
                line_and_column(&text, byte),
                "{byte}"
            );
            assert!(
                line.start == 0 || text.as_bytes()[line.start - 1] == b'\n',
                "{byte}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_place_is_that_of_the_lines_before_it(text in "[a\n\réx]{0,60}", byte in 0_usize..100) {
            let before = &text[..text.floor_char_boundary(byte)];
            let number = before.split('\n').count();
            let column = before.split('\n').next_back().unwrap().chars().count() + 1;
            prop_assert_eq!(line_and_column(&text, byte), (number, column));
            let line = Lines::of(&text).line_at(&text, byte);
            prop_assert_eq!((line.number, line.column), (number, column));
        }
    }
}
