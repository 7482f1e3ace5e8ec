//! What a component asks its host, as data: the imports of the contract, each a [`Request`] with its
//! [`Answer`]. The same for a component in this process and for one in a child.
//!
//! ```text
//!  in this process:  imports ─► Request ─────────────────────► session ─► Services, Sink
//!  in a child:       imports ─► Request ─► frame ─│─► frame ─► session ─► Services, Sink
//! ```

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bindings::{blobs, exported, fetch, files, report, target, types as wit, volumes};
use crate::error::Fault;
use crate::log::Stream;

/// A call of an import. Bytes that are written travel beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A message for the log.
    Log {
        level: report::Level,
        message: String,
    },
    /// Bytes of a standard stream; they travel beside it.
    Output(Stream),
    Progress {
        fraction: f64,
        what: String,
    },
    IsCancelled,
    Download(fetch::Request),
    ListFiles(String),
    OpenFile {
        pattern: String,
        path: String,
    },
    LookUp(wit::VolumeId),
    LookUpPath(String),
    ReadBlob {
        blob: u32,
        offset: u64,
        length: u32,
    },
    MakeReader {
        blob: u32,
    },
    Read {
        reader: u32,
        length: u32,
    },
    Decode {
        reader: u32,
        codec: blobs::Codec,
    },
    Measure {
        reader: u32,
    },
    DropBlob(u32),
    DropReader(u32),
    CreateTarget(target::Image),
    /// Adds bytes to the target; they travel beside it.
    Write,
    Zeros(u64),
    CopyFrom {
        blob: u32,
        offset: u64,
        length: u64,
    },
    Drain {
        reader: u32,
    },
}

/// What a component is answered. Bytes that are read travel beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Flag(bool),
    Blob {
        blob: u32,
        name: String,
        size: u64,
    },
    Entries(Vec<files::Entry>),
    Facts(Option<volumes::Facts>),
    Reader(u32),
    /// Bytes; they travel beside it.
    Bytes,
    Length(u64),
    Failed(wit::Error),
    /// The call is over: the component is stopped.
    Ended,
}

/// An answer, or what the component did that ends the call.
pub(crate) type Answered = Result<(Answer, Bytes), Fault>;

/// A call of an export. Its `Debug` shows nothing of the options, since those may hold secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Call {
    Describe,
    Configure(wit::Volume, Vec<wit::OptionSetting>),
    Prepare(wit::Volume, Vec<wit::OptionSetting>),
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function())
    }
}

impl Call {
    pub(crate) fn function(&self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Configure(..) => "configure",
            Self::Prepare(..) => "prepare",
        }
    }

    /// What the call is about, for its random numbers: two volumes differ, two runs don't. Nothing of
    /// the options, since those may hold secrets.
    pub(crate) fn seed(&self) -> Vec<&str> {
        match self {
            Self::Describe => Vec::new(),
            Self::Configure(volume, _) | Self::Prepare(volume, _) => {
                vec![&volume.domain, &volume.id.pool, &volume.id.name]
            }
        }
    }
}

/// What a component says to a call: nothing of it has been checked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Description(exported::Description),
    Configuration(exported::Configuration),
    Recipe(Result<exported::Recipe, wit::Error>),
}
