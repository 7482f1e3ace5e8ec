//! `output_compact`: the downloaded image without what it does not hold.
//!
//! ```text
//!   raw ────────────────────────────► blocks of zeros become holes, in place
//!   qcow2 ──────────────────────────► written anew: clusters that hold something; kept if smaller
//!   overlay, snapshots, other format ► left as it is
//! ```
//!
//! What a guest has deleted is only gone from its disk if it has said so, by `fstrim` or by writing zeros.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder, Mapping,
};
use lvhost_image::qcow2::{HEADER_BYTES, Header};
use lvhost_regular_file::UnfinishedFile;
use rustix::fs::{FallocateFlags, fallocate};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// The size of the clusters of a qcow2 image that is written, in bytes: QEMU's own choice. Blocks of a
/// raw image are looked at in the same size.
const CLUSTER: usize = 64 * 1024;

/// Where a qcow2 header has the number of snapshots (`nb_snapshots`, `docs/interop/qcow2.rst` of QEMU).
const SNAPSHOTS: Range<usize> = 60..64;

/// How much is read at once, in clusters.
const CLUSTERS_AT_ONCE: usize = 16;

/// What became of an image.
#[derive(Debug)]
pub(super) enum Compacted {
    /// It holds no more than it has to, in the file it was in.
    InPlace(UnfinishedFile),
    /// It was written anew.
    Anew(UnfinishedFile),
    /// It stays as it is, for this reason.
    Left(UnfinishedFile, &'static str),
}

/// Compacts the image in `image`, which was made in the format `format`. A file that is needed for it comes from
/// `new_file`. What is made of it after `cancel` is of no use to anybody.
///
/// # Errors
/// Those of reading and writing; [`io::ErrorKind::InvalidData`] for an image that can't be understood.
pub(super) async fn compact(
    image: UnfinishedFile,
    format: &str,
    new_file: impl FnOnce() -> io::Result<UnfinishedFile>,
    cancel: &CancellationToken,
) -> io::Result<Compacted> {
    match format {
        "raw" => {
            let file = image.as_file().try_clone()?;
            let cancel = cancel.clone();
            // Reading a whole disk blocks for long.
            let work = tokio::task::spawn_blocking(move || punch(&file, &cancel));
            match work.await.map_err(io::Error::other)? {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Compacted::Left(
                    image,
                    "the file system of `output_directory` has no holes",
                )),
                result => result.map(|()| Compacted::InPlace(image)),
            }
        }
        "qcow2" => match obstacle(image.as_file())? {
            Some(reason) => Ok(Compacted::Left(image, reason)),
            None => {
                let new = new_file()?;
                let (from, to) = (image.path(), new.path());
                let (cancel, handle) = (cancel.clone(), Handle::current());
                // What reads the image stays on one thread, and its reads and writes block.
                let work = tokio::task::spawn_blocking(move || {
                    handle.block_on(write_anew(&from, &to, &cancel))
                });
                work.await.map_err(io::Error::other)??;
                // Compressed clusters take less room than what is written for them.
                let is_smaller = stored(new.as_file())? < stored(image.as_file())?;
                Ok(match is_smaller {
                    true => Compacted::Anew(new),
                    false => Compacted::InPlace(image),
                })
            }
        },
        _ => Ok(Compacted::Left(
            image,
            "only images of format `raw` or `qcow2` can be compacted",
        )),
    }
}

/// The bytes that a file takes on disk.
fn stored(file: &File) -> io::Result<u64> {
    /// What `st_blocks` counts in, whatever the file system's own blocks are.
    const BLOCK: u64 = 512;
    Ok(file.metadata()?.blocks() * BLOCK)
}

/// Turns blocks of zeros into holes.
fn punch(file: &File, cancel: &CancellationToken) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut buffer = vec![0; CLUSTER * CLUSTERS_AT_ONCE];
    let mut position = 0;
    while position < length && !cancel.is_cancelled() {
        let rest = usize::try_from(length - position).unwrap_or(usize::MAX);
        let chunk = rest.min(buffer.len());
        let Some(read) = buffer.get_mut(..chunk) else {
            break;
        };
        file.read_exact_at(read, position)?;
        for block in read.chunks(CLUSTER) {
            let size = block.len() as u64;
            if is_zero(block) {
                let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                fallocate(file, how, position, size)?;
            }
            position += size;
        }
    }
    Ok(())
}

/// Why a qcow2 image can't be written anew from this file alone.
fn obstacle(file: &File) -> io::Result<Option<&'static str>> {
    let mut beginning = vec![0; HEADER_BYTES];
    let mut filled = 0;
    while let Some(room) = beginning.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    beginning.truncate(filled);
    let header = Header::parse(&beginning)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(match header {
        None => Some("it is not the qcow2 image that it was made as"),
        Some(header) if header.backing_file.is_some() => {
            Some("it is an overlay, and what it lies on is not part of it")
        }
        Some(header) if header.external_data_file => Some("its data is in another file"),
        Some(header) if header.encrypted => Some("it is encrypted"),
        Some(_)
            if beginning
                .get(SNAPSHOTS)
                .is_some_and(|count| !is_zero(count)) =>
        {
            Some("it has snapshots, which would be lost")
        }
        Some(_) => None,
    })
}

/// Copies what the image `from` holds into a new image in the empty file `to`. No other file is opened,
/// whatever stands in the image.
async fn write_anew(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let source = open(File::open(from)?, false).await?;
    let size = source.size();
    let file = || File::options().read(true).write(true).open(to);
    Qcow2::<Storage>::create_builder(Storage::try_from(file()?)?)
        .size(size)
        .cluster_size(CLUSTER)
        .create()
        .await?;
    let target = open(file()?, true).await?;
    let mut buffer = vec![0; CLUSTER * CLUSTERS_AT_ONCE];
    let mut position = 0;
    while position < size && !cancel.is_cancelled() {
        let (mapping, length) = source.get_mapping(position, size - position).await?;
        if length == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if matches!(mapping, Mapping::Zero { .. }) {
            position += length;
            continue;
        }
        // To the next boundary, so that clusters here are clusters there.
        let room = buffer.len() as u64 - position % CLUSTER as u64;
        let chunk = usize::try_from(length.min(room)).map_err(io::Error::other)?;
        let Some(read) = buffer.get_mut(..chunk) else {
            break;
        };
        source.read(&mut *read, position).await?;
        for block in read.chunks(CLUSTER) {
            if !is_zero(block) {
                target.write(block, position).await?;
            }
            position += block.len() as u64;
        }
    }
    target.flush().await?;
    target.sync().await
}

async fn open(file: File, write: bool) -> io::Result<FormatAccess<Storage>> {
    let image = Qcow2::<Storage>::builder(Storage::try_from(file)?)
        .write(write)
        .backing(None)
        .data_file(None)
        .open(DenyImplicitOpenGate::default());
    Ok(FormatAccess::new(image.await?))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
