//! A host for tests: files, downloads and volumes that a test makes up, and a record of what a
//! source wrote. Not there in a component.
//!
//! ```
//! use lvhost_plugin_sdk::testing::FakeHost;
//! use lvhost_plugin_sdk::{Host, Image};
//!
//! let host = FakeHost::new().with_file("drivers/*", "net.inf", b"[Version]");
//! let driver = host.files("drivers/*")?.open(0)?;
//! let mut sink = host.create(&Image::raw(512))?;
//! sink.copy_from(&driver, 0, driver.size())?;
//! sink.zeros(512 - driver.size())?;
//! assert_eq!(&host.written().bytes()[..9], b"[Version]");
//! # Ok::<(), lvhost_plugin_sdk::Error>(())
//! ```

mod handles;
mod record;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use self::handles::{FakeBlob, FakeReader, FakeSink};
pub(crate) use self::record::FakeAnswer;
use self::record::MAX_IMAGE_IN_MEMORY;
pub use self::record::{Asked, Piece, Written};
use crate::handle::{BlobHandle, SinkHandle};
use crate::image::qcow2;
use crate::web::{AnswerHandle, SecretHandle};
use crate::{
    Answer, Blob, Codec, Content, Error, Facts, FileEntry, FileKind, Grant, Header, Host, Image,
    Level, Listing, Method, Request, Secret, Sink, Volume, VolumeId,
};

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

/// Bytes that the [`FakeHost`] unpacks to these files. Nothing else can read them.
#[must_use]
pub fn archive<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut archive = ARCHIVE.to_vec();
    for (name, content) in files {
        for text in [name.as_bytes(), content] {
            archive.extend((text.len() as u64).to_le_bytes());
            archive.extend(text);
        }
    }
    archive
}

/// What a test's archive begins with.
pub(crate) const ARCHIVE: &[u8] = b"an archive of a test\n";

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
    answers: BTreeMap<String, FakeAnswer>,
    secrets: Vec<String>,
    asked: RefCell<Vec<Asked>>,
    checksums: RefCell<Vec<Option<String>>>,
    log: RefCell<Vec<(Level, String)>>,
    written: Rc<RefCell<Option<Written>>>,
    /// None: everything may be reached.
    grants: Option<Vec<Grant>>,
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
        let name = name_of(url);
        self.downloads
            .insert(url.to_owned(), FakeBlob::new(&name, data.into()));
        self
    }

    /// Tells the digest of a download, as [`Blob::digest`] gives it.
    ///
    /// # Panics
    /// If there is no such download.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "it is for tests, whose way to fail is a panic"
    )]
    pub fn with_digest(mut self, url: &str, algorithm: &str, digits: &str) -> Self {
        let blob = self.downloads.get_mut(url).expect("such a download");
        blob.digests.push((algorithm.to_owned(), digits.to_owned()));
        self
    }

    /// Adds what a server answers to who asks for a URL.
    #[must_use]
    pub fn with_answer(
        mut self,
        url: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers = headers.iter();
        let answer = FakeAnswer {
            status,
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.into(),
        };
        self.answers.insert(url.to_owned(), answer);
        self
    }

    /// Adds one of the user's secrets.
    #[must_use]
    pub fn with_secret(mut self, name: &str) -> Self {
        self.secrets.push(name.to_owned());
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

    /// What the source has asked of servers, downloads included.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
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

    /// Whether a URL may be asked for, with this checksum if it is a download.
    fn check_url(&self, url: &str, checksum: Option<&str>) -> Result<(), Error> {
        self.check_granted(url, |grant| match grant {
            Grant::Url(granted) => {
                let asked = checksum.filter(|it| !it.is_empty()).unwrap_or("none");
                let told = granted.checksum.as_deref();
                granted.url == *url && told.is_none_or(|told| told == asked)
            }
            // lvhost compares what the URLs mean; names of files are enough for a test.
            Grant::UrlsBelow(folder) => url.starts_with(folder) && !url.contains(".."),
            _ => false,
        })
    }

    /// Takes note of a request, if all of its secrets are granted.
    fn note(&self, request: &Request<'_>) -> Result<(), Error> {
        let headers = request.headers();
        for header in &headers {
            let (Header::Secret(_, _, secret) | Header::LogIn(_, secret)) = header else {
                continue;
            };
            self.check_secret(secret)?;
        }
        self.asked.borrow_mut().push(Asked {
            urls: request.urls.clone(),
            method: request.method,
            headers,
            body: request.body.clone(),
        });
        Ok(())
    }

    fn check_secret(&self, name: &str) -> Result<(), Error> {
        self.check_granted(
            &format!("the secret {name}"),
            |grant| matches!(grant, Grant::Secret(granted) if granted == name),
        )
    }

    fn make(&self, image: &Image) -> Result<FakeSink, Error> {
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
        Ok(FakeSink {
            written: Rc::clone(&self.written),
        })
    }
}

