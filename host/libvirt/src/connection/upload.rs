//! An upload: a thread that owns libvirt's stream, and the handle that feeds it.
//!
//! ```text
//!          open                 Finish, all bytes there
//! (none) ───────► streaming ─────────────────────────────► finished (virStreamFinish)
//!                     │ handle dropped, too few or too many bytes, error
//!                     └────────────────────────────────────► aborted (virStreamAbort)
//! ```
//! After an error the thread is gone; its reason comes out of the handle's next call.
use std::{fs::File, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use virt::{error::Error as VirtError, stream::Stream};
use virt_sys as sys;

use super::{
    Session,
    errors::Context,
    ffi::streams,
    workers::{Workers, worker_died},
};
use crate::{
    Error, Progress, Result, Upload, VolumeFacts, VolumeId,
    pump::{PACKET, Pump, PumpError, Sink},
};

/// Portions that wait between the caller and the thread. With [`MAX_PORTION`] it bounds the memory
/// of an upload.
const QUEUE: usize = 4;
/// Bytes of a portion; larger ones are cut.
const MAX_PORTION: usize = 1 << 20;

/// What is sent for a hole where the connection has none.
static ZEROS: [u8; PACKET] = [0; PACKET];

enum Command {
    Data(Bytes),
    Hole(u64),
    File {
        file: Arc<File>,
        offset: u64,
        length: u64,
        done: oneshot::Sender<()>,
    },
    Finish,
}

/// Opens the stream on the upload's thread.
pub(super) async fn open(
    workers: &Workers,
    id: VolumeId,
    length: Option<u64>,
) -> Result<LibvirtUpload> {
    let progress = Progress::default();
    let (commands, queue) = mpsc::channel(QUEUE);
    let (opened, ready) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let upload = LibvirtUpload {
        id: id.clone(),
        commands: Some(commands),
        end: Some(end),
        progress: progress.clone(),
    };
    workers.spawn("libvirt-upload", move |session| {
        match StreamSink::open(session, &id, length) {
            Ok(sink) => {
                if opened.send(Ok(())).is_ok() {
                    let pump = Pump::new(sink, length, progress.clone());
                    let asked = Asked {
                        id: &id,
                        length,
                        progress,
                    };
                    let _ = ended.send(run(session, &asked, pump, queue));
                } else {
                    sink.abort();
                }
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    })?;
    ready.await.map_err(|_| worker_died())??;
    Ok(upload)
}

/// What was asked for.
struct Asked<'a> {
    id: &'a VolumeId,
    length: Option<u64>,
    progress: Progress,
}

impl Asked<'_> {
    /// libvirt's error, or that of a pool that is full.
    fn error(&self, session: &Session, error: StreamError) -> Error {
        let action = format!("upload to the volume {}", self.id);
        // Of an upload without a length, what has come is the least that is needed.
        let needed = self.length.unwrap_or_else(|| self.progress.bytes());
        match error {
            StreamError::Libvirt(error) => {
                let error = Context::new(session, action).error(error);
                session.measured(error, &self.id.pool, needed)
            }
            StreamError::Full { room } => Error::NoSpace {
                action,
                message: "the volume would grow beyond what its pool has left".to_owned(),
                needed: Some(needed),
                available: Some(room),
            },
        }
    }
}

/// The thread's life after the stream is open.
fn run(
    session: &Session,
    asked: &Asked<'_>,
    mut pump: Pump<StreamSink>,
    mut queue: mpsc::Receiver<Command>,
) -> Result<()> {
    let id = asked.id;
    let result = feed(&mut pump, &mut queue);
    let sink = match result {
        Ok(()) if pump.remaining() == 0 => pump.into_sink(),
        Ok(()) => {
            let missing = pump.remaining();
            pump.into_sink().abort();
            return Err(Error::too_short(id, missing));
        }
        Err(stop) => {
            let error = match stop {
                PumpError::Sink(error) => asked.error(session, error),
                PumpError::TooLong => Error::too_long(id),
                PumpError::Read(source) => Error::ReadSource {
                    id: id.clone(),
                    source,
                },
                PumpError::Cancelled => Error::Upload {
                    id: id.clone(),
                    message: "it was given up".to_owned(),
                },
            };
            pump.into_sink().abort();
            return Err(error);
        }
    };
    sink.stream
        .finish()
        .map_err(|error| asked.error(session, StreamError::Libvirt(error)))
}

/// Carries out commands until the last.
fn feed(
    pump: &mut Pump<StreamSink>,
    queue: &mut mpsc::Receiver<Command>,
) -> std::result::Result<(), PumpError<StreamError>> {
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Data(bytes) => pump.data(&bytes)?,
            Command::Hole(length) => pump.hole(length)?,
            Command::File {
                file,
                offset,
                length,
                done,
            } => {
                pump.file(&file, offset, length, || done.is_closed())?;
                let _ = done.send(());
            }
            Command::Finish => return pump.flush(),
        }
    }
    Err(PumpError::Cancelled)
}

