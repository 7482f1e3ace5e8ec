//! A host for tests: files, downloads and volumes that a test makes up, and a record of what a
//! source wrote. Not there in a component.
//!
//! ```
//! use lvhost_plugin_sdk::testing::{FakeHost, volume};
//! use lvhost_plugin_sdk::{Host, Image};
//!
//! let host = FakeHost::new().with_file("drivers/*", "net.inf", b"[Version]");
//! let driver = host.open_file("drivers/*", "net.inf")?;
//! let mut sink = host.create(&Image::raw(512))?;
//! sink.copy_from(&driver, 0, driver.size())?;
//! sink.zeros(512 - driver.size())?;
//! assert_eq!(&host.written().bytes()[..9], b"[Version]");
//! # Ok::<(), lvhost_plugin_sdk::Error>(())
//! ```

mod handles;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use self::handles::{FakeBlob, FakeReader, FakeSink};
use crate::handle::{BlobHandle, SinkHandle};
use crate::{
    Blob, Codec, Error, Facts, FileEntry, FileKind, Grant, Host, Image, Level, Sink, Volume,
    VolumeId,
};

/// The largest volume whose bytes [`Written::bytes`] puts together: a test that expects more by
/// mistake should fail rather than fill the memory.
const MAX_IMAGE_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// A volume as a user might have written it: `pool/name` of the domain `build`, all else open.
#[must_use]
pub fn volume(pool: &str, name: &str) -> Volume {
    Volume {
        id: VolumeId::new(pool, name),
        domain: "build".to_owned(),
        device: None,
        format: None,
        capacity: None,
        read_only: None,
    }
}

/// Bytes that begin like a stream of this compression, and that the [`FakeHost`] decodes to
/// `plain`. Nothing else can read them.
#[must_use]
pub fn compressed(codec: Codec, plain: &[u8]) -> Vec<u8> {
    [magic(codec), plain].concat()
}

fn magic(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::Gzip => &[0x1f, 0x8b, 0x08],
        Codec::Bzip2 => b"BZh9",
        Codec::Xz => &[0xfd, b'7', b'z', b'X', b'Z', 0],
        Codec::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
    }
}

/// See the module.
#[derive(Default)]
pub struct FakeHost {
    downloads: BTreeMap<String, FakeBlob>,
    files: BTreeMap<String, Vec<(FileEntry, FakeBlob)>>,
    volumes: Vec<(VolumeId, Facts)>,
    cancelled: Cell<bool>,
    checksums: RefCell<Vec<Option<String>>>,
    log: RefCell<Vec<(Level, String)>>,
    written: Rc<RefCell<Option<Written>>>,
    /// None: everything may be reached.
    grants: Option<Vec<Grant>>,
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
            length <= MAX_IMAGE_IN_MEMORY,
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
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(data) | Self::Splice(data) => data.len() as u64,
            Self::Zeros(length) => *length,
        }
    }
}

impl FakeHost {
    /// A host with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets only what was asked for be reached, as lvhost does: hand it the grants that
    /// [`configure`](crate::VolumeSource::configure) has asked for. Without this everything can be.
    #[must_use]
    pub fn with_grants(mut self, grants: &[Grant]) -> Self {
        self.grants = Some(grants.to_vec());
        self
    }

    /// Adds something to download.
    #[must_use]
    pub fn with_download(mut self, url: &str, data: impl Into<Vec<u8>>) -> Self {
        let name = url.rsplit('/').next().unwrap_or_default();
        self.downloads
            .insert(url.to_owned(), FakeBlob::new(name, data.into()));
        self
    }

    /// Adds a file to what a pattern matches, and the folders that it is in.
    #[must_use]
    pub fn with_file(mut self, pattern: &str, path: &str, data: impl Into<Vec<u8>>) -> Self {
        let entries = self.files.entry(pattern.to_owned()).or_default();
        for (index, _) in path.match_indices('/') {
            let folder = &path[..index];
            if !entries.iter().any(|(entry, _)| entry.path == folder) {
                entries.push((
                    entry(folder, FileKind::Directory, 0),
                    FakeBlob::new(folder, vec![]),
                ));
            }
        }
        let data = data.into();
        let blob = FakeBlob::new(path.rsplit('/').next().unwrap_or_default(), data);
        entries.push((entry(path, FileKind::File, blob.size()), blob));
        entries.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        self
    }

    /// Adds a volume of the hypervisor.
    #[must_use]
    pub fn with_volume(mut self, id: VolumeId, facts: Facts) -> Self {
        self.volumes.push((id, facts));
        self
    }

    /// Cancels the build: every function that waits fails from now on.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }

    /// What the source wrote.
    ///
    /// # Panics
    /// If it has not created its volume.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "it is for tests, whose way to fail is a panic"
    )]
    pub fn written(&self) -> Written {
        self.written
            .borrow()
            .clone()
            .expect("the source has not created its volume")
    }

    /// Whether the source has created its volume.
    #[must_use]
    pub fn has_created(&self) -> bool {
        self.written.borrow().is_some()
    }

    /// The checksums the source demanded, one for each download.
    #[must_use]
    pub fn checksums(&self) -> Vec<Option<String>> {
        self.checksums.borrow().clone()
    }

    /// The lines the source logged.
    #[must_use]
    pub fn log_lines(&self) -> Vec<(Level, String)> {
        self.log.borrow().clone()
    }

    fn check_granted(&self, what: &str, is_it: impl Fn(&Grant) -> bool) -> Result<(), Error> {
        match &self.grants {
            Some(grants) if !grants.iter().any(is_it) => Err(Error::Denied(format!(
                "{what} is not granted: it was not asked for in `configure`"
            ))),
            _ => Ok(()),
        }
    }

    fn check_cancelled(&self) -> Result<(), Error> {
        if self.cancelled.get() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}

