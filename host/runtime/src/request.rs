//! What a component asks its host, as data: the imports of the contract, each a [`Request`] with its
//! [`Answer`]. The same for a component in this process and for one in a child, and for each version of the
//! contract.
//!
//! ```text
//!  in this process:  imports ─► Request ─────────────────────► session ─► Services, Sink
//!  in a child:       imports ─► Request ─► frame ─│─► frame ─► session ─► Services, Sink
//! ```

use std::fmt;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::log::Stream;
use crate::services::{Packed, ServiceError};
use crate::types::{
    Codec, Configuration, Description, FileEntry, Image, Level, Method, OptionSetting, OptionValue,
    Recipe, Volume, VolumeFacts, VolumeId, WebRequest,
};
use crate::untrusted::Unchecked;

/// A call of an import. Bytes that are written travel beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A message for the log.
    Log {
        level: Level,
        message: String,
    },
    /// Bytes of a standard stream; they travel beside it.
    Output(Stream),
    Progress {
        fraction: f64,
        what: String,
    },
    IsCancelled,
    Download {
        request: WebRequest,
        checksum: Option<String>,
        packed: Packed,
    },
    /// What is sent travels beside it.
    Ask {
        request: WebRequest,
        method: Method,
    },
    Secret(String),
    ListFiles(String),
    OpenFile {
        pattern: String,
        path: String,
    },
    LookUp(Unchecked<VolumeId>),
    LookUpPath(String),
    ReadBlob {
        blob: u32,
        offset: u64,
        length: u32,
    },
    Digest {
        blob: u32,
        algorithm: String,
    },
    Unpack {
        blob: u32,
        packing: String,
        member: Option<String>,
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
        codec: Codec,
    },
    Measure {
        reader: u32,
    },
    DropBlob(u32),
    DropReader(u32),
    CreateTarget(Unchecked<Image>),
    /// The target, of a blob's bytes.
    Content {
        blob: u32,
        codec: Option<Codec>,
        format: String,
    },
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
    Entries(Vec<FileEntry>),
    Facts(Option<VolumeFacts>),
    Reader(u32),
    /// Bytes; they travel beside it.
    Bytes,
    Length(u64),
    Text(String),
    /// A server's answer; its body travels beside it.
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
    },
    Failed(ServiceError),
    /// The call is over: the component is stopped.
    Ended,
}

/// An answer, or what the component did that ends the call.
pub(crate) type Answered = Result<(Answer, Bytes), Fault>;

/// A call of an export. Its `Debug` shows nothing of the options, since those may hold secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Call {
    Describe,
    Configure(Volume, Vec<PlainSetting>),
    Prepare(Volume, Vec<PlainSetting>),
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

/// An option as the component gets it: what may be a secret is plain, since the component is whom it is for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PlainSetting {
    pub(crate) name: String,
    pub(crate) value: PlainValue,
}

/// The value of a [`PlainSetting`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum PlainValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
    TextList(Vec<String>),
    /// In the order of the keys.
    TextMap(Vec<(String, String)>),
}

impl PlainSetting {
    /// Takes the secrets out of their types.
    pub(crate) fn all(options: &[OptionSetting]) -> Vec<Self> {
        let plain = options.iter().map(|option| Self {
            name: option.name.clone(),
            value: PlainValue::of(&option.value),
        });
        plain.collect()
    }
}

impl PlainValue {
    fn of(value: &OptionValue) -> Self {
        let plain = |text: &SecretString| text.expose_secret().to_owned();
        match value {
            OptionValue::Text(text) => Self::Text(plain(text)),
            OptionValue::Integer(integer) => Self::Integer(*integer),
            OptionValue::Boolean(boolean) => Self::Boolean(*boolean),
            OptionValue::TextList(list) => Self::TextList(list.iter().map(plain).collect()),
            OptionValue::TextMap(map) => {
                let pairs = map.iter().map(|(key, text)| (key.clone(), plain(text)));
                Self::TextMap(pairs.collect())
            }
        }
    }
}

/// What a component says to a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Description(Unchecked<Description>),
    Configuration(Unchecked<Configuration>),
    Recipe(Result<Unchecked<Recipe>, Unchecked<ServiceError>>),
}
