//! Where a download's bytes go: one thread writes them, another hashes them, and receiving goes
//! on meanwhile.
//!
//! ```text
//!               ┌─► writer ──► partial file (runs of zeros become holes)
//! receive ──────┤      each a queue of QUEUE pieces of at most PIECE bytes, shared, not copied
//!               └─► hasher ──► SHA-256 and the wanted digest; a checkpoint every so often
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cache::{CacheError, Checkpoint, Lock, Partial};
use crate::digest::{Algorithm, Digest, Hasher};

/// The largest piece handed on at once, in bytes. What arrives is usually smaller.
const PIECE: usize = 1 << 20;

/// Pieces that may wait for each thread: with [`PIECE`] this bounds a download's memory, and it
/// is enough for the threads never to starve.
const QUEUE: usize = 2;

/// Bytes between two checkpoints: what a killed process loses at most.
const CHECKPOINT_INTERVAL: u64 = 64 << 20;

/// The unit in which zeros are looked for, and to which holes are aligned: a multiple of every
/// usual file system's block.
const HOLE_BLOCK: u64 = 64 << 10;

/// How a sink begins: empty, or after bytes that are there already.
pub(crate) struct Start {
    pub(crate) offset: u64,
    /// The strong entity tag of the version being received.
    pub(crate) etag: Option<String>,
    pub(crate) hashers: Hashers,
}

/// The digests computed on the way.
#[derive(Clone)]
pub(crate) struct Hashers {
    sha256: Hasher,
    wanted: Option<Hasher>,
}

impl Hashers {
    /// SHA-256, and `wanted` if it is another one.
    pub(crate) fn new(wanted: Option<Algorithm>) -> Self {
        let wanted = wanted.filter(|algorithm| *algorithm != Algorithm::Sha256);
        Self {
            sha256: Hasher::new(Algorithm::Sha256),
            wanted: wanted.map(Hasher::new),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(wanted) = &mut self.wanted {
            wanted.update(bytes);
        }
    }

    /// The SHA-256 of what was added so far.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256.clone().finish()
    }

    fn fresh(&self) -> Self {
        Self::new(self.wanted.as_ref().map(Hasher::algorithm))
    }
}

/// What a whole download came to.
pub(crate) struct Finished {
    pub(crate) sha256: Digest,
    /// The digest that was asked for, if it is not SHA-256.
    pub(crate) wanted: Option<Digest>,
}

/// The sink's threads have ended early; [`Sink::finish`] says why.
pub(crate) struct Closed;

#[derive(Clone)]
enum Message {
    /// Forget everything; a version with this strong entity tag follows.
    Restart(Option<String>),
    Data(Bytes),
}

/// A download in the making. Dropping it lets both threads finish what they have been given and
/// leave a checkpoint; only then is the lock released.
pub(crate) struct Sink {
    partial: Partial,
    lanes: [mpsc::Sender<Message>; 2],
    writing: JoinHandle<io::Result<()>>,
    hashing: JoinHandle<Hashers>,
    position: u64,
    etag: Option<String>,
    announced: Option<u64>,
}

impl Sink {
    /// Starts both threads. The file must end at `start.offset`.
    pub(crate) fn new(file: File, partial: Partial, start: Start, lock: &Arc<Lock>) -> Self {
        let (to_writer, from_writer) = mpsc::channel(QUEUE);
        let (to_hasher, from_hasher) = mpsc::channel(QUEUE);
        let (position, etag) = (start.offset, start.etag.clone());
        let written = Arc::new(AtomicU64::new(position));
        let reached = Arc::clone(&written);
        let held = Arc::clone(lock);
        let writing = tokio::task::spawn_blocking(move || {
            let _held = held;
            write(&file, from_writer, position, &written)
        });
        let held = Arc::clone(lock);
        let record = partial.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            let _held = held;
            hash(&record, from_hasher, start, &reached)
        });
        Self {
            partial,
            lanes: [to_writer, to_hasher],
            writing,
            hashing,
            position,
            etag,
            announced: None,
        }
    }

    /// Notes how long the whole file will be.
    pub(crate) fn announce(&mut self, length: Option<u64>) {
        self.announced = length;
    }

    /// How long the whole file should become, if a server said it.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Bytes of the file so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The strong entity tag, if a broken transfer can be continued.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Throws away what is there, for a version with this strong entity tag.
    pub(crate) async fn restart(&mut self, etag: Option<String>) -> Result<(), Closed> {
        self.position = 0;
        self.etag.clone_from(&etag);
        self.send(Message::Restart(etag)).await
    }

    /// Adds bytes; waits while the threads are behind.
    pub(crate) async fn push(&mut self, mut bytes: Bytes) -> Result<(), Closed> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            self.send(Message::Data(piece)).await?;
        }
        Ok(())
    }

    async fn send(&self, message: Message) -> Result<(), Closed> {
        for lane in &self.lanes {
            lane.send(message.clone()).await.map_err(|_| Closed)?;
        }
        Ok(())
    }

    /// Waits for both threads: the file is complete.
    pub(crate) async fn finish(self) -> Result<Finished, CacheError> {
        let partial = self.partial.clone();
        let hashers = self.join().await.map_err(|source| partial.error(source))?;
        Ok(Finished {
            sha256: hashers.sha256.finish(),
            wanted: hashers.wanted.map(Hasher::finish),
        })
    }

    /// Waits for both threads: the transfer is over and the file isn't complete. It stays if a
    /// later fetch can continue it.
    pub(crate) async fn suspend(self) -> Result<(), CacheError> {
        let partial = self.partial.clone();
        let worth_keeping = self.etag.is_some() && self.position > 0;
        match self.join().await {
            Ok(_) if worth_keeping => Ok(()),
            Ok(_) => partial.discard(),
            Err(source) => partial.discard().and(Err(partial.error(source))),
        }
    }

    async fn join(self) -> io::Result<Hashers> {
        drop(self.lanes);
        // Both, whatever one says: only then is nothing touched any more.
        let (written, hashed) = tokio::join!(self.writing, self.hashing);
        written.map_err(io::Error::other)??;
        hashed.map_err(io::Error::other)
    }
}

