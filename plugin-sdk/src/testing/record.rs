//! What a test's host keeps of what a source did.

use crate::{Header, Image, Method};

/// The largest volume whose bytes [`Written::bytes`] puts together: a test that expects more by
/// mistake should fail rather than fill the memory.
pub(super) const MAX_IMAGE_IN_MEMORY: usize = 256 * 1024 * 1024;

/// What a source has asked a server, or wanted to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In their order.
    pub urls: Vec<String>,
    /// `Get` for a download.
    pub method: Method,
    /// Beside those that the host sets.
    pub headers: Vec<Header>,
    /// What was sent.
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct FakeAnswer {
    pub(crate) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl FakeAnswer {
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let headers = self.headers.iter();
        let of_that_name = headers.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        of_that_name.map(|(_, value)| value.clone()).collect()
    }
}

/// What a source wrote to its volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// As the source declared it.
    pub image: Image,
    /// In the order of writing.
    pub pieces: Vec<Piece>,
}

/// One call to the [`Sink`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes the source made.
    Bytes(Vec<u8>),
    /// Bytes spliced from a blob or reader.
    Splice(Vec<u8>),
    /// A hole, by its length.
    Zeros(u64),
}

impl Written {
    /// How many bytes were written, with holes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.pieces.iter().map(Piece::length).sum()
    }

    /// All bytes of the volume.
    ///
    /// # Panics
    /// If that is more than a test should hold in memory (256 MiB).
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.length();
        assert!(
            length <= MAX_IMAGE_IN_MEMORY as u64,
            "an image of {length} bytes is too large for this"
        );
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(data) | Piece::Splice(data) => bytes.extend_from_slice(data),
                Piece::Zeros(length) => {
                    bytes.resize(
                        bytes.len() + usize::try_from(*length).unwrap_or(usize::MAX),
                        0,
                    );
                }
            }
        }
        bytes
    }
}

impl Piece {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(data) | Self::Splice(data) => data.len() as u64,
            Self::Zeros(length) => *length,
        }
    }
}
