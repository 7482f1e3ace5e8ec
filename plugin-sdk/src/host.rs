//! What a source can do while it prepares a volume. Everything outside of the component's own
//! memory happens here.

use crate::bindings::lvhost::source::{log, prepare};
use crate::handle::{BlobHandle, SinkHandle};
use crate::web::{AnswerHandle, SecretHandle};
use crate::{Answer, Blob, Codec, Error, Facts, Image, Listing, Request, Secret, Sink, VolumeId};

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// For everyone.
    Info,
    /// Something is odd.
    Warning,
}

/// What the bytes are that become a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// `raw` or `qcow2`: what they are once they are decompressed.
    pub format: String,
    /// How they are compressed, if they are.
    pub codec: Option<Codec>,
}

/// lvhost as a source sees it in [`prepare`](crate::VolumeSource::prepare).
///
/// What a function reaches must have been asked for in the
/// [`Configuration`](crate::Configuration) as a [`Grant`](crate::Grant), by the same text or as
/// something below a [`Grant::UrlsBelow`](crate::Grant::UrlsBelow), and the user must have allowed it;
/// anything else is [`Error::Denied`], whose text tells the user what to do. So is a redirect to where
/// the user has allowed nothing. When the user cancels the build, the component is ended: no function tells.
///
/// A test hands a [`FakeHost`](crate::testing::FakeHost) to the source in its place.
pub trait Host {
    /// Downloads a file and returns when its whole body is there and its checksum is right.
    /// Transport, cache, retries and progress are the host's.
    ///
    /// The checksum is the one that was told with the [`Grant`](crate::Grant) of the URL, if one was. An archive
    /// comes as it is, for [`Blob::unpack`], and so does what is compressed.
    ///
    /// # Errors
    /// [`Error::Network`] if no URL worked, [`Error::Corrupt`] if the checksum is wrong.
    fn download(&self, request: &Request<'_>) -> Result<Blob, Error>;

    /// Asks a server for what is read here and now, such as a token or an index. Nothing of it is kept. Each status
    /// is an answer, and so is a redirect of what was sent by `POST`.
    ///
    /// # Errors
    /// [`Error::Network`] if nobody answers.
    fn ask(&self, request: &Request<'_>) -> Result<Answer, Error>;

    /// One of the user's secrets, by the name that it has in `lvhost.hcl`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    fn secret(&self, name: &str) -> Result<Secret, Error>;

    /// What a path or pattern of files on the user's machine matches.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing matches.
    fn files(&self, pattern: &str) -> Result<Listing, Error>;

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

    /// Makes the volume that is being prepared of an image that is there. Once only, and instead of
    /// [`create`](Self::create). The host finds out its length and capacity, and decompresses it.
    ///
    /// The volume is complete when `prepare` returns [`Recipe::Image`](crate::Recipe::Image); it
    /// then grows to the capacity that the user asked for.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes are not what is said, [`Error::Other`] if the hypervisor
    /// can't make room for them.
    fn content(&self, source: &Blob, content: &Content) -> Result<(), Error>;

    /// Creates the volume that is being prepared and opens it for writing. Once only.
    ///
    /// The volume is complete when `prepare` returns [`Recipe::Image`](crate::Recipe::Image); it
    /// then grows to the capacity that the user asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the `image` contradicts itself, [`Error::Other`] if the hypervisor
    /// can't make room for it.
    fn create(&self, image: &Image) -> Result<Sink, Error>;

    /// The time to put on what a source makes, in seconds since 1970: the value of the user's
    /// `SOURCE_DATE_EPOCH`, or 0, so that the same options and files make the same bytes.
    fn timestamp(&self) -> u64;

    /// Writes a line to the log.
    fn log(&self, level: Level, message: &str);

    /// Shows the progress of work that the host can't see: a fraction from 0 to 1, and what is
    /// being done.
    fn progress(&self, fraction: f64, what: &str);
}

/// The host that the component runs in. Works on WASM only.
pub(crate) struct ComponentHost(pub(crate) prepare::Preparation);

fn facts(facts: &prepare::Facts) -> Facts {
    Facts {
        capacity: facts.capacity(),
        format: facts.format(),
        path: facts.path(),
        backing: facts.backing(),
    }
}

impl Host for ComponentHost {
    fn download(&self, request: &Request<'_>) -> Result<Blob, Error> {
        let blob = self.0.download(&request.to_wit())?;
        Ok(Blob(BlobHandle::Host(blob)))
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let answer = self.0.ask(&request.to_wit())?;
        Ok(Answer(AnswerHandle::Host(answer)))
    }

    fn secret(&self, name: &str) -> Result<Secret, Error> {
        Ok(Secret(SecretHandle::Host(self.0.secret(name)?)))
    }

    fn files(&self, pattern: &str) -> Result<Listing, Error> {
        Ok(Listing::of_host(self.0.files(pattern)?))
    }

    fn volume_facts(&self, id: &VolumeId) -> Result<Facts, Error> {
        Ok(facts(&self.0.look_up(&id.to_wit())?))
    }

    fn path_facts(&self, path: &str) -> Result<Option<Facts>, Error> {
        Ok(self.0.look_up_path(path)?.as_ref().map(facts))
    }

    fn content(&self, source: &Blob, content: &Content) -> Result<(), Error> {
        let form = prepare::Form::new();
        form.format(&content.format);
        if let Some(codec) = content.codec {
            form.codec(codec.name());
        }
        Ok(self.0.content(source.of_host()?, &form)?)
    }

    fn create(&self, image: &Image) -> Result<Sink, Error> {
        let form = prepare::Form::new();
        form.format(&image.format);
        form.capacity(image.capacity);
        if let Some(length) = image.length {
            form.length(length);
        }
        Ok(Sink(SinkHandle::Host(self.0.image(&form)?)))
    }

    fn timestamp(&self) -> u64 {
        self.0.timestamp()
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warning => log::Level::Warning,
        };
        log::log(level, message);
    }

    fn progress(&self, fraction: f64, what: &str) {
        self.0.progress(fraction, what);
    }
}
