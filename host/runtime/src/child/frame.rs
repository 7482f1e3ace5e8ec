//! What parent and child say to each other, and how it stands on the connection. Pure: bytes in, bytes
//! out, no panic on any input.
//!
//! ```text
//!   u32  length of the message ─┐ little-endian
//!   u32  length of the bytes   ─┘
//!   the message, by serde and postcard
//!   the bytes, as they are: an image's, a component's, machine code
//! ```

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::confine::{Bounds, Confinement};
use crate::error::{CoreModule, Fault, Reason};
use crate::limits;
use crate::request::{Answer, Call, Request, Said};

/// What a child says that it is, first of all. Another program than this one, or another version of it,
/// that was started in its place can't be one that has confined itself.
pub(crate) const PROGRAM: &str = concat!("lvhost-component ", env!("CARGO_PKG_VERSION"));

/// Bytes of a header.
pub(crate) const HEADER: usize = 8;

/// Bytes of a message from a child. The biggest honest one asks for 256 grants and makes 100 remarks,
/// 2 MiB; decoded it may take twenty times as much.
const FROM_CHILD: usize = 4 << 20;

/// Bytes of a message to a child: lists of files, with what surrounds each path.
const TO_CHILD: usize = limits::FILE_NAMES + limits::FILES * 32;

/// What the parent says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// The first message: what the process is for.
    Begin {
        task: Task,
        bounds: Bounds,
        /// The parent's process ID.
        parent: i32,
        source_date_epoch: u64,
    },
    /// The component, or its machine code, as bytes beside it.
    Component,
    /// A call. `memory` is what the component may allocate.
    Call { call: Call, memory: usize },
    /// The answer to a request.
    Answer(Answer),
}

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Makes machine code and ends.
    Compile,
    /// Runs machine code, call by call.
    Run,
}

/// What a child says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromChild {
    /// The answer to `Begin`: which program it is, and what holds it.
    Confined {
        program: String,
        confinement: Confinement,
    },
    /// The process can't be what it should be.
    Unfit(String),
    /// The answer to `Component` of one that compiles; the machine code is beside it.
    Compiled,
    /// The answer to `Component` of one that runs.
    Loaded,
    /// The component can't be used.
    Refused(Refusal),
    /// In a call: the component asks.
    Request(Request),
    /// The end of a call.
    Returned(Result<Said, Fault>),
}

/// Why a child refuses a component: the mirror of `LoadError`, without the component's name.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    Invalid(Reason),
    TooMuch(String),
    ForbiddenImport(String),
    Version(String),
    MissingExport { export: String, is_command: bool },
    CoreModule(CoreModule),
    Mismatch(Reason),
}

/// A frame that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a message of {0} bytes")]
    MessageTooLong(usize),
    #[error("{0} bytes beside a message")]
    BytesTooLong(usize),
    #[error("a message that makes no sense")]
    Nonsense,
}

/// Which way a frame goes, and when: that bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToChild,
    /// In a call.
    FromChild,
    /// From one that compiles.
    FromCompiler,
}

impl Direction {
    fn message(self) -> usize {
        match self {
            Self::ToChild => TO_CHILD,
            Self::FromChild | Self::FromCompiler => FROM_CHILD,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::ToChild | Self::FromCompiler => limits::CODE_SIZE,
            Self::FromChild => limits::CHUNK,
        }
    }
}

/// The lengths of a frame's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) message: usize,
    pub(crate) bytes: usize,
}

impl Lengths {
    /// Reads a header.
    pub(crate) fn parse(header: [u8; HEADER], direction: Direction) -> Result<Self, FrameError> {
        let [a, b, c, d, e, f, g, h] = header;
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        Self {
            message: length([a, b, c, d]),
            bytes: length([e, f, g, h]),
        }
        .checked(direction)
    }

    fn checked(self, direction: Direction) -> Result<Self, FrameError> {
        if self.message > direction.message() {
            return Err(FrameError::MessageTooLong(self.message));
        }
        if self.bytes > direction.bytes() {
            return Err(FrameError::BytesTooLong(self.bytes));
        }
        Ok(self)
    }
}

/// Header and message of a frame; `bytes` is how many follow.
pub(crate) fn encode<T: Serialize>(
    message: &T,
    bytes: usize,
    direction: Direction,
) -> Result<Vec<u8>, FrameError> {
    // Room for the header, which is known afterwards.
    let frame = postcard::to_extend(message, vec![0; HEADER]).map_err(|_| FrameError::Nonsense)?;
    let mut frame = frame;
    let lengths = Lengths {
        message: frame.len() - HEADER,
        bytes,
    }
    .checked(direction)?;
    let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    frame[..4].copy_from_slice(&word(lengths.message));
    frame[4..HEADER].copy_from_slice(&word(lengths.bytes));
    Ok(frame)
}

/// The message of a frame.
pub(crate) fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, FrameError> {
    match take(message)? {
        (message, []) => Ok(message),
        _ => Err(FrameError::Nonsense),
    }
}

/// The first of several messages, and what is behind it.
pub(crate) fn take<T: DeserializeOwned>(messages: &[u8]) -> Result<(T, &[u8]), FrameError> {
    postcard::take_from_bytes(messages).map_err(|_| FrameError::Nonsense)
}
