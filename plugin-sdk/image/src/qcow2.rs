//! The header of a qcow2 file: how large the disk is, and what else it leans on.
//!
//! After "The QCOW2 image format", `docs/interop/qcow2.rst` of QEMU.

/// The most bytes of a file's beginning that [`Header::parse`] looks at.
///
/// The format wants everything the header refers to inside the first cluster, which is 64 KiB
/// unless someone chose otherwise; QEMU writes extensions and names right behind the header, well
/// within it even where the cluster is larger.
pub const HEADER_BYTES: usize = 64 * 1024;

const MAGIC: &[u8] = b"QFI\xFB";
/// Where the header of version 2, and the first part of version 3's, ends.
const VERSION_2_LENGTH: u64 = 72;
/// The least that version 3's header has.
const VERSION_3_LENGTH: u64 = 104;
/// The longest name of a backing or data file, in bytes: the format's own limit.
const MAX_NAME: u64 = 1023;

const INCOMPATIBLE_CORRUPT: u64 = 1 << 1;
const INCOMPATIBLE_EXTERNAL_DATA_FILE: u64 = 1 << 2;
/// Dirty, corrupt, external data file, compression type, extended L2 entries.
const INCOMPATIBLE_KNOWN: u64 = 0b1_1111;

const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xE279_2ACA;
const EXTENSION_EXTERNAL_DATA_FILE_NAME: u32 = 0x4441_5441;

/// What a qcow2 file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format's version: 2 or 3.
    pub version: u32,
    /// The size of the disk a guest sees, in bytes.
    pub virtual_size: u64,
    /// The cluster size as a power of two: 9 to 21.
    pub cluster_bits: u32,
    /// The file this one is an overlay of, as written; bytes that are not UTF-8 are replaced.
    pub backing_file: Option<String>,
    /// The format of the backing file, where it is stated.
    pub backing_format: Option<String>,
    /// Whether the data lies in another file (incompatible feature bit 2).
    pub external_data_file: bool,
    /// The name of the file that holds the data, where it is stated.
    pub external_data_file_name: Option<String>,
    /// Whether the data is encrypted.
    pub encrypted: bool,
    /// Whether the file is marked as corrupt (incompatible feature bit 1).
    pub corrupt: bool,
    /// Incompatible feature bits this reader does not know: a reader must refuse the file.
    pub unknown_incompatible_features: u64,
}

/// Why a file that begins like qcow2 cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file ends, or the bytes given end, inside the header.
    #[error("the qcow2 header is cut short: {what} ends at byte {needed}, there are {available}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it ends in the file.
        needed: u64,
        /// Bytes there are.
        available: usize,
    },
    /// A version other than 2 and 3.
    #[error("qcow2 version {0} is not supported: convert the image with `qemu-img convert`")]
    Version(u32),
    /// A field has a value the format does not allow.
    #[error("the qcow2 header is invalid: {field} is {value}, {expected}")]
    Invalid {
        /// The field's name in the format's description.
        field: &'static str,
        /// The value in the file.
        value: u64,
        /// What the format allows.
        expected: &'static str,
    },
}

