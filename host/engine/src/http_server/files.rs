//! The files that are served: a folder of this machine, through `cap-std`, or texts of the
//! template.

use std::collections::BTreeMap;
use std::io::{self, Cursor, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use futures::future::BoxFuture;
use rustix::fs::OFlags;
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, File, Metadata};

use super::{HttpServerError, ServedFiles};

/// What is served, for `tower-http` to read from. It hands over paths without `..`, relative to
/// `.`.
#[derive(Clone)]
pub(super) enum Files {
    Directory(Arc<Dir>),
    Contents(Arc<Contents>),
}

/// Texts by their paths, in which only names are left.
pub(super) struct Contents {
    texts: BTreeMap<PathBuf, Bytes>,
    /// When they came to be, for conditional requests.
    since: SystemTime,
}

impl Files {
    pub(super) async fn open(served: ServedFiles) -> Result<Self, HttpServerError> {
        match served {
            ServedFiles::Directory(path) => {
                let opened = {
                    let path = path.clone();
                    blocking(move || Dir::open_ambient_dir(path, ambient_authority())).await
                };
                match opened {
                    Ok(folder) => Ok(Self::Directory(Arc::new(folder))),
                    Err(source) => Err(HttpServerError::Directory { path, source }),
                }
            }
            ServedFiles::Contents(texts) => {
                let mut by_path = BTreeMap::new();
                for (path, text) in texts {
                    let Some(names) = path.strip_prefix('/').and_then(names) else {
                        return Err(HttpServerError::Path { path });
                    };
                    let text = Bytes::copy_from_slice(text.expose_secret().as_bytes());
                    by_path.insert(names, text);
                }
                Ok(Self::Contents(Arc::new(Contents {
                    texts: by_path,
                    since: SystemTime::now(),
                })))
            }
        }
    }
}

/// A path without `.` and doubled slashes. `None` if it leads upwards.
fn names(path: &str) -> Option<PathBuf> {
    Path::new(path)
        .components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect()
}

impl Contents {
    fn text(&self, path: &Path) -> io::Result<Bytes> {
        let path = path.to_str().and_then(names);
        let text = path.and_then(|path| self.texts.get(&path));
        text.cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn facts(&self, text: &Bytes) -> Facts {
        Facts {
            is_dir: false,
            length: text.len() as u64,
            modified: Some(self.since),
        }
    }
}

/// Runs what blocks on the file system.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// What has to be known of a file to serve it.
#[derive(Clone)]
pub(super) struct Facts {
    is_dir: bool,
    length: u64,
    modified: Option<SystemTime>,
}

impl Facts {
    fn of(metadata: &cap_std::fs::Metadata) -> Self {
        Self {
            is_dir: metadata.is_dir(),
            length: metadata.len(),
            modified: metadata.modified().ok().map(|time| time.into_std()),
        }
    }
}

impl Metadata for Facts {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.ok_or(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.length
    }
}

impl Backend for Files {
    type File = OpenFile;
    type Metadata = Facts;
    type OpenFuture = BoxFuture<'static, io::Result<OpenFile>>;
    type MetadataFuture = BoxFuture<'static, io::Result<Facts>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let files = self.clone();
        Box::pin(async move {
            match files {
                Self::Directory(folder) => blocking(move || open_below(&folder, &path)).await,
                Self::Contents(contents) => {
                    let text = contents.text(&path)?;
                    Ok(OpenFile {
                        facts: contents.facts(&text),
                        bytes: OpenBytes::Text(Cursor::new(text)),
                    })
                }
            }
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let files = self.clone();
        Box::pin(async move {
            match files {
                Self::Directory(folder) => {
                    blocking(move || Ok(Facts::of(&folder.metadata(&path)?))).await
                }
                Self::Contents(contents) => Ok(contents.facts(&contents.text(&path)?)),
            }
        })
    }
}

fn open_below(folder: &Dir, path: &Path) -> io::Result<OpenFile> {
    let mut options = OpenOptions::new();
    // A named pipe would not open until somebody writes to it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = folder.open_with(path, options.read(true).custom_flags(flags))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(OpenFile {
        facts: Facts::of(&metadata),
        bytes: OpenBytes::File(tokio::fs::File::from_std(file.into_std())),
    })
}

/// A file that is being served.
pub(super) struct OpenFile {
    facts: Facts,
    bytes: OpenBytes,
}

enum OpenBytes {
    File(tokio::fs::File),
    Text(Cursor<Bytes>),
}

impl File for OpenFile {
    type Metadata = Facts;
    type MetadataFuture<'a> = std::future::Ready<io::Result<Facts>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        std::future::ready(Ok(self.facts.clone()))
    }
}

impl AsyncRead for OpenFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.bytes {
            OpenBytes::File(file) => Pin::new(file).poll_read(context, buffer),
            OpenBytes::Text(text) => Pin::new(text).poll_read(context, buffer),
        }
    }
}

impl AsyncSeek for OpenFile {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.bytes {
            OpenBytes::File(file) => Pin::new(file).start_seek(position),
            OpenBytes::Text(text) => Pin::new(text).start_seek(position),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.bytes {
            OpenBytes::File(file) => Pin::new(file).poll_complete(context),
            OpenBytes::Text(text) => Pin::new(text).poll_complete(context),
        }
    }
}
