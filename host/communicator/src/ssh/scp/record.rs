//! The lines that both sides of the scp protocol send each other. Pure.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::ssh::session::readable;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// `C`: a file's head; its bytes follow.
    File {
        /// The permission bits.
        mode: u32,
        /// How many bytes follow.
        length: u64,
        /// Its name, as it was sent.
        name: String,
    },
    /// `D`: a folder begins.
    Folder {
        /// The permission bits.
        mode: u32,
        /// Its name, as it was sent.
        name: String,
    },
    /// `E`: the innermost folder ends.
    End,
    /// `T`: the times of what comes next, which nobody here wants.
    Times,
    /// 1 or 2: something went wrong.
    Trouble {
        /// In the guest's words, without its own name and fit for a terminal.
        reason: String,
    },
}

impl Record {
    /// What a line, without its end, says.
    ///
    /// # Errors
    /// It is none of the protocol's.
    pub(super) fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let (kind, rest) = line.split_first().ok_or("an empty line came")?;
        if matches!(kind, 1 | 2) {
            return Ok(Self::trouble(rest));
        }
        let rest = str::from_utf8(rest).map_err(|_| "a name came that is not UTF-8")?;
        match kind {
            b'C' => {
                let (mode, length, name) = head(rest).ok_or("a broken head of a file came")?;
                Ok(Self::File { mode, length, name })
            }
            b'D' => {
                let (mode, _, name) = head(rest).ok_or("a broken head of a folder came")?;
                Ok(Self::Folder { mode, name })
            }
            b'E' if rest.is_empty() => Ok(Self::End),
            b'T' => Ok(Self::Times),
            _ => Err("something came that is not of the scp protocol"),
        }
    }

    /// What the text behind a 1 or 2 says.
    pub(super) fn trouble(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.trim().strip_prefix("scp: ").unwrap_or(text.trim());
        Self::Trouble {
            reason: readable(text),
        }
    }

    /// The line to send for a file or folder at `path`.
    ///
    /// # Errors
    /// The name cannot be said in the protocol.
    pub(super) fn line(&self, path: &str) -> Result<Bytes> {
        let line = match self {
            Self::File { name, .. } | Self::Folder { name, .. } if name.contains(['\n', '\0']) => {
                return Err(Error::Remote {
                    action: "create",
                    path: path.to_owned(),
                    reason: "scp cannot transfer a name with a line break in it".to_owned(),
                });
            }
            Self::File { mode, length, name } => format!("C{mode:04o} {length} {name}\n"),
            Self::Folder { mode, name } => format!("D{mode:04o} 0 {name}\n"),
            Self::End => "E\n".to_owned(),
            Self::Times => "T0 0 0 0\n".to_owned(),
            Self::Trouble { reason } => format!("\u{1}{reason}\n"),
        };
        Ok(Bytes::from(line))
    }
}

/// Mode, length and name.
fn head(text: &str) -> Option<(u32, u64, String)> {
    let mut parts = text.splitn(3, ' ');
    let (mode, length, name) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(mode) || mode.len() != 4 || !digits(length) {
        return None;
    }
    let mode = u32::from_str_radix(mode, 8).ok()?;
    Some((mode, length.parse().ok()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read() {
        let file = |mode, length, name: &str| {
            Ok(Record::File {
                mode,
                length,
                name: name.to_owned(),
            })
        };
        let trouble = |reason: &str| {
            Ok(Record::Trouble {
                reason: reason.to_owned(),
            })
        };
        for (line, expected) in [
            ("C0644 5 a b", file(0o644, 5, "a b")),
            ("C4755 18446744073709551615 x", file(0o4755, u64::MAX, "x")),
            (
                "D0755 0 ..",
                Ok(Record::Folder {
                    mode: 0o755,
                    name: "..".to_owned(),
                }),
            ),
            ("E", Ok(Record::End)),
            ("T1700000000 0 1700000000 0", Ok(Record::Times)),
            (
                "\u{1}scp: /x: No such file or directory",
                trouble("/x: No such file or directory"),
            ),
            ("\u{2}odd\u{7}", trouble("odd")),
            ("", Err("an empty line came")),
            ("C644 5 a", Err("a broken head of a file came")),
            ("C0644 -5 a", Err("a broken head of a file came")),
            ("C0644 +5 a", Err("a broken head of a file came")),
            ("C0948 5 a", Err("a broken head of a file came")),
            (
                "C0644 18446744073709551616 a",
                Err("a broken head of a file came"),
            ),
            ("C0644 5", Err("a broken head of a file came")),
            ("D07550 a", Err("a broken head of a folder came")),
            ("EE", Err("something came that is not of the scp protocol")),
            (
                "Welcome!",
                Err("something came that is not of the scp protocol"),
            ),
        ] {
            assert_eq!(Record::parse(line.as_bytes()), expected, "{line:?}");
        }
        assert!(Record::parse(b"C0644 5 \xff").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            mode in 0_u32..0o10000, length: u64, name in "[^\\x00\n]{0,20}", folder: bool,
        ) {
            let record = if folder {
                Record::Folder { mode, name }
            } else {
                Record::File { mode, length, name }
            };
            let line = record.line("x").unwrap();
            prop_assert_eq!(Record::parse(line.strip_suffix(b"\n").unwrap()), Ok(record));
        }

        #[test]
        fn any_line_is_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Record::parse(&line);
        }
    }
}