impl Header {
    /// Reads the header from the first bytes of a file: give [`HEADER_BYTES`] of them, or the whole
    /// file where it is shorter. `None` if it is not a qcow2 file.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        if !bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        let reader = Reader {
            bytes: &bytes[..bytes.len().min(HEADER_BYTES)],
        };
        let version = reader.u32("the version", 4)?;
        if !(2..=3).contains(&version) {
            return Err(Error::Version(version));
        }
        let backing_offset = reader.u64("backing_file_offset", 8)?;
        let backing_length = u64::from(reader.u32("backing_file_size", 16)?);
        let cluster_bits = reader.u32("cluster_bits", 20)?;
        let virtual_size = reader.u64("size", 24)?;
        let encryption_method = reader.u32("crypt_method", 32)?;
        // The last field both versions have, so that a file cut inside them is noticed.
        reader.u64("snapshots_offset", 64)?;
        valid(
            "cluster_bits",
            cluster_bits.into(),
            (9..=21).contains(&cluster_bits),
            "not 9 to 21",
        )?;
        let cluster = 1u64 << cluster_bits;

        let (incompatible, length) = match version {
            2 => (0, VERSION_2_LENGTH),
            _ => {
                let length = u64::from(reader.u32("header_length", 100)?);
                let possible = (VERSION_3_LENGTH..=cluster).contains(&length) && length % 8 == 0;
                valid(
                    "header_length",
                    length,
                    possible,
                    "not a multiple of 8 between 104 and the cluster size",
                )?;
                (reader.u64("incompatible_features", 72)?, length)
            }
        };

        let mut extensions_end = cluster;
        let mut backing_file = None;
        if backing_offset != 0 && backing_length != 0 {
            valid(
                "backing_file_size",
                backing_length,
                backing_length <= MAX_NAME,
                "more than the 1023 bytes allowed",
            )?;
            let inside = (length..=cluster - backing_length).contains(&backing_offset);
            let expected = "not between the header and the end of the first cluster";
            valid("backing_file_offset", backing_offset, inside, expected)?;
            let what = "the name of the backing file";
            backing_file = Some(reader.text(what, backing_offset, backing_length)?);
            extensions_end = backing_offset;
        }
        let extensions = Extensions::parse(&reader, length, extensions_end)?;

        Ok(Some(Self {
            version,
            virtual_size,
            cluster_bits,
            backing_file,
            backing_format: extensions.backing_format,
            external_data_file: incompatible & INCOMPATIBLE_EXTERNAL_DATA_FILE != 0,
            external_data_file_name: extensions.external_data_file_name,
            encrypted: encryption_method != 0,
            corrupt: incompatible & INCOMPATIBLE_CORRUPT != 0,
            unknown_incompatible_features: incompatible & !INCOMPATIBLE_KNOWN,
        }))
    }
}

/// The header extensions that matter here.
#[derive(Debug, Default)]
struct Extensions {
    backing_format: Option<String>,
    external_data_file_name: Option<String>,
}

impl Extensions {
    /// Reads the extensions in `start..end` of the file. Each takes eight bytes at least, so that
    /// the bytes given bound their number.
    fn parse(reader: &Reader<'_>, start: u64, end: u64) -> Result<Self, Error> {
        const HEADER: u64 = 8;
        let mut found = Self::default();
        let mut at = start;
        while end.saturating_sub(at) >= HEADER {
            let kind = reader.u32("a header extension", at)?;
            let length = u64::from(reader.u32("a header extension", at + 4)?);
            if kind == EXTENSION_END {
                break;
            }
            let data = at + HEADER;
            valid(
                "a header extension's length",
                length,
                length <= end - data,
                "more than the space for extensions",
            )?;
            let name = match kind {
                EXTENSION_BACKING_FORMAT => Some(&mut found.backing_format),
                EXTENSION_EXTERNAL_DATA_FILE_NAME => Some(&mut found.external_data_file_name),
                _ => None,
            };
            if let Some(name) = name {
                let what = "a header extension's length";
                valid(
                    what,
                    length,
                    length <= MAX_NAME,
                    "more than the 1023 bytes of a name",
                )?;
                *name = Some(reader.text("a name in a header extension", data, length)?);
            }
            at = data + length.next_multiple_of(8);
        }
        Ok(found)
    }
}

/// Refuses a value the format does not allow.
fn valid(
    field: &'static str,
    value: u64,
    possible: bool,
    expected: &'static str,
) -> Result<(), Error> {
    if possible {
        Ok(())
    } else {
        Err(Error::Invalid {
            field,
            value,
            expected,
        })
    }
}

/// The bytes given, read at places that are checked.
struct Reader<'bytes> {
    bytes: &'bytes [u8],
}

impl Reader<'_> {
    fn at<const LENGTH: usize>(&self, what: &'static str, at: u64) -> Result<[u8; LENGTH], Error> {
        let mut array = [0; LENGTH];
        array.copy_from_slice(self.slice(what, at, LENGTH as u64)?);
        Ok(array)
    }

    fn u32(&self, what: &'static str, at: u64) -> Result<u32, Error> {
        self.at(what, at).map(u32::from_be_bytes)
    }

    fn u64(&self, what: &'static str, at: u64) -> Result<u64, Error> {
        self.at(what, at).map(u64::from_be_bytes)
    }

    fn text(&self, what: &'static str, at: u64, length: u64) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.slice(what, at, length)?).into_owned())
    }

    fn slice(&self, what: &'static str, at: u64, length: u64) -> Result<&[u8], Error> {
        let needed = at.saturating_add(length);
        let range = usize::try_from(at).ok().zip(usize::try_from(needed).ok());
        range
            .and_then(|(start, end)| self.bytes.get(start..end))
            .ok_or(Error::Truncated {
                what,
                needed,
                available: self.bytes.len(),
            })
    }
}

#[cfg(test)]
mod tests;
