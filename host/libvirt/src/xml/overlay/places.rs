//! Lines and columns in a text that is gone through once, from its beginning to its end.

use super::Position;

/// Where in the text it is.
pub(super) struct Places<'a> {
    rest: std::str::CharIndices<'a>,
    position: Position,
}

impl<'a> Places<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            position: Position { line: 1, column: 1 },
        }
    }

    /// The position of a byte that comes no earlier than the one asked for before. All of them together take
    /// as long as the text is.
    pub(super) fn at(&mut self, byte: usize) -> Position {
        while self.rest.offset() < byte {
            match self.rest.next() {
                Some((_, '\n')) => {
                    self.position.line += 1;
                    self.position.column = 1;
                }
                Some(_) => self.position.column += 1,
                None => break,
            }
        }
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters_from_1() {
        let text = "aé\n\nb";
        let mut places = Places::of(text);
        for (byte, line, column) in [
            (0, 1, 1),
            (1, 1, 2),
            (3, 1, 3),
            (4, 2, 1),
            (5, 3, 1),
            (9, 3, 2),
        ] {
            assert_eq!(places.at(byte), Position { line, column }, "{byte}");
        }
    }
}
