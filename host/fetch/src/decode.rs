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

pub use lvhost_image::Compression as Codec;

mod zstd;

/// What an xz block may demand, in KiB: enough for `xz -9`, whose dictionary is 64 MiB.
pub const XZ_MEMORY_LIMIT_KIB: u32 = 72 * 1024;

/// The largest zstd window, in bytes: enough for `zstd -19` (8 MiB) and what the `zstd` tool
/// itself accepts without being told otherwise (128 MiB, `--long=27`).
pub const ZSTD_WINDOW_LIMIT: u64 = 128 << 20;

/// Bytes read from the source at once: large enough that reading costs nothing beside decoding.
const INPUT_BUFFER: usize = 128 << 10;

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
