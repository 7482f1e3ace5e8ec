//! What host and components speak of, as plain Rust types of no version of the contract, so that nobody but
//! the module of a version sees generated bindings.
//!
//! Everything in [`Description`], [`Configuration`], [`Recipe`] and [`Image`] comes from a component
//! and has passed the checks of `untrusted` before anyone outside this crate gets it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// A volume of the hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VolumeId {
    /// The storage pool's name.
    pub pool: String,
    /// The volume's name in that pool.
    pub name: String,
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.name)
    }
}

/// Device types of a disk, libvirt's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Device {
    /// `disk`
    Disk,
    /// `cdrom`
    Cdrom,
    /// `floppy`
    Floppy,
    /// `lun`
    Lun,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Disk, Self::Cdrom, Self::Floppy, Self::Lun];

    /// libvirt's name of the device type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Cdrom => "cdrom",
            Self::Floppy => "floppy",
            Self::Lun => "lun",
        }
    }
}

/// The volume that a source fills, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it will be.
    pub id: VolumeId,
    /// The domain's name.
    pub domain: String,
    /// What the guest will see it as.
    pub device: Option<Device>,
    /// libvirt's name of the format: `raw`, `qcow2`, …
    pub format: Option<String>,
    /// Bytes.
    pub capacity: Option<u64>,
    /// Whether the guest may only read it.
    pub read_only: Option<bool>,
}

/// What a user may write for an option in a `source { }` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OptionType {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of strings.
    TextList,
    /// A map of strings.
    TextMap,
}

impl OptionType {
    /// What a user calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::TextList => "list of strings",
            Self::TextMap => "map of strings",
        }
    }
}

/// One option of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionSchema {
    /// `[a-z][a-z0-9_]*`
    pub name: String,
    /// What its value must be.
    pub option_type: OptionType,
    /// Leaving it out is an error.
    pub required: bool,
    /// The default as a user would write it; documentation only.
    pub default: Option<String>,
    /// The value is a secret.
    pub sensitive: bool,
    /// One or more sentences of Markdown.
    pub documentation: String,
}

/// The value of an option, in secret types until it is handed to the component: any value may be a secret. Its
/// `Debug` shows the type alone.
#[derive(Clone)]
pub enum OptionValue {
    /// A string.
    Text(SecretString),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list of strings.
    TextList(Vec<SecretString>),
    /// A map of strings.
    TextMap(BTreeMap<String, SecretString>),
}

impl OptionValue {
    /// The type whose value this is.
    #[must_use]
    pub fn option_type(&self) -> OptionType {
        match self {
            Self::Text(_) => OptionType::Text,
            Self::Integer(_) => OptionType::Integer,
            Self::Boolean(_) => OptionType::Boolean,
            Self::TextList(_) => OptionType::TextList,
            Self::TextMap(_) => OptionType::TextMap,
        }
    }
}

impl fmt::Debug for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.option_type().as_str())
    }
}

/// An option the user has set.
#[derive(Debug, Clone)]
pub struct OptionSetting {
    /// The option's name.
    pub name: String,
    /// What the user wrote.
    pub value: OptionValue,
}

/// What kind of source a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What a user writes for `type`: `[a-z][a-z0-9-]*`; empty if it leaves that to its user.
    pub source_type: String,
    /// Other spellings of it.
    pub aliases: Vec<String>,
    /// One line.
    pub summary: String,
    /// Each name occurs once.
    pub options: Vec<OptionSchema>,
}

/// What a component says at validation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Remarks on the user's options.
    pub diagnostics: Vec<Diagnostic>,
    /// For what the user left open.
    pub defaults: Defaults,
    /// What the volume needs to reach.
    pub grants: Vec<Grant>,
}

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// The build can't be done like this.
    Error,
    /// It can, but probably is not what the user meant.
    Warning,
}

/// Something to say about the user's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The option it is about: `checksum`, `urls[1]`, `contents["a/b"]`; empty for the whole block.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A file that will be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Download {
    /// A URL, whole.
    pub url: String,
    /// What it will be checked by, as a user writes it; `None` if that is only known later.
    pub checksum: Option<String>,
}

