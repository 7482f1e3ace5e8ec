//! The one file inside of a zip or tar archive.
//!
//! It is unpacked into a file without a name, which the system removes with its last handle: there
//! is nothing to become stale and nothing to clean up. What can be large is bounded, in sum over all that is
//! in an archive: its lists of contents by [`LISTING_LIMIT`], the entries gone through by
//! [`MAXIMUM_ENTRIES`], the bytes that come out of it, holes among them, by [`unpacked_limit`]. An archive is
//! not believed how long a file in it is: another length is an error. Of a file with holes in it only what is
//! there is written; how such files stand in archives of the format PAX is told in [`pax_sparse`].

mod pax_sparse;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

use lvhost_regular_file::OwnFolder;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::Packing;
use crate::decode;
use crate::download::MAXIMUM_LENGTH;
use crate::metered::Meter;
use crate::sink::write_sparse;

use pax_sparse::{Keywords, is_keyword};

/// Bytes that may be read for a zip's directory, or for all headers of a tar: an archive with one image in
/// it needs some hundred, and both libraries keep in memory what they read.
const LISTING_LIMIT: u64 = 16 << 20;

/// Bytes that may come out of any archive, however short it is: a few seconds' work.
const UNPACKED_ANYWAY: u64 = 16 << 30;

/// Bytes that may come out for each byte of an archive. Of zeros, of which a new disk consists mostly, gzip
/// makes a thousandth, xz a seven-thousandth.
const UNPACKED_PER_BYTE: u64 = 10_000;

/// Entries gone through in search of the file. Archives with more are no images.
const MAXIMUM_ENTRIES: usize = 10_000;

/// Bytes after the last entry of a tar that are read so that the compression's checksum is
/// compared. Tar pads its end to 10 KiB, or to a tape's block of some MiB.
const TRAILER_LIMIT: u64 = 64 << 20;

/// Names shown of an archive that has several files; more would bury the message.
const SHOWN_NAMES: usize = 8;

/// Bytes moved at once.
const PIECE: usize = 1 << 20;

/// Why nothing was unpacked.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It is damaged, encrypted, or something else than it is taken for.
    #[error("can't unpack it as {what}")]
    Read {
        /// What it is taken for.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the archive has no file in it")]
    Empty,
    /// There is nothing in it by that name.
    #[error("the archive has no file `{member}`; it has {listed}")]
    Missing {
        /// What stood after `//`.
        member: String,
        /// What is there.
        listed: String,
    },
    /// There is more than one.
    #[error(
        "the archive has several files: {listed}; write which one after its address: `…//NAME`"
    )]
    Several {
        /// Some of them.
        listed: String,
    },
    /// There are more entries than are gone through.
    #[error("the archive has more than {MAXIMUM_ENTRIES} entries")]
    TooManyEntries,
    /// More would come out of it than may.
    #[error(
        "what is in the archive has more than {limit} bytes, too many for the length of the archive; unpack \
         it by other means and give the file's path"
    )]
    TooLong {
        /// What may come out of it, in bytes.
        limit: u64,
    },
}

/// Why unpacking ended without a file.
pub(crate) enum Failed {
    Cancelled,
    /// The archive's fault.
    Archive(ArchiveError),
    /// Writing failed; the whole file would have so many bytes.
    Write {
        needed: u64,
        source: io::Error,
    },
}

impl From<ArchiveError> for Failed {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// A file that was in an archive.
#[derive(Debug)]
pub struct Unpacked {
    /// It has no name on this machine.
    pub file: File,
    /// Bytes.
    pub length: u64,
    /// What it is called in the archive, without folders.
    pub name: String,
}

/// What may come out of an archive of that length, in bytes.
fn unpacked_limit(archive_length: u64) -> u64 {
    let by_length = archive_length.saturating_mul(UNPACKED_PER_BYTE);
    by_length.clamp(UNPACKED_ANYWAY, MAXIMUM_LENGTH)
}

/// Unpacks the only file, or the only one named `member` or in that folder, into `folder`.
pub(crate) fn unpack(
    archive: Arc<File>,
    packing: Packing,
    member: Option<&str>,
    folder: &OwnFolder,
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<Unpacked, Failed> {
    let source = Positioned::new(archive).map_err(|source| read_error(packing, source))?;
    let source = source.metered(meter);
    let limit = unpacked_limit(source.length);
    unpack_within(limit, source, packing, member, folder, cancel)
}

/// The same, if no more than so many bytes come out.
pub(crate) fn unpack_within(
    limit: u64,
    source: Positioned,
    packing: Packing,
    member: Option<&str>,
    folder: &OwnFolder,
    cancel: &CancellationToken,
) -> Result<Unpacked, Failed> {
    let mut unpacking = Unpacking {
        member: member.map(plain),
        names: Vec::new(),
        others: Vec::new(),
        folder,
        cancel,
        limit,
        left: limit,
    };
    let budget = Rc::new(Cell::new(LISTING_LIMIT));
    let unpacked = match packing {
        Packing::Zip => unpacking.zip(Budgeted::new(source, &budget), &budget),
        Packing::Tar(None) => unpacking.tar(Budgeted::new(source, &budget), &budget, packing),
        Packing::Tar(Some(codec)) | Packing::Compressed(codec) => {
            // The decoder runs on this thread and is handed out as one that need not.
            let source = decode::decoder(codec, Box::new(source));
            unpacking.tar(Budgeted::new(source, &budget), &budget, packing)
        }
    }?;
    unpacked.ok_or_else(|| unpacking.nothing().into())
}

fn read_error(packing: Packing, source: io::Error) -> ArchiveError {
    let what = match packing {
        Packing::Zip => "a zip archive",
        _ => "a tar archive",
    };
    ArchiveError::Read { what, source }
}

/// The search for the one file.
struct Unpacking<'a> {
    member: Option<String>,
    /// The names of the files that fit.
    names: Vec<String>,
    /// Some names of those that don't.
    others: Vec<String>,
    folder: &'a OwnFolder,
    cancel: &'a CancellationToken,
    /// Bytes that may come out of the archive in sum, and how many still.
    limit: u64,
    left: u64,
}

impl Unpacking<'_> {
    /// Takes so many bytes of what may come out.
    fn take(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(ArchiveError::TooLong { limit: self.limit })?;
        Ok(())
    }

