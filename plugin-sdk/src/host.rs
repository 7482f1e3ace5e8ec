//! What a source can do while it prepares a volume. Everything outside of the component's own
//! memory happens here.

use crate::bindings::lvhost::source::{fetch, files, report, target, volumes};
use crate::handle::{BlobHandle, SinkHandle};
use crate::{Blob, Error, Facts, FileEntry, Image, Level, Sink, VolumeId};

/// lvhost as a source sees it in [`prepare`](crate::VolumeSource::prepare).
///
/// What a function reaches must have been asked for in the
/// [`Configuration`](crate::Configuration) as a [`Grant`](crate::Grant), by the same text or as
/// something below a [`Grant::UrlsBelow`](crate::Grant::UrlsBelow), and the user must have allowed it;
/// anything else is [`Error::Denied`], whose text tells the user what to do. So is a redirect to where
/// the user has allowed nothing. Every function that waits may return [`Error::Cancelled`].
///
/// A test hands a [`FakeHost`](crate::testing::FakeHost) to the source in its place.
pub trait Host {
    /// Downloads a file and returns when its whole body is there and its checksum is right.
    /// Transport, cache, retries and progress are the host's.
    ///
    /// The `urls` are tried in their order until one works. The `checksum` is what the user wrote:
    /// `sha256:…`, bare hexadecimal digits, `none`; nothing is checked if there is none. It is the one that was
    /// told with the [`Grant`](crate::Grant) of the URL, if one was.
    ///
    /// Of an archive (zip or tar, by its name or by `archive=` in the URL) the file in it is what comes
    /// back: the host unpacks it, after the checksum of the archive was found right. What is only
    /// compressed comes back as it is, for [`Reader::decode`](crate::Reader::decode).
    ///
    /// # Errors
    /// [`Error::Network`] if no URL worked, [`Error::Corrupt`] if the checksum is wrong.
    fn download(&self, urls: &[String], checksum: Option<&str>) -> Result<Blob, Error>;

    /// Lists what a path or pattern of files on the user's machine matches: directories with all
    /// that is in them, in a fixed order.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing matches.
    fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, Error>;

    /// Opens a file from [`list_files`](Self::list_files), by the same pattern and its path there.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is gone.
    fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, Error>;

    /// Looks up a volume of the hypervisor.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such pool or volume.
    fn volume_facts(&self, id: &VolumeId) -> Result<Facts, Error>;

    /// Looks up a path on the hypervisor. `None` if no pool there knows it as a volume.
    ///
    /// # Errors
    /// Those of the hypervisor.
    fn path_facts(&self, path: &str) -> Result<Option<Facts>, Error>;

    /// Creates the volume that is being prepared and opens it for writing. Once only.
    ///
    /// The volume is complete when `prepare` returns [`Recipe::Image`](crate::Recipe::Image); it
    /// then grows to the capacity that the user asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the `image` contradicts itself, [`Error::Other`] if the hypervisor
    /// can't make room for it.
    fn create(&self, image: &Image) -> Result<Sink, Error>;

    /// Writes a line to the log.
    fn log(&self, level: Level, message: &str);

    /// Shows the progress of work that the host can't see: a fraction from 0 to 1, and what is
    /// being done.
    fn progress(&self, fraction: f64, what: &str);

    /// Whether the user has cancelled the build. To be asked now and then in long work of one's
    /// own; return [`Error::Cancelled`] then.
    fn is_cancelled(&self) -> bool;
}

/// The host that the component runs in. Works on WASM only.
pub(crate) struct ComponentHost;

impl Host for ComponentHost {
    fn download(&self, urls: &[String], checksum: Option<&str>) -> Result<Blob, Error> {
        let request = fetch::Request {
            urls: urls.to_vec(),
            checksum: checksum.map(str::to_owned),
        };
        fetch::download(&request).map(|blob| Blob(BlobHandle::Host(blob)))
    }

    fn list_files(&self, pattern: &str) -> Result<Vec<FileEntry>, Error> {
        files::list(pattern)
    }

    fn open_file(&self, pattern: &str, path: &str) -> Result<Blob, Error> {
        files::open(pattern, path).map(|blob| Blob(BlobHandle::Host(blob)))
    }

    fn volume_facts(&self, id: &VolumeId) -> Result<Facts, Error> {
        volumes::look_up(id)
    }

    fn path_facts(&self, path: &str) -> Result<Option<Facts>, Error> {
        volumes::look_up_path(path)
    }

    fn create(&self, image: &Image) -> Result<Sink, Error> {
        target::create(image).map(|sink| Sink(SinkHandle::Host(sink)))
    }

    fn log(&self, level: Level, message: &str) {
        report::log(level, message);
    }

    fn progress(&self, fraction: f64, what: &str) {
        report::progress(fraction, what);
    }

    fn is_cancelled(&self) -> bool {
        report::is_cancelled()
    }
}
