//! How a file is compressed: what its stream begins with, and what its name ends in.
//!
//! One table for all: RFC 1952 §2.3.1; bzip2's manual, "block-sort header"; the .xz file format §2.1.1.1;
//! RFC 8878 §3.1.

/// A format of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// RFC 1952, `.gz`.
    Gzip,
    /// `.bz2`.
    Bzip2,
    /// `.xz`.
    Xz,
    /// RFC 8878, `.zst`.
    Zstd,
}

/// The formats with their names and the extensions of their files.
const FORMATS: [(Compression, &str, &[&str]); 4] = [
    (Compression::Gzip, "gzip", &["gz", "gzip"]),
    (Compression::Bzip2, "bzip2", &["bz2"]),
    (Compression::Xz, "xz", &["xz"]),
    (Compression::Zstd, "zstd", &["zst", "zstd"]),
];

impl Compression {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Bzip2, Self::Xz, Self::Zstd];

    /// Bytes that [`recognise`](Self::recognise) needs to see.
    pub const MARK_BYTES: usize = 6;

    /// The compression that a file's first bytes show; give at least [`Self::MARK_BYTES`] if there are.
    pub fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            // The identification, and deflate, the only method there is.
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A frame, or a skippable frame before one, with which `pzstd` begins.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The compression that a file's name stands for by its extension, in any case.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let is_named = |known: &&str| known.eq_ignore_ascii_case(extension);
        FORMATS
            .iter()
            .find(|(_, _, extensions)| extensions.iter().any(is_named))
            .map(|(format, ..)| *format)
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        FORMATS
            .iter()
            .find(|(format, ..)| *format == self)
            .map_or("", |(_, name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_known_by_their_beginning() {
        for (head, expected) in [
            (&b"\x1f\x8b\x08\x00rest"[..], Some(Compression::Gzip)),
            (b"BZh91AY", Some(Compression::Bzip2)),
            (b"\xfd7zXZ\x00\x00", Some(Compression::Xz)),
            (b"\x28\xb5\x2f\xfd..", Some(Compression::Zstd)),
            // What pzstd writes, and the last of the skippable frames.
            (b"\x50\x2a\x4d\x18\x04\x00", Some(Compression::Zstd)),
            (b"\x5f\x2a\x4d\x18\x04\x00", Some(Compression::Zstd)),
            (b"\x60\x2a\x4d\x18\x04\x00", None),
            (b"BZh0", None),
            (b"\x1f\x8b\x07", None),
            (b"QFI\xfb", None),
            (b"", None),
        ] {
            assert_eq!(Compression::recognise(head), expected, "{head:?}");
        }
    }

    #[test]
    fn every_format_has_a_name_and_extensions() {
        for format in Compression::ALL {
            assert!(!format.name().is_empty());
            let (.., extensions) = FORMATS.iter().find(|(it, ..)| *it == format).unwrap();
            for extension in *extensions {
                for name in [
                    format!("a.{extension}"),
                    format!("A.B.{}", extension.to_uppercase()),
                ] {
                    assert_eq!(Compression::of_file_name(&name), Some(format), "{name}");
                }
            }
        }
        for name in ["a.img", "gz", "a.gz.img", ""] {
            assert_eq!(Compression::of_file_name(name), None, "{name}");
        }
    }
}