    /// Notes a file; whether it is the one.
    fn fits(&mut self, name: &str) -> bool {
        let name = plain(name);
        let fits = self.member.as_ref().is_none_or(|member| {
            let rest = name.strip_prefix(member.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let list = if fits {
            &mut self.names
        } else {
            &mut self.others
        };
        if list.len() <= SHOWN_NAMES {
            list.push(name);
        }
        fits
    }

    fn several(&self) -> Result<(), ArchiveError> {
        match self.names.len() {
            0 | 1 => Ok(()),
            _ => Err(ArchiveError::Several {
                listed: listed(&self.names),
            }),
        }
    }

    fn nothing(self) -> ArchiveError {
        match self.member {
            Some(member) => ArchiveError::Missing {
                member,
                listed: listed(&self.others),
            },
            None => ArchiveError::Empty,
        }
    }

    fn zip<R: Read + Seek>(
        &mut self,
        source: R,
        budget: &Cell<u64>,
    ) -> Result<Option<Unpacked>, Failed> {
        let error = |source: zip::result::ZipError| read_error(Packing::Zip, source.into());
        let mut archive = zip::ZipArchive::new(source).map_err(error)?;
        if archive.len() > MAXIMUM_ENTRIES {
            return Err(ArchiveError::TooManyEntries.into());
        }
        let mut found = None;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(error)?;
            if entry.is_file() && self.fits(&entry.name().map_err(error)?) {
                found = Some(index);
            }
        }
        self.several()?;
        let Some(index) = found else { return Ok(None) };
        budget.set(u64::MAX);
        let mut entry = archive.by_index(index).map_err(error)?;
        let (name, size) = (base(&entry.name().map_err(error)?), entry.size());
        self.copy(&mut entry, name, size, Packing::Zip).map(Some)
    }

    fn tar<R: Read>(
        &mut self,
        source: R,
        budget: &Cell<u64>,
        packing: Packing,
    ) -> Result<Option<Unpacked>, Failed> {
        let error = |source| read_error(packing, source);
        let mut archive = tar::Archive::new(source);
        let mut found = None;
        let mut entries = archive.entries().map_err(error)?;
        let mut listing_left = budget.get();
        for number in 0.. {
            budget.set(listing_left);
            let Some(entry) = entries.next() else { break };
            if number == MAXIMUM_ENTRIES {
                return Err(ArchiveError::TooManyEntries.into());
            }
            let mut entry = entry.map_err(error)?;
            let kind = entry.header().entry_type();
            let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
            let sparse = keywords(&mut entry, is_file).map_err(error)?;
            listing_left = budget.replace(u64::MAX);
            let named = sparse.as_ref().and_then(Keywords::name).map(str::to_owned);
            let name =
                named.unwrap_or_else(|| String::from_utf8_lossy(&entry.path_bytes()).into_owned());
            if is_file && self.fits(&name) {
                self.several()?;
                let size = entry.size();
                let base = base(&name);
                found = Some(match sparse {
                    None => self.copy(&mut entry, base, size, packing)?,
                    Some(keywords) => {
                        self.put_together(&mut entry, keywords, base, size, packing)?
                    }
                });
            } else {
                // Not left to the next step: there only headers may be read.
                let size = entry.size();
                self.pass_over(&mut entry, size, packing)?;
            }
            if self.cancel.is_cancelled() {
                return Err(Failed::Cancelled);
            }
        }
        budget.set(TRAILER_LIMIT);
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(error)?;
        Ok(found)
    }

    fn pass_over(
        &mut self,
        entry: &mut impl Read,
        size: u64,
        packing: Packing,
    ) -> Result<(), ArchiveError> {
        self.take(size)?;
        let error = |source| read_error(packing, source);
        let mut buffer = vec![0; PIECE];
        while !self.cancel.is_cancelled() && entry.read(&mut buffer).map_err(error)? > 0 {}
        Ok(())
    }

    /// Writes a file with holes, of which `packed` bytes are in the archive.
    fn put_together(
        &mut self,
        entry: &mut impl Read,
        keywords: Keywords,
        name: String,
        packed: u64,
        packing: Packing,
    ) -> Result<Unpacked, Failed> {
        let error = |source| read_error(packing, source);
        let layout = keywords.layout(entry, packed).map_err(error)?;
        let length = layout.length;
        self.take(length)?;
        let write = |source| Failed::Write {
            needed: length,
            source,
        };
        let file = self.folder.unnamed_file().map_err(write)?;
        let mut buffer = vec![0; PIECE];
        for piece in layout.pieces {
            let mut done = 0;
            while done < piece.length {
                if self.cancel.is_cancelled() {
                    return Err(Failed::Cancelled);
                }
                let wanted = (piece.length - done).min(PIECE as u64);
                // No more than a piece's bytes, which are fewer than any address space has.
                let part = &mut buffer[..wanted as usize];
                entry.read_exact(part).map_err(error)?;
                write_sparse(&file, piece.offset + done, part).map_err(write)?;
                done += wanted;
            }
        }
        // A hole at the end is not there until the length says so.
        file.set_len(length).map_err(write)?;
        Ok(Unpacked { file, length, name })
    }

    /// Copies the file, of which the archive says that it has `size` bytes.
    fn copy(
        &mut self,
        entry: &mut impl Read,
        name: String,
        size: u64,
        packing: Packing,
    ) -> Result<Unpacked, Failed> {
        self.take(size)?;
        let write = |source| Failed::Write {
            needed: size,
            source,
        };
        let file = self.folder.unnamed_file().map_err(write)?;
        let mut buffer = vec![0; PIECE];
        let mut length = 0;
        loop {
            if self.cancel.is_cancelled() {
                return Err(Failed::Cancelled);
            }
            match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    write_sparse(&file, length, &buffer[..read]).map_err(write)?;
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(packing, error).into()),
            }
            if length > size {
                break;
            }
        }
        if length != size {
            let other = io::Error::other("the file in it is not as long as the archive says");
            return Err(read_error(packing, other).into());
        }
        // A hole at the end is not there until the length says so.
        file.set_len(length).map_err(write)?;
        Ok(Unpacked { file, length, name })
    }
}

