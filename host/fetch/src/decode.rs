//! Native, streaming decompression of single compressed files.
//!
//! Memory is bounded by what a format's window may demand, not by the length of the data:
//!
//! | codec | at most |
//! |---|---|
//! | gzip | 32 KiB of window |
//! | bzip2 | 900 kB blocks, about 4 MiB in all |
//! | xz | [`XZ_MEMORY_LIMIT_KIB`] |
//! | zstd | [`ZSTD_WINDOW_LIMIT`] |
//!
//! Files made of several members (`cat a.gz b.gz`, `pigz`, `pzstd`, multi-stream xz) decode to
//! all of them. The length of what comes out is for the caller to bound.

use std::io::{self, BufReader, Read};

mod zstd;

/// What an xz block may demand, in KiB: enough for `xz -9`, whose dictionary is 64 MiB.
pub const XZ_MEMORY_LIMIT_KIB: u32 = 72 * 1024;

/// The largest zstd window, in bytes: enough for `zstd -19` (8 MiB) and what the `zstd` tool
/// itself accepts without being told otherwise (128 MiB, `--long=27`).
pub const ZSTD_WINDOW_LIMIT: u64 = 128 << 20;

/// Bytes read from the source at once: large enough that reading costs nothing beside decoding.
const INPUT_BUFFER: usize = 128 << 10;

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 1952, `.gz`.
    Gzip,
    /// `.bz2`.
    Bzip2,
    /// `.xz`.
    Xz,
    /// RFC 8878, `.zst`.
    Zstd,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Bzip2, Self::Xz, Self::Zstd];

    /// Bytes [`Codec::from_magic`] needs to see.
    pub const MAGIC_LENGTH: usize = 6;

    /// The codec a file name's extension stands for, in any case.
    pub fn from_extension(file_name: &str) -> Option<Self> {
        let (_, extension) = file_name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Some(Self::Gzip),
            "bz2" => Some(Self::Bzip2),
            "xz" => Some(Self::Xz),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The codec a file's first bytes show; give at least [`Codec::MAGIC_LENGTH`] if there are.
    pub fn from_magic(start: &[u8]) -> Option<Self> {
        match start {
            // RFC 1952 §2.3.1: the identification, and deflate, the only method there is.
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A frame, or a skippable frame before one (RFC 8878 §3.1).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// A reader of what `source` decompresses to.
///
/// Nothing is read before the first read. Data that is cut off, damaged or demands more memory
/// than the limits above is an error of that read, naming the codec.
pub fn decoder(codec: Codec, source: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let source = BufReader::with_capacity(INPUT_BUFFER, source);
    let reader: Box<dyn Read + Send> = match codec {
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
        Codec::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
            source,
            true,
            XZ_MEMORY_LIMIT_KIB,
        )),
        Codec::Zstd => Box::new(zstd::Frames::new(source)),
    };
    Box::new(Named { codec, reader })
}

/// Puts the codec's name into errors.
struct Named {
    codec: Codec,
    reader: Box<dyn Read + Send>,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader
            .read(buffer)
            .map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => error,
                kind => io::Error::new(
                    kind,
                    format!("can't decompress {}: {error}", self.codec.name()),
                ),
            })
    }
}

#[cfg(test)]
mod tests;