/// Why the stream takes no more.
#[derive(Debug)]
enum StreamError {
    Libvirt(VirtError),
    /// The pool had no more than so many bytes.
    Full {
        room: u64,
    },
}

/// What a file system keeps of its free space for its own records, as a part of it.
const RESERVED: u64 = 64;

/// libvirt's stream into a volume.
struct StreamSink {
    stream: Stream,
    /// Whether the other end takes holes.
    sparse: bool,
    /// Bytes the volume can hold: what it has already and what its pool has left. A daemon that runs
    /// out of space while it writes a stream does not survive it (libvirt 11.3 crashes, or spins and
    /// answers no more), so it is not let come to that.
    room: Option<u64>,
    /// Bytes sent.
    sent: u64,
}

impl StreamSink {
    fn open(session: &Session, id: &VolumeId, length: Option<u64>) -> Result<Self> {
        let (volume, facts) = session.find_file(id)?;
        let room = session.room_of(id, &facts);
        let context = Context::new(session, format!("upload to the volume {id}"));
        let attempt = |flags| {
            let stream = Stream::new(&session.connect, 0).map_err(|error| context.error(error))?;
            volume
                // To libvirt, zero is no limit.
                .upload(&stream, 0, length.unwrap_or(0), flags)
                .map_err(|error| context.error(error))?;
            Ok(stream)
        };
        match attempt(sys::VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM) {
            Ok(stream) => Ok(Self {
                stream,
                sparse: true,
                room,
                sent: 0,
            }),
            Err(Error::NotSupported { message, .. }) => {
                let stream = attempt(0)?;
                tracing::warn!(%id, message, "no sparse uploads here: holes are sent as zeros");
                Ok(Self {
                    stream,
                    sparse: false,
                    room,
                    sent: 0,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives up. The volume's contents are of no more interest, nor is what libvirt thinks of that.
    fn abort(self) {
        if let Err(error) = self.stream.abort() {
            tracing::debug!(%error, "an upload could not be aborted");
        }
    }
}

impl Session {
    /// Bytes a volume can hold, if its pool tells what it has left.
    fn room_of(&self, id: &VolumeId, facts: &VolumeFacts) -> Option<u64> {
        let free = self.free_space(&id.pool)?;
        Some(facts.allocation.saturating_add(free - free / RESERVED))
    }
}

impl Sink for StreamSink {
    type Error = StreamError;

    fn send(&mut self, mut bytes: &[u8]) -> std::result::Result<(), StreamError> {
        self.sent += bytes.len() as u64;
        if let Some(room) = self.room.filter(|room| self.sent > *room) {
            return Err(StreamError::Full { room });
        }
        while !bytes.is_empty() {
            let sent = self.stream.send(bytes).map_err(StreamError::Libvirt)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    fn hole(&mut self, mut length: u64) -> std::result::Result<(), StreamError> {
        if self.sparse {
            return streams::send_hole(&self.stream, length).map_err(StreamError::Libvirt);
        }
        while length > 0 {
            let part = length.min(PACKET as u64);
            self.send(&ZEROS[..part as usize])?;
            length -= part;
        }
        Ok(())
    }
}

/// The handle of an upload.
pub(super) struct LibvirtUpload {
    id: VolumeId,
    /// `None` after the last command.
    commands: Option<mpsc::Sender<Command>>,
    /// How the thread ended; `None` when that was told.
    end: Option<oneshot::Receiver<Result<()>>>,
    progress: Progress,
}

impl LibvirtUpload {
    async fn send(&mut self, command: Command) -> Result<()> {
        let sent = match &self.commands {
            Some(commands) => commands.send(command).await.is_ok(),
            None => false,
        };
        if sent {
            Ok(())
        } else {
            Err(self.failure().await)
        }
    }

    /// Why the thread ended before it was told to.
    async fn failure(&mut self) -> Error {
        match self.ended().await {
            Err(error) => error,
            Ok(()) => Error::Upload {
                id: self.id.clone(),
                message: "it has ended".to_owned(),
            },
        }
    }

    async fn ended(&mut self) -> Result<()> {
        self.commands = None;
        match self.end.take() {
            Some(end) => end.await.map_err(|_| worker_died())?,
            None => Err(Error::Upload {
                id: self.id.clone(),
                message: "it has failed before".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl Upload for LibvirtUpload {
    async fn data(&mut self, mut bytes: Bytes) -> Result<()> {
        while bytes.len() > MAX_PORTION {
            let portion = bytes.split_to(MAX_PORTION);
            self.send(Command::Data(portion)).await?;
        }
        self.send(Command::Data(bytes)).await
    }

    async fn hole(&mut self, length: u64) -> Result<()> {
        self.send(Command::Hole(length)).await
    }

    async fn file(&mut self, file: Arc<File>, offset: u64, length: u64) -> Result<()> {
        let (done, finished) = oneshot::channel();
        self.send(Command::File {
            file,
            offset,
            length,
            done,
        })
        .await?;
        match finished.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    fn transferred(&self) -> Progress {
        self.progress.clone()
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.send(Command::Finish).await?;
        self.ended().await
    }
}
