//! A command's output, cut into lines for the user.

use lvhost_communicator::Output;

use crate::ui::{Stream, Ui};

/// Longest line, in bytes. A command that prints without a line break would fill the memory; a
/// longer line is shown in pieces.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// Shows output line by line. What is left without a line break at the end is shown by
/// [`finish`](Self::finish).
pub(crate) struct Lines<'a> {
    ui: &'a dyn Ui,
    stdout: Line,
    stderr: Line,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(ui: &'a dyn Ui) -> Self {
        Self {
            ui,
            stdout: Line::default(),
            stderr: Line::default(),
        }
    }

    /// Takes bytes of one stream.
    pub(super) fn add(&mut self, stream: Stream, bytes: &[u8]) {
        let ui = self.ui;
        let line = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        line.add(bytes, &mut |line| ui.output(stream, line));
    }

    /// Shows what is left.
    pub(crate) fn finish(mut self) {
        let ui = self.ui;
        self.stdout
            .finish(&mut |line| ui.output(Stream::Stdout, line));
        self.stderr
            .finish(&mut |line| ui.output(Stream::Stderr, line));
    }
}

impl Output for Lines<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        self.add(Stream::Stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.add(Stream::Stderr, bytes);
    }
}

/// A line in the making.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    /// A carriage return came last: what comes next is either a line break or overwrites the line,
    /// as progress bars do on a terminal.
    returned: bool,
}

impl Line {
    fn add(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(show),
                b'\r' => self.returned = true,
                _ => {
                    if std::mem::take(&mut self.returned) {
                        self.bytes.clear();
                    }
                    self.bytes.push(byte);
                    if self.bytes.len() >= MAX_LINE {
                        self.cut(show);
                    }
                }
            }
        }
    }

    fn end(&mut self, show: &mut dyn FnMut(&str)) {
        show(&String::from_utf8_lossy(&self.bytes));
        self.bytes.clear();
        self.returned = false;
    }

    /// Shows what there is of a line that is too long, up to the last whole character.
    fn cut(&mut self, show: &mut dyn FnMut(&str)) {
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.bytes.len(),
        };
        show(&String::from_utf8_lossy(&self.bytes[..whole]));
        self.bytes.drain(..whole);
    }

    fn finish(&mut self, show: &mut dyn FnMut(&str)) {
        if !self.bytes.is_empty() {
            self.end(show);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut line, mut shown) = (Line::default(), Vec::new());
        for piece in pieces {
            line.add(piece, &mut |line| shown.push(line.to_string()));
        }
        line.finish(&mut |line| shown.push(line.to_string()));
        shown
    }

    #[test]
    fn output_becomes_lines_wherever_it_was_cut() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[b"one\ntwo\n"], &["one", "two"]),
            (&[b"on", b"e\nt", b"wo"], &["one", "two"]),
            (&[b"one\r\ntwo\r", b"\n"], &["one", "two"]),
            (&[b"\n\n"], &["", ""]),
            (&[b"10%\r20%\r", b"100%\ndone"], &["100%", "done"]),
            (&[b"100%\r"], &["100%"]),
            (&[b"caf\xc3", b"\xa9\n"], &["caf\u{e9}"]),
            (&[b"a\xffb\n"], &["a\u{fffd}b"]),
            (&[b""], &[]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(lines(pieces), *expected, "{pieces:?}");
        }
    }

    #[test]
    fn an_endless_line_is_shown_in_pieces_of_whole_characters() {
        // An odd byte first, so that the cut falls into the middle of a character.
        let text = format!("a{}", "\u{e9}".repeat(MAX_LINE));
        let shown = lines(&[text.as_bytes()]);
        assert!(shown.len() > 2 && shown.iter().all(|line| line.len() <= MAX_LINE));
        assert_eq!(shown.concat(), text);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_output_was_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0_usize..200,
        ) {
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(lines(&[head, tail]), lines(&[&bytes]));
        }
    }
}