fn entry(path: &str, kind: FileKind, size: u64) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        kind,
        size,
        executable: false,
    }
}

fn is_files(grant: &Grant, pattern: &str) -> bool {
    matches!(grant, Grant::Files(granted) if granted == pattern)
}

impl Host for FakeHost {
    fn download(&self, urls: &[String], checksum: Option<&str>) -> Result<Blob, Error> {
        self.check_cancelled()?;
        for url in urls {
            self.check_granted(url, |grant| match grant {
                Grant::Url(granted) => {
                    let asked = checksum.filter(|it| !it.is_empty()).unwrap_or("none");
                    let told = granted.checksum.as_deref();
                    granted.url == *url && told.is_none_or(|told| told == asked)
                }
                // lvhost compares what the URLs mean; names of files are enough for a test.
                Grant::UrlsBelow(folder) => url.starts_with(folder) && !url.contains(".."),
                _ => false,
            })?;
        }
        self.checksums
            .borrow_mut()
            .push(checksum.map(str::to_owned));
        urls.iter()
            .find_map(|url| self.downloads.get(url))
            .map(|blob| Blob(BlobHandle::Fake(blob.clone())))
            .ok_or_else(|| Error::Network(format!("nothing to download at {}", urls.join(", "))))
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, Error> {
        self.check_cancelled()?;
        self.check_granted(pattern, |grant| is_files(grant, pattern))?;
        let entries = self
            .files
            .get(pattern)
            .ok_or_else(|| Error::NotFound(format!("no file matches {pattern}")))?;
        Ok(entries.iter().map(|(entry, _)| entry.clone()).collect())
    }

    fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, Error> {
        self.check_cancelled()?;
        self.check_granted(pattern, |grant| is_files(grant, pattern))?;
        self.files
            .get(pattern)
            .and_then(|entries| entries.iter().find(|(entry, _)| entry.path == path))
            .filter(|(entry, _)| entry.kind == FileKind::File)
            .map(|(_, blob)| Blob(BlobHandle::Fake(blob.clone())))
            .ok_or_else(|| Error::NotFound(format!("no file {path} in {pattern}")))
    }

    fn volume_facts(&self, id: &VolumeId) -> Result<Facts, Error> {
        self.check_cancelled()?;
        self.check_granted(
            &id.to_string(),
            |grant| matches!(grant, Grant::Volume(granted) if granted == id),
        )?;
        self.volumes
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, facts)| facts.clone())
            .ok_or_else(|| Error::NotFound(format!("no volume {} in pool {}", id.name, id.pool)))
    }

    fn path_facts(&self, path: &str) -> Result<Option<Facts>, Error> {
        self.check_cancelled()?;
        self.check_granted(
            path,
            |grant| matches!(grant, Grant::HypervisorPath(granted) if granted == path),
        )?;
        Ok(self
            .volumes
            .iter()
            .map(|(_, facts)| facts)
            .find(|facts| facts.path == path)
            .cloned())
    }

    fn create(&self, image: &Image) -> Result<Sink, Error> {
        self.check_cancelled()?;
        if image.format == "raw" && image.length != Some(image.capacity) {
            return Err(Error::Invalid(
                "the length of a raw image must be known and be its capacity".to_owned(),
            ));
        }
        let mut written = self.written.borrow_mut();
        if written.is_some() {
            return Err(Error::Invalid(
                "the volume has already been created".to_owned(),
            ));
        }
        *written = Some(Written {
            image: image.clone(),
            pieces: Vec::new(),
        });
        Ok(Sink(SinkHandle::Fake(FakeSink {
            written: Rc::clone(&self.written),
        })))
    }

    fn log(&self, level: Level, message: &str) {
        self.log.borrow_mut().push((level, message.to_owned()));
    }

    fn progress(&self, _fraction: f64, _what: &str) {}

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_can_be_reached() {
        let id = VolumeId::new("default", "base");
        let facts = Facts {
            capacity: 1,
            format: "raw".to_owned(),
            path: "/images/base".to_owned(),
            backing: None,
        };
        let host = FakeHost::new()
            .with_download("https://h/d/a", b"a")
            .with_download("https://h/e", b"e")
            .with_file("x/*", "x", b"x")
            .with_volume(id.clone(), facts);
        let fetch = |host: &FakeHost, url: &str| host.download(&[url.to_owned()], None).map(|_| ());
        assert_eq!(
            fetch(&host, "https://h/e"),
            Ok(()),
            "everything, by default"
        );

        let below = Grant::UrlsBelow("https://h/d/".to_owned());
        let host = host.with_grants(&[below, Grant::Files("x/*".to_owned())]);
        assert_eq!(fetch(&host, "https://h/d/a"), Ok(()));
        assert!(host.open_file("x/*", "x").is_ok());
        let denied = [
            fetch(&host, "https://h/e"),
            fetch(&host, "https://h/d/../e"),
            host.list_files("y/*").map(|_| ()),
            host.volume_facts(&id).map(|_| ()),
            host.path_facts("/images/base").map(|_| ()),
        ];
        for result in denied {
            assert!(matches!(result, Err(Error::Denied(_))), "{result:?}");
        }
    }
}