/// What the headers say of holes in an entry; `None` if nothing. What they say in a place where only other
/// readers would take notice of it is an error: they would find another file.
fn keywords<R: Read>(entry: &mut tar::Entry<'_, R>, is_file: bool) -> io::Result<Option<Keywords>> {
    let kind = entry.header().entry_type();
    if kind.is_pax_global_extensions() {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        return match pax_sparse::are_in(&bytes) {
            false => Ok(None),
            true => Err(pax_sparse::misplaced()),
        };
    }
    let mut keywords = None;
    for record in entry.pax_extensions()?.into_iter().flatten() {
        let record = record?;
        let key = String::from_utf8_lossy(record.key_bytes());
        if is_keyword(&key) {
            let value = String::from_utf8_lossy(record.value_bytes());
            keywords
                .get_or_insert_with(Keywords::default)
                .note(&key, &value)?;
        }
    }
    match keywords {
        Some(_) if !is_file || kind.is_gnu_sparse() => Err(pax_sparse::misplaced()),
        keywords => Ok(keywords),
    }
}

/// A path as it is compared: without what changes nothing.
fn plain(path: &str) -> String {
    let parts: Vec<_> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    parts.join("/")
}

fn base(path: &str) -> String {
    plain(path)
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() {
        0 => "none".to_owned(),
        all if all > SHOWN_NAMES => format!("{} and more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Reads a shared file from its beginning without moving its offset.
pub(crate) struct Positioned {
    file: Arc<File>,
    position: u64,
    length: u64,
    meter: Option<Meter>,
}

impl Positioned {
    pub(crate) fn new(file: Arc<File>) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            position: 0,
            length,
            meter: None,
        })
    }

    /// Lets what unpacking takes be noted whenever more is read.
    fn metered(mut self, meter: &Meter) -> Self {
        self.meter = Some(meter.clone());
        self
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(meter) = &self.meter {
            meter.look();
        }
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Stops a reader once it has read more than was allowed.
struct Budgeted<R> {
    inner: R,
    budget: Rc<Cell<u64>>,
}

impl<R> Budgeted<R> {
    fn new(inner: R, budget: &Rc<Cell<u64>>) -> Self {
        Self {
            inner,
            budget: Rc::clone(budget),
        }
    }
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.budget.get().checked_sub(read as u64);
        self.budget
            .set(left.ok_or_else(|| io::Error::other("its list of contents is too long"))?);
        Ok(read)
    }
}

impl<R: Seek> Seek for Budgeted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests;