/// What lvhost calls the file at a URL: `filename=` says so, or the end of its path, before `//` for a file in an
/// archive.
fn name_of(url: &str) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let said = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("filename="));
    let path = path.split_once("://").map_or(path, |(_, behind)| behind);
    let path = path.split_once("//").map_or(path, |(archive, _)| archive);
    said.or(path.rsplit('/').next())
        .unwrap_or_default()
        .to_owned()
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
    fn download(&self, request: &Request<'_>) -> Result<Blob, Error> {
        if request.method != Method::Get {
            return Err(Error::Invalid("a download has no method".to_owned()));
        }
        let checksum = request.checksum.as_deref();
        for url in &request.urls {
            self.check_url(url, checksum)?;
        }
        self.note(request)?;
        self.checksums.borrow_mut().push(request.checksum.clone());
        let mut urls = request.urls.iter();
        let blob = urls.find_map(|url| self.downloads.get(url));
        blob.map(|blob| Blob(BlobHandle::Fake(blob.clone())))
            .ok_or_else(|| {
                let urls = request.urls.join(", ");
                Error::Network(format!("nothing to download at {urls}"))
            })
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer, Error> {
        for url in &request.urls {
            let posts = |grant: &Grant| matches!(grant, Grant::Post(granted) if granted == url);
            let posted = self.check_granted(url, posts);
            match request.method {
                Method::Post => posted?,
                Method::Get | Method::Head => posted.or_else(|_| self.check_url(url, None))?,
            }
        }
        self.note(request)?;
        let mut urls = request.urls.iter();
        let answer = urls.find_map(|url| self.answers.get(url));
        answer
            .map(|answer| Answer(AnswerHandle::Fake(answer.clone())))
            .ok_or_else(|| {
                let urls = request.urls.join(", ");
                Error::Network(format!("nobody answers at {urls}"))
            })
    }

    fn secret(&self, name: &str) -> Result<Secret, Error> {
        self.check_secret(name)?;
        if self.secrets.iter().any(|known| known == name) {
            return Ok(Secret(SecretHandle::Fake(name.to_owned())));
        }
        Err(Error::NotFound(format!("there is no secret called {name}")))
    }

    fn files(&self, pattern: &str) -> Result<Listing, Error> {
        self.check_granted(pattern, |grant| is_files(grant, pattern))?;
        let entries = self
            .files
            .get(pattern)
            .ok_or_else(|| Error::NotFound(format!("no file matches {pattern}")))?;
        Ok(Listing::of_test(entries.clone()))
    }

    fn volume_facts(&self, id: &VolumeId) -> Result<Facts, Error> {
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

    fn content(&self, source: &Blob, content: &Content) -> Result<(), Error> {
        let mut reader = match content.codec {
            Some(codec) => source.decode(codec)?,
            None => source.reader()?,
        };
        let bytes = reader.read_up_to(MAX_IMAGE_IN_MEMORY)?;
        let length = bytes.len() as u64;
        let image = match content.format.as_str() {
            "raw" => Image::raw(length),
            "qcow2" => Image {
                format: "qcow2".to_owned(),
                length: content.codec.is_none().then_some(length),
                capacity: qcow2::Header::parse(&bytes)
                    .ok()
                    .flatten()
                    .ok_or_else(|| Error::corrupt("it is no qcow2 image"))?
                    .virtual_size,
            },
            other => return Err(Error::Invalid(format!("{other} is no format of a volume"))),
        };
        self.make(&image)?.splice(bytes)
    }

    fn create(&self, image: &Image) -> Result<Sink, Error> {
        Ok(Sink(SinkHandle::Fake(self.make(image)?)))
    }

    fn timestamp(&self) -> u64 {
        0
    }

    fn log(&self, level: Level, message: &str) {
        self.log.borrow_mut().push((level, message.to_owned()));
    }

    fn progress(&self, _fraction: f64, _what: &str) {}
}

#[cfg(test)]
mod tests;
