//! What a writer answers with: an image as a sequence of made bytes, spliced files and holes.

use crate::Kind;

/// A whole disk image, in order from its first byte to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Bytes in the image: the sum of the segments' lengths.
    pub length: u64,
    /// The image's pieces, back to back. None is empty, and no two neighbours are both
    /// [`Segment::Bytes`] or both [`Segment::Zeros`].
    pub segments: Vec<Segment>,
}

/// One piece of an [`Image`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Bytes made by the writer, or given to it by [`crate::Entry::bytes`].
    Bytes(Vec<u8>),
    /// The whole body of one of the caller's files. A file that stands in the tree twice appears
    /// here twice.
    File {
        /// The number the caller gave the file in [`crate::Entry::file`].
        index: usize,
        /// The file's length in bytes; the body must have exactly this many.
        length: u64,
    },
    /// That many zero bytes, which may be left as a hole.
    Zeros(u64),
}

impl Segment {
    /// Bytes this piece takes in the image.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } | Self::Zeros(length) => *length,
        }
    }
}

impl Image {
    /// Appends bytes.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.length += bytes.len() as u64;
        match self.segments.last_mut() {
            Some(Segment::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.segments.push(Segment::Bytes(bytes.to_vec())),
        }
    }

    /// Appends the body of one of the caller's files.
    pub(crate) fn push_file(&mut self, index: usize, length: u64) {
        if length > 0 {
            self.length += length;
            self.segments.push(Segment::File { index, length });
        }
    }

    /// Appends zeros.
    pub(crate) fn push_zeros(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.length += count;
        match self.segments.last_mut() {
            Some(Segment::Zeros(last)) => *last += count,
            _ => self.segments.push(Segment::Zeros(count)),
        }
    }

    /// Appends the body of a file of the tree, wherever it is held.
    pub(crate) fn push_body(&mut self, kind: &Kind) {
        match kind {
            Kind::Directory => {}
            Kind::File { index, length } => self.push_file(*index, *length),
            Kind::Bytes(bytes) => self.push_bytes(bytes),
        }
    }

    /// Appends zeros until the length is a multiple of `block`. Behind bytes they are bytes too:
    /// a hole of less than a block saves nothing and would cost the caller a segment.
    pub(crate) fn align(&mut self, block: usize) {
        let missing = self.length.next_multiple_of(block as u64) - self.length;
        if let Some(Segment::Bytes(last)) = self.segments.last_mut() {
            last.resize(last.len() + missing as usize, 0);
            self.length += missing;
        } else {
            self.push_zeros(missing);
        }
    }
}