/// The writer's thread. `written` tells the other one how far it has got.
fn write(
    file: &File,
    mut messages: mpsc::Receiver<Message>,
    offset: u64,
    written: &AtomicU64,
) -> io::Result<()> {
    let mut position = offset;
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Restart(_) => {
                file.set_len(0)?;
                position = 0;
            }
            Message::Data(bytes) => {
                write_sparse(file, position, &bytes)?;
                position += bytes.len() as u64;
            }
        }
        written.store(position, Ordering::Release);
    }
    // A hole at the end is not there until the length says so.
    file.set_len(position)
}

/// Writes at `position`, leaving out what is zero in whole or cut-off blocks. The file is new or
/// was truncated there, so what is left out reads as zeros.
pub(crate) fn write_sparse(file: &File, position: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    let mut dense_from = None;
    while done < bytes.len() {
        let at = position + done as u64;
        let in_block = (HOLE_BLOCK - at % HOLE_BLOCK) as usize;
        let end = bytes.len().min(done + in_block);
        if !is_zero(&bytes[done..end]) {
            dense_from.get_or_insert(done);
        } else if let Some(from) = dense_from.take() {
            file.write_all_at(&bytes[from..done], position + from as u64)?;
        }
        done = end;
    }
    match dense_from {
        Some(from) => file.write_all_at(&bytes[from..], position + from as u64),
        None => Ok(()),
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // In words: the compiler makes vector code of the inner loop, and dense data ends the outer
    // one at its first chunk.
    bytes
        .chunks(1 << 10)
        .all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

/// The hasher's thread.
fn hash(
    partial: &Partial,
    mut messages: mpsc::Receiver<Message>,
    start: Start,
    written: &AtomicU64,
) -> Hashers {
    let Start {
        mut offset,
        mut etag,
        mut hashers,
    } = start;
    let mut next_checkpoint = offset + CHECKPOINT_INTERVAL;
    // One that waits for the writer: a process killed before would leave too short a file for it.
    let mut due: Option<(u64, Hashers)> = None;
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Restart(new) => {
                hashers = hashers.fresh();
                (offset, etag, next_checkpoint) = (0, new, CHECKPOINT_INTERVAL);
                due = None;
                logged(partial.forget());
            }
            Message::Data(bytes) => {
                hashers.update(&bytes);
                offset += bytes.len() as u64;
                if offset >= next_checkpoint {
                    due = Some((offset, hashers.clone()));
                    next_checkpoint = offset + CHECKPOINT_INTERVAL;
                }
                let is_written =
                    |due: &mut (u64, Hashers)| written.load(Ordering::Acquire) >= due.0;
                if let Some((offset, hashers)) = due.take_if(is_written) {
                    checkpoint(partial, etag.as_deref(), offset, &hashers);
                }
            }
        }
    }
    checkpoint(partial, etag.as_deref(), offset, &hashers);
    hashers
}

/// Leaves a checkpoint. Without one the download is merely not resumed, so a failure is no error.
fn checkpoint(partial: &Partial, etag: Option<&str>, offset: u64, hashers: &Hashers) {
    if let Some(etag) = etag.filter(|_| offset > 0) {
        logged(partial.store(&Checkpoint::new(etag.to_owned(), offset, &hashers.sha256())));
    }
}

fn logged(result: Result<(), CacheError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a checkpoint could not be changed");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Whatever the pieces, the file has the same bytes, and long runs of zeros take no room.
    #[test]
    fn zeros_become_holes_and_nothing_else_changes() {
        let mut data = vec![0_u8; 8 << 20];
        data[..10].fill(7);
        data[(1 << 20) + 5] = 1;
        data[(5 << 20) - 1] = 2;
        data[(5 << 20)..(5 << 20) + (200 << 10)].fill(3);
        for size in [1000, 65_536, 100_003, 1 << 20, 8 << 20] {
            let file = tempfile::tempfile().unwrap();
            let (sender, receiver) = mpsc::channel(data.len() / size + 1);
            for piece in data.chunks(size) {
                sender
                    .try_send(Message::Data(Bytes::copy_from_slice(piece)))
                    .unwrap();
            }
            drop(sender);
            write(&file, receiver, 0, &AtomicU64::new(0)).unwrap();
            let mut read = vec![0xff; data.len()];
            file.read_exact_at(&mut read, 0).unwrap();
            assert!(read == data, "pieces of {size}");
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), data.len() as u64);
            assert!(
                metadata.blocks() * 512 <= 1 << 20,
                "pieces of {size}: {metadata:?}"
            );
        }
    }
}