/// Something a volume needs to reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Grant {
    /// One file.
    Url(Download),
    /// A URL that ends in `/`, and everything below it.
    UrlsBelow(String),
    /// A path or pattern of files on the machine lvhost runs on.
    Files(String),
    /// A volume of the hypervisor, to look at or to take bytes from.
    Volume(VolumeId),
    /// A path on the hypervisor, to look at or to be an overlay of.
    HypervisorPath(String),
    /// A URL that something is sent to.
    Post(String),
    /// One of the user's secrets, by its name.
    Secret(String),
}

/// What the volume should be where the user left it open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// For a generated name: `<domain>-<name_suffix>`. None: an alias or a random suffix.
    pub name_suffix: Option<String>,
    /// What the guest should see it as.
    pub device: Option<Device>,
    /// libvirt's name of the format.
    pub format: Option<String>,
    /// libvirt's name of a disk bus: `virtio`, `sata`, `fdc`, …
    pub bus: Option<String>,
    /// Whether the guest may only read it.
    pub read_only: Option<bool>,
}

/// Where an overlay's unchanged bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// A volume of the hypervisor.
    Volume(VolumeId),
    /// A path on the hypervisor.
    HypervisorPath(String),
}

/// How the volume comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipe {
    /// Empty; needs a capacity from the user.
    Blank,
    /// A copy-on-write overlay, of at least the base's capacity.
    Overlay(Base),
    /// A copy made by the hypervisor, grown to the capacity the user asked for.
    Clone(VolumeId),
    /// The component has filled the sink it got from [`Services::create_target`], and
    /// [`Sink::finish`] has succeeded.
    ///
    /// [`Services::create_target`]: crate::Services::create_target
    /// [`Sink::finish`]: crate::Sink::finish
    Image,
}

/// The image a component is going to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// libvirt's name of the format of the bytes that follow.
    pub format: String,
    /// Bytes that follow, if known. Always known for `raw`.
    pub length: Option<u64>,
    /// Bytes the guest will see; for `raw` the same as `length`.
    pub capacity: u64,
}

/// Bytes that the host holds, with random access: a granted file or a finished download.
#[derive(Debug, Clone)]
pub struct Blob {
    /// The file's name without folders, as the user or the URL gave it.
    pub name: String,
    /// Read with positions only, since the handle is shared.
    pub file: Arc<File>,
    /// Bytes.
    pub size: u64,
}

/// Whom a component asks for something, and with which headers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebRequest {
    /// Tried in this order until one works.
    pub urls: Vec<String>,
    /// Beside those that the host sets.
    pub headers: Vec<Header>,
}

/// A header of a [`WebRequest`]. Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Header {
    /// As the component has written it.
    Text {
        /// Its name.
        name: String,
        /// Its value, which may be a secret.
        value: String,
    },
    /// With one of the user's secrets in it.
    Secret {
        /// The header's name.
        name: String,
        /// What stands before the secret, such as `Bearer `.
        prefix: String,
        /// The secret's name.
        secret: String,
    },
    /// `Authorization` by name and password.
    LogIn {
        /// The user's name there.
        user: String,
        /// The name of the secret that is the password.
        secret: String,
    },
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { name, .. } => write!(f, "{name}"),
            Self::Secret { name, secret, .. } => write!(f, "{name} with the secret {secret}"),
            Self::LogIn { user, secret } => write!(f, "log-in of {user} with the secret {secret}"),
        }
    }
}

/// What a component wants of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// What a URL names.
    Get,
    /// The headers of that alone.
    Head,
    /// To send something.
    Post,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Get, Self::Head, Self::Post];

    /// As HTTP spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// A server's answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    /// Three digits.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole.
    pub body: bytes::Bytes,
}

/// What an entry of [`Services::list_files`](crate::Services::list_files) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
}

/// A file or folder that a granted pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Below the granted pattern's match, with `/` between its parts.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// The owner may run it.
    pub executable: bool,
}

/// Facts of a volume of the hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Bytes a guest sees.
    pub capacity: u64,
    /// libvirt's name of the format.
    pub format: String,
    /// Where the hypervisor keeps it.
    pub path: String,
    /// The path of the image it is an overlay of.
    pub backing: Option<String>,
}

/// Compressions the host undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// The .xz container.
    Xz,
    /// RFC 8878.
    Zstd,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Bzip2, Self::Xz, Self::Zstd];

    /// What users and components call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

/// How much a line of a component's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// For everyone.
    Info,
    /// Something is odd.
    Warning,
}
